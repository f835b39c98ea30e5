"""Students in files: the same predictions anywhere, no code from strangers, nothing by halves."""

import copy
import io
import json
import pickle
import subprocess
import sys
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import skked
from skked import (
    ExplainingTeacherClassifier,
    KDClassifier,
    KEDClassifier,
    KEDRegressor,
    SuperfeatureClustering,
    load,
    save,
)

QUICK = {"superfeatures": 2, "max_iter": 3, "max_parameters": 200, "chimeric": False, "random_state": 0}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(
        {
            "size": np.where(rng.rand(120) < 0.2, np.nan, rng.randn(120)),
            "colour": rng.choice(np.array(["red", "blue", None], dtype=object), 120),
            "kind": pd.Categorical(rng.choice([1, 2, 3], 120)),
            "open": rng.rand(120) < 0.5,
        }
    )
    return X, rng.choice(["no", "so", "yes"], 120)


@pytest.fixture(scope="module")
def student(rows):
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    numbers = make_column_transformer((codes, ["colour", "kind"]), ("passthrough", ["size", "open"]))
    teacher = make_pipeline(numbers, DecisionTreeClassifier(max_depth=3, random_state=0))
    return KEDClassifier(teacher, **QUICK).fit(*rows)


@pytest.fixture(scope="module")
def cancer_student():
    X, y = load_breast_cancer(return_X_y=True)
    return KEDClassifier(DecisionTreeClassifier(max_depth=3, random_state=0), **QUICK).fit(X, y)


BLOCKED = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "shap", "numba", "onnx", "skl2onnx", "lightgbm"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
import pickle, joblib, numpy, pandas, skked
folder = sys.argv[1]
X = pandas.read_pickle(folder + "/rows")
students = {
    "skops": skked.load(folder + "/student.skops"),
    "pickle": pickle.load(open(folder + "/student.pickle", "rb")),
    "joblib": joblib.load(folder + "/student.joblib"),
}
for name, student in students.items():
    numpy.savez(f"{folder}/{name}.npz", p=student.predict_proba(X), phi=student.contributions(X), y=student.predict(X))
