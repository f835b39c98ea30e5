"""The page, section by section."""

import datetime
import importlib.metadata
from html import escape

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from skked._displays.superfeatures import tree_of_student
from skked._report_page._findings import calibration, disagreement, explained_rows, importance, intervals
from skked._report_page._parts import bars, figure, said, table
from skked._report_page._style import STYLE
from skked._report_page._svg import N_COLOURS, Series, chart, tree
from skked._report_page._warnings import warnings_about
from skked._table import column_names, take_rows

_HEADERS = {
    "accuracy": "accuracy",
    "log_loss": "log-loss, nats",
    "r2": "R²",
    "rmse": "RMSE",
    "agreement": "agreement",
    "explanation_agreement": "explanation agreement",
    "n_parameters": "parameters",
    "bytes": "bytes",
    "us_one_row": "µs, one row",
    "us_per_row_batch": "µs per row, batch",
}
_MOST_GROUPS = 15
_MOST_POINTS = 500
_MOST_COLUMNS_IN_TREE = 60
_ROWS_FOR_TREE = 2_000


def page(report, *, student=None, title=None, X_train=None, notes=()):
    """Write the page.

    Parameters
    ----------
    report : DistillationReport
    student : str, default=None
        Name of the student that the page is about; None is the last that explains itself, else the last.
    title : str, default=None
        Heading.
    X_train : DataFrame, default=None
        Training rows, for the comparison with the held-out ones.
    notes : sequence of str
        Further sentences for the top.

    Returns
    -------
    str
    """
    evidence = report.evidence
    name = subject(evidence, student)
    model = evidence.models[name]
    sections = [
        _head(report, name, model, title),
        _notes([*notes, *warnings_about(report, evidence, name, X_train)]),
        _models(report, name),
    ]
    if evidence.teacher is not None and evidence.teacher is not model:
        sections.append(_agreement(evidence, name, model))
    sections.append(_curves(evidence, name, model))
    if _explains(model):
        sections += [_superfeatures(evidence, name, model), _importance(evidence, model), _rows(evidence, name, model)]
    sections.append(_foot(report))
    heading = escape(title or f"{name}: a student and its teacher")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{heading}</title><style>{STYLE}</style></head><body>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def subject(evidence, student):
    models = evidence.models
    if student is not None:
        if student not in models:
            raise ValueError(f"Expected student to be one of {list(models)}, got {student!r}.")
        return student
    explaining = [name for name, model in models.items() if _explains(model) and model is not evidence.teacher]
    return (explaining or list(models))[-1]


def _explains(model):
    return all(hasattr(model, part) for part in ("contributions", "superfeature_names_", "explanation_base_"))


def _head(report, name, model, title):
    size, taught = report.table.loc[name], report.evidence.teacher not in (None, model)
    start = f"{_class_name(report.evidence.teacher)}, the teacher, was distilled into “{name}”," if taught else ""
    words = f"{start or f'“{name}” is'} a {_class_name(model)}"
    parameters = "" if np.isnan(size["n_parameters"]) else f"{size['n_parameters']:,.0f} parameters and "
    words += f" of {parameters}{size['bytes']:,.0f} bytes."
    if "teacher" in report.table.index:
        words += f" The teacher has {report.table.loc['teacher', 'bytes']:,.0f} bytes."
    if hasattr(model, "superfeature_names_"):
        words += (
            f" The student reads {model.n_features_in_} columns in {len(model.superfeature_names_)} groups, its "
            "superfeatures, and its score is the sum of what they contribute."
        )
    where = f"Everything below was measured on {report.n_samples:,} held-out rows."
    return (
        f'<header><h1>{escape(title or "Distillation report")}</h1><p class="lead">{escape(words)}</p>'
        f"<p>{escape(where)}</p></header>"
    )


def _notes(notes):
    if not notes:
        return "<p>Nothing stands out that should worry you.</p>"
    return f'<ul class="warnings">{"".join(f"<li>{escape(note)}</li>" for note in notes)}</ul>'


# the models -------------------------------------------------------------------------------------------------------


def _models(report, subject):
    spans = intervals(report.evidence)
    words = report.in_words()
    quality = words.columns[0]
    rows = []
    for name in words.index:
        cells = []
        for column in words.columns:
            cell = escape(words.loc[name, column])
            span = spans[name].get("quality" if column == quality else column)
            if span is not None:
                cell += f"<small>{span[0]:.3f} to {span[1]:.3f}</small>"
            cells.append(cell)
        rows.append([name, *cells])
    likeness = (
        "Agreement is the share of rows for which a model predicts the same class as the teacher. "
        if report.evidence.is_classification
        else "Agreement is the R² of a model's predictions against the teacher's. "
    )
    explained = "Explanation agreement is the mean cosine of a model's contributions and the teacher's Shapley values. "
    meaning = (likeness if "agreement" in words else "") + (explained if "explanation_agreement" in words else "")
    return (
        "<section><h2>The models</h2>"
        + table(["", *(_HEADERS[column] for column in words)], rows, kind="models", subject=subject)
        + f'<p class="soft">{meaning}Small numbers: 95 % intervals, from resampling the rows. Bytes are '
        f"those of the pickle; times are medians of {report.n_repeat_timing} calls of predict.</p></section>"
    )


