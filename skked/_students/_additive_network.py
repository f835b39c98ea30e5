"""A network that is additive over superfeatures, in the place of the boosting of an explaining teacher."""

from dataclasses import dataclass

import numpy as np

from skked._students._untaught import UntaughtAdditiveClassifier, UntaughtAdditiveRegressor
from skked._students.ked import KEDClassifier, KEDRegressor

__all__ = ["AdditiveNetwork", "fit_additive_network"]

_UNTAUGHT = {"classification": UntaughtAdditiveClassifier, "regression": UntaughtAdditiveRegressor}
_TAUGHT = {"classification": KEDClassifier, "regression": KEDRegressor}


@dataclass(frozen=True)
class AdditiveNetwork:
    """A fitted additive network; see :class:`~skked._students._additive_boosting.AdditiveBoosting`.

    Attributes
    ----------
    model : KEDClassifier or KEDRegressor
    """

    model: object

    @property
    def n_iter(self):
        """int: epochs."""
        return self.model.n_iter_

    @property
    def constant(self):
        """ndarray of shape (n_outputs,): what the contributions are added to."""
        return self.model.network_.base.astype(np.float64)

    def score(self, X):
        """Scores of rows, shape (n_rows, n_outputs)."""
        return self.model._score_of(X)

    def contributions(self, X):
        """Contributions of the superfeatures, shape (n_rows, n_superfeatures, n_outputs)."""
        phi = self.model.contributions(X)
        return phi[..., None] if phi.ndim == 2 else phi

    def mean_contributions(self, X, weight):
        """Weighted mean of :meth:`contributions`, shape (n_superfeatures, n_outputs)."""
        return np.tensordot(weight, self.contributions(X), 1) / weight.sum()


def fit_additive_network(task, X, y, weight, groups, *, teacher, random_state, **settings):
    """Fit an additive network to the labels, or to a teacher's predictions and group explanations.

    Parameters
    ----------
    task : {"classification", "regression"}
        What is predicted.
    X : ndarray or DataFrame of shape (n_rows, n_columns)
        Training rows.
    y : ndarray of shape (n_rows,)
        Labels or numbers.
    weight : ndarray of shape (n_rows,)
        Positive weights.
    groups : dict of str to list of int
        Columns of every superfeature.
    teacher : estimator or None
        None learns from the labels alone, by the loss of the total.
    random_state : int
    **settings
        Parameters of :class:`KEDClassifier`.

    Returns
    -------
    AdditiveNetwork
    """
    if teacher is None:
        model = _UNTAUGHT[task](superfeatures=groups, distillation_weight=0.0, random_state=random_state, **settings)
    else:
        model = _TAUGHT[task](teacher, superfeatures=groups, random_state=random_state, **settings)
    return AdditiveNetwork(model.fit(X, y, sample_weight=weight))