"""


def test_predictions_are_the_same_to_the_bit_in_another_process_without_torch_shap_and_numba(student, rows, tmp_path):
    X, _ = rows
    X.to_pickle(tmp_path / "rows")
    save(student, tmp_path / "student.skops")
    (tmp_path / "student.pickle").write_bytes(pickle.dumps(student))
    joblib.dump(student, tmp_path / "student.joblib")
    done = subprocess.run([sys.executable, "-c", BLOCKED, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("skops", "pickle", "joblib"):
        there = np.load(tmp_path / f"{name}.npz")
        np.testing.assert_array_equal(there["p"], student.predict_proba(X))
        np.testing.assert_array_equal(there["phi"], student.contributions(X))
        np.testing.assert_array_equal(there["y"], student.predict(X))


def test_regressors_dense_students_and_pipelines_come_back(tmp_path):
    X = np.random.RandomState(0).randn(80, 4)
    students = [
        (KEDRegressor(DecisionTreeRegressor(max_depth=2), **QUICK), X[:, 0] * 1e4),
        (KDClassifier(DecisionTreeClassifier(max_depth=2), max_iter=2, random_state=0), X[:, 0] > 0),
        (make_pipeline(StandardScaler(), KEDClassifier(LogisticRegression(), **QUICK)), X[:, 0] > 0),
    ]
    for student, y in students:
        student.fit(X, y)
        save(student, tmp_path / "student.skops")
        loaded = load(tmp_path / "student.skops")
        assert type(loaded) is type(student)
        answer = "predict_proba" if hasattr(student, "predict_proba") else "predict"
        np.testing.assert_array_equal(getattr(loaded, answer)(X), getattr(student, answer)(X))


@pytest.mark.parametrize("kind", ["KEDImage", "Tolerant", "Generations", "E2KD"])
def test_the_other_students_come_back(kind, tmp_path):
    X, y = load_digits(n_class=3, return_X_y=True)
    student = getattr(skked, f"{kind}Classifier")(max_iter=2, random_state=0)
    if "teacher" in student.get_params():
        student.set_params(teacher=DecisionTreeClassifier(max_depth=3))
    student.fit(X[:100], y[:100])
    save(student, tmp_path / "student.skops")
    np.testing.assert_array_equal(load(tmp_path / "student.skops").predict_proba(X), student.predict_proba(X))


def test_the_teacher_stays_at_home_unless_asked(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    forest = RandomForestClassifier(20, max_depth=6, random_state=0).fit(X, y)
    student = KEDClassifier(FrozenEstimator(forest), **QUICK, n_explanations=5).fit(X, y)
    path = tmp_path / "student.skops"
    save(student, path)
    assert path.stat().st_size < 40_000
    loaded = load(path)
    assert loaded.teacher is None and not hasattr(loaded, "teacher_")
    assert student.teacher.estimator is forest and hasattr(student, "teacher_")
    save(student, path, with_teacher=True)
    with pytest.raises(ValueError, match=r"not trusted: sklearn\.tree\._tree\.Tree\."):
        load(path)
    loaded = load(path, trusted=["sklearn.tree._tree.Tree"])
    np.testing.assert_array_equal(loaded.teacher_.predict_proba(X), forest.predict_proba(X))
    np.testing.assert_array_equal(loaded.teacher.predict_proba(X), forest.predict_proba(X))
    save(loaded, path)
    with pytest.raises(ValueError, match="no teacher_"):
        save(load(path), path, with_teacher=True)


def test_a_fitted_teacher_comes_back_unfitted_or_not_at_all(tmp_path):
    X = np.random.RandomState(0).randn(60, 3)
    y = X[:, 0] > 0
    fitted = LogisticRegression(C=0.5).fit(X, y)
    for teacher in (fitted, FrozenEstimator(fitted)):
        save(KEDClassifier(teacher, **QUICK).fit(X, y), tmp_path / "student.skops")
        loaded = load(tmp_path / "student.skops")
        assert loaded.teacher is None if teacher is not fitted else loaded.teacher.C == 0.5
        assert not hasattr(loaded.teacher, "coef_")


@pytest.mark.parametrize("with_texts", [False, True])
def test_explaining_teachers_travel_to_those_who_trust_trees(with_texts, rows, tmp_path):
    X = rows[0] if with_texts else rows[0][["size"]].assign(more=np.arange(len(rows[0])))
    teacher = ExplainingTeacherClassifier(2, max_iter=5, random_state=0).fit(X, rows[1])
    path = tmp_path / "teacher.skops"
    save(teacher, path)
    with pytest.raises(ValueError, match=r"TreePredictor.*name them in `trusted`") as refusal:
        load(path)
    named = str(refusal.value).split("not trusted: ")[1].split(". Loading")[0].split(", ")
    assert not [name for name in named if name.startswith("skked.")]
    loaded = load(path, trusted=named)
    np.testing.assert_array_equal(loaded.predict_proba(X), teacher.predict_proba(X))
    np.testing.assert_array_equal(loaded.contributions(X), teacher.contributions(X))
    assert set(vars(loaded)) == set(vars(teacher))


def test_parameters_travel_if_anybody_can_load_them(cancer_student, tmp_path):
    path = tmp_path / "student.skops"
    save(cancer_student, path)
    assert load(path).teacher.max_depth == 3
    X, y = load_breast_cancer(return_X_y=True)
    student = KEDClassifier(
        LGBMClassifier(n_estimators=3, verbose=-1), **{**QUICK, "cv": 2}, memory=str(tmp_path / "cache")
    )
    student.fit(X, y).set_params(superfeatures=SuperfeatureClustering(3), cv=lambda X, y: None)
    save(student, path)
    loaded = load(path)
    assert loaded.teacher is None and loaded.memory is None and loaded.cv == 5
    assert loaded.superfeatures.n_superfeatures == 3
    assert loaded.max_parameters == QUICK["max_parameters"]


class _Hostile:
    ran = False

    def __setstate__(self, state):
        _Hostile.ran = True

    def __getstate__(self):
        return {"command": "rm"}


def _written(document, path, **header):
    """A file as a stranger would forge it."""
    content = io.BytesIO(skops.io.dumps(document))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("skked.json", json.dumps({"format_version": 1, "skked": "0.1.0", **header}))
    path.write_bytes(content.getvalue())
    return path


def test_a_hostile_file_is_refused_and_runs_nothing(cancer_student, tmp_path):
    path = tmp_path / "student.skops"
    for part in ("teacher", "estimator"):
        _written({"estimator": cancer_student, "teacher": None, part: _Hostile()}, path)
        with pytest.raises(ValueError, match=r"not trusted: .*_Hostile"):
            load(path)
    assert not _Hostile.ran
    _written({"estimator": cancer_student, "teacher": zipfile.os.system}, path)
    with pytest.raises(ValueError, match=r"not trusted: .*system"):
        load(path)
    _written({"estimator": cancer_student, "teacher": _Hostile()}, path)
    load(path, trusted=[f"{_Hostile.__module__}._Hostile"])
    assert _Hostile.ran


def test_no_module_is_imported_because_a_file_says_so(cancer_student, tmp_path):
    path = tmp_path / "student.skops"
    save(cancer_student, path)
    with zipfile.ZipFile(path) as members:
        parts = {name: members.read(name) for name in members.namelist()}
    parts["schema.json"] = parts["schema.json"].replace(b"skked._forward", b"this").replace(b"StudentNetwork", b"d")
    with zipfile.ZipFile(path, "w") as members:
        for name, content in parts.items():
            members.writestr(name, content)
    sys.modules.pop("this", None)
    with pytest.raises(ValueError, match=r"not trusted: this\.d"):
        load(path)
    assert "this" not in sys.modules


def test_students_by_themselves_need_no_skops_to_load(student, rows, tmp_path):
    save(student, tmp_path / "student.skops")
    rows[0].to_pickle(tmp_path / "rows")
    code = """
