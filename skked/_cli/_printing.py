"""What the commands print: a table of models, the superfeatures, and one prediction explained."""

import numpy as np
import pandas as pd
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from sklearn.pipeline import Pipeline

_COLUMNS = {
    "accuracy": ("accuracy", "{:.3f}"),
    "log_loss": ("log\nloss", "{:.3f}"),
    "r2": ("R²", "{:.3f}"),
    "rmse": ("RMSE", None),
    "agreement": ("agree-\nment", "{:.3f}"),
    "n_parameters": ("para-\nmeters", "{:,.0f}"),
    "bytes": ("bytes", "{:,.0f}"),
    "us_one_row": ("µs for\none row", "{:,.0f}"),
    "us_per_row_batch": ("µs a row\nin batch", "{:,.1f}"),
}
_MOST_PARTS = 12
_WIDEST_NAME = 30
_HALF_BAR = 10
_FEW_VALUES = 3


def show(comparison, row, console):
    """Print everything.

    Parameters
    ----------
    comparison : Comparison
    row : int or None
        Held-out row to explain; None is the class that the student is least certain of, or the first number.
    console : rich.console.Console
    """
    _show_problem(comparison, console)
    _show_models(comparison, console)
    _show_superfeatures(comparison, console)
    _show_explanation(comparison, row, console)


def _show_problem(comparison, console):
    problem = comparison.problem
    kind = f"{len(np.unique(problem.y_train))} classes" if problem.is_classification else "a number"
    console.print(
        f"[bold]{escape(problem.name)}[/]: {problem.train.shape[1]} columns predict {escape(problem.target)} ({kind}); "
        f"{len(problem.train):,} rows to learn from, {len(problem.test):,} held out, seed {comparison.seed}.",
        highlight=False,
    )
    for note in (*problem.notes, *comparison.warnings):
        console.print(f"Note: {note}", markup=False, highlight=False, style="yellow")


# the models -------------------------------------------------------------------------------------------------------


def _show_models(comparison, console):
    numbers = comparison.report.to_dataframe()
    forms = {column: form.format for column, (_, form) in _COLUMNS.items() if form}
    forms["rmse"] = _formatter(numbers["rmse"], "units", sign=False) if "rmse" in numbers else None
    table = _plain_table()
    table.add_column("")
    shown = [column for column in _COLUMNS if column in numbers]
    for column in shown:
        table.add_column(_COLUMNS[column][0], justify="right")
    for name, found in numbers.iterrows():
        cells = ["–" if np.isnan(found[column]) else forms[column](found[column]) for column in shown]
        table.add_row(name, *cells, style="bold" if name == "KED" else None)
    console.print("\n[bold]Models on the held-out rows[/]")
    console.print(table)
    console.print(_reading(comparison, numbers))


def _reading(comparison, numbers):
    """Say what the columns mean, and how far the numbers can be trusted."""
    n_samples = len(comparison.problem.test)
    words = [f"Teacher: {_model_name(comparison.student.teacher_)}."]
    if comparison.problem.is_classification:
        share = numbers.loc["KED", "accuracy"]
        error = 100 * np.sqrt(max(share * (1 - share), 1 / n_samples) / n_samples)
        words.append("Agreement: share of rows on which the teacher predicts the same.")
        words.append(f"This is one split: an accuracy has a standard error of about {error:.1f} points.")
    else:
        words.append("Agreement: R² against the teacher's predictions.")
        words.append("This is one split: small differences mean nothing.")
    if "explanation_agreement" in numbers:
        cosine = numbers.loc["KED", "explanation_agreement"]
        words.append(f"KED's explanations have a mean cosine of {cosine:.3f} with the teacher's Shapley values.")
    return Text(" ".join(words), style="dim")


def _model_name(model):
    """The class of a model, or of the last step of a Pipeline."""
    return _model_name(model.steps[-1][1]) if isinstance(model, Pipeline) else type(model).__name__


# the superfeatures ------------------------------------------------------------------------------------------------


def _show_superfeatures(comparison, console):
    student, unit = comparison.student, _unit(comparison)
    importance = _phi(comparison.explanations).abs().mean()
    importance.index = student.superfeature_names_
    groups = importance.sort_values(ascending=False, kind="stable")
    table = _plain_table()
    table.add_column("name", overflow="fold", max_width=_WIDEST_NAME)
    table.add_column(f"mean |φ|\n{unit}", justify="right")
    table.add_column("columns", overflow="fold")
    form = _formatter(groups.to_numpy(), unit, sign=False)
    for name in groups.index[:_MOST_PARTS]:
        members = student.feature_names_in_[student.superfeature_labels_ == student.superfeature_names_.index(name)]
        table.add_row(Text(name), form(groups[name]), Text(_listed(members, 8)))
    if len(groups) > _MOST_PARTS:
        table.add_row(f"{len(groups) - _MOST_PARTS} more", "", "")
    title = f"Superfeatures: {len(groups)} groups of columns, the most influential first"
    console.print("", Text(title, style="bold"), table, sep="\n")


def _listed(names, most):
    rest = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {rest} more" if rest > 0 else "")


# one prediction ---------------------------------------------------------------------------------------------------


def _show_explanation(comparison, row, console):
    why = ""
    if row is None and comparison.problem.is_classification:
        row, why = int(comparison.explanations["probability"].to_numpy().argmin()), ", of which it is least certain"
    row = row or 0
    explained = comparison.explanations.iloc[row]
    phi = _phi(comparison.explanations).iloc[row]
    phi.index = comparison.student.superfeature_names_
    phi = phi.astype(float).sort_values(key=np.abs, ascending=False, kind="stable")
    label = comparison.explanations.index[row]
    console.print()
    console.print(
        Text(f"KED explains held-out row {row} (row {label} of the table){why}", style="bold"),
        Text(_in_words(comparison, explained, phi)),
        "",
        sep="\n",
    )
    console.print(_bars(comparison, explained, phi, console))
    console.print(Text(_meaning(comparison, explained), style="dim"))


