"""What ``--out`` writes."""

from io import StringIO

import pandas as pd
from rich.console import Console

from skked._cli._errors import UserError
from skked._cli._printing import show
from skked._export import save
from skked._writing import write_whole

FILES = ("student.skops", "report.html", "report.csv", "report.txt", "superfeatures.csv", "explanations.csv")


def prepare_folder(out):
    """Make the folder before anything is computed, so that a wrong name costs no time.

    Parameters
    ----------
    out : Path or None

    Raises
    ------
    UserError
        If it cannot be made.
    """
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {out} cannot be made: {error.strerror}.") from error


def save_all(comparison, out, row):
    """Write the student, the numbers and the explanations.

    Parameters
    ----------
    comparison : Comparison
    out : Path
        An existing folder; files of the same names are replaced.
    row : int or None
        The held-out row that is explained in the text.

    Returns
    -------
    list of Path
    """
    student = comparison.student
    names = [student.superfeature_names_[label] for label in student.superfeature_labels_]
    superfeatures = pd.DataFrame({"superfeature": names, "column": student.feature_names_in_})
    save(student, out / "student.skops")
    comparison.report.to_html(
        out / "report.html",
        student="KED",
        title=f"{comparison.problem.name}: {comparison.problem.target}",
        X_train=comparison.problem.train,
        notes=[*comparison.problem.notes, *comparison.warnings],
    )
    write_whole(out / "report.csv", comparison.report.to_dataframe().to_csv())
    write_whole(out / "report.txt", _as_text(comparison, row))
    write_whole(out / "superfeatures.csv", superfeatures.to_csv(index=False))
    write_whole(out / "explanations.csv", comparison.explanations.to_csv())
    return [out / name for name in FILES]


def _as_text(comparison, row):
    """What is printed, as plain text of 100 characters a line."""
    file = StringIO()
    show(comparison, row, Console(file=file, width=100, color_system=None))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())
