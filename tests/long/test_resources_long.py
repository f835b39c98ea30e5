"""What many fits leave behind: nothing."""

import gc
import os
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from skked import GroupShapleyExplainer, KDClassifier, KEDClassifier

pytestmark = pytest.mark.long

RNG = np.random.RandomState(0)
X = RNG.normal(size=(200, 6))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
QUICK = {"max_iter": 3, "max_parameters": 80, "cv": 2, "random_state": 0}


def one_of_each():
    teacher = DecisionTreeClassifier(max_depth=3, random_state=0)
    student = KEDClassifier(teacher, superfeatures=2, **QUICK).fit(X, Y)
    student.predict_proba(X), student.contributions(X)
    KDClassifier(teacher, **QUICK).fit(X, Y)
    GroupShapleyExplainer([0, 0, 1, 1, 2, 2], engine="sampling", random_state=0).fit(student.teacher_, X).explain(X)


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
def test_two_hundred_fits_leave_nothing_behind():
    for _ in range(10):
        one_of_each()
    gc.collect()
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    memory = resident()
    for _ in range(100):
        one_of_each()  # two fits
    gc.collect()
    grown = resident() - memory
    print(f"{grown:,} bytes more after 200 fits")
    assert grown < 30_000_000
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) <= files


def test_fits_keep_no_objects():
    one_of_each()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            one_of_each()
        gc.collect()
        traced = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    print(f"{traced:,} traced bytes more after 10 fits")
    assert traced < 300_000


BUSY = """
import os, threading, time
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from skked import KEDClassifier

most = 0
def watch():
    global most
    while True:
        running = 0
        for task in os.listdir("/proc/self/task"):
            try:
                with open(f"/proc/self/task/{task}/stat") as file:
                    running += file.read().rsplit(")", 1)[1].split()[0] == "R"
            except OSError:
                pass
        most = max(most, running)
        time.sleep(0.002)

threading.Thread(target=watch, daemon=True).start()
X = np.random.RandomState(0).normal(size=(3000, 10))
KEDClassifier(superfeatures=4, cv=2, max_iter=20, random_state=0).fit(X, X[:, 0] * X[:, 1] > 0)
print(most)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="reads /proc")
def test_a_fit_with_one_job_runs_no_more_threads_than_it_was_given():
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    found = subprocess.run([sys.executable, "-c", BUSY], env=variables, capture_output=True, text=True, check=True)
    assert int(found.stdout) <= 3  # the fit, the watcher, and torch or numba changing over
