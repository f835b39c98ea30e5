"""Commands and their options; everything heavy is imported when a command runs."""

import sys
from enum import StrEnum, auto
from pathlib import Path
from typing import Annotated

import typer

from skked._cli._errors import one_sentence_errors

app = typer.Typer(
    name="skked",
    help="Distil any fitted model into a tiny student that explains itself.",
    epilog="Examples:\n\nskked demo\n\nskked demo --dataset digits --out digits\n\n"
    "skked distill customers.csv --target churn --out churn\n\n"
    "skked explain churn/student.skops new.csv > why.csv",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


class Dataset(StrEnum):
    """Tables that ship with scikit-learn."""

    breast_cancer = auto()
    diabetes = auto()
    digits = auto()
    iris = auto()
    wine = auto()


class Task(StrEnum):
    """What is predicted."""

    auto = "auto"
    classification = "classification"
    regression = "regression"


Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for student.skops, report.html, report.csv, report.txt, superfeatures.csv and explanations.csv. "
        "Nothing is written without it; files of these names in it are replaced.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the split and of all models.")]
Budget = Annotated[int, typer.Option(min=1, help="Weights and biases that each student may have.")]
Epochs = Annotated[int, typer.Option(min=1, help="Epochs that each student is trained for.")]
TestSize = Annotated[float, typer.Option(min=0.01, max=0.99, help="Share of the rows to hold out and measure on.")]
Row = Annotated[
    int | None, typer.Option(min=0, help="Which held-out row to explain; by default the least certain class.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]

Student = Annotated[Path, typer.Argument(metavar="STUDENT", help="A student.skops that skked wrote.")]
Rows = Annotated[
    Path, typer.Argument(metavar="TABLE", help="A csv, tsv or parquet file; - reads csv from the standard input.")
]
File = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A csv or parquet file to write; by default csv is printed.")
]


def main():
    """Run the command with the arguments of the process."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without the letters φ or µ shows a question mark.
        stream.reconfigure(errors="replace")
    app()


def _print_version(wanted: bool):
    if wanted:
        from skked import __version__

        typer.echo(f"skked {__version__}")
        raise typer.Exit


@app.callback()
def _skked(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
):
    pass


@app.command(epilog="Examples:\n\nskked demo\n\nskked demo --dataset diabetes --seed 1 --out diabetes")
def demo(
    dataset: Annotated[Dataset, typer.Option(help="Table that ships with scikit-learn.")] = Dataset.breast_cancer,
    out: Out = None,
    seed: Seed = 0,
    max_parameters: Budget = 500,
    epochs: Epochs = 200,
    row: Row = None,
    debug: Debug = False,
):
    """Distil gradient boosting into a tiny student on a known table, and look at what was kept.

    Compares, on held-out rows, the teacher, a linear model, and three students of equal size: a plain network without
    a teacher, one taught by the teacher's predictions (KD), and one taught by its explanations too (KED). Then shows
    KED's superfeatures and explains one of its predictions.
    """
    with one_sentence_errors(debug):
        from skked._cli._run import run
        from skked._cli._tables import known_problem

        run(
            lambda: known_problem(dataset.value, test_size=0.25, seed=seed),
            teacher="boosting",
            max_parameters=max_parameters,
            epochs=epochs,
            seed=seed,
            row=row,
            out=out,
        )


@app.command(
    epilog="Examples:\n\nskked distill customers.csv --target churn\n\n"
    "skked distill houses.parquet --target price --teacher forest --drop id --out houses\n\n"
    "skked distill loans.csv --target default --teacher my_model.joblib --max-parameters 1000"
)
def distill(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A csv, tsv or parquet file; one row per case.")],
    target: Annotated[str, typer.Option(metavar="COLUMN", help="Column to predict.")],
    teacher: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="boosting, forest, extra_trees, network, linear or lightgbm; or a pickle or joblib file of a fitted "
            "model. Loading a pickle runs the code in it: give only files that you made or trust.",
        ),
    ] = "boosting",
    max_parameters: Budget = 2000,
    out: Out = None,
    task: Annotated[
        Task, typer.Option(help="auto: texts, truth values and few whole numbers are classes.")
    ] = Task.auto,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Column to leave out; may be repeated.")
    ] = None,
    test_size: TestSize = 0.25,
    epochs: Epochs = 200,
    seed: Seed = 0,
    row: Row = None,
    debug: Debug = False,
):
    """Distil a model of your own table into a tiny student that explains itself.

    Texts, categories and missing cells may stay as they are; rows without a target are left out. Prints what the demo
    prints, and with --out saves the student, the numbers and the explanation of every held-out row.
    """
    with one_sentence_errors(debug):
        from skked._cli._run import run
        from skked._cli._tables import problem_of_file

        run(
            lambda: problem_of_file(
                table, target=target, task=task.value, drop=drop or [], test_size=test_size, seed=seed
            ),
            teacher=teacher,
            max_parameters=max_parameters,
            epochs=epochs,
            seed=seed,
            row=row,
            out=out,
        )


@app.command(
    epilog="Examples:\n\nskked predict churn/student.skops new.csv > predicted.csv\n\n"
    "cat new.csv | skked predict churn/student.skops - --probabilities\n\n"
    "skked predict churn/student.skops new.parquet --out predicted.parquet"
)
def predict(
    student: Student,
    table: Rows,
    out: File = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Add a column per class.")] = False,
    debug: Debug = False,
):
    """Predict rows of a table by a saved student.

    Columns are found by name; others may be there. One line per row, in the order of the table.
    """
    with one_sentence_errors(debug):
        from skked._cli import _students

        model = _students.saved_student(student)
        X, _ = _students.rows_of(table, model)
        _students.write_table(_students.predictions(model, X, probabilities=probabilities), out)


@app.command(
    epilog="Examples:\n\nskked explain churn/student.skops new.csv > why.csv\n\n"
    "cat new.csv | skked explain churn/student.skops - --out why.parquet"
)
def explain(student: Student, table: Rows, out: File = None, debug: Debug = False):
    """Say for rows of a table what each superfeature contributes to the prediction.

    One line per row: the prediction, the base, the contributions phi, and the score, which is their sum: log-odds of
    the second of two classes, the score of the predicted one of more (both in nats), or the predicted number.
    """
    with one_sentence_errors(debug):
        from skked._cli import _students

        model = _students.saved_student(student)
        X, _ = _students.rows_of(table, model)
        _students.write_table(_students.explanations(model, X), out)


@app.command(
    epilog="Examples:\n\nskked report churn/student.skops later.csv --target churn\n\n"
    "skked report churn/student.skops later.csv --target churn --teacher my_model.joblib --out later.html"
)
def report(
    student: Student,
    table: Rows,
    target: Annotated[str, typer.Option(metavar="COLUMN", help="Column that holds the truth.")],
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Pickle or joblib file of the fitted teacher, to compare with. Loading a pickle runs the code in it: "
            "give only files that you made or trust.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="An html file to write as well.")] = None,
    debug: Debug = False,
):
    """Measure a saved student on rows that it has not seen, and write the report as a page.

    A saved student leaves its teacher behind; with --teacher the two are compared.
    """
    with one_sentence_errors(debug):
        from skked._cli import _students

        _students.report_on(_students.saved_student(student), table, target=target, teacher=teacher, out=out)


@app.command(
    epilog="Examples:\n\nskked export churn/student.skops churn.onnx\n\nskked export churn/student.skops churn.py"
)
def export(
    student: Student,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="A file named .onnx, or .py for plain Python.")],
    debug: Debug = False,
):
    """Write a saved student as an ONNX graph, or as one Python file that needs numpy alone."""
    with one_sentence_errors(debug):
        from skked._cli import _students

        _students.export(_students.saved_student(student), out)


@app.command(epilog="Example:\n\nskked info churn/student.skops")
def info(student: Student, debug: Debug = False):
    """Print what a file of a student holds: its size, classes, and superfeatures."""
    with one_sentence_errors(debug):
        from skked._cli import _students

        _students.show_student(_students.saved_student(student), student)
