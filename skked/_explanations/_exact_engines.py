"""Engines with closed forms: tree ensembles by their leaves, additive models by their parts."""

import numpy as np

from skked._explanations._additive import additive_parts
from skked._explanations._errors import NotApplicableError
from skked._explanations._tree import extract_trees, tree_shapley, why_not_extractable
from skked._table import take_rows

__all__ = ["LinearEngine", "TreeEngine"]

_CHECKED_ROWS = 100
# Agreement of the parts with the teacher, which may compute in float32.
_SAME = 1e-5


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
    """Exact values of linear and additive models: ``phi_g = part_g(x_g) - E part_g(b_g)``.

    Parameters
    ----------
    problem : Problem
    inner : InnerEstimator

    Raises
    ------
    NotApplicableError
        If the explained response is no sum of functions of the superfeatures.
    """

    name = "linear"

    def __init__(self, problem, inner):
        score, name = problem.score, type(inner.estimator).__name__
        self.parts = additive_parts(inner.estimator, inner.labels, problem.n_superfeatures)
        if score.linear_part is None:
            raise NotApplicableError(f'response="{score.response}" of {name} is not additive')
        background, weight = problem.many_rows
        parts = self.parts(inner.transform(background))
        checked = slice(_CHECKED_ROWS)
        expected = score(take_rows(background, checked))
        found = score.from_raw(parts[checked].sum(axis=1))
        tolerance = _SAME * np.abs(expected).max()
        if found.shape != expected.shape or not np.allclose(found, expected, rtol=_SAME, atol=tolerance):
            raise NotApplicableError(f"{name} is not additive in this response")
        self.inner = inner
        self.linear_part = score.linear_part
        self.mean = np.einsum("n,ngc->gc", weight, parts)
        self.base = score.from_raw(self.mean.sum(axis=0)[None])[0]

    def budget(self, n_samples):
        """No model rows."""
        return 0

    def explain(self, rows):
        """Exact contributions."""
        phi = self.linear_part((self.parts(self.inner.transform(rows)) - self.mean)[:, :-1])
        return phi, None, 0, self.name
