"""What the commands about a saved student do: load it, read rows as it knows them, write what it says."""

import contextlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sklearn.base import is_classifier

from skked._cli._errors import UserError, check_is_file, suggestion
from skked._cli._tables import read_table
from skked._cli._teachers import NAMES, teacher_of
from skked._export import export_numpy, export_onnx, load
from skked._report import distillation_report
from skked._writing import write_whole

STDIN = Path("-")


def saved_student(path):
    """Load a student.

    Parameters
    ----------
    path : Path

    Returns
    -------
    estimator

    Raises
    ------
    UserError
        If there is no such file, or no student in it.
    """
    check_is_file(path)
    try:
        return load(path)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} holds no student saved by skked: {reason}") from error


def rows_of(path, student):
    """Read a table and take the columns that a student knows.

    Parameters
    ----------
    path : Path
        csv, tsv or parquet; ``-`` reads csv from the standard input.
    student : fitted student

    Returns
    -------
    X : DataFrame
        The student's columns, in its order.
    table : DataFrame
        All columns.

    Raises
    ------
    UserError
        If a column is missing.
    """
    try:
        table = pd.read_csv(sys.stdin) if path == STDIN else read_table(path)
    except ValueError as error:
        raise UserError(f"The standard input could not be read as csv: {error}") from error
    known = getattr(student, "feature_names_in_", None)
    if known is None:
        raise UserError("The student was fitted on a table without column names, so columns cannot be found by name.")
    missing = [name for name in known if name not in table.columns]
    if missing:
        raise UserError(f"The table has no column {missing[0]!r}. {suggestion(missing[0], table.columns)}")
    if not len(table):
        raise UserError("The table has no rows.")
    return table[list(known)], table


@contextlib.contextmanager
def suitable_rows():
    """Say what the package finds wrong with rows as whoever brought them can put right."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise UserError(f"The student cannot read these rows: {' '.join(str(error).split())}") from error


def predictions(student, X, *, probabilities):
    """What a student predicts, as a table.

    Parameters
    ----------
    student : fitted student
    X : DataFrame
    probabilities : bool
        Add a column per class.

    Returns
    -------
    DataFrame
        Index: row numbers.

    Raises
    ------
    UserError
        If a regressor is asked for probabilities.
    """
    with suitable_rows():
        found = pd.DataFrame({"prediction": student.predict(X)}, index=X.index.rename("row"))
    if probabilities:
        if not is_classifier(student):
            raise UserError("A regressor has no probabilities; leave out --probabilities.")
        names = [f"probability[{label}]" for label in student.classes_]
        found = found.join(pd.DataFrame(student.predict_proba(X), columns=names, index=found.index))
    return found


def explanations(student, X):
    """What a student predicts and why, as a table.

    Parameters
    ----------
    student : fitted student with contributions
    X : DataFrame

    Returns
    -------
    DataFrame
        ``prediction``, ``base``, one column ``phi[name]`` per superfeature, and ``score``, their sum: the log-odds of
        the second of two classes, the score of the predicted one of more, or the predicted number.

    Raises
    ------
    UserError
        If the student has no contributions.
    """
    if not (hasattr(student, "contributions") and hasattr(student, "explanation_base_")):
        raise UserError(f"A {type(student).__name__} does not explain itself; distil a KEDClassifier or KEDRegressor.")
    with suitable_rows():
        phi, base, prediction = student.contributions(X), np.asarray(student.explanation_base_), student.predict(X)
    if phi.ndim == 3:
        predicted = np.searchsorted(student.classes_, prediction)
        phi, base = phi[np.arange(len(phi)), :, predicted], base[predicted]
    parts = {f"phi[{name}]": phi[:, place] for place, name in enumerate(student.superfeature_names_)}
    found = {"prediction": prediction, "base": base, **parts, "score": base + phi.sum(axis=1)}
    return pd.DataFrame(found, index=X.index.rename("row"))


def write_table(table, out):
    """Write a table as csv to the standard output, or to a csv or parquet file.

    Parameters
    ----------
    table : DataFrame
    out : Path or None

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    if out is None:
        table.to_csv(sys.stdout)
        return
    kind = out.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise UserError(f"Expected --out to be named .csv or .parquet, got {out.name}.")
    try:
        write_whole(out, table.to_csv() if kind == ".csv" else table.to_parquet())
    except ImportError as error:
        raise UserError("Writing parquet needs pyarrow. Install it with: pip install 'skked[parquet]'") from error
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}.") from error
    print(f"{len(table):,} rows written to {out}.", file=sys.stderr)


