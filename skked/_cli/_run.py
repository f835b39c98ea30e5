"""What both commands do: read, fit, print, save; with progress on stderr."""

import time
from dataclasses import replace

from rich.console import Console
from sklearn.frozen import FrozenEstimator

from skked._cli._comparison import compare
from skked._cli._errors import UserError
from skked._cli._printing import show
from skked._cli._saving import prepare_folder, save_all
from skked._cli._teachers import in_its_order, teacher_of

_HOW_TO_LOAD = "import skked; student = skked.load('student.skops'); student.predict(table)"

_FITTED_BEFORE = (
    "The teacher was fitted before. If it saw these rows, its own numbers are too good, and it taught the students "
    "to be too certain."
)


def run(read, *, teacher, max_parameters, epochs, seed, row, out):
    """Distil a table and show what came out.

    Parameters
    ----------
    read : callable
        Returns the Problem.
    teacher : str
        Name or file.
    max_parameters, epochs, seed : int
    row : int or None
        Held-out row to explain.
    out : Path or None
        Folder for the results.

    Raises
    ------
    UserError
        If something that was typed is not as needed.
    """
    progress = Progress(Console(stderr=True), n_steps=6)
    problem = progress("Reading the table", read)
    if row is not None and row >= len(problem.test):
        raise UserError(f"There is no held-out row {row}: they are numbered 0 to {len(problem.test) - 1}.")
    prepare_folder(out)
    teacher = teacher_of(teacher, problem.train, problem.task, seed)
    if isinstance(teacher, FrozenEstimator):
        problem = _as_it_knows(teacher, problem)
    comparison = compare(
        problem, teacher=teacher, max_parameters=max_parameters, epochs=epochs, seed=seed, progress=progress
    )
    paths = [] if out is None else save_all(comparison, out, row)  # first: who reads the rest may stop
    console = Console()
    console.print()
    show(comparison, row, console)
    if out is not None:
        names = ", ".join(path.name for path in paths)
        for line in ("", f"Saved in {out}: {names}.", f"To use it: {_HOW_TO_LOAD}"):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _as_it_knows(teacher, problem):
    """The problem for a teacher that was fitted before: its columns in its order, and a warning."""
    return replace(
        problem,
        train=in_its_order(teacher, problem.train),
        test=in_its_order(teacher, problem.test),
        notes=[*problem.notes, _FITTED_BEFORE],
    )


class Progress:
    """One line per step on a console: a spinner while it runs on a terminal, its time when it is done.

    Parameters
    ----------
    console : rich.console.Console
    n_steps : int
        How many steps there will be.
    """

    def __init__(self, console, n_steps):
        self.console, self.n_steps, self.step = console, n_steps, 0

    def __call__(self, name, step):
        """Run a step and say how long it took.

        Parameters
        ----------
        name : str
        step : callable

        Returns
        -------
        object
            What ``step()`` returned.
        """
        self.step += 1
        start, line = time.perf_counter(), f"[{self.step}/{self.n_steps}] {name} …"
        if self.console.is_terminal:
            with self.console.status(line, spinner="line"):
                result = step()
            self._say(line, end=" ")
        else:
            self._say(line, end=" ")
            try:
                result = step()
            except BaseException:
                self._say("")
                raise
        self._say(f"{time.perf_counter() - start:.1f} s")
        return result

    def _say(self, words, end="\n"):
        self.console.print(words, end=end, markup=False, highlight=False, style="dim", soft_wrap=True)
        self.console.file.flush()
