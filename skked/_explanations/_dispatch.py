"""Which engine explains a teacher."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from skked._explanations._background import medoids
from skked._explanations._coalition_engines import Enumeration, Permutations
from skked._explanations._response import ScoreFunction
from skked._explanations._sampling import Sampling
from skked._explanations._values import MaskedRows
from skked._table import n_rows, take_rows

__all__ = ["Problem", "choose_engine"]

_N_MEDOIDS = 100
_MAX_BACKGROUND = 20_000
# All coalitions of this many superfeatures are not more than a design would need,
_FEW_PLAYERS = 5
# and beyond these limits they cost more than they are worth.
_MAX_PLAYERS = 12
_MAX_EVALUATIONS = 100_000_000


@dataclass(frozen=True)
class Problem:
    """Everything an engine may need; see GroupShapleyExplainer for the parameters."""

    score: ScoreFunction
    labels: np.ndarray
    X: object
    background: object
    background_weight: object
    n_coalitions: object
    tolerance: float
    max_bytes: int
    n_jobs: int | None
    rng: np.random.RandomState

    @cached_property
    def few_rows(self):
        """Background rows and weights for engines that pay for each of them."""
        if self.background is None or isinstance(self.background, int):
            weight = self._weight_of(self.X, "row of X")
            return medoids(self.X, self.background or _N_MEDOIDS, self.rng, weight)
        return self._given()

    @cached_property
    def many_rows(self):
        """Background rows and weights for engines whose cost hardly depends on them."""
        if isinstance(self.background, int):
            return self.few_rows
        if self.background is not None:
            return self._given()
        weight = self._weight_of(self.X, "row of X")
        index = np.flatnonzero(weight > 0)
        if len(index) > _MAX_BACKGROUND:
            index = np.sort(self.rng.choice(index, _MAX_BACKGROUND, replace=False))
        return take_rows(self.X, index), weight[index] / weight[index].sum()

    @cached_property
    def values(self):
        """The game by assembled rows."""
        return MaskedRows(self.score, self.labels, *self.few_rows, self.max_bytes)

    def _given(self):
        weight = self._weight_of(self.background, "background row")
        return self.background, weight / weight.sum()

    def _weight_of(self, table, what):
        n = n_rows(table)
        if self.background_weight is None:
            return np.ones(n)
        weight = np.asarray(self.background_weight, dtype=np.float64)
        if weight.shape != (n,) or not (weight >= 0).all() or not 0 < weight.sum() < np.inf:
            raise ValueError(
                f"Expected background_weight as {n} finite weights >= 0 with a positive sum, one per {what}, got shape "
                f"{weight.shape} and sum {weight.sum():.4g}."
            )
        return weight


def choose_engine(problem, wanted):
    """Build the wanted engine, or the first that applies.

    Parameters
    ----------
    problem : Problem
    wanted : str
        ``"auto"`` or the name of an engine.

    Returns
    -------
    object with ``name``, ``base``, ``budget(n_samples)`` and ``explain(rows)``
    """
    if wanted == "permutation":
        return _permutations(problem)
    return _Coalitions(problem, problem.values, wanted)


def _permutations(problem):
    n_inner = max(1, 2 * (problem.values.n_superfeatures - 1))
    n_pairs = 2 if problem.n_coalitions == "auto" else max(1, round(problem.n_coalitions / n_inner))
    return Permutations(problem.values, n_pairs, problem.rng.randint(2**31 - 1), problem.n_jobs)


class _Coalitions:
    """Enumeration or sampling of one game, chosen by the number of rows."""

    def __init__(self, problem, values, wanted):
        self.exact = Enumeration(values, problem.max_bytes, problem.n_jobs)
        self.sampled = Sampling(
            values,
            problem.n_coalitions,
            problem.tolerance,
            problem.rng.randint(2**31 - 1),
            problem.max_bytes,
            problem.n_jobs,
        )
        self.wanted = wanted
        self.base = values.base
        self.name = wanted if wanted in ("enumeration", "sampling", "network") else "coalitions"

    def budget(self, n_samples):
        """Model rows that `n_samples` rows cost at most."""
        return self._engine(n_samples).budget(n_samples)

    def explain(self, rows):
        """As the chosen engine."""
        phi, standard_error, n_evaluations, name = self._engine(n_rows(rows)).explain(rows)
        return phi, standard_error, n_evaluations, "network" if self.wanted == "network" else name

    def _engine(self, n_samples):
        if self.wanted in ("enumeration", "sampling"):
            return self.exact if self.wanted == "enumeration" else self.sampled
        n_players = self.exact.values.n_superfeatures
        enough = self.sampled.n_coalitions != "auto" and self.sampled.n_coalitions >= 1 << n_players
        affordable = n_players <= _MAX_PLAYERS and self.exact.budget(n_samples) <= _MAX_EVALUATIONS
        if n_players <= _FEW_PLAYERS or enough or (self.sampled.n_coalitions == "auto" and affordable):
            return self.exact
        return self.sampled