def _agreement(evidence, name, model):
    """Student against teacher, as a picture, and where they part."""
    index = np.arange(len(evidence.y))
    if len(index) > _MOST_POINTS:
        index = np.sort(np.random.RandomState(0).permutation(index)[:_MOST_POINTS])
    rows = take_rows(evidence.X, index)
    drawn = f"{len(index):,} of the held-out rows" if len(index) < len(evidence.y) else "The held-out rows"
    theirs, ours, what, same = _both_say(evidence.teacher, model, rows)
    series = [
        Series("the same prediction", theirs[same], ours[same], 0, "points"),
        Series("another class", theirs[~same], ours[~same], 1, "points"),
    ]
    series = [one for one in series if len(one.x)]
    limits = (0, 1, 0, 1) if is_classifier(model) else None
    picture = chart(
        series,
        x_label=f"teacher: {what}",
        y_label=f"student: {what}",
        description=f"Scatter of the student's {what} against the teacher's; correlation "
        f"{_correlation(theirs, ours):.2f}.",
        limits=limits,
        diagonal=True,
    )
    keys = [(one.name, one.colour) for one in series] if is_classifier(model) else []
    parts = [figure(picture, f"{drawn}. On the line both say the same.", keys)]
    if evidence.is_classification:
        parts.append(_unequal(disagreement(evidence, model), len(evidence.y)))
    return f'<section><h2>Student and teacher</h2><div class="pair">{"".join(parts)}</div></section>'


def _both_say(teacher, student, rows):
    if not is_classifier(student):
        theirs, ours = np.asarray(teacher.predict(rows), dtype=float), student.predict(rows)
        return theirs, ours, "prediction", np.ones(len(ours), dtype=bool)
    same = np.asarray(teacher.predict(rows) == student.predict(rows))
    if not (hasattr(teacher, "predict_proba") and hasattr(student, "predict_proba")):
        codes = [np.searchsorted(student.classes_, model.predict(rows)) for model in (teacher, student)]
        return codes[0] / max(codes[0].max(), 1), codes[1] / max(codes[0].max(), 1), "class", same
    theirs, ours = teacher.predict_proba(rows), student.predict_proba(rows)
    if theirs.shape[1] == 2:
        return theirs[:, 1], ours[:, 1], f"probability of {student.classes_[1]}", same
    each, top = np.arange(len(ours)), theirs.argmax(axis=1)
    return theirs[each, top], ours[each, top], "probability of the teacher's class", same


def _correlation(a, b):
    return 1.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(np.corrcoef(a, b)[0, 1])


def _unequal(pairs, n_samples):
    if not len(pairs):
        return "<div><h3>Where they disagree</h3><p>On no row: both predict the same class everywhere.</p></div>"
    n_rows, right = int(pairs["rows"].sum()), pairs[["teacher right", "student right"]].sum()
    rows = [
        [f"{said(pair['teacher says'])} → {said(pair['student says'])}"]
        + [f"{pair[column]:,}" for column in ("rows", "teacher right", "student right")]
        for _, pair in pairs.head(8).iterrows()
    ]
    return (
        f"<div><h3>Where they disagree</h3><p>On {n_rows:,} of {n_samples:,} rows; there the teacher is right "
        f"{_times(right['teacher right'])}, the student {_times(right['student right'])}.</p>"
        + table(["teacher → student", "rows", "teacher right", "student right"], rows)
        + "</div>"
    )


def _times(n):
    return "once" if n == 1 else f"{n:,} times"


def _curves(evidence, name, model):
    parts = []
    if evidence.is_classification:
        parts.append(_calibration(evidence, name))
    if len(getattr(model, "loss_curve_", ())) > 1:
        parts.append(_learning(model))
    if not any(parts):
        return ""
    heading = "Probabilities and learning" if evidence.is_classification else "Learning"
    return f'<section><h2>{heading}</h2><div class="pair">{"".join(parts)}</div></section>'


def _calibration(evidence, name):
    found = calibration(evidence)
    shown = [one for one in ("teacher", name) if one in found] or list(found)[:2]
    if not shown:
        return ""
    series = [Series(one, found[one][0], found[one][1], place, "both") for place, one in enumerate(shown)]
    errors = "; ".join(f"{one} {100 * found[one][2]:.1f} points" for one in shown)
    picture = chart(
        series,
        x_label="predicted probability",
        y_label="share that is true",
        description=f"Calibration curves. Mean distance from the diagonal: {errors}.",
        limits=(0, 1, 0, 1),
        diagonal=True,
    )
    caption = f"Calibration, in eight groups of equally many rows. Mean distance from the line: {errors}."
    return figure(picture, caption, [(one.name, one.colour) for one in series])


