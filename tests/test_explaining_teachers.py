"""Explaining teachers: additive over superfeatures, exact, on any table, and teachers of KED students."""

import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skked import (
    ExplainingTeacherClassifier,
    ExplainingTeacherRegressor,
    GroupShapleyExplainer,
    KEDClassifier,
    KEDRegressor,
)

APART = [0, 1, 2, 2, 2, 0]  # of the columns of _people: age and city in different superfeatures


def _people():
    """A table as people have them, whose target joins a number and a category of one superfeature."""
    rng = np.random.RandomState(0)
    n = 500
    X = pd.DataFrame(
        {
            "height": rng.normal(170, 10, n),
            "age": rng.uniform(18, 80, n),
            "income": rng.lognormal(10, 1, n),
            "city": rng.choice(["Paris", "Rome", "Oslo"], n),
            "member": rng.rand(n) < 0.5,
            "job": pd.Categorical(rng.choice(["cook", "clerk", "smith"], n)),
        }
    )
    X.loc[::7, "income"] = np.nan
    X.loc[::11, "city"] = None
    y = (X["age"] > 50) ^ (X["city"] == "Rome").fillna(False)
    return X, np.where(y, "yes", "no"), np.array([0, 1, 2, 1, 2, 0])


NETWORK = {"estimator": "network", "max_iter": 20, "max_parameters": 300}


def _case(name):
    if name.startswith("network "):
        teacher, X, y = _case(name.removeprefix("network "))
        return teacher.set_params(**NETWORK), X, y
    if name == "binary":
        X, y = load_breast_cancer(return_X_y=True, as_frame=True)
        return ExplainingTeacherClassifier(np.arange(30) % 3, random_state=0), X, y.to_numpy()
    if name == "multiclass":
        X, y = load_iris(return_X_y=True)
        return ExplainingTeacherClassifier([0, 1, 0, 1], random_state=0), X, y
    if name == "regression":
        X, y = load_diabetes(return_X_y=True)
        return ExplainingTeacherRegressor(np.arange(10) % 4, random_state=0), X, y
    X, y, labels = _people()
    return ExplainingTeacherClassifier(labels, random_state=0), X, y


@pytest.fixture(
    scope="module", params=["binary", "multiclass", "regression", "people", "network multiclass", "network people"]
)
def case(request):
    teacher, X, y = _case(request.param)
    return SimpleNamespace(teacher=teacher.fit(X, y), X=X, y=y, name=request.param)


def _score(teacher, X):
    return teacher.decision_function(X) if hasattr(teacher, "decision_function") else teacher.predict(X)


def _with_columns_of(X, other, columns):
    """Rows of X that take some columns from other rows."""
    if isinstance(X, pd.DataFrame):
        return pd.DataFrame({name: (other if c in columns else X)[name].array for c, name in enumerate(X.columns)})
    mixed = X.copy()
    mixed[:, columns] = other[:, columns]
    return mixed


# what an explaining teacher promises --------------------------------------------------------------------------------


def test_contributions_and_base_are_the_score(case):
    phi = case.teacher.contributions(case.X)
    total = case.teacher.explanation_base_ + phi.sum(axis=1)
    score = _score(case.teacher, case.X)
    np.testing.assert_allclose(total, score, rtol=0, atol=1e-10 * max(1, np.abs(score).max()))
    np.testing.assert_allclose(phi.mean(axis=0), 0, atol=1e-10 * max(1, np.abs(phi).max()))
    if case.name.endswith("multiclass"):
        np.testing.assert_allclose(phi.sum(axis=2), 0, atol=1e-12)
        np.testing.assert_allclose(case.teacher.predict_proba(case.X), softmax(total, axis=1), atol=1e-12)


def test_each_contribution_looks_at_its_own_columns_only(case):
    X, labels = case.X, case.teacher.superfeature_labels_
    order = np.random.RandomState(1).permutation(len(X))
    other = X.iloc[order] if isinstance(X, pd.DataFrame) else X[order]
    phi = case.teacher.contributions(X)
    for group in range(labels.max() + 1):
        moved = case.teacher.contributions(_with_columns_of(X, other, np.flatnonzero(labels == group)))
        expected = phi.copy()
        expected[:, group] = phi[order, group]
        np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-12 * max(1, np.abs(phi).max()))
        assert np.ptp(phi[:, group]) > 0 or case.name.endswith("people")


def test_score_is_that_of_the_model_inside(case):
    inner = case.teacher.estimator_
    rows = case.X[inner.feature_names_in_] if isinstance(case.X, pd.DataFrame) else case.X
    raw = _score(inner, rows)
    raw = raw - raw.mean(axis=1, keepdims=True) if raw.ndim == 2 else raw
    np.testing.assert_array_equal(_score(case.teacher, case.X), raw)
    model = inner[-1] if isinstance(inner, Pipeline) else inner
    assert case.teacher.n_iter_ == model.n_iter_
    assert getattr(case.teacher, "n_parameters_", None) == getattr(model, "n_parameters_", None)


