"""Group the columns of a table into superfeatures."""

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import _check_sample_weight

from skked._superfeatures.affinities import mutual_information, rank_association
from skked._superfeatures.columns import encode_columns
from skked._superfeatures.gap import AdditiveGap
from skked._superfeatures.interaction import swap_interactions
from skked._superfeatures.linkage import LINKAGES, group_columns
from skked._superfeatures.names import superfeature_names
from skked._superfeatures.target import read_target
from skked._table import assemble_rows, check_table, column_names, n_rows, take_rows
from skked._teachers import TeacherScores
from skked._validation import Interval, StrOptions

__all__ = ["SuperfeatureClustering"]

_MIN_ROWS_TO_JUDGE = 400
_COUNTS = (2, 3, 4, 6, 8, 12, 16)
_MAX_COUNT = 12
_TIE_BREAK = 1e-3  # share of rank correlation in the interaction affinity


class SuperfeatureClustering(BaseEstimator):
    def __init__(
        self,
        n_superfeatures="auto",
        *,
        method="hierarchical",
        affinity="auto",
        linkage="auto",
        max_size=None,
        subsample=5_000,
        n_jobs=None,
        random_state=None,
    ):
        self.n_superfeatures = n_superfeatures
        self.method = method
        self.affinity = affinity
        self.linkage = linkage
        self.max_size = max_size
        self.subsample = subsample
        self.n_jobs = n_jobs
        self.random_state = random_state

    _parameter_constraints = {
        "n_superfeatures": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"hierarchical"})],
        "affinity": [
            StrOptions({"auto", "spearman", "mutual_info", "interaction", "precomputed"}),
            "array-like",
            callable,
        ],
        "linkage": [StrOptions({"auto", *LINKAGES})],
        "max_size": [Interval(Real, 0, 1, closed="right"), Interval(Integral, 1, None, closed="left"), None],
        "subsample": [Interval(Integral, 2, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def fit(self, X, y=None, sample_weight=None, teacher=None):
        self._validate_params()
        X = check_table(self, X, reset=True)
        rows = _sample_rows(X, y, sample_weight, teacher, self.subsample, check_random_state(self.random_state))
        self._check_count(rows.n_columns)
        best, judged = self._choose(rows)
        self.labels_ = best.labels
        self.linkage_ = best.tree
        self.affinity_ = best.affinity
        self.n_superfeatures_ = int(best.labels.max()) + 1
        self.additive_gap_, self.additive_gap_error_ = judged
        self.affinity_name_ = best.name
        names = superfeature_names(rows.names, best.labels, best.affinity)
        self.superfeatures_ = {
            name: [rows.names[column] for column in np.flatnonzero(best.labels == group)]
            for group, name in enumerate(names)
        }
        return self

    def _check_count(self, n_columns):
        count = self.n_superfeatures
        if count != "auto" and count > n_columns:
            raise ValueError(
                f"n_superfeatures={count} superfeatures need as many columns, but X has {n_columns}. "
                f'Ask for at most {n_columns}, or use n_superfeatures="auto".'
            )

    def _choose(self, rows):
        judge = rows.judge
        affinities = self._affinities(rows)
        if judge is None:
            count = _cheap_count(rows.n_columns) if self.n_superfeatures == "auto" else self.n_superfeatures
            return self._candidate(rows, *affinities[0], count), (np.nan, np.nan)
        candidates = [
            self._candidate(rows, name, affinity, count)
            for count in self._counts(rows.n_columns)
            for name, affinity in affinities
        ]
        losses = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(judge.loss)(candidate.labels) for candidate in candidates
        )
        chosen = _first_equal_to_best(judge, losses)
        return candidates[chosen], judge.mean(losses[chosen])

    def _affinities(self, rows):
        if self.affinity == "auto":
            names = ["spearman"] if rows.judge is None else ["spearman", "interaction"]
        else:
            names = [self.affinity]
        return [(name, rows.affinity(name)) for name in names]

    def _counts(self, n_columns):
        if self.n_superfeatures != "auto":
            return [self.n_superfeatures]
        lowest = _lowest_count(n_columns)
        return [count for count in _COUNTS if lowest <= count <= min(n_columns, _MAX_COUNT)] or [lowest]

    def _candidate(self, rows, name, affinity, count):
        linkage = self.linkage
        if linkage == "auto":
            linkage = "summed" if name == "interaction" else "average"
        size = self.max_size
        if isinstance(size, Real) and not isinstance(size, Integral):
            size = int(size * len(affinity))
        labels, tree = group_columns(affinity, count, linkage=linkage, max_size=size)
        return _Candidate(name, affinity, labels, tree)


@dataclass(frozen=True)
class _Candidate:
    name: str
    affinity: np.ndarray
    labels: np.ndarray
    tree: np.ndarray


def _lowest_count(n_columns):
    return min(n_columns, max(2, min(4, -(-n_columns // 2))))


def _cheap_count(n_columns):
    return max(_lowest_count(n_columns), min(8, round(np.sqrt(n_columns))))


def _first_equal_to_best(judge, losses):
    means = [judge.mean(loss)[0] for loss in losses]
    best = losses[int(np.argmin(means))]
    for index, loss in enumerate(losses):
        behind, error = judge.mean(loss - best)
        if behind <= error:
            return index
    raise AssertionError


class _Rows:
    def __init__(self, X, target, is_classifier, weight, teacher, random_state):
        self.X, self.teacher = X, teacher
        self.names = column_names(X)
        self.n_columns = X.shape[1]
        self.columns = encode_columns(X)
        self.random_state = random_state
        self.target, self.is_classifier, self.weight = target, is_classifier, weight

    @cached_property
    def judge(self):
        if (
            self.target is None
            or self.n_columns < 2
            or len(self.target) < _MIN_ROWS_TO_JUDGE
            or len(np.unique(self.target)) < 2
        ):
            return None
        return AdditiveGap(
            self.columns,
            self.target,
            is_classifier=self.is_classifier,
            sample_weight=self.weight,
            random_state=self.random_state,
        )

    def affinity(self, name):
        if isinstance(name, str) and name == "spearman":
            return rank_association(self.columns)
        if isinstance(name, str) and name == "mutual_info":
            return mutual_information(self.columns)
        if isinstance(name, str) and name == "interaction":
            return self._interaction()
        return np.asarray(name)

    def _interaction(self):
        if self.teacher is None:
            pool = self.columns.values
            model = self.judge.full_model_
            scores = model.decision_function if self.is_classifier else model.predict
        else:
            pool, scores = self.X, self.teacher
        every = np.arange(self.n_columns)
        strength = swap_interactions(
            scores,
            lambda donors: assemble_rows(pool, donors, every),
            n_rows(pool),
            self.n_columns,
            random_state=self.random_state,
        )
        strongest = strength.max()
        return strength / (strongest if strongest > 0 else 1.0) * (1 - _TIE_BREAK) + _TIE_BREAK * rank_association(
            self.columns
        )


def _sample_rows(X, y, sample_weight, teacher, subsample, random_state):
    weight = _check_sample_weight(sample_weight, X)
    kept = np.flatnonzero(weight > 0)
    if len(kept) > subsample:
        kept = np.sort(random_state.choice(kept, subsample, replace=False))
    target, task = None, None
    if y is not None:
        target, task = read_target(y)
        target = target[kept]
    return _Rows(take_rows(X, kept), target, task, weight[kept], teacher, random_state)
