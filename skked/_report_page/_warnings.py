"""What whoever reads the report should worry about, in words."""

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from skked._report_page._findings import calibration, drift
from skked._report_page._stability import stability

_FAR = 0.9
_FEW_ROWS = 200
_UNSTABLE = 0.5


def warnings_about(report, evidence, student_name, X_train=None):
    """Sentences that start with what is wrong and end with what to do.

    Parameters
    ----------
    report : DistillationReport
    evidence : Evidence
    student_name : str
        The student that the page is about.
    X_train : DataFrame, default=None
        Training rows, to compare the held-out rows with.

    Returns
    -------
    list of str
    """
    student, found = evidence.models[student_name], report.table.loc[student_name]
    said = [
        *_about_likeness(evidence, found),
        *_about_quality(report, evidence, student_name),
        *_about_the_student(student, found),
        *_about_the_groups(student, evidence),
    ]
    if is_classifier(student):
        said += _about_calibration(evidence, student_name)
    if X_train is not None:
        said += _about_drift(drift(X_train, _frame(evidence.X)))
    if report.n_samples < _FEW_ROWS:
        said.append(
            f"There are only {report.n_samples:,} held-out rows: look at the intervals rather than at the numbers, and "
            "hold out more rows or cross-validate before you decide."
        )
    return said


def _frame(X):
    return X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)


def _about_likeness(evidence, found):
    agreement = found.get("agreement", np.nan)
    if agreement < _FAR:
        what = (
            f"they predict the same class for {agreement:.0%} of the rows"
            if evidence.is_classification
            else f"it reproduces {max(agreement, 0):.0%} of the variance of the teacher's predictions"
        )
        yield (
            f"The student is far from its teacher: {what}. Give it more parameters or epochs, or other superfeatures, "
            "and do not take its explanations for the teacher's."
        )
    cosine = found.get("explanation_agreement", np.nan)
    if cosine < _FAR:
        yield (
            f"The student explains itself otherwise than its teacher: the mean cosine of their contributions is "
            f"{cosine:.2f}. Its contributions are true of the student, not of the teacher."
        )


def _about_quality(report, evidence, student_name):
    quality = report.table.iloc[:, 0]
    ours = quality[student_name]
    measure = "an accuracy" if evidence.is_classification else "an R²"
    for name, model in evidence.models.items():
        last = model.steps[-1][1] if isinstance(model, Pipeline) else model
        if hasattr(last, "coef_") and name != student_name and quality[name] >= ours:
            yield (
                f"“{name}” reaches {measure} of {quality[name]:.3f} on these rows, the student {ours:.3f}. "
                "If a linear model is good enough, it is simpler still."
            )
    if evidence.teacher is None:
        return
    theirs = next((quality[name] for name, model in evidence.models.items() if model is evidence.teacher), np.nan)
    if theirs - ours > 0.05:
        yield (
            f"Much of the teacher's quality was lost: {measure} of {theirs:.3f} became {ours:.3f}. Give the student "
            "more parameters, or try a KDClassifier or KDRegressor, which may combine all columns."
        )


def _about_the_student(student, found):
    gap = getattr(student, "additive_gap_", np.nan)
    unit = "nats of log-loss" if is_classifier(student) else "of R²"
    network = getattr(student, "network_", None)
    if gap > 0.02 and (network is None or getattr(network, "is_additive", False)):
        yield (
            f"The superfeatures cost something: a model that may not combine columns of different superfeatures lost "
            f"{gap:.3f} {unit} on held-out training rows. An additive student cannot win that back; larger or other "
            'superfeatures may, or network="heads".'
        )
    labels = getattr(student, "superfeature_labels_", None)
    if labels is not None and len(labels) > 4:
        share = np.bincount(np.asarray(labels)).max() / len(labels)
        if share > 0.6:
            yield (
                f"One superfeature holds {share:.0%} of the columns, so the explanations say little. Ask for more "
                "superfeatures, or name them yourself."
            )
    if _still_falls(getattr(student, "loss_curve_", []), getattr(student, "validation_curve_", None)):
        yield "The loss was still falling when training ended. Raise max_iter."


def _about_the_groups(student, evidence):
    alike = stability(student, evidence.X, evidence.y)
    if alike < _UNSTABLE:
        yield (
            f"The superfeatures are unstable: those found on one half of these rows and on the other agree by "
            f"{max(alike, 0):.2f} only (adjusted Rand index; 1 is the same, 0 is chance). Other rows would give other "
            "superfeatures: ask for fewer, or name them yourself, before you read much into which columns go together."
        )


def _still_falls(curve, held_out):
    """Whether the last fifth of a curve is clearly below the fifth before."""
    curve = np.asarray(curve if held_out is None else held_out, dtype=float)
    fifth = len(curve) // 5
    if fifth < 4:
        return False
    last, before = curve[-fifth:], curve[-2 * fifth : -fifth]
    noise = np.hypot(last.std(), before.std()) / np.sqrt(fifth)
    return before.mean() - last.mean() > max(4 * noise, 0.02 * abs(before.mean()))


def _about_calibration(evidence, student_name):
    found = calibration(evidence).get(student_name)
    chance = 1.0 / np.sqrt(len(evidence.y))
    if found is not None and found[2] > max(0.05, 1.5 * chance):
        yield (
            f"The student's probabilities are off by {100 * found[2]:.0f} points on average. Calibrate them on other "
            "rows before you act on them (sklearn.calibration.CalibratedClassifierCV)."
        )


def _about_drift(columns):
    if not len(columns):
        return
    named = ", ".join(f"{name} ({size:.2f})" for name, size in columns.head(5).items())
    more = f" and {len(columns) - 5} more" if len(columns) > 5 else ""
    yield (
        f"The held-out rows are not like the training rows in {named}{more}; the numbers say by how much the shares of "
        "rows differ, 0 to 1. What is measured here holds for rows like the held-out ones only."
    )
