"""The additive gap: what a model loses when it may combine columns only inside a superfeature."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

__all__ = ["AdditiveGap"]

_MAX_BINS = 63
_N_TREES = 400  # per fit, over all classes
_TINY = 1e-7


class AdditiveGap:
    """Judge partitions of the columns by gradient boosting on rows that it has not seen.

    The judge is one ordinary boosting T0, and for every partition T1, the same boosting whose trees may each use the
    columns of one superfeature only. ``gap = loss(T1) - loss(T0)`` over the held-out rows: log-loss in nats, or
    squared error over the variance of the target (1 - R2).

    Parameters
    ----------
    columns : ColumnCodes
        The table, a few thousand rows at most.
    y : ndarray of shape (n_rows,)
        Class codes 0 to n_classes - 1, or numbers.
    is_classifier : bool
        Kind of task.
    sample_weight : ndarray of shape (n_rows,)
        Weights, all positive.
    random_state : numpy.random.RandomState
        Chooses the held-out third.

    Attributes
    ----------
    full_model_ : estimator
        T0, fitted on the other rows.
    """

    def __init__(self, columns, y, *, is_classifier, sample_weight, random_state):
        self.is_classifier = is_classifier
        self.matrix, self.categorical = _boosting_matrix(columns)
        self.y, self.weight = y, sample_weight
        self.train, self.test = _split(y, is_classifier, random_state)
        self.full_model_ = self._fit(None)
        self._full_loss = self._loss(self.full_model_)

    def loss(self, labels):
        """Held-out loss of T1 minus that of T0, for each held-out row.

        Parameters
        ----------
        labels : int ndarray of shape (n_columns,)
            The partition.

        Returns
        -------
        ndarray of shape (n_held_out,)
            Differences; positive where the partition loses.
        """
        groups = [np.flatnonzero(labels == group).tolist() for group in range(labels.max() + 1)]
        if len(groups) == 1:
            return np.zeros(len(self.test))
        return self._loss(self._fit(groups)) - self._full_loss

    def mean(self, difference):
        """Weighted mean of held-out differences and its standard error."""
        weight = self.weight[self.test]
        share = weight / weight.sum()
        mean = share @ difference
        return mean, np.sqrt(share**2 @ (difference - mean) ** 2)

    def _fit(self, groups):
        boosting = HistGradientBoostingClassifier if self.is_classifier else HistGradientBoostingRegressor
        n_outputs = max(1, len(np.unique(self.y))) if self.is_classifier else 1
        model = boosting(
            max_iter=int(np.clip(_N_TREES // (n_outputs if n_outputs > 2 else 1), 15, 60)),
            learning_rate=0.15,
            max_leaf_nodes=15,
            max_bins=_MAX_BINS,
            early_stopping=False,
            categorical_features=self.categorical,
            interaction_cst=groups,
            random_state=0,
        )
        return model.fit(self.matrix[self.train], self.y[self.train], sample_weight=self.weight[self.train])

    def _loss(self, model):
        truth = self.y[self.test]
        if self.is_classifier:
            probability = np.full((len(truth), self.y.max() + 1), _TINY)
            probability[:, model.classes_] += model.predict_proba(self.matrix[self.test])
            return -np.log(probability[np.arange(len(truth)), truth])
        weight = self.weight[self.test]
        variance = np.average((truth - np.average(truth, weights=weight)) ** 2, weights=weight)
        return (truth - model.predict(self.matrix[self.test])) ** 2 / (variance if variance > 0 else 1.0)


def _boosting_matrix(columns):
    """Matrix for boosting; a category with too many levels for its bins is used as a number (by frequency)."""
    n_levels = np.nanmax(np.where(np.isnan(columns.values), 0.0, columns.values), axis=0) + 1
    return columns.values, columns.categorical & (n_levels <= _MAX_BINS)


def _split(y, is_classifier, random_state):
    """Two thirds of the rows to fit, one third to judge; every class keeps its share and its first row to fit."""
    order = random_state.permutation(len(y))
    if is_classifier:
        order = order[np.argsort(y[order], kind="stable")]
        _, start = np.unique(y[order], return_index=True)
        place = np.arange(len(y)) - np.repeat(start, np.diff(np.append(start, len(y))))
    else:
        place = np.arange(len(y))
    return np.sort(order[place % 3 != 2]), np.sort(order[place % 3 == 2])
