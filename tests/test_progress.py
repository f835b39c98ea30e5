"""Following a fit: scikit-learn's callbacks, bars on terminals, plain lines elsewhere; the student is the same."""

import contextlib
import io
import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skked import (
    E2KDClassifier,
    ExplainingTeacherClassifier,
    GenerationsClassifier,
    KDClassifier,
    KEDClassifier,
    KEDClassifierCV,
    KEDImageClassifier,
    TolerantClassifier,
    XDistillationClassifier,
)

X, Y = load_breast_cancer(return_X_y=True, as_frame=True)
X, Y = X.iloc[::4, :8], Y.iloc[::4]
TEACHER = make_pipeline(StandardScaler(), LogisticRegression())
SMALL = {"max_parameters": 200, "max_iter": 5, "random_state": 0}

try:
    from sklearn import callback
except ImportError:
    callback = None
needs_callbacks = pytest.mark.skipif(callback is None, reason="callbacks came with scikit-learn 1.9")


class Diary:
    """A callback that writes down what it is told."""

    def __init__(self, stop_after=None):
        self.lines, self.stop_after = [], stop_after

    def setup(self, estimator, context):
        self.lines.append("setup")

    def teardown(self, estimator, context):
        self.lines.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        depth = 0 if context.parent is None else 1 if context.parent.parent is None else 2
        self.lines.append((depth, context.task_name, context.max_subtasks))

    def on_fit_task_end(self, estimator, context):
        self.lines.append((context.task_name, "end"))
        return self.stop_after == (context.task_name, context.task_id)

    def stages(self):
        return [line[1:] for line in self.lines if line[0] == 1]


STAGES = [("teachers", 4), ("superfeatures", 0), ("explanations", 4), ("rehearsal", 2), ("committee", 5), ("epochs", 5)]


def student(**parameters):
    return KEDClassifier(TEACHER, superfeatures=3, cv=3, **SMALL).set_params(**parameters)


def same(one, other):
    return np.array_equal(one.contributions(X), other.contributions(X))


@needs_callbacks
def test_stages_and_steps_are_tasks():
    diary = Diary()
    student(chimeric=True).set_callbacks(diary).fit(X, Y)
    lines = diary.lines
    assert diary.stages() == STAGES
    assert lines[:2] == ["setup", (0, "fit", 7)]
    assert lines[-2:] == [("fit", "end"), "teardown"]
    assert sum(line == (2, "epochs", 0) for line in lines) == 5
    assert sum(isinstance(line[0], int) for line in lines) == sum(line[-1] == "end" for line in lines)


@needs_callbacks
def test_nobody_changes_the_student():
    quiet = student().fit(X, Y)
    assert same(student().set_callbacks(Diary()).fit(X, Y), quiet)
    with contextlib.redirect_stdout(io.StringIO()):
        assert same(student(verbose=1).fit(X, Y), quiet)
    with contextlib.redirect_stdout(Terminal()):
        assert same(student(verbose=1, n_jobs=2).fit(X, Y), quiet)


