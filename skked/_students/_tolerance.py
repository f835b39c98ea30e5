"""How tolerant a teacher is: the weight of the top-k gap loss and the confidence that it leaves, one for the other."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy.special import softmax
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skked._table import take_rows
from skked._teachers import TeacherScores, cross_fit_teacher, default_teacher
from skked._validation import Interval

TOLERANCE_CONSTRAINTS = {
    "target_confidence": [Interval(Real, 0, 1, closed="neither")],
    "eta": [Interval(Real, 0, 1, closed="right"), None],
    "top_k": [Interval(Integral, 2, None, closed="left")],
}


@dataclass(frozen=True)
class Tolerance:
    """The top-k gap loss in numbers.

    Attributes
    ----------
    eta : float
        η, weight of the cross-entropy.
    top_k : int
        K, classes in the gap.
    confidence : float
        p*, the probability of its own class at which the loss of a row is least.
    """

    eta: float
    top_k: int
    confidence: float


def resolve_tolerance(eta, target_confidence, top_k, n_classes):
    """Find η from the wanted confidence, or the confidence from η.

    Where a row's class is the most probable one, its loss is ``-η ln p + (1-η) p K/(K-1)`` up to a constant, which is
    least at ``p* = η(K-1)/((1-η)K)``.

    Parameters
    ----------
    eta : float or None
        η; None takes that of `target_confidence`.
    target_confidence : float
        p*; not read if η is given.
    top_k : int
        K; the number of classes, if those are fewer.
    n_classes : int

    Returns
    -------
    Tolerance

    Raises
    ------
    ValueError
        If the loss is least where the row's class is no longer the most probable one, so that it teaches nothing.
    """
    k = min(top_k, n_classes)
    if eta is None:
        if target_confidence * k <= 1:
            raise ValueError(
                f"target_confidence={target_confidence} with K={k} classes in the gap is what a guess among them has. "
                f"Use more than {1 / k:.3g}."
            )
        return Tolerance(target_confidence * k / (k - 1 + target_confidence * k), k, target_confidence)
    if eta * k <= 1:
        raise ValueError(
            f"eta={eta} with K={k} classes in the gap leaves a row's class no more probable than the others. Use more "
            f"than {1 / k:.3g}, or target_confidence in place of eta."
        )
    strict_from = k / (2 * k - 1)
    if strict_from <= eta < 1:
        warnings.warn(
            f"eta={eta} makes no tolerant teacher: with K={k} classes in the gap, from eta={strict_from:.3g} on, "
            "fitted rows are driven to probability 1, as by cross-entropy alone. Use less, or target_confidence in "
            "its place, or eta=1 to ask for cross-entropy.",
            UserWarning,
            stacklevel=3,
        )
    return Tolerance(eta, k, 1.0 if eta >= strict_from else eta * (k - 1) / ((1 - eta) * k))


def tolerant_targets(truth, probability, tolerance):
    """Soft targets that have the wanted confidence, and the rest as somebody else sees it.

    Parameters
    ----------
    truth : int array of shape (n,)
        Column of each row's class.
    probability : array of shape (n, C)
        Probabilities from a model that did not see the row.
    tolerance : Tolerance

    Returns
    -------
    classes : int array of shape (n, K)
        The row's class, then the most probable others.
    share : array of shape (n, K)
        p*, then what is left, shared in proportion to the probabilities. Rows sum to one.
    """
    rows = np.arange(len(truth))
    others = probability.copy()
    others[rows, truth] = -1.0
    ranked = np.argsort(-others, axis=1, kind="stable")[:, : tolerance.top_k - 1]
    rest = np.take_along_axis(others, ranked, axis=1)
    rest = (1 - tolerance.confidence) * rest / rest.sum(axis=1, keepdims=True)
    own = np.full((len(truth), 1), tolerance.confidence)
    return np.hstack([truth[:, None], ranked]), np.hstack([own, rest])


def fit_relabelled(classifier, problem, tolerance, *, cv, n_jobs, seed):
    """Fit any classifier that takes weights to tolerant soft targets: each row K times, once per class.

    Parameters
    ----------
    classifier : classifier or None
        Cloned; None is the default boosting.
    problem : Problem
    tolerance : Tolerance
    cv : what :func:`~skked._teachers.cross_fit_teacher` takes
        Folds of the strict classifier that says how probable the other classes are.
    n_jobs : int or None
    seed : int

    Returns
    -------
    TeacherScores
        The fitted classifier.
    """
    strict = classifier
    if strict is None:
        strict = default_teacher("classification", problem.X, problem.y, random_state=seed)
    kind = {"task": "classification", "classes": problem.classes}
    settings = {**kind, "n_jobs": n_jobs, "random_state": seed}
    doubts = cross_fit_teacher(strict, problem.X, problem.y, sample_weight=problem.weight, cv=cv, **settings)
    truth = np.searchsorted(problem.classes, problem.y)
    classes, share = tolerant_targets(truth, softmax(doubts.scores, axis=1), tolerance)
    copies = np.repeat(np.arange(len(truth)), tolerance.top_k)
    weight = problem.weight[copies] * share.ravel()
    real = np.flatnonzero(weight > 0)
    tolerant = _with_leaves_of_copies(strict, tolerance.top_k) if classifier is None else clone(classifier)
    labels = problem.classes[classes.ravel()]
    fitted = cross_fit_teacher(
        tolerant, take_rows(problem.X, copies[real]), labels[real], sample_weight=weight[real], cv=None, **settings
    )
    return TeacherScores(fitted.full.estimator, problem.X, **kind)


def _with_leaves_of_copies(boosting, n_copies):
    """The same boosting with leaves that hold as many distinct rows, each of which is there several times."""
    boosting = clone(boosting)
    model = boosting[-1] if isinstance(boosting, Pipeline) else boosting
    model.set_params(min_samples_leaf=model.min_samples_leaf * n_copies)
    return boosting
