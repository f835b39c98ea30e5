"""Which engine explains a teacher."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import check_random_state

from skked._explanations._background import medoids
from skked._explanations._blocks import Jobs
from skked._explanations._coalition_engines import Enumeration, Permutations
from skked._explanations._exact_engines import LinearEngine, TreeEngine, TreeLinkEngine, TreeLinkValues
from skked._explanations._network import NetworkValues, network_of
from skked._explanations._pipeline import NotApplicableError, look_through
from skked._explanations._response import ScoreFunction
from skked._explanations._sampling import Sampling
from skked._explanations._shap import ShapEngine
from skked._explanations._values import MaskedRows, TransformedRows
from skked._table import check_weight, n_rows, take_rows

__all__ = ["Coalitions", "Problem", "choose_engine"]

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
    jobs: Jobs
    random_state: object
    device: str

    @property
    def n_superfeatures(self):
        """int: players of the game, M."""
        return int(self.labels.max()) + 1

    @property
    def n_threads(self):
        """int: threads for engines that need no processes."""
        return effective_n_jobs(self.jobs.n_jobs)

    @cached_property
    def rng(self):
        """What background rows are drawn with."""
        return check_random_state(self.random_state)

    @cached_property
    def seed(self):
        """The engine's seed, the same for folds of other sizes, for which other random numbers are drawn before."""
        return check_random_state(self.random_state).randint(2**31 - 1)

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
        """The game by assembled rows: of the last step of a pipeline where that is the same."""
        last = (self.n_superfeatures, *self.few_rows, self.max_bytes)
        try:
            inner = inner_estimator(self)
            return TransformedRows(inner, self.score.of_last_step(inner, self.X), *last)
        except NotApplicableError:
            return MaskedRows(self.score, self.labels, *last)

    def _given(self):
        weight = self._weight_of(self.background, "background row")
        return self.background, weight / weight.sum()

    def _weight_of(self, table, what):
        return check_weight(self.background_weight, n_rows(table), name="background_weight", of=what)


def choose_engine(problem, wanted):
    """Build the wanted engine, or the first that applies.

    Parameters
    ----------
    problem : Problem
    wanted : str
        ``"auto"`` or the name of an engine.

    Returns
    -------
    engine : object with ``name``, ``base``, ``budget(n_samples)`` and ``explain(rows)``
    passed_over : dict
        Why each faster engine does not apply.

    Raises
    ------
    ValueError
        If the wanted engine does not apply.
    """
    if wanted in _FOR_ANY_TEACHER:
        return _FOR_ANY_TEACHER[wanted](problem), {}
    passed_over = {}
    for name, build in _FOR_SOME_TEACHERS.items():
        if wanted in ("auto", name):
            try:
                return build(problem), passed_over
            except NotApplicableError as reason:
                passed_over[name] = str(reason).rstrip(".")
    if wanted != "auto":
        raise ValueError(f'engine="{wanted}" does not apply: {passed_over[wanted]}. Use engine="auto".')
    return Coalitions(problem, problem.values), passed_over


def inner_estimator(problem):
    """The last estimator behind the explained function, with labels of its columns."""
    if problem.score.from_raw is None:
        raise NotApplicableError("a callable does not show what is inside")
    return look_through(problem.score.estimator, problem.labels, problem.X)


def _tree(problem):
    inner = inner_estimator(problem)
    try:
        return TreeEngine(problem, inner)
    except NotApplicableError:
        if problem.score.response in ("margin", "prediction"):  # which are no links of anything
            raise
        values = TreeLinkValues(problem, inner)
    if problem.n_superfeatures <= _MAX_PLAYERS and problem.n_coalitions == "auto":
        return TreeLinkEngine(values, problem.jobs)
    return Coalitions(problem, values, name="tree")


def _linear(problem):
    return LinearEngine(problem, inner_estimator(problem))


def _network(problem):
    inner = inner_estimator(problem)
    network = network_of(inner.estimator)
    if network is None:
        raise NotApplicableError(f"{type(inner.estimator).__name__} is no network that can be read")
    values = NetworkValues(problem, inner, network)
    return Coalitions(problem, values, name="network")


def _permutation(problem):
    return permutations(problem.values, problem.n_coalitions, problem.seed, problem.jobs)


def permutations(values, n_coalitions, seed, jobs):
    """The engine of permutations with about so many coalitions of each row."""
    n_inner = max(1, 2 * (values.n_superfeatures - 1))
    n_pairs = 2 if n_coalitions == "auto" else max(1, round(n_coalitions / n_inner))
    return Permutations(values, n_pairs, seed, jobs)


def _enumeration(problem):
    return Enumeration(problem.values, problem.max_bytes, problem.jobs)


def _sampling(problem, values=None):
    return Sampling(
        values or problem.values,
        problem.n_coalitions,
        problem.tolerance,
        problem.seed,
        problem.max_bytes,
        problem.jobs,
    )


def _shap(problem):
    return ShapEngine(problem.values, problem.n_coalitions, problem.seed, problem.jobs)


_FOR_SOME_TEACHERS = {"tree": _tree, "linear": _linear, "network": _network}
_FOR_ANY_TEACHER = {
    "enumeration": _enumeration,
    "sampling": _sampling,
    "permutation": _permutation,
    "shap": _shap,
}


class Coalitions:
    """Enumeration or sampling of one game, chosen by the number of rows.

    Parameters
    ----------
    problem : Problem
    values : MaskedRows or NetworkValues
    name : str or None
        Name of the engine; None for that of the one chosen.
    """

    def __init__(self, problem, values, name=None):
        self.values, self.jobs = values, problem.jobs
        self.exact = Enumeration(values, problem.max_bytes, problem.jobs)
        self.sampled = _sampling(problem, values)
        self.n_coalitions = problem.n_coalitions
        self.n_superfeatures = problem.n_superfeatures
        self.base = values.base
        self.given_name = name
        self.name = name or "coalitions"

    def budget(self, n_samples):
        """Model rows that `n_samples` rows cost at most."""
        return self._chosen(n_samples).budget(n_samples)

    def explain(self, rows):
        """As the chosen engine."""
        phi, standard_error, n_evaluations, name = self._chosen(n_rows(rows)).explain(rows)
        return phi, standard_error, n_evaluations, self.given_name or name

    def by_permutations(self, n_coalitions):
        """The engine of permutations for the same game, as it would be made anew."""
        return permutations(self.values, n_coalitions, self.sampled.seed, self.jobs)

    def _chosen(self, n_samples):
        if self.n_coalitions != "auto":
            return self.exact if self.n_coalitions >= 1 << self.n_superfeatures else self.sampled
        affordable = self.n_superfeatures <= _MAX_PLAYERS and self.exact.budget(n_samples) <= _MAX_EVALUATIONS
        return self.exact if affordable or self.n_superfeatures <= _FEW_PLAYERS else self.sampled
