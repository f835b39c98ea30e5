"""What the page says beyond the report's table: found once, in numbers, before anything is written."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.calibration import calibration_curve

from skked._table import n_rows, take_rows

N_RESAMPLES = 400
MOST_ROWS = 1_000
"""Rows that importance is averaged over where the teacher explained none."""


@dataclass(frozen=True)
class ExplainedRow:
    """One held-out row, and what the two models say of it.

    Attributes
    ----------
    position : int
        In the rows of the report.
    why : str
        Why it is shown.
    truth, teacher, student : object
        Label or value, and predictions.
    target : object
        Class whose score is explained, None for a regressor.
    phi_student : ndarray of shape (n_superfeatures,)
    phi_teacher : ndarray of shape (n_superfeatures,) or None
    base : float
        The student's.
    score : float
        The student's: base and contributions together.
    """

    position: int
    why: str
    truth: object
    teacher: object
    student: object
    target: object
    phi_student: np.ndarray
    phi_teacher: np.ndarray | None
    base: float
    score: float


def intervals(evidence, seed=0):
    """Intervals of quality and agreement, by resampling the held-out rows.

    Parameters
    ----------
    evidence : Evidence
    seed : int, default=0

    Returns
    -------
    dict of str to dict of str to tuple of float
        For each model and each of ``"quality"`` (accuracy or R²) and ``"agreement"``: the 2.5th and the 97.5th
        percentile of 400 resamples.
    """
    generator = np.random.RandomState(seed)
    n = len(evidence.y)
    weight = np.ones(n) if evidence.weight is None else np.asarray(evidence.weight, dtype=float)
    predicted = {name: model.predict(evidence.X) for name, model in evidence.models.items()}
    of_teacher = None if evidence.teacher is None else evidence.teacher.predict(evidence.X)
    score = _share if evidence.is_classification else _explained_variance
    asked = {(name, "quality"): score(evidence.y, answer) for name, answer in predicted.items()}
    if of_teacher is not None:
        others = [name for name, model in evidence.models.items() if model is not evidence.teacher]
        asked |= {(name, "agreement"): score(of_teacher, predicted[name]) for name in others}
    values = {key: [] for key in asked}
    for _ in range(N_RESAMPLES):
        drawn = weight * np.bincount(generator.randint(n, size=n), minlength=n)
        if drawn.any():
            for key, of_rows in asked.items():
                values[key].append(of_rows(drawn))
    found = {name: {} for name in predicted}
    for (name, what), resampled in values.items():
        found[name][what] = _middle(resampled)
    return found


def _share(truth, predicted):
    """The share of equal answers, as a function of the weights of the rows."""
    same = np.asarray(truth == predicted, dtype=float)
    return lambda weight: weight @ same / weight.sum()


def _explained_variance(truth, predicted):
    """R², as a function of the weights of the rows; NaN where the truth is constant."""
    truth = np.asarray(truth, dtype=float)
    error, centred = (truth - predicted) ** 2, truth - truth.mean()

    def of_rows(weight):
        spread = weight @ centred**2 - (weight @ centred) ** 2 / weight.sum()
        return 1 - weight @ error / spread if spread > 0 else np.nan

    return of_rows


def _middle(values):
    known = np.array(values)[~np.isnan(values)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
    return float(low), float(high)


def calibration(evidence, n_bins=8):
    """How often what is predicted with a probability is true.

    Parameters
    ----------
    evidence : Evidence
    n_bins : int, default=8
        Groups of equally many rows.

    Returns
    -------
    dict of str to tuple
        For each model with probabilities: mean probability and share of truth in each group (of the second of two
        classes; of the predicted class for more), and the mean distance of the two over the rows.
    """
    found = {}
    for name, model in evidence.models.items():
        if not hasattr(model, "predict_proba"):
            continue
        p = model.predict_proba(evidence.X)
        if p.shape[1] == 2:
            chance, true = p[:, 1], evidence.y == model.classes_[1]
        else:
            chance, true = p.max(axis=1), evidence.y == model.classes_[p.argmax(axis=1)]
        share, mean = calibration_curve(true, np.clip(chance, 0, 1), n_bins=n_bins, strategy="quantile")
        found[name] = mean, share, _calibration_error(chance, true, n_bins)
    return found


def _calibration_error(chance, true, n_bins):
    groups = np.array_split(np.argsort(chance, kind="stable"), n_bins)
    off = [len(rows) * abs(chance[rows].mean() - true[rows].mean()) for rows in groups if len(rows)]
    return float(np.sum(off) / len(chance))


def importance(evidence, student):
    """Mean absolute contributions of the student, and of the teacher on the same rows.

    Parameters
    ----------
    evidence : Evidence
    student : student with contributions

    Returns
    -------
    DataFrame
        Index: superfeatures, the most important for the student first; columns ``student`` and, where the teacher was
        explained, ``teacher``. Averaged over the classes where there are three or more.
    """
    index, theirs = evidence.explained_rows(student)
    if not len(index):
        index = np.arange(min(n_rows(evidence.X), MOST_ROWS))
    found = {"student": _mean_size(student.contributions(take_rows(evidence.X, index)))}
    if theirs is not None:
        found["teacher"] = _mean_size(theirs)
    table = pd.DataFrame(found, index=list(student.superfeature_names_))
    return table.sort_values("student", ascending=False, kind="stable")


def _mean_size(phi):
    size = np.abs(phi).mean(axis=0)
    return size if size.ndim == 1 else size.mean(axis=1)


def explained_rows(evidence, student, most=5):
    """A handful of rows that say most about the student.

    Parameters
    ----------
    evidence : Evidence
    student : student with contributions
    most : int, default=5

    Returns
    -------
    list of ExplainedRow
    """
    index, theirs = evidence.explained_rows(student)
    if not len(index):
        index = np.arange(min(n_rows(evidence.X), MOST_ROWS))
    rows = take_rows(evidence.X, index)
    phi, predicted, truth = student.contributions(rows), student.predict(rows), np.asarray(evidence.y)[index]
    of_teacher = [None] * len(index) if evidence.teacher is None else evidence.teacher.predict(rows)
    base = np.squeeze(student.explanation_base_)
    chosen = []
    for why, local in _telling(student, rows, predicted, of_teacher, truth)[:most]:
        target, ours, own_base = _one_score(student, phi[local], base, predicted[local])
        other = None if theirs is None else _one_score(student, theirs[local], base, predicted[local])[1]
        chosen.append(
            ExplainedRow(
                int(index[local]),
                why,
                truth[local],
                of_teacher[local],
                predicted[local],
                target,
                ours,
                other,
                own_base,
                own_base + float(ours.sum()),
            )
        )
    return chosen


def _telling(student, rows, predicted, of_teacher, truth):
    """Reasons to show a row, and its position; every row once."""
    known = of_teacher[0] is not None
    reasons = []
    if is_classifier(student):
        chance = student.predict_proba(rows).max(axis=1)
        right = predicted == truth
        if known and (predicted != of_teacher).any():
            reasons.append(
                ("Student and teacher disagree, the student most certain", chance * (predicted != of_teacher))
            )
        reasons.append(("The student is least certain here", -chance))
        if not right.all():
            reasons.append(("The student is wrong, and most certain of it", chance * ~right))
        reasons.append(("The student is most certain here", chance))
        reasons += [(f"A typical row of class {label}", -np.abs(chance - np.median(chance)) - 2 * (predicted != label))
                    for label in student.classes_]  # fmt: skip
    else:
        if known:
            gap = np.abs(predicted - np.asarray(of_teacher, dtype=float))
            reasons.append(("Student and teacher are furthest apart here", gap))
        reasons += [
            ("The student is furthest from the truth here", np.abs(predicted - truth)),
            ("The highest prediction", predicted),
            ("The lowest prediction", -predicted),
            ("A typical prediction", -np.abs(predicted - np.median(predicted))),
        ]
    chosen = {}
    for why, worth in reasons:
        left = [row for row in np.argsort(-worth, kind="stable") if row not in chosen]
        if left:
            chosen[left[0]] = why
    return [(why, int(row)) for row, why in chosen.items()]


def _one_score(student, phi, base, predicted):
    """The class of the explained score, the contributions to it, and its base."""
    if not is_classifier(student):
        return None, phi, float(base)
    if phi.ndim == 1:
        return student.classes_[1], phi, float(base)
    column = int(np.flatnonzero(student.classes_ == predicted)[0])
    return predicted, phi[:, column], float(base[column])


def disagreement(evidence, student):
    """Where student and teacher part.

    Parameters
    ----------
    evidence : Evidence
        Of classifiers.
    student : fitted estimator

    Returns
    -------
    DataFrame
        The pairs of unequal predictions, the most frequent first, with ``rows``, and the share of them that ``teacher
        right`` and ``student right`` give.
    """
    theirs, ours, truth = evidence.teacher.predict(evidence.X), student.predict(evidence.X), np.asarray(evidence.y)
    table = pd.DataFrame(
        {"teacher says": theirs, "student says": ours, "teacher right": theirs == truth, "student right": ours == truth}
    )[theirs != ours]
    found = table.groupby(["teacher says", "student says"], as_index=False).agg(
        **{"rows": ("teacher right", "size"), "teacher right": ("teacher right", "sum"),
           "student right": ("student right", "sum")}
    )  # fmt: skip
    return found.sort_values("rows", ascending=False, kind="stable").reset_index(drop=True)


def drift(X_train, X):
    """How much the distribution of each column differs between two tables.

    Parameters
    ----------
    X_train, X : DataFrame
        Of the same columns.

    Returns
    -------
    Series
        Largest difference of the two cumulative shares (numbers), or half the sum of the differences of the shares
        (anything else), 0 to 1, missing cells counted as a value below all; only those above what chance explains at
        the 0.1 % level and above 0.1, the largest first.
    """
    n, m = len(X_train), len(X)
    chance = 1.95 * np.sqrt((n + m) / (n * m))
    found = {}
    for position, name in enumerate(X.columns):
        old, new = X_train.iloc[:, position], X.iloc[:, position]
        found[str(name)] = _distance(old, new)
    found = pd.Series(found, dtype=float)
    return found[found > max(chance, 0.1)].sort_values(ascending=False, kind="stable")


def _distance(old, new):
    if pd.api.types.is_numeric_dtype(old.dtype) and pd.api.types.is_numeric_dtype(new.dtype):
        old, new = (np.nan_to_num(part.to_numpy(dtype=float, na_value=np.nan), nan=-np.inf) for part in (old, new))
        at = np.union1d(old, new)
        shares = (np.searchsorted(np.sort(part), at, side="right") / len(part) for part in (old, new))
        return float(np.abs(np.subtract(*shares)).max())
    shares = (part.astype(object).where(part.notna(), "missing").value_counts(normalize=True) for part in (old, new))
    return float(np.subtract(*next(shares).align(next(shares), fill_value=0.0)).abs().sum() / 2)
