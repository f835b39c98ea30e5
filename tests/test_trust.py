"""What can be relied on: interruptions, threads, and data that say the same in another form."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from skked import GroupShapleyExplainer, KDClassifier, KEDClassifier, KEDRegressor, SuperfeatureClustering

QUICK = {"max_iter": 3, "max_parameters": 80, "cv": 2, "random_state": 0}
RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)


def student(**parameters):
    return KEDClassifier(**{"teacher": TREE, "superfeatures": [0, 0, 1, 1], **QUICK, **parameters})


def bits(fitted, rows=X):
    return hashlib.sha256(np.ascontiguousarray(fitted.decision_function(rows))).hexdigest()


# interruptions ----------------------------------------------------------------------------------------------------


class InterruptedTree(DecisionTreeClassifier):
    """Ctrl-C comes while this teacher is fitted."""

    def fit(self, X, y, sample_weight=None):
        raise KeyboardInterrupt


class InterruptedExplainer(GroupShapleyExplainer):
    """Ctrl-C comes while this explainer explains."""

    def explain(self, rows):
        raise KeyboardInterrupt


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


def interrupt_training(monkeypatch, after=3):
    """Ctrl-C comes in the middle of the training loop."""
    from skked._torch import _train

    steps, gradient = [], _train.DistillationLoss.gradient

    def counted(self, *args):
        steps.append(1)
        return interrupt() if len(steps) > after else gradient(self, *args)

    monkeypatch.setattr(_train.DistillationLoss, "gradient", counted)


@pytest.mark.parametrize("where", ["teacher", "superfeatures", "explainer", "training"])
@pytest.mark.parametrize("fitted_before", [False, True])
def test_ctrl_c_leaves_the_student_as_it_was(where, fitted_before, monkeypatch):
    import torch

    interrupted = student(warm_start=True)
    if fitted_before:
        interrupted.fit(X, Y)
        answer = bits(interrupted)
    if where == "teacher":
        interrupted.set_params(teacher=InterruptedTree())
    elif where == "superfeatures":
        interrupted.set_params(superfeatures=SuperfeatureClustering(2, affinity=interrupt))
    elif where == "explainer":
        interrupted.set_params(explainer=InterruptedExplainer([]))
    else:
        interrupt_training(monkeypatch)
    before, torch_state = dict(vars(interrupted)), (torch.get_num_threads(), torch.is_grad_enabled())
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(X[:, ::-1], Y)
    assert vars(interrupted).keys() == before.keys()
    assert all(vars(interrupted)[name] is value for name, value in before.items())
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == torch_state
    if fitted_before:
        assert bits(interrupted) == answer
    else:
        with pytest.raises(NotFittedError):
            check_is_fitted(interrupted)


@pytest.mark.parametrize(
    "make", [lambda: GroupShapleyExplainer([0, 0, 1, 1]), lambda: SuperfeatureClustering(affinity="interaction")]
)
def test_ctrl_c_leaves_the_other_estimators_as_they_were(make):
    estimator = make()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(teacher=interrupt, X=X)
    assert vars(estimator).keys() == estimator.get_params(deep=False).keys()


SLOW = """
import signal, sys, time
import numpy as np
from sklearn.tree import DecisionTreeClassifier
from skked import KEDClassifier

signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite that runs in the background may have it ignored

class Slow(DecisionTreeClassifier):
    def fit(self, X, y, sample_weight=None):
        if "fit" in sys.argv:
            self.wait()
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        if "explain" in sys.argv and len(X) > 60:
            self.wait()
        return super().predict_proba(X)

    def wait(self):
        print("waiting", flush=True)
        time.sleep(60)

X = np.random.RandomState(0).normal(size=(60, 4))
KEDClassifier(Slow(), superfeatures=2, cv=2, n_jobs=2, random_state=0).fit(X, X[:, 0] > 0)
"""


def processes_of(session):
    """Living processes of a session, without those that only wait to be collected."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/stat") as file:
                state, _, _, own, *_ = file.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(own) == session and state not in "ZX":
            found.append(int(number))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")