def _learning(model):
    loss, held_out = np.asarray(model.loss_curve_, dtype=float), getattr(model, "validation_curve_", None)
    series = [Series("training rows", np.arange(1, len(loss) + 1), loss, 0)]
    if held_out is not None:
        series.append(Series("held-out training rows", np.arange(1, len(held_out) + 1), held_out, 1))
    picture = chart(
        series,
        x_label="epoch",
        y_label="loss",
        description=f"Loss over {len(loss)} epochs, from {loss[0]:.3g} to {loss[-1]:.3g}.",
    )
    return figure(picture, "Loss of the student while it learned.", [(one.name, one.colour) for one in series])


# superfeatures and explanations -----------------------------------------------------------------------------------


def _superfeatures(evidence, name, model):
    columns = [str(column) for column in getattr(model, "feature_names_in_", column_names(evidence.X))]
    labels = np.asarray(model.superfeature_labels_)
    items = "".join(
        _group(group, place, np.asarray(columns)[labels == place])
        for place, group in enumerate(model.superfeature_names_)
    )
    picture = ""
    if 2 < len(labels) <= _MOST_COLUMNS_IN_TREE:
        found = tree_of_student(model, take_rows(evidence.X, slice(0, _ROWS_FOR_TREE)), "spearman")
        order = leaves_list(found["linkage"])
        drawn = tree(found["linkage"], order, labels, columns, "Tree of the columns: the closer two columns are, the "
                     "further right they join; the superfeatures are listed in the text.")  # fmt: skip
        picture = figure(
            drawn, "Which columns say the same (rank correlation or association); colours are superfeatures."
        )
    return f'<section><h2>Superfeatures</h2><div class="pair"><ul class="groups">{items}</ul>{picture}</div></section>'


def _group(name, place, columns):
    members = "" if list(columns) == [name] else f": {escape(', '.join(columns))}"
    return f'<li class="c{place % N_COLOURS}"><strong>{escape(name)}</strong>{members}</li>'


def _importance(evidence, model):
    found = importance(evidence, model)
    shown = found.head(_MOST_GROUPS)
    unit = "nats" if evidence.is_classification else "units of the target"
    rest = f" {len(found) - _MOST_GROUPS} weaker ones are left out." if len(found) > _MOST_GROUPS else ""
    values = {who: shown[who] for who in ("teacher", "student") if who in shown}
    return (
        f'<section><h2>What matters</h2><p class="soft">Mean absolute contribution of each superfeature, in {unit}.'
        f"{rest}</p>" + bars(list(shown.index), values, signed=False) + "</section>"
    )


def _rows(evidence, name, model):
    found = explained_rows(evidence, model)
    articles = "".join(_row(evidence, model, row) for row in found)
    kind = (
        "Contributions to the log-odds of the class named, in nats"
        if evidence.is_classification and len(model.classes_) == 2
        else "Contributions to the score of the class named, in nats"
        if evidence.is_classification
        else "Contributions to the prediction, in units of the target"
    )
    teacher = (
        " The teacher's are its Shapley values for the same superfeatures."
        if any(row.phi_teacher is not None for row in found)
        else ""
    )
    return f'<section><h2>A handful of rows</h2><p class="soft">{kind}.{teacher}</p>{articles}</section>'


def _row(evidence, model, row):
    order = np.argsort(-np.abs(row.phi_student), kind="stable")[:_MOST_GROUPS]
    cells = take_rows(evidence.X, [row.position])
    values = {} if row.phi_teacher is None else {"teacher": row.phi_teacher[order]}
    values["student"] = row.phi_student[order]
    words = f"The truth is {said(row.truth)}; "
    if row.teacher is not None:
        words += f"the teacher says {said(row.teacher)}, "
    words += f"the student {said(row.student)}"
    if evidence.is_classification:
        words += f" with probability {model.predict_proba(cells).max():.3f}"
    target = f" for {said(row.target)}" if row.target is not None else ""
    words += f". Base{target} {row.base:+.3g}, with all contributions {row.score:+.3g}."
    names = [model.superfeature_names_[group] for group in order]
    return (
        f"<article><h3>{escape(row.why)}: row {row.position}</h3><p>{escape(words)}</p>"
        + bars(names, values, notes=[_cells(model, group, cells) for group in order], signed=True)
        + "</article>"
    )


def _cells(model, group, cells, most=3):
    members = np.flatnonzero(np.asarray(model.superfeature_labels_) == group)
    frame = cells if isinstance(cells, pd.DataFrame) else pd.DataFrame(cells, columns=column_names(cells))
    shown = [f"{frame.columns[column]} = {said(frame.iloc[0, column])}" for column in members[:most]]
    return ", ".join(shown) + (", …" if len(members) > most else "")


def _foot(report):
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in ("skked", "scikit-learn"))
    return f"<footer><p>Written on {today} by {versions}. {report.n_samples:,} rows.</p></footer>"


def _class_name(model):
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    return type(last).__name__
