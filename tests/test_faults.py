"""What happens when something goes wrong: a kill, a full disk, damage, too little memory."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from joblib import Memory
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skked import GroupShapleyExplainer, KEDClassifier

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
QUICK = {"superfeatures": [0, 0, 1, 1], "max_iter": 3, "max_parameters": 80, "cv": 2, "random_state": 0}

WATCHED = """
import os, sys, time
import numpy as np
from sklearn.tree import DecisionTreeClassifier

def say(word):
    with open(os.environ["LOG"], "a") as log:
        log.write(f"{word}\\n")

class Watched(DecisionTreeClassifier):
    "Says when it is fitted, and how many rows it is asked for; no engine can read its tree."

    def fit(self, X, y, sample_weight=None):
        say("fit")
        time.sleep(float(os.environ.get("SLOW", 0)))
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        say(len(X))
        time.sleep(float(os.environ.get("SLOW", 0)))
        return super().predict_proba(X)

X = np.random.RandomState(0).normal(size=(80, 4))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
SMALL_BLOCKS = dict(superfeatures=[0, 0, 1, 1], background=5, engine="enumeration", max_bytes=512, random_state=0)
"""

EXPLAINS = """
from watched import *
from skked import GroupShapleyExplainer

teacher = Watched(max_depth=3, random_state=0).fit(X, Y)
explainer = GroupShapleyExplainer(**SMALL_BLOCKS, memory=sys.argv[1] or None).fit(teacher, X)
say("explain")
np.save(sys.argv[2], explainer.explain(X).phi)
"""

DISTILS = """
from watched import *
from skked import GroupShapleyExplainer, KEDClassifier

explainer = GroupShapleyExplainer(**SMALL_BLOCKS)
student = KEDClassifier(
    Watched(max_depth=3), superfeatures=[0, 0, 1, 1], explainer=explainer, chimeric=False, cv=2, max_iter=3,
    random_state=0, memory=sys.argv[1] or None,
).fit(X, Y)
np.save(sys.argv[2], student.decision_function(X))
"""


CROSS_FITS = """
from watched import *
from skked import KDClassifier