@pytest.mark.parametrize(("stage", "stop"), [("fit", os.kill), ("explain", os.killpg)], ids=["fit", "explain"])
def test_ctrl_c_leaves_no_processes(stage, stop):
    running = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOW), stage],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    try:
        assert running.stdout.readline().startswith("waiting")  # both may say it at once
        assert len(processes_of(running.pid)) > 1
        stop(running.pid, signal.SIGINT)
        assert running.wait(timeout=20) != 0
        deadline = time.monotonic() + 10
        while processes_of(running.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert processes_of(running.pid) == []
    finally:
        running.stdout.close()
        for number in processes_of(running.pid):
            os.kill(number, signal.SIGKILL)
        running.wait()


# threads ----------------------------------------------------------------------------------------------------------


def test_sixteen_threads_share_one_student():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(e=["u", "v", None] * 20)
    shared = KEDClassifier(superfeatures=2, **QUICK).fit(frame, Y)
    tables = [frame.iloc[k : k + 30] for k in range(16)]
    alone = [(shared.predict_proba(table), shared.contributions(table)) for table in tables]
    start = threading.Barrier(16)

    def ask(table):
        start.wait()
        return [(shared.predict_proba(table), shared.contributions(table)) for _ in range(10)]

    with ThreadPoolExecutor(16) as pool:
        for expected, answers in zip(alone, pool.map(ask, tables), strict=True):
            for answer in answers:
                np.testing.assert_array_equal(answer[0], expected[0])
                np.testing.assert_array_equal(answer[1], expected[1])


def test_processes_share_one_student():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(e=["u", "v", None] * 20)
    shared = KEDClassifier(superfeatures=2, **QUICK).fit(frame, Y)
    tables = [frame.iloc[k : k + 30] for k in range(8)]
    for ask in (shared.predict_proba, shared.contributions):
        answers = Parallel(n_jobs=2, backend="loky")(delayed(ask)(table) for table in tables)
        np.testing.assert_array_equal(answers, [ask(table) for table in tables])


def test_fits_in_parallel_threads_do_not_disturb_each_other():
    import torch

    makers = [
        lambda: student(max_iter=30),
        lambda: student(max_iter=30, random_state=1, network="heads"),
        lambda: KDClassifier(TREE, **{**QUICK, "max_iter": 40}),
        lambda: student(max_iter=5, superfeatures=2),
    ]
    alone = [bits(make().fit(X, Y)) for make in makers]
    threads_before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        start = threading.Barrier(len(makers))

        def fit(make):
            start.wait()
            return bits(make().fit(X, Y))

        with ThreadPoolExecutor(len(makers)) as pool:
            together = list(pool.map(fit, makers))
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 3
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads_before)
    assert together == alone


def test_overlapping_trainings_give_torch_its_threads_back():
    import torch

    from skked._torch._device import one_thread

    threads_before = torch.get_num_threads()
    torch.set_num_threads(3)
    inside, leave = threading.Event(), threading.Event()

    def other():
        with one_thread():
            inside.set()
            leave.wait()

    try:
        with ThreadPoolExecutor(1) as pool:
            with one_thread():
                training = pool.submit(other)
                inside.wait()
            leave.set()
            training.result()
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads_before)


# the same data in another form ------------------------------------------------------------------------------------

FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def problems(draw):
    """A small table of numbers and texts, labels of two or three classes, and whole weights."""
    n = draw(st.integers(8, 20))
    rng = np.random.RandomState(draw(st.integers(0, 10**6)))
    table = pd.DataFrame(
        {"a": rng.normal(size=n), "b": rng.randint(0, 3, n).astype(float), "c": rng.choice(["u", "v"], n)}
    )
    table.loc[rng.uniform(size=n) < 0.2, "b"] = np.nan
    y = np.arange(n) % draw(st.integers(2, 3))
    weight = rng.randint(1, 4, n)
    return table, y, weight, rng


def scores(table, y, weight=None, rows=None):
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    teacher = make_pipeline(codes, DecisionTreeClassifier(max_depth=3, random_state=0))
    made = KEDClassifier(teacher, superfeatures=[0, 0, 1], **QUICK)
    return made.fit(table, y, sample_weight=weight).decision_function(table if rows is None else rows)


@FEW
@given(problems())
def test_repeated_rows_are_weights(problem):
    table, y, weight, rng = problem
    copies = rng.permutation(np.repeat(np.arange(len(y)), weight))
    weighted = scores(table, y, weight.astype(float), rows=table)
    np.testing.assert_array_equal(scores(table.iloc[copies], y[copies], rows=table), weighted)