@pytest.mark.parametrize("engine", ["auto", "enumeration"])
def test_contributions_are_shapley_values(case, engine):
    few = slice(25)
    rows = case.X.iloc[few] if isinstance(case.X, pd.DataFrame) else case.X[few]
    groups, teacher = case.teacher.superfeature_labels_, case.teacher
    explainer = GroupShapleyExplainer(groups, background=case.X, engine=engine, random_state=0).fit(teacher, case.X)
    explanation = explainer.explain(rows)
    assert explanation.engine == ("linear" if engine == "auto" else engine)
    assert engine != "auto" or explanation.n_evaluations == 0
    phi = explanation.phi
    phi = phi[..., 1] - phi[..., 0] if phi.shape[2] == 2 else phi
    expected = teacher.contributions(rows)
    exact = 1e-6 if case.name.startswith("network") else 1e-10  # networks read large tables in single precision
    np.testing.assert_allclose(
        phi.reshape(expected.shape), expected, rtol=0, atol=exact * max(1, np.abs(expected).max())
    )


def test_coarser_superfeatures_are_explained_in_closed_form_and_crossing_ones_are_not(case):
    labels = case.teacher.superfeature_labels_
    coarse = np.minimum(labels, labels.max() - 1)
    explainer = GroupShapleyExplainer(coarse, engine="linear").fit(case.teacher, case.X)
    assert explainer.explain(case.X[:5]).phi.shape[1] == coarse.max() + 1
    crossing = np.arange(len(labels))
    with pytest.raises(ValueError, match="joins superfeatures"):
        GroupShapleyExplainer(crossing, engine="linear").fit(case.teacher, case.X)


def test_weights_are_copies():
    teacher, X, y = _case("people")
    copies = np.random.RandomState(0).randint(0, 3, len(y))
    repeated = np.repeat(np.arange(len(y)), copies)
    one = clone(teacher).fit(X, y, sample_weight=copies)
    other = clone(teacher).fit(X.iloc[repeated].reset_index(drop=True), y[repeated])
    np.testing.assert_array_equal(one.contributions(X), other.contributions(X))
    phi = one.contributions(X)
    np.testing.assert_allclose(copies @ phi / copies.sum(), 0, atol=1e-10)


def test_class_weight_moves_the_balance():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(300, 4)), rng.rand(300) < 0.1
    plain = ExplainingTeacherClassifier(2, random_state=0).fit(X, y)
    balanced = ExplainingTeacherClassifier(2, class_weight="balanced", random_state=0).fit(X, y)
    assert balanced.explanation_base_ > plain.explanation_base_ + 1


# tables -------------------------------------------------------------------------------------------------------------


def test_superfeatures_join_the_columns_they_name_though_categories_are_moved():
    X, y, labels = _people()
    together = cross_val_score(ExplainingTeacherClassifier(labels, random_state=0), X, y, cv=3).mean()
    apart = cross_val_score(ExplainingTeacherClassifier(APART, random_state=0), X, y, cv=3).mean()
    assert together > 0.95 > 0.85 > apart  # age and city make the target together, and only together


def test_additive_gap_is_what_superfeatures_cost():
    X, y, labels = _people()
    assert abs(ExplainingTeacherClassifier(labels, random_state=0).fit(X, y).additive_gap_) < 0.1
    assert ExplainingTeacherClassifier(APART, random_state=0).fit(X, y).additive_gap_ > 0.2
    assert np.isnan(ExplainingTeacherClassifier(labels, random_state=0).fit(X[:50], y[:50]).additive_gap_)
    rng = np.random.RandomState(0)
    X = rng.uniform(-1, 1, (600, 2))
    assert ExplainingTeacherRegressor([0, 1], random_state=0).fit(X, X[:, 0] * X[:, 1]).additive_gap_ > 0.5


def test_unseen_and_missing_values_and_named_columns():
    teacher, X, y = _case("people")
    teacher.fit(X, y)
    strange = X.head(6).assign(city=[None, "Atlantis", "Rome", None, "Oslo", "x"], income=np.nan)
    total = teacher.explanation_base_ + teacher.contributions(strange).sum(axis=1)
    np.testing.assert_allclose(total, teacher.decision_function(strange), atol=1e-10)
    assert set(teacher.predict(strange)) <= {"no", "yes"}
    with pytest.raises(ValueError, match="feature names"):
        teacher.contributions(X[X.columns[::-1]])