student = KDClassifier(Watched(max_depth=3), cv=8, max_iter=3, random_state=0, memory=sys.argv[1] or None).fit(X, Y)
np.save(sys.argv[2], student.decision_function(X))
"""


class Child:
    """A process that logs what its teacher is asked for."""

    def __init__(self, folder, script):
        self.folder = folder
        (folder / "watched.py").write_text(WATCHED)
        (folder / "script.py").write_text(textwrap.dedent(script))

    def start(self, name, *, memory="", slow=0.0):
        self.log = self.folder / f"{name}.log"
        self.log.touch()
        variables = {**os.environ, "LOG": str(self.log), "SLOW": str(slow)}
        command = [sys.executable, "script.py", str(memory), f"{name}.npy"]
        return subprocess.Popen(command, cwd=self.folder, env=variables)

    def words(self, after=None):
        words = self.log.read_text().split()
        return words[words.index(after) + 1 :] if after in words else ([] if after else words)

    def run(self, name, **options):
        assert self.start(name, **options).wait(timeout=60) == 0
        return np.load(self.folder / f"{name}.npy")

    def kill_after(self, n_words, name, *, after, **options):
        process = self.start(name, slow=0.02, **options)
        try:
            deadline = time.monotonic() + 60
            while len(self.words(after)) < n_words and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
        finally:
            process.kill()
        assert process.wait() == -signal.SIGKILL


# kills ------------------------------------------------------------------------------------------------------------


def test_explanations_killed_at_70_percent_repeat_at_most_one_block(tmp_path):
    child = Child(tmp_path, EXPLAINS)
    expected = child.run("whole")
    calls = child.words(after="explain")
    per_block = len(calls) // 20  # 80 rows in blocks of four
    assert per_block * 20 == len(calls)
    child.kill_after(int(0.7 * len(calls)), "killed", after="explain", memory=tmp_path / "cache")
    done = len(child.words(after="explain"))
    assert 0.6 * len(calls) < done < 0.9 * len(calls)
    found = child.run("resumed", memory=tmp_path / "cache")
    np.testing.assert_array_equal(found, expected)
    assert len(calls) <= done + len(child.words(after="explain")) <= len(calls) + per_block


@pytest.mark.long
def test_a_killed_fit_goes_on_after_its_last_finished_stage_and_block(tmp_path):
    child = Child(tmp_path, DISTILS)
    expected = child.run("whole")
    n_calls = len(child.words())
    assert child.words().count("fit") == 3
    child.kill_after(int(0.7 * n_calls), "killed", after=None, memory=tmp_path / "cache")
    done = len(child.words())
    found = child.run("resumed", memory=tmp_path / "cache")
    np.testing.assert_array_equal(found, expected)
    assert child.words().count("fit") == 0
    assert len(child.words()) <= n_calls - done + 30  # a block, and calls that prepare the explainers of two folds
    child.run("again", memory=tmp_path / "cache")
    assert child.words() == []


@pytest.mark.long
def test_a_killed_cross_fitting_repeats_at_most_one_teacher(tmp_path):
    child = Child(tmp_path, CROSS_FITS)
    expected = child.run("whole")
    assert child.words().count("fit") == 9
    child.kill_after(16, "killed", after=None, memory=tmp_path / "cache")  # each is fitted and then asked twice
    done = child.words().count("fit")
    assert 6 <= done < 9
    found = child.run("resumed", memory=tmp_path / "cache")
    np.testing.assert_array_equal(found, expected)
    assert 9 <= done + child.words().count("fit") <= 10


# damage -----------------------------------------------------------------------------------------------------------


def student(memory=None, teacher=None):
    return KEDClassifier(teacher or DecisionTreeClassifier(max_depth=3), memory=memory, **QUICK)


class CountedTree(DecisionTreeClassifier):
    fits = 0

    def fit(self, X, y, sample_weight=None):
        CountedTree.fits += 1
        return super().fit(X, y, sample_weight)


class Interrupted(CountedTree):
    """Ctrl-C comes with one of the fits."""

    last = np.inf

    def fit(self, X, y, sample_weight=None):
        if CountedTree.fits == Interrupted.last:
            raise KeyboardInterrupt
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("weight", [None, 1 + np.arange(60) % 3], ids=["rows", "weights"])
def test_teachers_that_were_fitted_before_an_interruption_are_found(weight, tmp_path, monkeypatch):
    def fit(memory):
        made = student(memory, Interrupted(max_depth=3)).set_params(cv=6)
        return made.fit(X, Y, sample_weight=weight).decision_function(X)

    expected = fit(None)
    monkeypatch.setattr(CountedTree, "fits", 0)
    monkeypatch.setattr(Interrupted, "last", 4)
    with pytest.raises(KeyboardInterrupt):
        fit(str(tmp_path))
    assert CountedTree.fits == 4
    monkeypatch.setattr(Interrupted, "last", np.inf)
    np.testing.assert_array_equal(fit(str(tmp_path)), expected)
    assert CountedTree.fits == 7
    np.testing.assert_array_equal(fit(str(tmp_path)), expected)
    assert CountedTree.fits == 7


def results_in(folder):
    return sorted(Path(folder).rglob("output.pkl"))


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip_a_bit, lambda path: path.write_bytes(b"")], ids=["cut", "bit", "empty"])
def test_a_damaged_cache_is_noticed_and_rebuilt(damage, tmp_path):
    teacher = CountedTree(max_depth=3, random_state=0)
    expected = student(str(tmp_path), teacher).fit(X, Y).decision_function(X)
    assert len(results_in(tmp_path)) > 2
    for path in results_in(tmp_path):
        damage(path)
    CountedTree.fits = 0
    np.testing.assert_array_equal(student(str(tmp_path), teacher).fit(X, Y).decision_function(X), expected)
    assert CountedTree.fits == 3
    np.testing.assert_array_equal(student(str(tmp_path), teacher).fit(X, Y).decision_function(X), expected)
    assert CountedTree.fits == 3


@pytest.mark.parametrize("teacher", [HistGradientBoostingClassifier(max_iter=5), SVC()], ids=lambda t: type(t).__name__)
def test_what_follows_a_teacher_read_from_disk_is_found(teacher, tmp_path):
    student(str(tmp_path), teacher).fit(X, Y)
    kept = results_in(tmp_path)
    student(str(tmp_path), teacher).fit(X, Y)
    assert results_in(tmp_path) == kept


def test_kept_results_are_those_of_the_same_arguments_only(tmp_path):
    teacher = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, Y)

    def explain(rows, memory=None, **parameters):
        parameters = {"superfeatures": [0, 1, 2, 3], "engine": "sampling", "random_state": 0, **parameters}
        return GroupShapleyExplainer(memory=memory, **parameters).fit(teacher, X).explain(rows).phi

    others = [np.vstack([X[:k], -3 * X[k : k + 1], X[k + 1 :]]) for k in range(4)]  # maybe among the pilot rows
    for rows in (X, X[:50], X[:1], *others):
        for parameters in ({}, {"background": 3}, {"n_coalitions": 4}, {"random_state": 1}, {"engine": "permutation"}):
            expected = explain(rows, **parameters)
            for _ in range(2):
                np.testing.assert_array_equal(explain(rows, str(tmp_path), **parameters), expected)


@pytest.mark.parametrize("engine", ["tree", "enumeration", "sampling", "permutation", "shap"])
@pytest.mark.parametrize("teacher", [HistGradientBoostingClassifier(max_iter=5), DecisionTreeClassifier(max_depth=3)])
def test_keeping_changes_no_bit(engine, teacher, tmp_path, monkeypatch):
    from skked._explanations import _exact_engines

    monkeypatch.setattr(_exact_engines, "_ROWS_PER_BLOCK", 7)
    settings = {"superfeatures": [0, 0, 1, 2], "engine": engine, "random_state": 0, "response": "probability"}
    fitted = teacher.fit(X, Y)
    expected = GroupShapleyExplainer(**settings).fit(fitted, X).explain(X).phi
    for _ in range(2):
        keeping = GroupShapleyExplainer(memory=str(tmp_path), **settings).fit(fitted, X)
        np.testing.assert_array_equal(keeping.explain(X).phi, expected)


def test_what_cannot_be_named_is_refused(tmp_path):
    class Local(DecisionTreeClassifier):
        pass

    with pytest.raises(TypeError, match="memory needs what can be pickled, got Local"):
        student(str(tmp_path), Local()).fit(X, Y)


def test_memory_may_be_joblibs_or_nothing(tmp_path):
    expected = student().fit(X, Y).decision_function(X)
    for memory in (Memory(tmp_path / "a", verbose=0, compress=3), Memory(None, verbose=0), str(tmp_path / "b")):
        np.testing.assert_array_equal(student(memory).fit(X, Y).decision_function(X), expected)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="Expected memory as a folder"):
        student(str(tmp_path / "file")).fit(X, Y)
    with pytest.raises(NotADirectoryError, match="Expected memory as a folder"):
        GroupShapleyExplainer([0, 0, 1, 1], memory=str(tmp_path / "file")).fit(student().fit(X, Y), X)


# disks ------------------------------------------------------------------------------------------------------------


def writers():
    """Everything that writes a file, by name: a function of the path."""
    import pandas as pd

    from skked import distillation_report, export_numpy, export_onnx, save
    from skked._cli._students import write_table

    fitted = student().fit(X, Y)
    report = distillation_report({"KED": fitted}, X, Y, random_state=0)
    table = pd.DataFrame(X)
    return {
        "student.skops": lambda path: save(fitted, path),
        "student.onnx": lambda path: export_onnx(fitted, path),
        "student.py": lambda path: export_numpy(fitted, path),
        "report.html": lambda path: report.to_html(path),
        "table.csv": lambda path: write_table(table, Path(path)),
        "table.parquet": lambda path: write_table(table, Path(path)),
    }


@pytest.fixture(scope="module")
def write():
    return writers()


FILES = ["student.skops", "student.onnx", "student.py", "report.html", "table.csv", "table.parquet"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("existed", [False, True])
def test_a_full_disk_leaves_files_as_they_were(write, name, existed, tmp_path):
    path = tmp_path / name
    if existed:
        path.write_bytes(b"before")
        path.chmod(0o640)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(Exception, match=r"File too large.* the file (stays as it was|was not made)") as caught:
            write[name](str(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert name in str(caught.value)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"before"] * existed
    write[name](str(path))
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert len(path.read_bytes()) > 1000
    if existed:
        assert path.stat().st_mode & 0o777 == 0o640


def test_writing_follows_links_and_leaves_devices_alone(write, tmp_path):
    (tmp_path / "link.py").symlink_to(tmp_path / "file.py")
    write["student.py"](tmp_path / "link.py")
    assert (tmp_path / "link.py").is_symlink() and (tmp_path / "file.py").is_file()
    write["student.py"]("/dev/null")
    assert not Path("/dev/null").is_file()


def fit_with_limit(n_bytes, memory, teacher):
    """Fit while no file may grow beyond so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        return student(memory, teacher).fit(X, Y)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def files_in(folder):
    return {path.name for path in folder.rglob("*") if path.is_file()}