import sys
sys.modules["skops"] = None
import pandas, skked
student = skked.load(sys.argv[1] + "/student.skops")
student.predict_proba(pandas.read_pickle(sys.argv[1] + "/rows")).tofile(sys.argv[1] + "/p")
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.fromfile(tmp_path / "p"), student.predict_proba(rows[0]).ravel())


def test_both_readers_read_the_same(student, tmp_path):
    student = copy.copy(student).set_params(hidden_layer_sizes=(3, 2), superfeatures={"all": ["size"]})
    save(student, tmp_path / "student.skops")
    plain = load(tmp_path / "student.skops")
    content = (tmp_path / "student.skops").read_bytes()
    by_skops = skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))["estimator"]
    assert vars(plain).keys() == vars(by_skops).keys()
    plain.memory = by_skops.memory = None
    assert joblib.hash(plain) == joblib.hash(by_skops)


def test_parameters_that_a_file_does_not_know_yet_are_as_by_default(cancer_student, tmp_path):
    older = copy.copy(cancer_student)
    del older.max_parameters
    loaded = load(_written({"estimator": older, "teacher": None}, tmp_path / "student.skops"))
    assert loaded.max_parameters == KEDClassifier().max_parameters


def test_a_cache_in_a_file_is_not_used(cancer_student, tmp_path):
    forged = copy.copy(cancer_student).set_params(memory=str(tmp_path))
    pipeline = make_pipeline(StandardScaler(), forged, memory=str(tmp_path))
    loaded = load(_written({"estimator": pipeline, "teacher": None}, tmp_path / "student.skops"))
    assert loaded.memory is None and loaded[-1].memory is None


def test_what_is_no_student_file_is_refused(cancer_student, tmp_path):
    path = tmp_path / "student.skops"
    with pytest.raises(FileNotFoundError):
        load(path)
    for content, message in [
        (b"", "damaged or not a file"),
        (pickle.dumps(cancer_student), "damaged or not a file"),
        (skops.io.dumps(cancer_student), "not a file of skked.save"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load(path)
    document = {"estimator": cancer_student, "teacher": None}
    with pytest.raises(ValueError, match=r"format version 2, written by skked 9\.0.*reads version 1"):
        load(_written(document, path, format_version=2, skked="9.0"))
    for stranger in ({"estimator": LogisticRegression(), "teacher": None}, {"estimator": KEDClassifier()}, [1, 2]):
        with pytest.raises(ValueError, match="cannot be read as a student"):
            load(_written(stranger, path))


def test_a_damaged_file_is_refused_or_says_the_same(cancer_student, tmp_path):
    X = load_breast_cancer().data[:5]
    expected = cancer_student.predict_proba(X)
    path = tmp_path / "student.skops"
    save(cancer_student, path)
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 15, dtype=int):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="damaged"):
            load(path)
    n_refused = 0
    for place in np.random.RandomState(0).randint(len(whole), size=60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            np.testing.assert_array_equal(load(path).predict_proba(X), expected)
        except ValueError:
            n_refused += 1
    assert n_refused > 30


def test_nothing_is_written_by_halves(cancer_student, tmp_path, monkeypatch):
    path = tmp_path / "student.skops"
    save(cancer_student, path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save(cancer_student, path)
    monkeypatch.undo()
    broken = copy.copy(cancer_student)
    broken.extra_ = (i for i in range(3))
    with pytest.raises(TypeError, match="cannot store"):
        save(broken, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["student.skops"]


@pytest.mark.parametrize("estimator", [LogisticRegression(), make_pipeline(StandardScaler()), "student"])
def test_only_students_are_saved(estimator, tmp_path):
    with pytest.raises(TypeError, match="Expected a student"):
        save(estimator, tmp_path / "student.skops")
    with pytest.raises(NotFittedError):
        save(KEDClassifier(), tmp_path / "student.skops")


def test_without_skops_the_extra_is_named(cancer_student, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ImportError, match=r"skked\[skops\]"):
        save(cancer_student, tmp_path / "student.skops")


def test_what_students_do_not_hold_is_left_to_skops():
    from skked._export._plain_reader import NotPlain, read_plain

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("schema.json", json.dumps({"protocol": -1}))
    texts = np.array([["a", "b"]], dtype=object)
    assert read_plain(skops.io.dumps(texts[0]), set()).tolist() == ["a", "b"]
    for of_skops in (content.getvalue(), skops.io.dumps(texts)):
        with pytest.raises(NotPlain):
            read_plain(of_skops, set())


def one_by_one(folds):
    """Folds that can be taken once, and not be pickled."""
    yield from folds


@pytest.mark.parametrize("kind", [iter, list, one_by_one])
def test_folds_that_cannot_be_stored_or_list_rows_are_saved_as_the_default(kind, rows, tmp_path):
    X, y = rows
    folds = kind([(np.flatnonzero(np.arange(120) % 2 != k), np.flatnonzero(np.arange(120) % 2 == k)) for k in range(2)])
    fitted = KDClassifier(cv=folds, **{name: QUICK[name] for name in ("max_iter", "max_parameters")}).fit(X, y)
    save(fitted, tmp_path / "student.skops")
    assert load(tmp_path / "student.skops").cv == KDClassifier().cv
    assert fitted.cv is folds