@FEW
@given(problems())
def test_the_order_of_rows_says_nothing(problem):
    table, y, weight, rng = problem
    order = rng.permutation(len(y))
    shuffled = scores(table.iloc[order], y[order], weight[order], rows=table)
    np.testing.assert_array_equal(shuffled, scores(table, y, weight, rows=table))


@FEW
@given(problems())
def test_rows_of_weight_zero_are_absent(problem):
    table, y, weight, rng = problem
    kept = np.arange(len(y)) != rng.randint(len(y))
    absent = scores(table[kept], y[kept], weight[kept], rows=table)
    np.testing.assert_array_equal(scores(table, y, weight * kept, rows=table), absent)


@FEW
@given(problems(), st.sampled_from(["texts", "bools", "large", "floats"]))
def test_the_names_of_classes_say_nothing(problem, kind):
    table, y, _, _ = problem
    names = {
        "texts": np.array(["ant", "bee", "cat"]),
        "bools": np.array([False, True, True]),
        "large": np.array([-5, 10**9, 10**12]),
        "floats": np.array([0.0, 1.0, 2.0]),
    }[kind]
    if kind == "bools":
        y = np.minimum(y, 1)
    np.testing.assert_array_equal(scores(table, names[y]), scores(table, y))


class ColumnTree(RegressorMixin, BaseEstimator):
    """A teacher that sees the first column only: all others are dummies."""

    def fit(self, X, y, sample_weight=None):
        self.tree_ = DecisionTreeRegressor(max_depth=3, random_state=0).fit(np.asarray(X)[:, :1], y, sample_weight)
        return self

    def predict(self, X):
        return self.tree_.predict(np.asarray(X)[:, :1])


@FEW
@given(st.integers(0, 10**6), st.permutations([0, 1, 2]))
def test_names_of_superfeatures_only_order_the_contributions(seed, order):
    rng = np.random.RandomState(seed)
    table, labels, order = rng.normal(size=(20, 5)), np.array([0, 1, 2, 0, 1]), np.array(order)
    y = table[:, 0] + table[:, 1] * table[:, 2]
    teacher = DecisionTreeRegressor(max_depth=4, random_state=0).fit(table, y)
    phi = GroupShapleyExplainer(labels).fit(teacher, table).explain(table[:5]).phi
    renamed = GroupShapleyExplainer(order[labels]).fit(teacher, table).explain(table[:5]).phi
    np.testing.assert_allclose(renamed[:, order], phi, atol=1e-12)


def test_contributions_of_dummies_are_nearly_nothing():
    y = np.sign(X[:, 0]) + 0.5 * X[:, 0]
    fitted = KEDRegressor(ColumnTree(), superfeatures=[0, 1, 1, 1], max_parameters=200, random_state=0).fit(X, y)
    strength = np.abs(fitted.contributions(X)).mean(axis=0)
    assert strength[1] < 0.2 * strength[0]


# the network ------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_of_the_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo", "socketpair"):
        monkeypatch.setattr(socket, name, refuse)
    fitted = KEDClassifier(superfeatures="auto", **QUICK).fit(X, Y)
    fitted.predict(X), fitted.predict_proba(X), fitted.contributions(X), fitted.explain(X)
    GroupShapleyExplainer([0, 0, 1, 1]).fit(fitted.teacher_, X).explain(X)
    SuperfeatureClustering(2, random_state=0).fit(X, Y)


# large tables -----------------------------------------------------------------------------------------------------


def test_the_rows_that_are_explained_are_a_fair_sample(monkeypatch):
    """Of tables in sorted order, too."""
    from skked._students import _base

    sorted_rows = np.sort(np.random.RandomState(0).normal(size=(2000, 4)), axis=0)
    said, teach = [], _base.teach
    monkeypatch.setattr(_base, "teach", lambda *args, **kwargs: said.append(teach(*args, **kwargs)) or said[0])
    student(n_explanations=200, chimeric=False).fit(sorted_rows, np.arange(2000) % 7 > 3, X_unlabelled=sorted_rows)
    for lesson in (said[0].real, said[0].unlabelled):
        assert np.isfinite(lesson.scores).all() and len(lesson.scores) == 2000
        explained = lesson.X[lesson.explained]
        assert 200 <= len(explained) <= 201
        assert np.abs(explained.mean(axis=0)).max() < 4 / np.sqrt(200)