WHOLE = {"output.pkl", "func_code.py", ".gitignore"}


@pytest.mark.parametrize("memory", [str, lambda folder: Memory(folder, verbose=0, compress=1)], ids=["path", "joblib"])
def test_what_a_full_disk_cannot_keep_is_an_error_and_the_rest_is_found_again(memory, tmp_path):
    teacher = CountedTree(max_depth=3, random_state=0)
    expected = student(None, teacher).fit(X, Y).decision_function(X)
    student(memory(tmp_path / "whole"), teacher).fit(X, Y)
    sizes = sorted(path.stat().st_size for path in results_in(tmp_path / "whole"))
    assert sizes[-2] + 100 < sizes[-1]
    unfitted, cache = student(memory(tmp_path / "cache"), teacher), tmp_path / "cache"
    with pytest.raises(OSError, match=r"File too large. A result of [\d,]+ bytes cannot be kept") as caught:
        fit_with_limit(sizes[-1] - 50, unfitted.memory, teacher)
    assert str(cache) in str(caught.value) and "make room there and fit again" in str(caught.value)
    assert "memory=None" in str(caught.value)
    assert files_in(cache) <= WHOLE
    CountedTree.fits = 0
    for _ in range(2):
        np.testing.assert_array_equal(student(memory(cache), teacher).fit(X, Y).decision_function(X), expected)
    assert CountedTree.fits <= 3
    assert files_in(cache) <= WHOLE


