"""The rows that superfeatures are found on, and what can be computed from them once."""

from functools import cached_property

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator

from skked._superfeatures.affinities import mutual_information, rank_association
from skked._superfeatures.columns import encode_columns
from skked._superfeatures.gap import AdditiveGap
from skked._superfeatures.hessian import hessian_interactions
from skked._superfeatures.interaction import swap_interactions
from skked._superfeatures.target import read_target
from skked._table import assemble_rows, check_weight, column_names, take_rows
from skked._teachers import TeacherScores, check_scores

__all__ = ["SampledRows", "sample_rows"]

_MAX_EVALUATIONS = 100_000  # rows that a model is asked for; fewer for many classes, whose scores cost more
_TIE_BREAK = 1e-3  # share of rank correlation in interactions: columns without any go where they are redundant


def sample_rows(X, y, sample_weight, teacher, *, n_rows, random_state):
    """Choose at most ``n_rows`` rows of positive weight.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_columns)
        Table.
    y : array-like of shape (n_samples,) or None
        Target.
    sample_weight : array-like of shape (n_samples,) or None
        Weights.
    teacher : callable, fitted estimator or None
        Whose interactions to measure.
    n_rows : int
        Largest number of rows.
    random_state : numpy.random.RandomState
        Chooses the rows; kept for all that follows.

    Returns
    -------
    SampledRows
        In the order of X.
    """
    weight = check_weight(sample_weight, len(X))
    kept = np.flatnonzero(weight > 0)
    if not (teacher is None or callable(teacher) or hasattr(teacher, "predict")) or isinstance(teacher, type):
        raise TypeError(f"Expected teacher to be a fitted estimator or a function of rows, got {teacher!r}.")
    if len(kept) > n_rows:
        kept = np.sort(random_state.choice(kept, n_rows, replace=False))
    target, is_classes = None, None
    if y is not None:
        target, is_classes = read_target(y, is_classifier=_task_of(teacher))
        if len(target) != len(weight):
            raise ValueError(f"Expected one target per row of X ({len(weight)}), got {len(target)}.")
        target = target[kept]
    return SampledRows(take_rows(X, kept), target, is_classes, weight[kept], teacher, random_state)


def _task_of(teacher):
    """True for a teacher of classes, False for one of numbers, None where it does not say."""
    if isinstance(teacher, TeacherScores):
        return teacher.classes_ is not None
    if hasattr(teacher, "predict") and (is_classifier(teacher) or is_regressor(teacher)):
        return is_classifier(teacher)
    return None


class SampledRows:
    """Rows, their target, and the affinities between their columns.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_rows, n_columns)
        The sampled rows.
    target : ndarray of shape (n_rows,) or None
        Class codes or numbers.
    is_classifier : bool or None
        Kind of target.
    weight : ndarray of shape (n_rows,)
        Positive weights.
    teacher : callable, fitted estimator or None
        Whose interactions to measure.
    random_state : numpy.random.RandomState
        Source of all randomness.
    """

    def __init__(self, X, target, is_classifier, weight, teacher, random_state):
        self.X, self.target, self.is_classifier, self.weight = X, target, is_classifier, weight
        self.teacher, self.random_state = teacher, random_state
        self.names = column_names(X)
        self.n_columns = X.shape[1]
        self.columns = encode_columns(X)

    @cached_property
    def judge(self):
        """The additive gap on these rows, or None where there is nothing to predict or to divide."""
        if self.target is None or self.n_columns < 2 or (self.target == self.target[0]).all():
            return None
        return AdditiveGap(
            self.columns,
            self.target,
            is_classifier=self.is_classifier,
            sample_weight=self.weight,
            random_state=self.random_state,
        )

    @property
    def _n_classes(self):
        return int(self.target.max()) + 1 if self.is_classifier else 1

    @cached_property
    def _association(self):
        return rank_association(self.columns)

    def affinity(self, kind):
        """Affinity between the columns.

        Parameters
        ----------
        kind : {"spearman", "mutual_info", "interaction", "hessian"}, callable or array
            As in `SuperfeatureClustering`.

        Returns
        -------
        ndarray of shape (n_columns, n_columns)
            Symmetric and non-negative.
        """
        if callable(kind):
            return self._checked(kind(self.X))
        if not isinstance(kind, str):
            return self._checked(kind)
        return {
            "spearman": lambda: self._association,
            "mutual_info": lambda: mutual_information(self.columns),
            "interaction": self._interactions,
            "hessian": self._hessian,
            "precomputed": lambda: self._checked(self.X),
        }[kind]()

    def _interactions(self):
        scores, pool = self._scores_and_pool()
        if scores is None:
            return self._association
        every_column = np.arange(self.n_columns)
        strength = swap_interactions(
            scores,
            lambda donors: assemble_rows(pool, donors, every_column),
            len(pool),
            self.n_columns,
            max_evaluations=_MAX_EVALUATIONS // max(1, self._n_classes // 4),
            random_state=self.random_state,
        )
        return self._with_tie_break(strength)

    def _hessian(self):
        if self.teacher is None:
            raise ValueError('affinity="hessian" needs a ReLU network: pass it as fit(X, y, teacher=network).')
        return self._with_tie_break(hessian_interactions(_unwrapped(self.teacher), self.columns.values))

    def _with_tie_break(self, strength):
        strongest = strength.max()
        scaled = strength / (strongest if strongest > 0 else 1.0)
        return (1 - _TIE_BREAK) * scaled + _TIE_BREAK * self._association

    def _scores_and_pool(self):
        """What to ask for scores, and the rows in its terms; the judge's own model stands in for a teacher."""
        teacher = self.teacher
        if teacher is None and self.target is None:
            raise ValueError(
                'affinity="interaction" needs a target or a teacher: call fit(X, y) or fit(X, teacher=...).'
            )
        if len(self.X) < 2 or (teacher is None and self.judge is None):
            return None, None
        if teacher is None:
            model = self.judge.full_model_
            return (model.decision_function if self.is_classifier else model.predict), self.judge.matrix_
        if hasattr(teacher, "predict"):
            return TeacherScores(teacher, self.X), self.X
        return lambda rows: check_scores(teacher(rows), len(rows), getattr(teacher, "__name__", "teacher")), self.X

    def _checked(self, affinity):
        try:
            affinity = np.array(affinity, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"Expected an affinity made of numbers, got {affinity!r}.") from error
        if affinity.shape != (self.n_columns, self.n_columns):
            raise ValueError(
                f"Expected an affinity of shape {(self.n_columns, self.n_columns)}, one row and one column per column "
                f"of X, got {affinity.shape}."
            )
        if not np.isfinite(affinity).all() or affinity.min() < 0:
            raise ValueError(
                f"Expected finite affinities of at least zero, got values from {affinity.min()} to {affinity.max()}; "
                "larger means closer."
            )
        if not np.allclose(affinity, affinity.T):
            raise ValueError("Expected a symmetric affinity; use (A + A.T) / 2.")
        return (affinity + affinity.T) / 2


def _unwrapped(teacher):
    while isinstance(teacher, (TeacherScores, FrozenEstimator)):
        teacher = teacher.estimator
    return teacher
