"""One fit on several machines: whatever joblib spreads the work over, and whoever dies, the bits are the same."""

import os
import signal
import time

import joblib
import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from skked import GroupShapleyExplainer, KEDClassifier, KEDClassifierCV

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore"),  # dask's, about its own sockets and clocks
]

RNG = np.random.RandomState(0)
X = RNG.normal(size=(240, 6))
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
BLOCKS = {"background": 5, "engine": "enumeration", "max_bytes": 2000, "random_state": 0}
BALLAST = 2_000_000
"""Bytes that the teacher weighs, so that it shows how often it is sent."""


class Traced(DecisionTreeClassifier):
    """Leaves a file for every block that it scores, every trip through pickle, and every process."""

    folder = None

    def predict_proba(self, X):
        self.leave("call")
        if self.folder is not None:
            time.sleep(0.01)
        return super().predict_proba(X)

    def leave(self, what):
        if self.folder is not None:
            with open(os.path.join(self.folder, f"{what}-{os.getpid()}"), "a") as file:
                file.write(".")

    def __getstate__(self):
        self.leave("packed")
        return {**super().__getstate__(), "folder": self.folder, "ballast": bytes(BALLAST)}

    def __setstate__(self, state):
        super().__setstate__(state)
        self.leave("unpacked")


def counted(folder, what):
    """How often, by process."""
    return {file.name: len(file.read_text()) for file in folder.glob(f"{what}-*")}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        local_directory=str(tmp_path_factory.mktemp("dask")),
        silence_logs=50,
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def test_a_worker_dies_in_the_middle_of_the_explanations(client, tmp_path):
    teacher = Traced(max_depth=4, random_state=0).fit(X, Y)
    explainer = GroupShapleyExplainer([0, 0, 1, 1, 2, 2], **BLOCKS)
    expected = explainer.fit(teacher, X).explain(X).phi
    teacher.folder = str(tmp_path)
    explainer.fit(teacher, X)
    n_prepared = sum(counted(tmp_path, "call").values())
    n_calls = len(X) // explainer._engine.rows_per_block
    assert n_calls > 20
    with joblib.parallel_config(backend="dask"):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(explain_on, client, explainer)
            victim = kill_one(tmp_path, at_least=n_calls // 2 + n_prepared)
            found = running.result(timeout=300)
    assert victim != os.getpid()
    np.testing.assert_array_equal(found, expected)
    assert len([name for name in counted(tmp_path, "call") if str(os.getpid()) not in name]) > 1


def explain_on(client, explainer):
    with joblib.parallel_config(backend="dask", client=client):
        return explainer.explain(X).phi


def kill_one(folder, at_least):
    """Kill a worker once so many calls were made; its number."""
    deadline = time.monotonic() + 120
    while sum(counted(folder, "call").values()) < at_least:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = [int(name.split("-")[1]) for name in counted(folder, "call")]
    victim = next(worker for worker in workers if worker != os.getpid())
    os.kill(victim, signal.SIGKILL)
    return victim


@pytest.mark.parametrize("backend", ["dask", "loky"])
def test_a_teacher_goes_to_each_worker_once(backend, client, tmp_path):
    teacher = Traced(max_depth=4, random_state=0).fit(X, Y)
    explainer = GroupShapleyExplainer([0, 0, 1, 1, 2, 2], n_jobs=2, **BLOCKS)
    expected = explainer.fit(teacher, X).explain(X).phi
    teacher.folder = str(tmp_path)
    explainer.fit(teacher, X)
    with joblib.parallel_config(backend=backend):
        np.testing.assert_array_equal(explainer.explain(X).phi, expected)
    assert sum(counted(tmp_path, "packed").values()) <= 3  # once; dask packs what moves between workers again
    by_process = counted(tmp_path, "unpacked")
    assert 1 <= len(by_process) <= 3 and max(by_process.values()) <= 2


class TracedScorer:
    """Leaves a file for every trip through pickle; it travels with all that a search needs."""

    def __init__(self, folder=None):
        self.folder = folder

    def __call__(self, estimator, X, y, sample_weight=None):
        return estimator.score(X, y, sample_weight)

    def __getstate__(self):
        if self.folder is not None:
            with open(os.path.join(self.folder, f"packed-{os.getpid()}"), "a") as file:
                file.write(".")
        return {"folder": self.folder}


@pytest.mark.parametrize("backend", ["dask", "loky"])
def test_what_a_search_needs_goes_to_each_worker_once(backend, client, tmp_path):
    def search(folder, n_jobs):
        teacher = DecisionTreeClassifier(max_depth=4, random_state=0)
        settings = {"scoring": TracedScorer(folder), "cv": 3, "max_iter": 3, "random_state": 0}
        return KEDClassifierCV(teacher, n_jobs=n_jobs, **settings).fit(X, Y)

    expected = search(None, 1)
    with joblib.parallel_config(backend=backend):
        found = search(str(tmp_path), 2)
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(found.decision_function(X), expected.decision_function(X))
    assert len(expected.cv_results_["params"]) > 8
    assert 1 <= sum(counted(tmp_path, "packed").values()) <= 3  # before, with every run of candidates


def test_a_whole_fit_is_the_same_on_a_cluster(client):
    settings = {"superfeatures": [0, 0, 1, 1, 2, 2], "cv": 3, "max_iter": 3, "chimeric": False, "random_state": 0}
    expected = KEDClassifier(Traced(max_depth=4), **settings).fit(X, Y).decision_function(X)
    with joblib.parallel_config(backend="dask"):
        found = KEDClassifier(Traced(max_depth=4), **settings).fit(X, Y).decision_function(X)
    np.testing.assert_array_equal(found, expected)
