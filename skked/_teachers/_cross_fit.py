"""Cross-fitting: the score of every row comes from a teacher that did not see it."""

import inspect
from dataclasses import dataclass, field

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import has_fit_parameter

from skked._memory import OFF
from skked._parallel import jobs_of
from skked._progress import parallel_steps
from skked._table import take_rows
from skked._teachers._calibration import calibrate
from skked._teachers._scores import TeacherScores
from skked._validation import is_whole_number, split_pairs

IN_SAMPLE = -1
# Rows are repeated in place of weights up to this many in all.
_MAX_COPIES = 1_000_000


@dataclass
class CrossFit:
    """Scores of the training rows and the teachers that gave them.

    Attributes
    ----------
    scores : ndarray of shape (n_samples, n_outputs), float64
        Calibrated scores in the link space: out of fold where ``fold_of_row >= 0``, in sample elsewhere.
    fold_of_row : ndarray of shape (n_samples,), int
        Index into ``fold_scores`` of the teacher that did not see the row; -1 for rows that every teacher saw.
    fold_scores : list of TeacherScores
        One per fold; empty for in-sample scores and frozen teachers.
    full : TeacherScores
        The teacher of all rows, with the same calibration.
    n_fits : int
        How many teachers were fitted.
    """

    scores: np.ndarray
    fold_of_row: np.ndarray
    full: TeacherScores
    fold_scores: list = field(default_factory=list)
    n_fits: int = 0

    @property
    def in_sample(self):
        """Whether no score at all is out of fold."""
        return bool(np.all(self.fold_of_row == IN_SAMPLE))


def cross_fit_teacher(
    teacher,
    X,
    y,
    *,
    task,
    classes=None,
    sample_weight=None,
    cv=5,
    n_jobs=None,
    random_state=None,
    memory=OFF,
):
    """Fit a teacher once per fold and once on all rows; score every row by a teacher that did not see it.

    The function is pure (its result depends on its arguments only, for an integer ``random_state``), so a caller may
    wrap it in :class:`joblib.Memory`, with ``ignore=["n_jobs", "memory"]``.

    Parameters
    ----------
    teacher : estimator
        Unfitted: it is cloned, never touched. A :class:`~sklearn.frozen.FrozenEstimator` is used as it is: nothing is
        fitted, and the scores are in sample if the teacher saw these rows.
    X : ndarray or DataFrame of shape (n_samples, n_features)
        Training rows.
    y : ndarray of shape (n_samples,)
        Labels as the user gave them, or target values.
    task : {"classification", "regression"}
        What is predicted.
    classes : array-like of shape (n_classes,), default=None
        All classes, sorted; ``None`` takes those in ``y``. Ignored for regression.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights, > 0. Equal weights are the same as none.
    cv : int, splitter, iterable of (train, test), None or False, default=5
        Folds. An integer k deals the rows, shuffled and class by class, to k folds, or to fewer where there are fewer
        rows; the only row of a class is in every training set, and its score is in sample. ``None`` or ``False``: no
        folds, all scores in sample. Of a splitter that tests a row twice, the first test counts; rows that it never
        tests are scored in sample.
    n_jobs : int, default=None
        Fits in parallel, by joblib. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Shuffles the rows, and seeds every ``random_state`` of the teacher that is None.
    memory : CheckedMemory, default=OFF
        Where each teacher is kept as soon as it is fitted, so that an interrupted cross-fitting goes on where it was.

    Returns
    -------
    result : CrossFit
        Scores and teachers, calibrated on the rows that are out of fold. With none of them the temperature is 1 (for a
        teacher without ``predict_proba`` it is found in sample).

    Raises
    ------
    TypeError
        If the weights differ, the teacher's ``fit`` does not take ``sample_weight``, and the weights are not small
        whole numbers of copies either (those are made: weights that come from merged duplicates need nothing else).
    ValueError
        If ``cv`` is not understood, or the teacher misbehaves; see TeacherScores.
    """
    rng = check_random_state(random_state)
    classes = None if task == "regression" else np.unique(y) if classes is None else np.asarray(classes)
    weight = _unequal(sample_weight)
    if isinstance(teacher, FrozenEstimator):
        return _frozen(teacher, X, y, task, classes, weight)
    splits = _splits(cv, X, y, classes, rng)
    seeds = rng.randint(np.iinfo(np.int32).max, size=len(splits) + 1)
    fits = zip([*(train for train, _ in splits), None], seeds, strict=True)
    given = (teacher, X, y, weight, task, classes)
    name = f"teacher {memory.name(*given)}" if memory.is_on else ""
    jobs = jobs_of(_fit_kept, (memory, name, *given), fits, n_jobs)
    *fold_scores, full = parallel_steps(jobs, n_jobs)
    if len({scores.response for scores in (*fold_scores, full)}) > 1:
        # Some folds have margins and others do not, such as one-vs-rest models in folds of two classes.
        fold_scores, full = [scores.as_log_odds() for scores in fold_scores], full.as_log_odds()
    fold_of_row = _fold_of_row(splits, len(X))
    held_out = [np.flatnonzero(fold_of_row == fold) for fold in range(len(splits))]
    raws = [scores.raw(take_rows(X, rows)) for scores, rows in zip(fold_scores, held_out, strict=True)]
    if classes is not None:
        fold_scores, full = _calibrated(fold_scores, full, raws, held_out, X, y, weight)
    return CrossFit(
        scores=_gather(fold_scores, full, raws, held_out, fold_of_row, X),
        fold_of_row=fold_of_row,
        full=full,
        fold_scores=fold_scores,
        n_fits=len(splits) + 1,
    )