@pytest.mark.parametrize("n_kept", range(6))
def test_a_disk_that_fills_up_at_any_stage_is_named_and_costs_that_stage(n_kept, tmp_path, monkeypatch):
    import joblib

    teacher = CountedTree(max_depth=3, random_state=0)
    expected = student(None, teacher).fit(X, Y).decision_function(X)
    calls, dump = [], joblib.dump

    def full(value, path, **options):
        calls.append(path)
        if len(calls) <= n_kept:
            return dump(value, path, **options)
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    unfitted = student(str(tmp_path), teacher)
    monkeypatch.setattr(joblib, "dump", full)
    CountedTree.fits = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(OSError, match=r"No space left on device\. A result of .* cannot be kept") as caught:
            unfitted.fit(X, Y)
    assert caught.value.errno == 28 and str(tmp_path) in caught.value.filename
    assert vars(unfitted).keys() == unfitted.get_params(deep=False).keys()
    assert files_in(tmp_path) <= WHOLE
    assert len(results_in(tmp_path)) == n_kept == len(calls) - 1  # the first one that finds no room ends the fit
    monkeypatch.setattr(joblib, "dump", dump)
    before = CountedTree.fits
    np.testing.assert_array_equal(unfitted.fit(X, Y).decision_function(X), expected)
    assert CountedTree.fits - before == max(0, 3 - n_kept)


def test_a_disk_that_is_full_is_noticed_before_the_work(tmp_path, monkeypatch):
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1000))
    CountedTree.fits = 0
    with pytest.raises(OSError, match=r"No space left on device.* \(1,000 bytes are free\)"):
        student(str(tmp_path), CountedTree()).fit(X, Y)
    assert CountedTree.fits == 0


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="A result cannot be kept in the folder of memory"):
        student(str(tmp_path / "file" / "cache")).fit(X, Y)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own, which is full after 2 MiB."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "skked", tmp_path], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.filterwarnings("ignore:Unable to write .*gitignore")  # joblib's, about a file that nobody needs
@pytest.mark.parametrize("room", [28_000, 0])
@pytest.mark.parametrize("looks", [True, False])
def test_a_full_disk_under_the_cache_leaves_it_whole(room, looks, small_disk, monkeypatch):
    from joblib.memory import _FUNCTION_HASHES

    from skked import _memory

    if not looks:
        monkeypatch.setattr(_memory, "LEAST_ROOM", 0)
    _FUNCTION_HASHES.clear()  # as in a new process
    expected = student().fit(X, Y).decision_function(X)
    filling, cache = small_disk / "filling", small_disk / "cache"
    with filling.open("wb", buffering=0) as file:
        while file.write(b"0" * min(4096, 2**21 - room - file.tell())):
            pass
    with pytest.raises(OSError, match="No space left on device") as caught:
        student(str(cache)).fit(X, Y)
    assert str(cache) in str(caught.value)
    assert files_in(cache) <= WHOLE
    filling.unlink()
    for _ in range(2):
        np.testing.assert_array_equal(student(str(cache)).fit(X, Y).decision_function(X), expected)


