"""Who follows a fit: scikit-learn's callbacks, or bars on a terminal. Without either it costs nothing.

A fit is a tree of three levels: the fit, its stages (:func:`stage`), and the steps of a stage (:func:`steps`), such as
teachers or epochs. Stages of a fit inside a fit, and steps inside a step, are nobody's business.
"""

import contextlib
import sys
from contextvars import ContextVar

from joblib import Parallel
from joblib.parallel import get_active_backend

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # pragma: no cover (before scikit-learn 1.9)

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method):
        """Nothing to tear down."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "following",
    "is_told",
    "parallel_steps",
    "say",
    "stage",
    "steps",
    "with_callbacks",
    "without_callbacks",
]

_CURRENT = ContextVar("skked_fit", default=None)


@contextlib.contextmanager
def following(estimator, n_stages, X=None, y=None):
    """Let the estimator's callbacks, or a terminal if it is verbose, follow its fit.

    To be entered before :func:`~skked._validation.all_or_nothing`, which would take the callbacks' context away before
    they are torn down, by a method decorated by ``with_callbacks``.

    Parameters
    ----------
    estimator : estimator instance
        With the parameter ``verbose``.
    n_stages : int
        Stages at most.
    X, y : optional
        What ``fit`` was given, for callbacks that ask for it.
    """
    fit = _Fit(estimator, n_stages) if _is_followed(estimator) else None
    token = _CURRENT.set(fit)
    try:
        with contextlib.nullcontext() if fit is None else fit.audience:
            yield
            if fit is not None:
                fit.audience.end_fit(X, y)
    finally:
        _CURRENT.reset(token)


@contextlib.contextmanager
def stage(name):
    """A stage of the fit that is followed, if it is no part of another."""
    fit = _CURRENT.get()
    if fit is None or fit.stage is not None:
        yield
        return
    fit.stage = _Stage(fit.audience, name)
    try:
        yield
        fit.stage.end()
    finally:
        fit.stage = None


def steps(items, n_steps, *, sizes=None, stoppable=False):
    """Items, one per step of the stage: the work is done inside the iterable, or by whoever loops over it.

    Parameters
    ----------
    items : iterable
    n_steps : int
        Their number.
    sizes : sequence of int, default=None
        How much work each step is; None is the same for all.
    stoppable : bool, default=False
        Whether a callback may end the loop.

    Yields
    ------
    object
        The items.
    """
    fit = _CURRENT.get()
    current = None if fit is None else fit.stage
    if current is None or current.in_step or not n_steps:
        yield from items
        return
    current.split(n_steps, sizes)
    iterator = iter(items)
    try:
        for number in range(n_steps):
            current.begin_step()
            yield next(iterator)
            if current.end_step(1 if sizes is None else sizes[number]) and stoppable:
                return
        yield from iterator  # none are left, but joblib's iterator likes to be told
    finally:
        current.in_step = False


def parallel_steps(jobs, n_jobs):
    """Results of joblib's delayed jobs, each a step of the stage.

    Parameters
    ----------
    jobs : list
    n_jobs : int or None

    Returns
    -------
    list
    """
    backend, _ = get_active_backend()
    if _CURRENT.get() is None or not getattr(backend, "supports_return_generator", False):
        return Parallel(n_jobs=n_jobs)(jobs)
    return list(steps(Parallel(n_jobs=n_jobs, return_as="generator")(jobs), len(jobs)))


def is_told():
    """Whether somebody wants to hear what is being done."""
    fit = _CURRENT.get()
    return fit is not None and bool(fit.estimator.verbose)


def say(message):
    """A line about the fit that is followed."""
    print(f"[{type(_CURRENT.get().estimator).__name__}] {message}", flush=True)


def without_callbacks(estimator):
    """The estimator itself, a clone of one that is followed; the callbacks follow that one only."""
    vars(estimator).pop("_skl_callbacks", None)
    return estimator


def _is_followed(estimator):
    return bool(estimator.verbose) or _has_callbacks(estimator)


def _has_callbacks(estimator):
    return hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")


class _Fit:
    """A fit that is followed, and the stage it is in."""

    def __init__(self, estimator, n_stages):
        self.estimator, self.stage = estimator, None
        self.audience = _Nobody()
        if _CURRENT.get() is not None:
            return
        if _has_callbacks(estimator):
            self.audience = _Callbacks(estimator, n_stages)
        elif (console := _terminal()) is not None:
            self.audience = _Bars(console)


class _Stage:
    """A stage, which begins when its number of steps is known, and begins anew when it is split anew."""

    def __init__(self, audience, name):
        self.audience, self.name = audience, name
        self.in_step = self.is_split = False
        audience.open_stage(name)

    def split(self, n_steps, sizes):
        if self.is_split:
            self.audience.end_stage()
            self.audience.open_stage(self.name)
        self.is_split = True
        self.audience.begin_stage(self.name, n_steps, sizes)

    def begin_step(self):
        self.in_step = True
        self.audience.begin_step(self.name)

    def end_step(self, size):
        self.in_step = False
        return self.audience.end_step(size)

    def end(self):
        if not self.is_split:
            self.audience.begin_stage(self.name, 0, None)
        self.audience.end_stage()


class _Nobody(contextlib.AbstractContextManager):
    """Hears of everything and does nothing."""

    def __exit__(self, *exception):
        """Nothing to clear away."""

    def open_stage(self, name):
        """A stage of so far unknown length is at work."""

    def begin_stage(self, name, n_steps, sizes):
        """The stage has so many steps."""

    def begin_step(self, name):
        """A step of the stage."""

    def end_step(self, size):
        """The step is done; true if the loop shall stop."""
        return False

    def end_stage(self):
        """The stage is done."""

    def end_fit(self, X, y):
        """The fit is done."""


class _Callbacks(_Nobody):
    """The callbacks of an estimator: the fit, its stages and their steps are tasks."""

    def __init__(self, estimator, n_stages):
        self.estimator, self.room = estimator, n_stages
        self.fit = estimator._init_callback_context(max_subtasks=n_stages)
        self.fit.call_on_fit_task_begin(estimator=estimator)
        self.stage = self.step = None

    def begin_stage(self, name, n_steps, sizes):
        self.stage = None
        if self.room:
            self.room -= 1
            self.stage = self._begin(self.fit, name, n_steps)

    def begin_step(self, name):
        self.step = self.stage and self._begin(self.stage, name, 0)

    def end_step(self, size):
        return self.step is not None and self._end(self.step)

    def end_stage(self):
        if self.stage is not None:
            self._end(self.stage)

    def end_fit(self, X, y):
        self._end(self.fit, X=X, y=y, reconstruction_attributes=dict)

    def _begin(self, parent, name, n_subtasks):
        task = parent.subcontext(task_name=name, max_subtasks=n_subtasks)
        return task.call_on_fit_task_begin(estimator=self.estimator)

    def _end(self, task, **given):
        return task.call_on_fit_task_end(estimator=self.estimator, **given)


class _Bars(_Nobody):
    """One bar per stage on a terminal, gone when the fit is over or interrupted; what is printed goes above them."""

    def __init__(self, console):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
        )
        self.bar = None

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *exception):
        self.progress.stop()

    def open_stage(self, name):
        self.bar = self.progress.add_task(name, total=None)

    def begin_stage(self, name, n_steps, sizes):
        self.progress.update(self.bar, total=n_steps if sizes is None else sum(sizes))

    def end_step(self, size):
        self.progress.advance(self.bar, size)
        return False

    def end_stage(self):
        total = self.progress.tasks[self.bar].total or 1
        self.progress.update(self.bar, total=total, completed=total)


def _terminal():
    """The terminal that is written to, or None: there may be no terminal, or no rich."""
    if not (hasattr(sys.stdout, "isatty") and sys.stdout.isatty()):
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    console = Console()
    return console if console.is_interactive else None