def _frozen(teacher, X, y, task, classes, weight):
    full = TeacherScores(teacher, X, task=task, classes=classes)
    missing = [] if classes is None else [c for c in classes.tolist() if c not in set(teacher.classes_.tolist())]
    if missing:
        raise ValueError(
            f"The frozen teacher {full.name} knows the classes {teacher.classes_.tolist()}, but y also has {missing}. "
            "Freeze a teacher that was fitted on all classes of y."
        )
    if classes is not None:
        _, full = _calibrated([], full, [], [], X, y, weight)
    return CrossFit(scores=full(X), fold_of_row=np.full(len(X), IN_SAMPLE), full=full)


def _calibrated(fold_scores, full, raws, held_out, X, y, weight):
    """Give all teachers the temperature and floor that suit the rows out of fold."""
    weight = np.ones(len(y)) if weight is None else weight
    judges = list(zip(fold_scores, raws, held_out, strict=True))
    if not judges and not full.has_probabilities:
        judges = [(full, full.raw(X), np.arange(len(y)))]
    if not judges:
        return fold_scores, full
    teachers, raws, rows = zip(*judges, strict=True)
    column_of_row = np.searchsorted(full.classes_, y)
    found = calibrate(teachers, raws, [column_of_row[r] for r in rows], [weight[r] for r in rows])
    return [scores.calibrated(*found) for scores in fold_scores], full.calibrated(*found)


def _gather(fold_scores, full, raws, held_out, fold_of_row, X):
    scores = np.empty((len(X), full.n_outputs))
    for teacher, raw, rows in zip(fold_scores, raws, held_out, strict=True):
        scores[rows] = teacher.from_raw(raw)
    rest = np.flatnonzero(fold_of_row == IN_SAMPLE)
    if len(rest):
        scores[rest] = full(take_rows(X, rest))
    return scores


def _fit_kept(memory, name, *given):
    """The same as :func:`_fit_one`, from the disk if it was done before."""
    *_, train, seed = given
    return memory.keep(f"{name} {memory.name(train, int(seed))}" if memory.is_on else "", _fit_one, *given)


