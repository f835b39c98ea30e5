"""Students as ONNX: the same numbers in onnxruntime, from raw columns, with their explanation."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skked import (
    ExplainingTeacherClassifier,
    KDClassifier,
    KDRegressor,
    KEDClassifier,
    KEDRegressor,
    export_onnx,
    register_onnx_converters,
)
from skked._forward import StudentNetwork

QUICK = {"superfeatures": 2, "max_iter": 5, "max_parameters": 300, "chimeric": False, "random_state": 0}
RNG = np.random.RandomState(0)
NUMBERS = np.where(RNG.rand(150, 4) < 0.1, np.nan, RNG.randn(150, 4) * [1, 100, 1e-3, 1])
NUMBERS[:, 3] = np.nan_to_num(NUMBERS[:, 3])


def _teacher():
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    numbers = make_column_transformer((codes, ["colour", "street"]), ("passthrough", ["size", "open"]))
    return make_pipeline(numbers, DecisionTreeClassifier(max_depth=3, random_state=0))


def _table(n_samples=150):
    rng = np.random.RandomState(1)
    return pd.DataFrame(
        {
            "size": np.where(rng.rand(n_samples) < 0.2, np.nan, rng.randn(n_samples)),
            "colour": rng.choice(np.array(["red", "blue", "green", None], dtype=object), n_samples),
            "kind": pd.Categorical(rng.choice([1, 2, 3], n_samples)),
            "open": rng.rand(n_samples) < 0.5,
            "street": [f"street {k}" for k in rng.randint(30, size=n_samples)],
        }
    )


def _feed(X, *, missing=""):
    """A table as its columns, as the documentation says."""
    columns = {}
    for name, column in X.items():
        if name in ("size", "open"):
            columns[name] = column.to_numpy(dtype=np.float64)[:, None]
        else:
            texts = [missing if pd.isna(value) else str(value) for value in column.astype(object)]
            columns[name] = np.array(texts, dtype=object)[:, None]
    return columns


def _run(path, feed):
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


def _assert_same(outputs, student, X):
    """Outputs are those of the student: to 1e-5, in standard deviations of the target if it is a number."""
    if "prediction" in outputs:
        scale = student.predict(X).std() + 1
        np.testing.assert_allclose(outputs["prediction"][:, 0], student.predict(X), rtol=0, atol=1e-5 * scale)
    else:
        scale = 1
        np.testing.assert_allclose(outputs["probabilities"], student.predict_proba(X), rtol=0, atol=1e-5)
        np.testing.assert_array_equal(outputs["label"], student.predict(X))
    if "contributions" in outputs:
        assert outputs["contributions"].shape == student.contributions(X).shape
        np.testing.assert_allclose(outputs["contributions"], student.contributions(X), rtol=0, atol=1e-5 * scale)
        np.testing.assert_allclose(outputs["base"], np.atleast_1d(student.explanation_base_), rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"network": "heads"}, {"hidden_layer_sizes": (5, 4)}], ids=str)
@pytest.mark.parametrize("classes", [[0, 1], ["no", "so", "yes"]], ids=len)
def test_classifiers_of_numbers(options, classes, tmp_path):
    y = np.array(classes)[np.digitize(np.nan_to_num(NUMBERS[:, 0]), [-0.5, 0.5]) % len(classes)]
    student = KEDClassifier(DecisionTreeClassifier(max_depth=3), **QUICK, **options).fit(NUMBERS, y)
    export_onnx(student, tmp_path / "student.onnx")
    for X in (NUMBERS, NUMBERS[:1], np.full((1, 4), np.nan), np.full((1, 4), 1e300)):
        _assert_same(_run(tmp_path / "student.onnx", {"X": X}), student, X)


@pytest.mark.parametrize("kind", [KEDRegressor, KDRegressor, KDClassifier])
def test_regressors_and_students_without_explanations(kind, tmp_path):
    y = 1e6 + 1e4 * np.nan_to_num(NUMBERS[:, 0]) if "Regressor" in kind.__name__ else NUMBERS[:, 3] > 0
    teacher = DecisionTreeRegressor(max_depth=3) if "Regressor" in kind.__name__ else DecisionTreeClassifier()
    student = kind(teacher, **QUICK).fit(NUMBERS, y)
    export_onnx(student, tmp_path / "student.onnx")
    outputs = _run(tmp_path / "student.onnx", {"X": NUMBERS})
    assert ("contributions" in outputs) == (kind is KEDRegressor)
    _assert_same(outputs, student, NUMBERS)


@pytest.mark.parametrize("superfeatures", [1, 2])
def test_students_of_some_of_the_columns(superfeatures, tmp_path):
    y = NUMBERS[:, 3] > 0
    student = KEDClassifier(DecisionTreeClassifier(max_depth=3), **QUICK).set_params(superfeatures=superfeatures)
    student.fit(NUMBERS, y)
    network = student.network_
    inputs = [columns[-1:] for columns in network.inputs]  # the last column of each branch
    coefs = [[coef[-1:] for coef in network.coefs[0]], *network.coefs[1:]]
    student.network_ = StudentNetwork(inputs, coefs, network.intercepts, network.base, network.n_superfeatures)
    export_onnx(student, tmp_path / "student.onnx")
    _assert_same(_run(tmp_path / "student.onnx", {"X": NUMBERS}), student, NUMBERS)


@pytest.fixture(scope="module")
def mixed():
    X = _table()
    y = np.array(["a", "b", "c"])[(X["colour"] == "red").astype(int) + X["open"].to_numpy()]
    return KEDClassifier(_teacher(), **QUICK).fit(X, y)


def test_mixed_columns_with_missing_values_and_unknown_levels(mixed, tmp_path):
    export_onnx(mixed, tmp_path / "student.onnx")
    X = _table(40)
    X.loc[::5, "colour"] = "violet"
    X.loc[::4, "street"] = None
    X.loc[::3, "size"] = np.nan
    X["kind"] = X["kind"].cat.set_categories([1, 2, 3, 7])
    X.loc[::6, "kind"] = 7
    X.loc[1::6, "kind"] = None
    _assert_same(_run(tmp_path / "student.onnx", _feed(X)), mixed, X)
    _assert_same(_run(tmp_path / "student.onnx", _feed(X[:1])), mixed, X[:1])


def test_the_file_says_what_it_is(mixed, tmp_path):
    path = tmp_path / "student.onnx"
    export_onnx(mixed, path)
    session = onnxruntime.InferenceSession(path)
    assert [(put.name, put.type) for put in session.get_inputs()] == [
        ("size", "tensor(double)"),
        ("colour", "tensor(string)"),
        ("kind", "tensor(string)"),
        ("open", "tensor(double)"),
        ("street", "tensor(string)"),
    ]
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["classes"]) == ["a", "b", "c"]
    assert json.loads(said["superfeatures"]) == mixed.superfeature_names_
    assert said["skked"]
    assert {node.domain for node in onnx.load(path).graph.node} == {"", "ai.onnx.ml"}
    assert {output.name: output.shape[1:] for output in session.get_outputs()} == {
        "label": [],
        "probabilities": [3],
        "contributions": [2, 3],
        "base": [],
    }


def test_columns_may_have_any_name(tmp_path):
    X = pd.DataFrame({"label": ["u", "v"] * 40, "base": np.arange(80.0), "Gemm3": np.arange(80.0) % 7})
    student = KEDClassifier(FrozenEstimator(_Ramp().fit(X)), **QUICK).fit(X, X["base"] > 30)
    export_onnx(student, tmp_path / "student.onnx")
    columns = {"label_": X["label"].astype(object), "base_": X["base"], "Gemm3": X["Gemm3"]}
    outputs = _run(tmp_path / "student.onnx", {name: column.to_numpy()[:, None] for name, column in columns.items()})
    _assert_same(outputs, student, X)


class _Ramp(ClassifierMixin, BaseEstimator):
    """A teacher that reads one column."""

    def fit(self, X, y=None):
        self.classes_ = np.array([False, True])
        return self

    def predict_proba(self, X):
        p = np.asarray(X)[:, 1].astype(float) / 100
        return np.column_stack([1 - p, p])


def test_the_text_of_missing_values_is_no_level(tmp_path):
    X = _table()
    X["colour"] = X["colour"].fillna("")
    student = KEDClassifier(_teacher(), **QUICK).fit(X, X["open"].to_numpy())
    with pytest.raises(ValueError, match=r"level of column 'colour'.*missing="):
        export_onnx(student, tmp_path / "student.onnx")
    export_onnx(student, tmp_path / "student.onnx", missing="?")
    X.loc[::3, "street"] = None
    _assert_same(_run(tmp_path / "student.onnx", _feed(X, missing="?")), student, X)


def test_large_offsets_keep_their_digits(tmp_path):
    X = 2e9 + np.random.RandomState(0).randn(100, 2)
    student = KEDRegressor(LinearRegression(), **QUICK).fit(X, X[:, 0] - 2e9)
    export_onnx(student, tmp_path / "student.onnx")
    _assert_same(_run(tmp_path / "student.onnx", {"X": X}), student, X)


def test_a_student_of_2000_parameters_takes_16_kilobytes(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    student = KEDClassifier(DecisionTreeClassifier(max_depth=3), superfeatures=8, max_iter=2, chimeric=False)
    student.fit(X, y)
    export_onnx(student, tmp_path / "student.onnx")
    assert 1900 < student.n_parameters_ <= 2000
    assert (tmp_path / "student.onnx").stat().st_size < 16_000
    assert [file.name for file in tmp_path.iterdir()] == ["student.onnx"]


@pytest.fixture(scope="module")
def pipeline():
    X, y = load_iris(return_X_y=True)
    student = KEDClassifier(DecisionTreeClassifier(max_depth=3), **QUICK)
    return make_pipeline(SimpleImputer(), StandardScaler(), student).fit(X, np.array(["a", "b", "c"])[y])


def _assert_pipeline_same(outputs, pipeline, X):
    np.testing.assert_allclose(outputs["probabilities"], pipeline.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(outputs["label"], pipeline.predict(X))
    phi = pipeline[-1].contributions(pipeline[:-1].transform(X))
    np.testing.assert_allclose(outputs["contributions"], phi, atol=2e-5)  # the steps before are in single precision


def test_pipelines_of_numbers(pipeline, tmp_path):
    import skl2onnx

    X = load_iris().data.astype(np.float32)
    X[::4, 1] = np.nan
    export_onnx(pipeline, tmp_path / "ours.onnx")
    register_onnx_converters()
    (tmp_path / "theirs.onnx").write_bytes(skl2onnx.to_onnx(pipeline, X[:1]).SerializeToString())
    for name in ("ours.onnx", "theirs.onnx"):
        _assert_pipeline_same(_run(tmp_path / name, {"X": X}), pipeline, X)
    said = onnxruntime.InferenceSession(tmp_path / "ours.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(said["classes"]) == ["a", "b", "c"]


def test_pipelines_of_mixed_columns(tmp_path):
    X = _table()[["size", "street", "open"]]
    steps = make_column_transformer(
        (OneHotEncoder(), ["street"]), (make_pipeline(SimpleImputer(), StandardScaler()), ["size"]), sparse_threshold=0
    )
    y = X["street"] > "street 2"
    pipeline = make_pipeline(steps, KEDClassifier(DecisionTreeClassifier(max_depth=3), **QUICK))
    pipeline.fit(X, y)
    export_onnx(pipeline, tmp_path / "pipeline.onnx", X=X)
    feed = {"size": X[["size"]].to_numpy(np.float32), "street": X[["street"]].to_numpy(object)}
    session = onnxruntime.InferenceSession(tmp_path / "pipeline.onnx")
    if "open" in {put.name for put in session.get_inputs()}:
        feed["open"] = X[["open"]].to_numpy()
    _assert_pipeline_same(_run(tmp_path / "pipeline.onnx", feed), pipeline, X)


def test_a_pipeline_of_the_student_alone_reads_texts(mixed, tmp_path):
    export_onnx(make_pipeline(mixed), tmp_path / "student.onnx")
    _assert_same(_run(tmp_path / "student.onnx", _feed(_table())), mixed, _table())


def test_without_skl2onnx_pipelines_name_the_extra(pipeline, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"skked\[onnx\]"):
        export_onnx(pipeline, tmp_path / "pipeline.onnx")
    assert not list(tmp_path.iterdir())


def test_texts_within_a_pipeline_are_refused(mixed, tmp_path):
    pipeline = make_pipeline(FunctionTransformer(), mixed)
    with pytest.raises(ValueError, match="Encode them in an earlier step"):
        export_onnx(pipeline, tmp_path / "pipeline.onnx", X=_table().drop(columns="kind"))


def test_explaining_teachers_are_refused(tmp_path):
    teacher = ExplainingTeacherClassifier(1, max_iter=2, random_state=0).fit(NUMBERS, NUMBERS[:, 3] > 0)
    with pytest.raises(TypeError, match=r"made of trees: distil it, or convert its estimator_ with skl2onnx"):
        export_onnx(teacher, tmp_path / "teacher.onnx")
    network = ExplainingTeacherClassifier(1, "network", max_iter=2, random_state=0).fit(NUMBERS, NUMBERS[:, 3] > 0)
    with pytest.raises(TypeError, match="its estimator_ is one"):
        export_onnx(network, tmp_path / "teacher.onnx")
    export_onnx(network.estimator_, tmp_path / "teacher.onnx")


def test_it_runs_with_onnxruntime_alone(mixed, tmp_path):
    export_onnx(mixed, tmp_path / "student.onnx")
    X = _table(5)
    np.savez(
        tmp_path / "feed.npz",
        **{name: column.astype("U" if column.dtype == object else float) for name, column in _feed(X).items()},
    )
    code = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"skked", "sklearn", "scipy", "pandas", "torch", "onnx"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
import numpy, onnxruntime
feed = numpy.load(sys.argv[1] + "/feed.npz")
feed = {name: feed[name].astype(object) if feed[name].dtype.kind == "U" else feed[name] for name in feed}
probabilities, = onnxruntime.InferenceSession(sys.argv[1] + "/student.onnx").run(["probabilities"], feed)
numpy.save(sys.argv[1] + "/probabilities.npy", probabilities)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "probabilities.npy"), mixed.predict_proba(X), atol=1e-5)


def test_classes_that_are_whole_numbers_stay_numbers(tmp_path):
    quick = {"max_iter": 2, "max_parameters": 60, "cv": 2, "random_state": 0}
    labels = np.arange(150) % 2 * 1.0
    student = KDClassifier(DecisionTreeClassifier(max_depth=2), **quick).fit(NUMBERS[:, 3:], labels)
    export_onnx(student, tmp_path / "student.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "student.onnx")
    found = session.run(None, {session.get_inputs()[0].name: NUMBERS[:, 3:]})[0]
    assert found.dtype == np.int64 and set(found) <= {0, 1}


def test_models_of_others_are_refused_without_advice(tmp_path):
    with pytest.raises(TypeError, match=r"got DecisionTreeClassifier\.$"):
        export_onnx(DecisionTreeClassifier().fit(NUMBERS, NUMBERS[:, 0] > 5), tmp_path / "tree.onnx")
