"""Properties of students and exports over random tables."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skked import GroupShapleyExplainer, KEDClassifier, KEDRegressor, export_onnx

pytestmark = pytest.mark.long
SOME = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
QUICK = {"cv": 2, "max_iter": 3, "random_state": 0}


@st.composite
def fitted_students(draw):
    """A student of a random table with missing cells, groups and outcomes of any number, and rows to ask it for."""
    rng = np.random.RandomState(draw(st.integers(0, 10**6)))
    n_rows, n_columns = draw(st.integers(20, 60)), draw(st.integers(2, 8))
    X = rng.normal(size=(n_rows, n_columns)) * 10.0 ** rng.randint(-3, 4, n_columns)
    X[rng.random_sample(X.shape) < 0.1] = np.nan
    n_groups = draw(st.integers(1, n_columns))
    groups = rng.permutation(np.arange(n_columns) % n_groups)
    n_classes = draw(st.integers(1, 4))
    options = {
        "superfeatures": groups.tolist(),
        "max_parameters": 60 * n_columns * n_classes,
        "network": draw(st.sampled_from(["additive", "heads"])),
        "chimeric": draw(st.booleans()) and n_groups > 1,
        **QUICK,
    }
    if n_classes == 1:
        y = np.nan_to_num(X[:, 0]) * 10.0 ** rng.randint(-3, 4) + rng.normal(size=n_rows)
        student = KEDRegressor(DecisionTreeRegressor(max_depth=3), **options)
    else:
        y = rng.permutation(np.arange(n_rows) % n_classes)
        student = KEDClassifier(DecisionTreeClassifier(max_depth=3), **options)
    return student.fit(X, y), np.vstack([X, 100 * X[:5]])


@SOME
@given(fitted_students())
def test_contributions_and_base_are_the_score(case):
    student, X = case
    score = student.predict(X) if isinstance(student, KEDRegressor) else student.decision_function(X)
    phi = student.contributions(X)
    size = np.abs(score).max() + np.abs(phi).max()
    np.testing.assert_allclose(student.explanation_base_ + phi.sum(axis=1), score, rtol=0, atol=1e-6 * size)


@SOME
@given(fitted_students())
def test_onnx_says_the_same(tmp_path, case):
    ort = pytest.importorskip("onnxruntime")
    student, X = case
    export_onnx(student, tmp_path / "student.onnx")
    session = ort.InferenceSession(str(tmp_path / "student.onnx"), providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    answers = dict(
        zip([output.name for output in session.get_outputs()], session.run(None, {entry.name: X}), strict=True)
    )
    expected = student.contributions(X)
    np.testing.assert_allclose(answers["contributions"], expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@SOME
@given(st.integers(0, 10**6), st.sampled_from(["enumeration", "sampling", "permutation"]))
def test_explanations_follow_the_order_of_columns_rows_and_outputs(seed, engine):
    rng = np.random.RandomState(seed)
    X, labels = rng.normal(size=(30, 6)), np.array([0, 1, 2, 0, 1, 2])
    A, B = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))

    def explain(columns, rows, outputs):
        back = np.argsort(columns)

        def teacher(table):
            table = table[:, back]
            return (np.tanh(table @ A) * (table @ B))[:, outputs]

        background = X[:7][:, columns]
        explainer = GroupShapleyExplainer(labels[columns], engine=engine, background=background, random_state=0)
        explainer.fit(teacher, X[:, columns])
        return explainer.explain(X[rows][:, columns])

    all_of = [np.arange(6), np.arange(30), np.arange(3)]
    plain = explain(*all_of)
    columns, rows, outputs = rng.permutation(6), rng.permutation(30), rng.permutation(3)
    moved = explain(columns, all_of[1], outputs)
    np.testing.assert_allclose(moved.phi, plain.phi[:, :, outputs], atol=1e-9)
    np.testing.assert_allclose(moved.base, plain.base[outputs], atol=1e-12)
    if engine == "enumeration":
        np.testing.assert_allclose(explain(all_of[0], rows, all_of[2]).phi, plain.phi[rows], atol=1e-12)