# memory -----------------------------------------------------------------------------------------------------------


def searched():
    from skked import KEDClassifierCV

    return KEDClassifierCV(DecisionTreeClassifier(max_depth=3), max_iter=5, max_parameters=80, random_state=0)


def run_out_of_memory(monkeypatch, fits, calls):
    """Let the GPU have room for so many students at once, and none after so many calls."""
    import torch

    from skked._torch import _train

    gradient = _train.DistillationLoss.gradient

    def limited(self, phi, *args):
        calls.append(len(phi))
        if not fits(phi):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return gradient(self, phi, *args)

    monkeypatch.setattr(_train.DistillationLoss, "gradient", limited)


def test_what_does_not_fit_into_a_gpu_is_done_in_smaller_parts(monkeypatch):
    calls = []
    run_out_of_memory(monkeypatch, lambda phi: True, calls)
    expected = searched().fit(X, Y)
    assert max(calls) > 8
    calls.clear()
    run_out_of_memory(monkeypatch, lambda phi: len(phi) <= 3, calls)
    with pytest.warns(UserWarning, match="GPU has not enough memory to train .* student") as caught:
        found = searched().fit(X, Y)
    assert len({str(warning.message) for warning in caught}) <= 4  # one for every training that was too large
    assert 1 < len([size for size in calls if size > 3]) < 30
    np.testing.assert_allclose(found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"], atol=1e-5)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-4)


def test_what_does_not_fit_alone_says_so(monkeypatch):
    import torch

    run_out_of_memory(monkeypatch, lambda phi: False, [])
    unfitted = student().set_params(network="additive", committee_size=1)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        unfitted.fit(X, Y)
    assert vars(unfitted).keys() == unfitted.get_params(deep=False).keys()


def test_a_student_that_does_not_fit_into_a_gpu_is_trained_on_the_cpu():
    import torch

    from skked._torch._device import within_memory

    tried = []

    def run(some, device):
        tried.append((len(some), device.type))
        if device.type != "cpu":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return list(some)

    with pytest.warns(UserWarning, match="has not enough memory") as caught:
        assert within_memory(run, 3, torch.device("meta")) == [0, 1, 2]
    assert len(caught) == 1
    assert tried == [(3, "meta"), (2, "meta"), (1, "meta"), (1, "cpu"), (1, "cpu"), (1, "cpu")]


BATCH = 40


def students_by_autograd():
    """Students of losses without a written gradient, by name: how to make one, whose loss it is, and its answer."""
    from skked import E2KDClassifier, KEDImageClassifier, XDistillationClassifier

    images = X.reshape(60, 2, 2).repeat(3, axis=1).repeat(3, axis=2)
    quick = {"max_iter": 6, "batch_size": BATCH, "random_state": 0}
    tree = DecisionTreeClassifier(max_depth=3)
    table = {**quick, "max_parameters": 200, "cv": 2, "early_stopping": True}
    parts = {"superfeatures": [0, 0, 1, 1]}
    teacher = KEDImageClassifier(distillation_weight=0, max_parameters=2000, **quick).fit(images, Y)
    return {
        "e2kd": (lambda: E2KDClassifier(tree, chimeric=False, **parts, **table).fit(X, Y), "_e2kd.E2KDLoss", X),
        "xdistillation": (
            lambda: XDistillationClassifier(tree, **parts, **table).fit(X, Y),
            "_xdistillation.XDistillationLoss",
            X,
        ),
        "images": (
            lambda hint="attention": KEDImageClassifier(
                FrozenEstimator(teacher), hint=hint, max_parameters=1500, **quick
            ).fit(images, Y),
            "_images.ImageLoss",
            images,
        ),
    }


def limit_rows(monkeypatch, loss, most, calls):
    """Let the GPU have room for so many rows of a loss at once."""
    import importlib

    import torch

    module, name = loss.split(".")
    limited = getattr(importlib.import_module(f"skked._torch.{module}"), name)
    whole = limited.__call__

    def call(self, *args, **kwargs):
        found = whole(self, *args, **kwargs)
        calls.append(len(found))
        if len(found) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return found

    monkeypatch.setattr(limited, "__call__", call)


@pytest.mark.parametrize("name", ["e2kd", "xdistillation", "images"])
def test_batches_that_do_not_fit_into_a_gpu_are_done_in_portions(name, monkeypatch):
    fit, loss, rows = students_by_autograd()[name]
    expected, calls = fit(), []
    limit_rows(monkeypatch, loss, 11, calls)
    with pytest.warns(UserWarning, match="GPU has not enough memory for the batches.* in portions") as caught:
        found = fit()
    assert len(caught) == 1
    assert [size for size in calls if size > 11] == calls[:2] and max(calls) <= BATCH
    assert set(calls[2:]) <= set(range(1, 12))
    np.testing.assert_allclose(found.decision_function(rows), expected.decision_function(rows), atol=1e-4)
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-4)


