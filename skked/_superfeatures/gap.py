"""The additive gap: what a model loses when it may combine columns only inside a superfeature."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from skked._superfeatures.interaction import column_effects
from skked._table import assemble_rows

__all__ = ["AdditiveGap"]

_MAX_BINS = 63
_MAX_ROWS_TO_FIT = 3_000
_MAX_COLUMNS = 128  # of wide tables only the columns that matter most take part in the comparison
_N_TREES = 300  # per fit, over all classes
_TINY = 1e-7


class AdditiveGap:
    """Judge partitions of the columns by gradient boosting on rows that it has not seen.

    The judge is one ordinary boosting T0, and for every partition T1, the same boosting whose trees may each use the
    columns of one superfeature only. The gap is ``loss(T1) - loss(T0)`` over the held-out rows: log-loss in nats, or
    squared error over the variance of the target (``1 - R2``). At most 3,000 rows, two thirds, are fitted on. Of more
    than 128 columns the 128 that move the scores of T0 most are compared.

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
        Chooses the held-out rows.

    Attributes
    ----------
    full_model_ : estimator
        T0 on all columns, fitted on the rows that are not held out.
    matrix_ : ndarray of shape (n_rows, n_columns)
        The table as ``full_model_`` reads it.
    """

    def __init__(self, columns, y, *, is_classifier, sample_weight, random_state):
        self.is_classifier = is_classifier
        self.matrix_, self._categorical = _boosting_matrix(columns)
        self._y, self._weight = y, sample_weight
        self._train, self._test = _split(y, is_classifier, random_state)
        # HistGradientBoosting (1.9) cannot bin a column without a single value.
        self.matrix_[:, np.isnan(self.matrix_[self._train]).all(axis=0)] = 0.0
        self._columns = np.arange(len(self._categorical))
        self.full_model_ = model = self._fit(None)
        if len(self._columns) > _MAX_COLUMNS:
            self._columns = self._strongest_columns(random_state)
            model = self._fit(None)
        self._full_loss = self._loss(model)
        # scikit-learn's boosting (1.9) puts categories first and then reads interaction_cst by the new places;
        # with the categories first from the outset, old and new places are the same.
        self._columns = self._columns[np.argsort(~self._categorical[self._columns], kind="stable")]

    def differences(self, labels):
        """Held-out loss of T1 minus that of T0, row by row.

        Parameters
        ----------
        labels : int ndarray of shape (n_columns,)
            The partition.

        Returns
        -------
        ndarray of shape (n_held_out,)
            Positive where the partition loses.
        """
        labels = np.unique(labels[self._columns], return_inverse=True)[1]
        groups = [np.flatnonzero(labels == group).tolist() for group in range(labels.max() + 1)]
        if len(groups) == 1:
            return np.zeros(len(self._test))
        return self._loss(self._fit(groups)) - self._full_loss

    def mean(self, differences):
        """Weighted mean over the held-out rows, and its standard error.

        Parameters
        ----------
        differences : ndarray of shape (n_held_out,)
            One value per held-out row.

        Returns
        -------
        mean, standard_error : float
            In nats, or in units of R2.
        """
        share = self._weight[self._test] / self._weight[self._test].sum()
        mean = share @ differences
        return float(mean), float(np.sqrt(share**2 @ (differences - mean) ** 2))

    def _strongest_columns(self, random_state):
        model, every_column = self.full_model_, np.arange(len(self._categorical))
        effects = column_effects(
            model.decision_function if self.is_classifier else model.predict,
            lambda donors: assemble_rows(self.matrix_, donors, every_column),
            len(self.matrix_),
            len(every_column),
            random_state=random_state,
        )
        return np.sort(np.argsort(-effects, kind="stable")[:_MAX_COLUMNS])

    def _fit(self, groups):
        boosting = HistGradientBoostingClassifier if self.is_classifier else HistGradientBoostingRegressor
        n_classes = self._y.max() + 1 if self.is_classifier else 1
        y, weight = self._y[self._train], self._weight[self._train]
        model = boosting(
            max_iter=int(np.clip(_N_TREES // max(n_classes - 1, 1), 15, 60)),
            learning_rate=0.15,
            max_leaf_nodes=15,
            min_samples_leaf=int(np.clip(len(y) // 20, 2, 20)),
            max_bins=_MAX_BINS,
            early_stopping=False,
            categorical_features=self._categorical[self._columns],
            interaction_cst=groups,
            random_state=0,
        )
        return model.fit(self._part(self._train), y, sample_weight=None if (weight == weight[0]).all() else weight)

    def _part(self, rows):
        return self.matrix_[np.ix_(rows, self._columns)]

    def _loss(self, model):
        truth = self._y[self._test]
        if self.is_classifier:
            probability = np.full((len(truth), self._y.max() + 1), _TINY)
            probability[:, model.classes_] += model.predict_proba(self._part(self._test))
            return -np.log(probability[np.arange(len(truth)), truth])
        weight = self._weight[self._test]
        variance = np.average((truth - np.average(truth, weights=weight)) ** 2, weights=weight)
        return (truth - model.predict(self._part(self._test))) ** 2 / (variance if variance > 0 else 1.0)


def _boosting_matrix(columns):
    """Matrix with few distinct values per column, binned once for all fits, and which columns are categories.

    A category with too many levels for the bins is used as a number, its place by frequency.
    """
    matrix = np.column_stack([_binned(column) for column in columns.values.T])
    n_levels = np.nanmax(np.where(np.isnan(columns.values), 0.0, columns.values), axis=0) + 1
    return matrix, columns.categorical & (n_levels <= _MAX_BINS)


def _binned(column):
    present = column[~np.isnan(column)]
    if len(np.unique(present)) <= _MAX_BINS:
        return column
    edges = np.unique(np.quantile(present, np.linspace(0, 1, _MAX_BINS + 1)[1:-1]))
    return np.where(np.isnan(column), np.nan, np.searchsorted(edges, column, side="right"))


def _split(y, is_classifier, random_state):
    """Rows to fit and rows to judge; every class keeps its share, and its first row is fitted."""
    order = random_state.permutation(len(y))
    place = np.arange(len(y))
    if is_classifier:
        order = order[np.argsort(y[order], kind="stable")]
        _, start, size = np.unique(y[order], return_index=True, return_counts=True)
        place = place - np.repeat(start, size)
    share = min(2 / 3, _MAX_ROWS_TO_FIT / len(y))
    fitted = np.ceil((place + 1) * share) > np.ceil(place * share)
    return np.sort(order[fitted]), np.sort(order[~fitted])
