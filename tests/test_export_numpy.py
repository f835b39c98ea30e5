"""Students as Python files: the same numbers with numpy alone."""

import runpy
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skked import KDClassifier, KEDClassifier, KEDRegressor, export_numpy

QUICK = {"superfeatures": 2, "max_iter": 5, "max_parameters": 300, "chimeric": False, "random_state": 0}
RNG = np.random.RandomState(0)
NUMBERS = np.where(RNG.rand(150, 4) < 0.1, np.nan, RNG.randn(150, 4) * [1, 100, 1e-3, 1])


def _table(n_samples=150):
    rng = np.random.RandomState(1)
    return pd.DataFrame(
        {
            "size": np.where(rng.rand(n_samples) < 0.2, np.nan, rng.randn(n_samples)),
            "colour": rng.choice(np.array(["red", "blue", 'gr"een', None], dtype=object), n_samples),
            "kind": pd.Categorical(rng.choice([1.0, 2.0, 3.0], n_samples)),
            "open": rng.rand(n_samples) < 0.5,
            "street": [f"street {k}" for k in rng.randint(30, size=n_samples)],
        }
    )


@pytest.fixture(scope="module")
def mixed():
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    numbers = make_column_transformer((codes, ["colour", "street"]), ("passthrough", ["size", "open"]))
    X = _table()
    y = np.array(["a", "b", "c"])[(X["colour"] == "red").astype(int) + X["open"].to_numpy()]
    return KEDClassifier(make_pipeline(numbers, DecisionTreeClassifier(max_depth=3, random_state=0)), **QUICK).fit(X, y)


def _assert_same(module, student, rows, X):
    scale = 1e-9 * (1 + np.abs(module["score"](rows)).max())
    if module["CLASSES"] is None:
        np.testing.assert_allclose(module["predict"](rows), student.predict(X), rtol=0, atol=scale)
    else:
        np.testing.assert_array_equal(module["predict"](rows), student.predict(X))
        assert module["predict"](rows).dtype.kind == student.predict(X).dtype.kind
        np.testing.assert_allclose(module["predict_proba"](rows), student.predict_proba(X), rtol=0, atol=1e-9)
    if hasattr(student, "contributions"):
        phi = student.contributions(X)
        np.testing.assert_allclose(module["contributions"](rows).reshape(phi.shape), phi, rtol=0, atol=scale)
        np.testing.assert_array_equal(np.squeeze(module["BASE"]), np.float32(student.explanation_base_))
        assert module["SUPERFEATURES"] == student.superfeature_names_


@pytest.mark.parametrize("options", [{}, {"network": "heads"}, {"hidden_layer_sizes": (5, 4)}], ids=str)
@pytest.mark.parametrize("classes", [[0, 1], ["no", "so", "yes"], [False, True]], ids=str)
def test_classifiers_of_numbers(options, classes, tmp_path):
    y = np.array(classes)[np.digitize(np.nan_to_num(NUMBERS[:, 0]), [-0.5, 0.5]) % len(classes)]
    student = KEDClassifier(DecisionTreeClassifier(max_depth=3), **QUICK, **options).fit(NUMBERS, y)
    export_numpy(student, tmp_path / "student.py")
    module = runpy.run_path(tmp_path / "student.py")
    for X in (NUMBERS, NUMBERS[:1], np.full((1, 4), np.nan), np.full((1, 4), 1e300)):
        _assert_same(module, student, X, X)
        _assert_same(module, student, X.tolist(), X)


def test_regressors_and_students_without_explanations(tmp_path):
    for student, y in [
        (KEDRegressor(DecisionTreeRegressor(max_depth=3), **QUICK), 1e6 + 1e4 * np.nan_to_num(NUMBERS[:, 0])),
        (KDClassifier(DecisionTreeClassifier(max_depth=3), **QUICK), np.nan_to_num(NUMBERS[:, 0]) > 0),
    ]:
        export_numpy(student.fit(NUMBERS, y), str(tmp_path / "student.py"))
        _assert_same(runpy.run_path(tmp_path / "student.py"), student, NUMBERS, NUMBERS)


def test_mixed_columns_with_missing_values_and_unknown_levels(mixed, tmp_path):
    export_numpy(mixed, tmp_path / "student.py")
    module = runpy.run_path(tmp_path / "student.py")
    X = _table(40)
    X.loc[::5, "colour"] = "violet"
    X.loc[::4, "street"] = None
    X["kind"] = X["kind"].cat.set_categories([1.0, 2.0, 3.0, 7.0])
    X.loc[::6, "kind"] = 7.0
    X.loc[1::6, "kind"] = None
    for rows in (X, X.to_dict("list"), X.to_dict("records"), X.to_numpy(object), list(X.itertuples(index=False))):
        _assert_same(module, mixed, rows, X)
    assert module["COLUMNS"] == list(X)
    with pytest.raises(ValueError, match="Expected rows of 5 values, got 2"):
        module["predict"]([[1.0, "red"]])


def test_the_file_needs_numpy_alone_and_is_short(mixed, tmp_path):
    path = tmp_path / "student.py"
    export_numpy(mixed, path)
    text = path.read_text(encoding="utf-8")
    assert len(text) < 20_000
    assert sum(1 for line in text.splitlines() if line) < 250
    assert max(map(len, text.splitlines())) <= 120
    code = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"skked", "sklearn", "scipy", "pandas", "torch"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
import student
print(student.predict_proba([[None, "red", 2, True, "street 3"]])[0].tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    X = pd.DataFrame({"size": [np.nan], "colour": ["red"], "kind": [2], "open": [True], "street": ["street 3"]})
    np.testing.assert_allclose(eval(done.stdout), mixed.predict_proba(X)[0], atol=1e-9)


def test_what_cannot_be_written_is_refused(mixed, tmp_path):
    path = tmp_path / "student.py"
    X, y = NUMBERS, NUMBERS[:, 0] > 0
    student = KEDClassifier(DecisionTreeClassifier(max_depth=3), **QUICK)
    with pytest.raises(NotFittedError):
        export_numpy(student, path)
    with pytest.raises(TypeError, match="Pipeline with other steps"):
        export_numpy(make_pipeline(StandardScaler(), student).fit(X, y), path)
    student.fit(X, y).classes_ = np.array([np.datetime64("2020-01-01"), np.datetime64("2021-01-01")])
    with pytest.raises(TypeError, match="Labels of type date cannot be written"):
        export_numpy(student, path)
    assert not path.exists()
    export_numpy(make_pipeline(mixed), path)
    assert path.exists()