def test_batches_whose_rows_are_compared_are_not_split(monkeypatch):
    import torch

    fit, loss, _ = students_by_autograd()["images"]
    limit_rows(monkeypatch, loss, 11, [])
    with pytest.raises(torch.cuda.OutOfMemoryError):
        fit(hint="similarity")


def test_an_autoencoder_that_does_not_fit_into_a_gpu_codes_the_same_in_portions(monkeypatch):
    import torch

    from skked._torch import _xdistillation
    from skked._torch._train import Schedule

    explanations, forward = RNG.normal(size=(50, 6)), torch.nn.Linear.forward
    settings = {"n_hidden": 8, "n_code": 2, "image": (None, 1), "seed": 0, "device": "cpu"}

    def codes():
        schedule = Schedule(5, 20, 0.01, 0.0)
        return _xdistillation.train_autoencoder(explanations, np.ones(50), [explanations[:7]], schedule, **settings)

    def limited(self, batch):
        if len(batch) > 8:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return forward(self, batch)

    expected = codes()
    monkeypatch.setattr(torch.nn.Linear, "forward", limited)
    with pytest.warns(UserWarning, match="in portions") as caught:
        found = codes()
    assert len(caught) == 1
    for ours, theirs in zip(found.codes, expected.codes, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize(
    ("most", "tried"),
    [
        (5, [("meta", 1), ("meta", 2), ("meta", 4), ("cpu", 1), ("cpu", 2)]),
        (1, [("meta", 1), ("cpu", 1)]),
    ],
)
def test_what_no_portion_helps_is_trained_on_the_cpu(most, tried):
    import torch

    from skked._torch._device import in_portions

    calls = []

    def run(device, n_portions):
        calls.append((device.type, n_portions))
        if len(calls) < len(tried):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return "done"

    with pytest.warns(UserWarning, match="in portions" if most > 1 else "trained on the CPU, since") as caught:
        assert in_portions(run, torch.device("meta"), most) == "done"
    assert len(caught) == 1
    assert calls == tried


class Largest(DecisionTreeClassifier):
    """Remembers how many rows it was asked for at most."""

    most = 0

    def predict_proba(self, X):
        Largest.most = max(Largest.most, len(X))
        return super().predict_proba(X)


def test_teachers_are_asked_for_no_more_rows_than_working_memory_holds():
    import sklearn

    rows = RNG.normal(size=(20_000, 4))
    labels = (rows[:, 0] > 0).astype(int)
    many = {"teacher": Largest(max_depth=3), "chimeric": False, **QUICK}
    expected = KEDClassifier(**many).fit(rows, labels).decision_function(rows)
    assert Largest.most == 10_000
    Largest.most = 0
    with sklearn.config_context(working_memory=0.25):
        found = KEDClassifier(**many).fit(rows, labels).decision_function(rows)
    assert Largest.most == 2**18 // (4 * 8 * 4)
    np.testing.assert_array_equal(found, expected)


class Offline(DecisionTreeClassifier):
    def fit(self, X, y, sample_weight=None):
        raise OSError(5, "Input/output error")


def test_a_teachers_own_errors_are_not_the_caches(tmp_path):
    with pytest.raises(OSError, match="Input/output error"):
        student(str(tmp_path), Offline()).fit(X, Y)