def test_explanation_goes_into_shap(case):
    import shap

    rows = case.X.head(4) if isinstance(case.X, pd.DataFrame) else case.X[:4]
    explanation = case.teacher.explain(rows)
    assert isinstance(explanation, shap.Explanation)
    np.testing.assert_array_equal(explanation.values, case.teacher.contributions(rows))
    assert explanation.feature_names == case.teacher.superfeature_names_
    names = case.teacher.get_feature_names_out()
    assert len(names) == case.teacher.transform(rows).shape[1] == case.teacher.contributions(rows)[0].size


def test_pickles_and_seeds(case):
    twin = pickle.loads(pickle.dumps(case.teacher))
    np.testing.assert_array_equal(twin.contributions(case.X), case.teacher.contributions(case.X))
    again = clone(case.teacher).fit(case.X, case.y)
    np.testing.assert_array_equal(again.contributions(case.X), case.teacher.contributions(case.X))


# networks -----------------------------------------------------------------------------------------------------------


def test_network_learns_from_the_labels_alone():
    rng = np.random.RandomState(0)
    X = rng.uniform(-2, 2, (800, 4))
    parts = np.column_stack([X[:, 0] * X[:, 1], np.sin(2 * X[:, 2]) + X[:, 3]])
    teacher = ExplainingTeacherRegressor([0, 0, 1, 1], "network", max_parameters=600, max_iter=80, random_state=0)
    teacher.fit(X, parts.sum(axis=1))
    for group in range(2):
        assert np.corrcoef(teacher.contributions(X)[:, group], parts[:, group])[0, 1] > 0.95
    assert 500 < teacher.n_parameters_ <= 600
    assert not hasattr(teacher.estimator_, "teacher_")