def _fit_one(teacher, X, y, weight, task, classes, train, seed):
    """Fit a clone on the rows ``train`` (None: on a copy of all) and resolve its scores."""
    train = np.arange(len(X)) if train is None else train
    model = clone(teacher)
    _seed(model, seed)
    arguments = {}
    if weight is not None and (name := _weight_parameter(model)):
        arguments[name] = weight[train]
    elif weight is not None:
        train = np.repeat(train, _copies(model, weight)[train])
    rows = take_rows(X, train)
    try:
        # Weights go to the fit of a Pipeline's last step by its name, which metadata routing would refuse.
        with config_context(enable_metadata_routing=False):
            model.fit(rows, y[train], **arguments)
    except Exception as error:
        error.add_note(f"This came from fitting the teacher {type(model).__name__} on {len(train)} rows.")
        raise
    return TeacherScores(model, X, task=task, classes=classes)


def _unequal(sample_weight):
    """Drop weights that are all equal: they say nothing, and not every teacher takes them."""
    if sample_weight is None or np.ptp(sample_weight) == 0:
        return None
    return np.asarray(sample_weight, dtype=np.float64)


def _copies(estimator, weight):
    """Whole numbers of copies that are as good as the weights."""
    for least in range(1, 11):
        copies = weight / weight.min() * least
        whole = np.rint(copies).astype(np.intp)
        if np.allclose(copies, whole, rtol=1e-6) and whole.sum() <= max(_MAX_COPIES, 10 * len(whole)):
            return whole
    raise TypeError(
        f"The teacher {type(estimator).__name__} does not take sample_weight in fit, but the rows have unequal "
        "weights. Use a teacher that takes them, such as HistGradientBoostingClassifier, or leave the weights out."
    )


def _weight_parameter(estimator):
    """Name of the argument of ``fit`` that carries the weights; None if there is none."""
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        inner = _weight_parameter(last)
        return inner and f"{step}__{inner}"
    if has_fit_parameter(estimator, "sample_weight"):
        return "sample_weight"
    passes_on = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(estimator.fit).parameters.values())
    if passes_on and hasattr(estimator, "estimator"):
        return _weight_parameter(estimator.estimator)
    return None


def _seed(model, seed):
    """Set every random_state of the clone that is None, so that the fit can be repeated."""
    rng = np.random.RandomState(seed)
    unset = {
        name: int(rng.randint(np.iinfo(np.int32).max))
        for name, value in sorted(model.get_params().items(), key=lambda item: item[0])
        if name.split("__")[-1] == "random_state" and value is None
    }
    if unset:
        model.set_params(**unset)


def _splits(cv, X, y, classes, rng):
    """List the (train, test) pairs of ``cv``."""
    if cv is None or cv is False:
        return []
    if is_whole_number(cv):
        if cv < 2:
            raise ValueError(f"cv={cv} folds; expected at least 2, or None for scores in sample.")
        fold = _deal(y if classes is not None else np.zeros(len(y)), int(cv), rng, keep_single=classes is not None)
        return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(fold.max() + 1)]
    pairs = split_pairs(cv, X, y)
    if not np.iterable(pairs) or isinstance(pairs, str):
        raise ValueError(f"cv={cv!r}; expected an integer, a splitter, an iterable of (train, test), None or False.")
    return [(_row_numbers(train), _row_numbers(test)) for train, test in pairs]


def _row_numbers(rows):
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def _deal(y, n_folds, rng, *, keep_single):
    """Deal the rows of each class in turn to the folds; the only row of a class goes to none."""
    _, code, count = np.unique(y, return_inverse=True, return_counts=True)
    order = rng.permutation(len(y))
    order = order[np.argsort(code[order], kind="stable")]
    if keep_single or len(y) < 2:
        order = order[count[code[order]] > 1]
    fold = np.full(len(y), IN_SAMPLE)
    # Dealing on from class to class keeps the folds of equal size, and two rows of one class apart.
    fold[order] = np.arange(len(order)) % n_folds
    return fold


def _fold_of_row(splits, n_samples):
    fold_of_row = np.full(n_samples, IN_SAMPLE)
    for fold in reversed(range(len(splits))):
        fold_of_row[splits[fold][1]] = fold
    return fold_of_row
