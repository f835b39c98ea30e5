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
    "skked distill customers.csv --target churn --out churn",
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
        help="Folder for student.skops, report.csv, report.txt, superfeatures.csv and explanations.csv. "
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