def _in_words(comparison, explained, phi):
    """One paragraph: what is predicted, and which superfeatures speak for and against it."""
    if comparison.problem.is_classification:
        verdict = f"It predicts {explained['prediction']} with probability {_chance(explained['probability'])}; "
        sign = -1 if _has_two_classes(comparison) and explained["score"] < 0 else 1
        words = ("For it", "against it")
    else:
        verdict = f"It predicts {explained['prediction']:.4g}; "
        sign, words = 1, ("Raised by", "lowered by")
    said = "{:.4g}".format if not comparison.problem.is_classification else str
    verdict += f"the teacher says {said(explained['teacher'])}, the truth is {said(explained['truth'])}."
    strong = phi[phi.abs() >= 0.1 * phi.abs().max()]
    pro, contra = (_listed([f'"{name}"' for name in strong.index[strong * s > 0]], 3) for s in (sign, -sign))
    return f"{verdict} {words[0]}: {pro or 'hardly anything'}; {words[1]}: {contra or 'hardly anything'}."


def _bars(comparison, explained, phi, console):
    """One line per superfeature, the strongest first: its bar, its contribution and the cells behind it."""
    form = _formatter(np.append(phi.to_numpy(), [explained["base"], explained["score"]]), _unit(comparison), sign=True)
    cells = comparison.problem.test.loc[explained.name]
    lines = [("base", "", form(explained["base"]), "the average score")]
    for name, value in phi.iloc[:_MOST_PARTS].items():
        bar = _bar(value / max(phi.abs().max(), np.finfo(float).tiny), console.options.ascii_only)
        lines.append((name, bar, form(value), _cells(comparison.student, name, cells)))
    rest = phi.iloc[_MOST_PARTS:]
    if len(rest):
        lines.append((f"{len(rest)} more", "", form(rest.sum()), ""))
    lines.append(("sum = score", "", form(explained["score"]), ""))
    return _aligned(lines, console.width)


def _aligned(lines, width):
    """A table whose last column takes the room that the others leave."""
    names, _, numbers, _ = zip(*lines, strict=True)
    widths = [min(_WIDEST_NAME, max(map(len, names))), 2 * _HALF_BAR + 1, max(map(len, numbers))]
    table = _plain_table(show_header=False)
    table.add_column(width=widths[0], overflow="fold")
    table.add_column(width=widths[1], no_wrap=True)
    table.add_column(width=widths[2], no_wrap=True, justify="right")
    table.add_column(width=max(width - sum(widths) - 3, 10), no_wrap=True, overflow="ellipsis")
    for name, bar, number, note in lines:
        sign = "green" if number.startswith("+") else "red"
        style = "bold" if not bar else None
        table.add_row(Text(name), Text(bar, style=sign), Text(number), Text(note, style="dim"), style=style)
    return table


def _bar(share, ascii_only):
    """A bar from the middle: to the right if positive, to the left if negative, of length ``share`` in [-1, 1]."""
    halves = round(2 * _HALF_BAR * abs(share))
    if ascii_only:
        length = (halves + 1) // 2
        return f"{'#' * length if share < 0 else '':>{_HALF_BAR}}|{'#' * length if share > 0 else ''}"
    full, half = divmod(halves, 2)
    left = "▐" * half + "█" * full if share < 0 else ""
    right = "█" * full + "▌" * half if share > 0 else ""
    return f"{left:>{_HALF_BAR}}│{right}"


def _cells(student, name, row):
    columns = student.feature_names_in_[student.superfeature_labels_ == student.superfeature_names_.index(name)]
    cells = [f"{column}={_cell(row[column])}" for column in columns[:_FEW_VALUES]]
    return ", ".join(cells) + (", …" if len(columns) > _FEW_VALUES else "")


def _cell(value):
    if pd.isna(value):
        return "missing"
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)


def _meaning(comparison, explained):
    """What the score is."""
    if not comparison.problem.is_classification:
        return f"The score is the prediction of {comparison.problem.target!r} itself."
    prediction, probability = explained["prediction"], explained["probability"]
    if not _has_two_classes(comparison):
        return f"The score, in nats, is how far the log-probability of {prediction} is above the mean of all classes'."
    first, second = comparison.student.classes_
    chance = 1 - probability if prediction == first else probability
    return f"The score is the log-odds of {second} against {first}, in nats: probability {_chance(chance)}."


def _chance(probability):
    if probability > 0.9995:
        return "over 0.999"
    return "under 0.001" if probability < 0.0005 else f"{probability:.3f}"


# parts ------------------------------------------------------------------------------------------------------------


def _has_two_classes(comparison):
    return comparison.problem.is_classification and len(comparison.student.classes_) == 2


def _unit(comparison):
    return "nats" if comparison.problem.is_classification else "units"


def _phi(explanations):
    return explanations.loc[:, [name for name in explanations if name.startswith("phi[")]]


def _formatter(values, unit, *, sign):
    """Format numbers that are added up with the same decimals: two for nats, else four figures of the largest."""
    largest = np.abs(values).max()
    digits = 2 if unit == "nats" or largest == 0 else int(np.clip(3 - np.floor(np.log10(largest)), 0, 12))
    return f"{{:{'+' if sign else ''},.{digits}f}}".format


def _plain_table(**options):
    return Table(box=None, padding=(0, 1), collapse_padding=True, pad_edge=False, header_style="dim", **options)