def report_on(student, path, *, target, teacher, out):
    """Measure a student on rows with a target, print the table, and write the page.

    Parameters
    ----------
    student : fitted student
    path : Path
        Table.
    target : str
        Column of the truth.
    teacher : str or None
        File of the fitted teacher.
    out : Path or None
        The page.

    Raises
    ------
    UserError
        If there is no such column or teacher, or the page cannot be written.
    """
    X, table = rows_of(path, student)
    if target not in table.columns:
        raise UserError(f"The table has no column {target!r}. {suggestion(target, table.columns)}")
    truth = table[target]
    X, y = X[truth.notna()], _as_known(truth.dropna(), student)
    if not len(y):
        raise UserError(f"No row has a {target!r}.")
    task = "classification" if is_classifier(student) else "regression"
    if teacher in NAMES:
        raise UserError(f"--teacher must be the file of a fitted model here; {teacher} is a name for skked distill.")
    frozen = None if teacher is None else teacher_of(teacher, X, task, seed=0)
    with suitable_rows():
        report = distillation_report({"student": student}, X, y, teacher=None if frozen is None else frozen.estimator)
    if out is not None:  # first: who reads the rest may stop
        try:
            report.to_html(out, title=f"{path.name}: {target}")
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror or error}.") from error
        print(f"Page written to {out}.", file=sys.stderr)
    print(report)


def _as_known(y, student):
    """Labels of the kind that the student was fitted on."""
    if not is_classifier(student) or student.classes_.dtype.kind in "biuf":
        return y.to_numpy()
    return y.astype(str).to_numpy()


def export(student, out):
    """Write a student as ONNX or as Python, by the name of the file.

    Parameters
    ----------
    student : fitted student
    out : Path

    Raises
    ------
    UserError
        If the name says neither.
    """
    writers = {".onnx": export_onnx, ".py": export_numpy}
    if out.suffix.lower() not in writers:
        raise UserError(f"Expected a file named .onnx or .py, got {out.name}.")
    try:
        writers[out.suffix.lower()](student, out)
    except (ImportError, TypeError) as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}.") from error
    print(f"{out.stat().st_size:,} bytes written to {out}.", file=sys.stderr)


def show_student(student, path, console=None):
    """Print what a file holds.

    Parameters
    ----------
    student : fitted student
    path : Path
    console : rich.console.Console, default=None
    """
    console = console or Console()
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in _facts(student, path):
        facts.add_row(Text(name, style="dim"), Text(value))
    console.print(facts)
    if hasattr(student, "superfeature_names_"):
        names = np.asarray(getattr(student, "feature_names_in_", [f"x{j}" for j in range(student.n_features_in_)]))
        groups = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        groups.add_column("superfeature", overflow="fold")
        groups.add_column("columns", overflow="fold")
        for group, name in enumerate(student.superfeature_names_):
            members = names[np.asarray(student.superfeature_labels_) == group]
            groups.add_row(Text(name), Text(", ".join(map(str, members))))
        console.print(groups)


def _facts(student, path):
    yield "kind", type(student).__name__
    yield "file", f"{path.stat().st_size:,} bytes"
    if hasattr(student, "n_parameters_"):
        yield "parameters", f"{student.n_parameters_:,}"
    if hasattr(student, "superfeature_names_") and hasattr(getattr(student, "network_", None), "is_additive"):
        yield "network", "one per superfeature" if student.network_.is_additive else "dense"
    yield "columns", f"{student.n_features_in_:,}"
    if hasattr(student, "classes_"):
        yield "classes", ", ".join(map(str, student.classes_))
    if hasattr(student, "loss_curve_"):
        yield "epochs", f"{len(student.loss_curve_):,}, last loss {student.loss_curve_[-1]:.4g}"
    if np.isfinite(getattr(student, "additive_gap_", np.nan)):
        unit = "nats" if hasattr(student, "classes_") else "of R²"
        yield "additive gap", f"{student.additive_gap_:.3g} {unit}"
