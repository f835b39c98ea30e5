"""Engines with closed forms: tree ensembles by their leaves, additive models by their parts."""

import numpy as np

from skked._explanations._additive import additive_parts
from skked._explanations._errors import NotApplicableError
from skked._explanations._tree import NotExtractable, TreeGame, extract_trees, why_not_extractable
from skked._table import take_rows

__all__ = ["LinearEngine", "TreeEngine", "TreeLinkEngine", "TreeLinkValues"]

_CHECKED_ROWS = 100
_ROWS_PER_BLOCK = 16_384
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
        trees = _read_trees(inner.estimator)
        if score.linear_part is None or trees.space != score.raw_space:
            raise NotApplicableError(f'response="{score.response}" is not linear in the leaves of these trees')
        self.game = _tree_game(problem, inner, trees, *problem.many_rows)
        self.inner = inner
        self.linear_part = score.linear_part
        self.n_superfeatures = problem.n_superfeatures
        self.jobs = problem.jobs
        self.base = score.from_raw(self.game.base[None])[0]

    def budget(self, n_samples):
        """No model rows: the leaves are enough."""
        return 0

    def explain(self, rows):
        """Exact contributions."""
        phi = np.concatenate(self.jobs.in_turn(self._explain_block, rows, _ROWS_PER_BLOCK))
        return phi, None, 0, self.name

    def _explain_block(self, rows):
        return _padded(self.linear_part(self.game.shapley(self.inner.transform(rows))), self.n_superfeatures)


class TreeLinkEngine:
    """Exact values of links of tree ensembles: probabilities of boosters, log-odds of forests.

    Parameters
    ----------
    values : TreeLinkValues
    jobs : Jobs
    """

    name = "tree"

    def __init__(self, values, jobs):
        self.values, self.jobs = values, jobs
        self.base = values.base

    def budget(self, n_samples):
        """No model rows."""
        return 0

    def explain(self, rows):
        """Exact contributions."""
        phi = np.concatenate(self.jobs.in_turn(self._explain_block, rows, _ROWS_PER_BLOCK))
        return phi, None, 0, self.name

    def _explain_block(self, rows):
        values = self.values
        phi, _ = values.game.link_shapley(values.inner.transform(rows), values.link, values.floor)
        return _padded(phi / values.temperature, values.n_superfeatures)


class TreeLinkValues:
    """The game ``v(S) = E_b f(x_S, b_rest)`` of a link of a tree ensemble, without evaluating the teacher.

    Parameters
    ----------
    problem : Problem
    inner : InnerEstimator

    Raises
    ------
    NotApplicableError
        If the trees cannot be read, or the response is another function of them.
    """

    def __init__(self, problem, inner):
        score = problem.score
        trees = _read_trees(inner.estimator)
        self.link = _LINKS.get((trees.space, score.response))
        if self.link is None:
            raise NotApplicableError(f'response="{score.response}" is no link of these trees')
        background, self.background_weight = problem.few_rows
        self.game = _tree_game(problem, inner, trees, background, self.background_weight)
        self.floor, self.temperature = score.floor, score.temperature
        self.inner = inner
        self.full = score
        self.n_superfeatures = problem.n_superfeatures
        self.base = self.background_weight @ score(background)
        empty = self(take_rows(background, slice(1)), np.zeros((1, self.n_superfeatures), bool))[0, 0]
        if empty.shape != self.base.shape or not np.allclose(empty, self.base, atol=_SAME):
            raise NotApplicableError("the link that was read does not give the explained scores")

    @property
    def n_background(self):
        """int: background rows."""
        return len(self.background_weight)

    def __call__(self, rows, coalitions):
        """Values of coalitions, float64 array of shape (n_rows, n_coalitions, n_outputs)."""
        of_trees = coalitions[:, : self.game.n_groups]
        values = self.game.coalition_values(self.inner.transform(rows), of_trees, self.link, self.floor)
        return values / self.temperature


_LINKS = {("margin", "probability"): "probability", ("probability", "log_odds"): "mean_log_odds"}


def _read_trees(estimator):
    if len(getattr(estimator, "classes_", ())) == 1:
        raise NotApplicableError(f"{type(estimator).__name__} knows one class only, and says it of every row")
    trees = extract_trees(estimator)
    if trees is None:
        raise NotApplicableError(why_not_extractable(estimator))
    return trees


def _tree_game(problem, inner, trees, background, weight):
    try:
        return TreeGame(
            trees,
            inner.labels,
            inner.transform(background),
            weight,
            n_threads=problem.n_threads,
            max_bytes=problem.max_bytes,
        )
    except NotExtractable as reason:
        raise NotApplicableError(str(reason)) from reason


def _padded(phi, n_superfeatures):
    """Zeros for the last superfeatures where a pipeline drops all their columns."""
    missing = n_superfeatures - phi.shape[1]
    return np.pad(phi, ((0, 0), (0, missing), (0, 0))) if missing else phi


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
