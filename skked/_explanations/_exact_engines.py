"""Engines with closed forms: tree ensembles by their leaves, linear models by their coefficients."""

import numpy as np

from skked._explanations._errors import NotApplicableError
from skked._explanations._tree import extract_trees, tree_shapley, why_not_extractable
from skked._table import take_rows

__all__ = ["LinearEngine", "TreeEngine"]

_CHECKED_ROWS = 100


class TreeEngine:
    """Exact values of tree ensembles whose explained response is linear in the leaves.

    Parameters
    ----------
    problem : Problem
    inner : InnerEstimator

    Raises
    ------
    NotApplicableError
        If the trees cannot be read, or the response is not linear in their leaves.
    """

    name = "tree"

    def __init__(self, problem, inner):
        score = problem.score
        if score.linear_part is None:
            raise NotApplicableError(f'response="{score.response}" is not linear in the leaves')
        self.trees = extract_trees(inner.estimator)
        if self.trees is None:
            raise NotApplicableError(why_not_extractable(inner.estimator))
        if self.trees.space != score.raw_space:
            raise NotApplicableError(f'response="{score.response}" is not linear in the leaves of these trees')
        background, self.weight = problem.many_rows
        self.background = inner.transform(background)
        reason = why_not_extractable(inner.estimator, self.background)
        if reason:
            raise NotApplicableError(reason)
        self.inner = inner
        self.score = score
        self.n_superfeatures = problem.n_superfeatures
        self.n_threads = problem.n_threads
        self.max_bytes = problem.max_bytes
        raw = self.weight @ self.trees.predict_codes(self.trees.code(self.background))
        self.base = score.from_raw(raw[None])[0]

    def budget(self, n_samples):
        """No model rows: the leaves are enough."""
        return 0

    def explain(self, rows):
        """Exact contributions."""
        raw, _ = tree_shapley(
            self.trees,
            self.inner.labels,
            self.inner.transform(rows),
            self.background,
            self.weight,
            n_threads=self.n_threads,
            max_bytes=self.max_bytes,
        )
        phi = np.zeros((len(raw), self.n_superfeatures, len(self.base)))
        phi[:, : raw.shape[1]] = self.score.linear_part(raw)
        return phi, None, 0, self.name


class LinearEngine:
    """Exact values of linear models: ``phi_g = Σ_{j in g} w_j (x_j - E b_j)``.

    Parameters
    ----------
    problem : Problem
    inner : InnerEstimator

    Raises
    ------
    NotApplicableError
        If the explained response is not linear in the columns.
    """

    name = "linear"

    def __init__(self, problem, inner):
        score, estimator = problem.score, inner.estimator
        if score.linear_part is None or not hasattr(estimator, "coef_") or not hasattr(estimator, "intercept_"):
            raise NotApplicableError(f"{type(estimator).__name__} has no linear {score.response}")
        self.coef = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64)).T
        background, weight = problem.many_rows
        rows = np.asarray(inner.transform(background), dtype=np.float64)
        if self.coef.shape[0] != rows.shape[1]:
            raise NotApplicableError(f"{type(estimator).__name__} has no coefficient per column")
        raw = rows @ self.coef + np.ravel(estimator.intercept_)
        checked = slice(_CHECKED_ROWS)
        expected = score(take_rows(background, checked))
        if not np.allclose(score.from_raw(raw[checked]), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()):
            raise NotApplicableError(f"{type(estimator).__name__} is not linear in its columns")
        self.inner = inner
        self.linear_part = score.linear_part
        self.mean = weight @ rows
        self.base = score.from_raw((weight @ raw)[None])[0]
        self.n_superfeatures = problem.n_superfeatures

    def budget(self, n_samples):
        """No model rows."""
        return 0

    def explain(self, rows):
        """Exact contributions."""
        difference = np.asarray(self.inner.transform(rows), dtype=np.float64) - self.mean
        phi = np.zeros((len(difference), self.n_superfeatures, self.coef.shape[1]))
        for g in np.unique(self.inner.labels):
            columns = self.inner.labels == g
            phi[:, g] = difference[:, columns] @ self.coef[columns]
        return self.linear_part(phi), None, 0, self.name