@needs_callbacks
@pytest.mark.parametrize(
    "estimator",
    [
        KDClassifier(TEACHER, cv=3, **SMALL),
        KEDClassifierCV(TEACHER, cv=3, **SMALL),
        E2KDClassifier(TEACHER, cv=3, **SMALL),
        XDistillationClassifier(TEACHER, cv=3, **SMALL),
        TolerantClassifier(max_iter=5, random_state=0),
        GenerationsClassifier(n_generations=3, **SMALL),
        ExplainingTeacherClassifier(superfeatures=3, estimator="network", max_iter=5, random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_sisters_are_followed(estimator):
    diary = Diary()
    estimator.set_callbacks(diary).fit(X, Y)
    assert diary.lines[-2:] == [("fit", "end"), "teardown"]
    assert len(diary.stages()) >= 1
    assert len(diary.stages()) <= diary.lines[1][2]
    assert vars(clone(estimator))["_skl_callbacks"] == [diary]
    assert not [name for name in vars(estimator) if "callback" in name and name != "_skl_callbacks"]


@needs_callbacks
def test_a_search_shows_its_last_stage_however_many_layouts_rehearse():
    diary = Diary()
    grid = {"alpha": [0.05, 0.1, 0.15, 0.2, 0.25, 0.3]}
    KEDClassifierCV(TEACHER, param_grid=grid, cv=3, **SMALL).set_callbacks(diary).fit(X, Y)
    assert ("rehearsals", 6) in diary.stages()
    assert diary.stages()[-1] == ("epochs", 5)


@needs_callbacks
def test_images_are_followed_but_not_their_teacher():
    images, labels = load_digits(return_X_y=True)
    diary = Diary()
    KEDImageClassifier(max_parameters=1000, max_iter=2, random_state=0, image_shape=(8, 8)).set_callbacks(diary).fit(
        images[:100], labels[:100]
    )
    assert [name for name, _ in diary.stages()] == ["teachers", "epochs"]
    assert diary.lines.count("setup") == diary.lines.count("teardown") == 1


@needs_callbacks
def test_a_fit_inside_a_fit_is_not_followed():
    diary = Diary()
    student(teacher=student()).set_callbacks(diary).fit(X, Y)
    assert diary.stages() == STAGES


@needs_callbacks
def test_callbacks_stop_the_epochs():
    fitted = student().set_callbacks(Diary(stop_after=("epochs", 2))).fit(X, Y)
    assert fitted.n_iter_ == 3
    assert np.isfinite(fitted.predict_proba(X)).all()


@needs_callbacks
def test_callbacks_are_torn_down_when_the_fit_fails():
    diary = Diary()
    with pytest.raises(ValueError, match="learning_rate_init"):
        student(learning_rate_init=1e30, max_iter=50).set_callbacks(diary).fit(X, Y)
    assert diary.lines[-1] == "teardown"
    assert diary.lines.count("teardown") == 1


@needs_callbacks
def test_bars_of_sklearn_and_students_that_travel(capsys):
    followed = student().set_callbacks(callback.ProgressBar()).fit(X, Y)
    assert "KEDClassifier - epochs" in capsys.readouterr().out
    assert same(pickle.loads(pickle.dumps(followed)), followed)


@needs_callbacks
def test_scores_are_monitored():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    followed = student().set_callbacks(monitor).fit(X, Y)
    log = monitor.get_logs()
    (entry,) = log.data if not isinstance(log, list) else log[0].data
    assert entry["accuracy"] == followed.score(X, Y)


@needs_callbacks
def test_inside_a_search(capsys):
    search = GridSearchCV(student(), {"alpha": [0.1, 0.2]}, cv=2).set_callbacks(callback.ProgressBar())
    search.fit(X, Y)
    assert capsys.readouterr().out.count("KEDClassifier - epochs") >= 4
    assert not hasattr(search.best_estimator_, "_parent_callback_ctx")


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self):
        return True


def on_terminal(estimator):
    """What a fit writes on a terminal, and what is left to see."""
    terminal = Terminal()
    with contextlib.redirect_stdout(terminal), contextlib.suppress(ValueError):
        estimator.fit(X, Y)
    return terminal.getvalue()


def screen(written):
    """The lines that a terminal shows in the end: of the control sequences, those that rich uses to clear lines."""
    lines = [""]
    row = 0
    for part in re.split(r"(\x1b\[\??[0-9;]*[A-Za-z]|\n|\r)", written):
        if part == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif part == "\x1b[1A":
            row = max(0, row - 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not part.startswith("\x1b") and part != "\r":
            lines[row] += part
    return [line for line in lines if line.strip()]


@pytest.fixture
def terminal(monkeypatch):
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize("teacher", [TEACHER, student(verbose=1)], ids=["quiet", "verbose"])
def test_bars_on_a_terminal_and_none_left_behind(terminal, teacher):
    written = on_terminal(student(verbose=1, teacher=teacher))
    assert written.count("\x1b[?25l") == 1
    for bar in ("teachers", "superfeatures", "explanations", "epochs", "5/5"):
        assert bar in written
    left = screen(written)
    assert left
    assert all(line.startswith("[KEDClassifier] ") for line in left)


def test_interruptions_leave_no_bar(terminal):
    written = on_terminal(student(verbose=1, learning_rate_init=1e30, max_iter=50))
    assert "teachers" in written
    assert "\x1b[?25l" in written
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    assert all(line.startswith("[KEDClassifier] ") for line in screen(written))


def test_plain_lines_elsewhere(capsys):
    student(verbose=1).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith("[KEDClassifier] ") for line in lines)
    student().fit(X, Y)
    assert capsys.readouterr() == ("", "")


def test_the_cost_of_explanations_is_said_before(capsys):
    teacher = make_pipeline(StandardScaler(), SVC())
    fitted = KEDClassifier(teacher, superfeatures=3, chimeric=50, cv=3, verbose=1, **SMALL).fit(X, Y)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "explaining" in line]
    said, calls = (int(number.replace(",", "")) for number in re.findall(r"(\d[\d,]*) rows", line))
    assert said == len(X) + 50
    # 2^3 - 2 coalitions with each of the 100 background rows, the row itself, and the background
    assert calls == 100 + said * (1 + 6 * 100)
    assert re.search(r"about \d+ (s|min|h) of one core", line)
    assert fitted.n_iter_ == 5


def test_a_terminal_without_rich_sees_no_bars(monkeypatch):
    import sys

    from skked._progress import _terminal

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert _terminal() is None


@needs_callbacks
def test_stages_beyond_those_that_were_announced_are_not_told():
    class Brief(KEDClassifier):
        _n_stages = 2

    diary = Diary()
    brief = Brief(**student().get_params(deep=False)).set_callbacks(diary).fit(X, Y)
    assert [name for name, _ in diary.stages()] == ["teachers", "superfeatures"]
    assert diary.lines[-2:] == [("fit", "end"), "teardown"]
    assert same(brief, student().fit(X, Y))