def test_network_learns_from_another_teacher():
    """Half of the labels are wrong; the teacher, who knows better, is worth more than they are."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(400, 6))
    y = X @ [3, -2, 1, 2, -1, 1] > 0
    wise = FrozenEstimator(LogisticRegression().fit(X, y))
    told = np.where(rng.rand(400) < 0.5, rng.rand(400) < 0.5, y)
    settings = {"superfeatures": [0, 0, 1, 1, 2, 2], "max_iter": 40, "max_parameters": 300, "random_state": 0}
    alone = ExplainingTeacherClassifier(estimator="network", **settings).fit(X, told)
    taught = ExplainingTeacherClassifier(estimator="network", teacher=wise, **settings).fit(X, told)
    assert taught.score(X, y) > max(0.9, alone.score(X, y))
    assert taught.estimator_.teacher_ is wise.estimator
    phi = taught.contributions(X)
    np.testing.assert_allclose(taught.explanation_base_ + phi.sum(axis=1), taught.decision_function(X), atol=1e-10)


@pytest.mark.parametrize("estimator", ["boosting", "network"])
def test_gap_is_said_before_anything_is_fitted(estimator, capsys):
    X, y = load_iris(return_X_y=True)
    settings = {"max_iter": 5, "verbose": True, "random_state": 0}
    teacher = ExplainingTeacherClassifier([0, 1, 0, 1], estimator, max_parameters=200, **settings).fit(X, y)
    said = capsys.readouterr().out.splitlines()
    assert f"additive gap of boosting, T0 - T1: {teacher.additive_gap_:.4g} nats" in said[1]


# errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"superfeatures": [0, 1]}, "one superfeature label per column"),
        ({"superfeatures": {"a": [0, 1, 2]}}, "leave out columns"),
        ({"superfeatures": 5}, "4"),
        ({"estimator": "abacus"}, "estimator"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"max_leaf_nodes": 1}, "max_leaf_nodes"),
        ({"teacher": LogisticRegression()}, 'needs estimator="network"'),
        ({"estimator": "network", "max_parameters": 5}, "too small"),
    ],
)
def test_bad_parameters_say_what_to_do(parameters, message):
    X, y = load_iris(return_X_y=True)
    teacher = ExplainingTeacherClassifier(**parameters)
    with pytest.raises(ValueError, match=message):
        teacher.fit(X, y)
    assert not hasattr(teacher, "n_features_in_")


def test_bad_rows_say_what_to_do():
    with pytest.raises(ValueError, match="two classes"):
        ExplainingTeacherClassifier().fit(np.zeros((5, 2)), np.zeros(5))
    with pytest.raises(ValueError, match="inconsistent"):
        ExplainingTeacherRegressor().fit(np.zeros((5, 2)), np.zeros(4))
    with pytest.raises(NotFittedError):
        ExplainingTeacherRegressor().contributions(np.zeros((5, 2)))


# teachers of students -----------------------------------------------------------------------------------------------

QUICK = {"max_iter": 8, "max_parameters": 300, "cv": 3, "random_state": 0}


def test_student_takes_the_teachers_superfeatures_and_contributions(case):
    kind = KEDRegressor if case.name.endswith("regression") else KEDClassifier
    teacher = clone(case.teacher)
    student = kind(teacher, explainer="additive", **QUICK).fit(case.X, case.y)
    assert not hasattr(teacher, "superfeature_labels_")
    np.testing.assert_array_equal(student.superfeature_labels_, case.teacher.superfeature_labels_)
    assert student.superfeature_names_ == student.teacher_.superfeature_names_ == case.teacher.superfeature_names_
    assert student.additive_gap_ == pytest.approx(student.teacher_.additive_gap_, nan_ok=True)


def test_same_student_as_with_shapley_values():
    _, X, y = _case("multiclass")
    groups = {"narrow": [1, 3], "long": [0, 2]}
    teacher = ExplainingTeacherClassifier(groups, random_state=0)
    additive = KEDClassifier(teacher, explainer="additive", superfeatures=groups, **QUICK).fit(X, y)
    shapley = KEDClassifier(teacher, explainer="shapley", superfeatures=groups, **QUICK).fit(X, y)
    np.testing.assert_array_equal(additive.contributions(X), shapley.contributions(X))


def test_folds_share_the_superfeatures_that_were_found():
    _, X, y = _case("regression")
    student = KEDRegressor(explainer="additive", **QUICK).fit(X, y)  # an explaining teacher is the default
    assert isinstance(student.teacher_, ExplainingTeacherRegressor)
    given = KEDRegressor(ExplainingTeacherRegressor(3), explainer="additive", superfeatures=4, **QUICK).fit(X, y)
    assert len(given.superfeature_names_) == given.teacher_.contributions(X).shape[1] == 4


def test_student_learns_the_contributions():
    rng = np.random.RandomState(0)
    X = rng.uniform(-2, 2, (600, 4))
    y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + X[:, 3]
    teacher = ExplainingTeacherRegressor([0, 0, 1, 1], random_state=0)
    student = KEDRegressor(teacher, explainer="additive", max_parameters=1500, max_iter=60, random_state=0).fit(X, y)
    truth = np.column_stack([X[:, 0] * X[:, 1], np.sin(2 * X[:, 2]) + X[:, 3]])
    for group in range(2):
        assert np.corrcoef(student.contributions(X)[:, group], truth[:, group])[0, 1] > 0.95


def test_fitted_and_other_additive_teachers():
    teacher, X, y = _case("binary")
    fitted = FrozenEstimator(teacher.fit(X, y))
    student = KEDClassifier(fitted, explainer="additive", **QUICK).fit(X, y)
    assert student.teacher_ is teacher
    np.testing.assert_array_equal(student.superfeature_labels_, teacher.superfeature_labels_)
    coarse = np.minimum(teacher.superfeature_labels_, 1)
    student = KEDClassifier(fitted, explainer="additive", superfeatures=coarse, **QUICK).fit(X, y)
    assert student.contributions(X).shape[1] == 2
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    assert KEDClassifier(linear, explainer="additive", superfeatures=3, **QUICK).fit(X, y).score(X, y) > 0.8


def test_teachers_that_are_not_additive_are_refused():
    teacher, X, y = _case("binary")
    with pytest.raises(ValueError, match="RandomForestClassifier is not"):
        KEDClassifier(RandomForestClassifier(5), explainer="additive", superfeatures=3, **QUICK).fit(X, y)
    fitted = FrozenEstimator(teacher.fit(X, y))
    with pytest.raises(ValueError, match="additive over the superfeatures"):
        KEDClassifier(fitted, explainer="additive", superfeatures=np.arange(30) // 10, **QUICK).fit(X, y)


def test_page_shows_what_was_measured():
    from benchmarks.sisters.explaining_teachers import render

    root = Path(__file__).parents[1]
    measured = json.loads((root / "benchmarks" / "results" / "explaining_teachers.json").read_text())
    assert render(measured) in (root / "docs" / "explaining_teachers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", ["unreadable", "mixed"])
def test_trees_that_cannot_be_parted_are_an_error(fault, monkeypatch):
    from skked._students import _additive_boosting

    X, y = load_iris(return_X_y=True)
    if fault == "unreadable":
        monkeypatch.setattr(_additive_boosting, "extract_trees", lambda *args: None)
    else:
        parts = _additive_boosting._parts
        monkeypatch.setattr(
            _additive_boosting, "_parts", lambda model, rows, labels: parts(model, rows, labels * 0 + np.arange(4))
        )
    groups = [0, 0, 1, 1]
    with pytest.raises(RuntimeError, match=r"cannot be read|splits on columns of several superfeatures"):
        ExplainingTeacherClassifier(groups, max_iter=10, random_state=0).fit(X, y)
