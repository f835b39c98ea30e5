import pickle
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import log_loss, r2_score, root_mean_squared_error
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skked import KDClassifier
from skked._report import distillation_report

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["s", "ve", "vi"])[Y]


class Linear(LogisticRegression):
    """A student that explains itself exactly: contributions are its terms, about the mean of X."""

    def fit(self, X, y):
        super().fit(X, y)
        self.superfeature_labels_ = np.array([0, 0, 1, 2])
        self.mean_ = X.mean(axis=0)
        return self

    def contributions(self, X):
        coef = self.coef_ - self.coef_.mean(axis=0) if len(self.coef_) > 1 else self.coef_
        terms = (X - self.mean_)[:, :, None] * coef.T
        phi = np.stack([terms[:, self.superfeature_labels_ == g].sum(axis=1) for g in range(3)], axis=1)
        return phi if len(coef) > 1 else phi[..., 0]


def report(students, X=X, y=NAMES, **kwargs):
    return distillation_report(students, X, y, **{"n_repeat_timing": 2, **kwargs})


def test_numbers_of_classifiers():
    teacher = RandomForestClassifier(5, max_depth=2, random_state=0).fit(X, NAMES)
    stump = DecisionTreeClassifier(max_depth=1).fit(X, NAMES)
    ridge = make_pipeline(StandardScaler(), RidgeClassifier()).fit(X, NAMES)
    weight = np.random.default_rng(0).uniform(size=len(X))
    found = report({"stump": stump, "ridge": ridge}, teacher=teacher, sample_weight=weight).to_dataframe()
    assert list(found.index) == ["teacher", "stump", "ridge"]
    assert "explanation_agreement" not in found
    for name, model in {"teacher": teacher, "stump": stump, "ridge": ridge}.items():
        hit, same = model.predict(X) == NAMES, model.predict(X) == teacher.predict(X)
        assert found.accuracy[name] == pytest.approx(np.average(hit, weights=weight))
        assert found.bytes[name] == len(pickle.dumps(model))
        if name != "teacher":
            assert found.agreement[name] == pytest.approx(np.average(same, weights=weight))
    expected = log_loss(NAMES, stump.predict_proba(X), sample_weight=weight)
    assert found.log_loss["stump"] == pytest.approx(expected)
    assert np.isnan(found.log_loss["ridge"]) and np.isnan(found.agreement["teacher"])
    assert found.n_parameters["ridge"] == 15 and np.isnan(found.n_parameters["stump"])


def test_a_frozen_teacher_is_not_the_students_size():
    teacher = RandomForestClassifier(50, random_state=0).fit(X, NAMES)
    student = KDClassifier(FrozenEstimator(teacher), chimeric=False, max_parameters=50, max_iter=2, random_state=0)
    alone = KDClassifier(chimeric=False, max_parameters=50, max_iter=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), student)
    student.fit(X, NAMES), pipeline.fit(X, NAMES), alone.fit(X, NAMES)
    found = report({"student": student, "pipeline": pipeline, "alone": alone}, n_explained=0).to_dataframe().bytes
    assert found["student"] == pytest.approx(found["alone"], rel=0.2)
    assert found["pipeline"] < 2 * found["alone"] < len(pickle.dumps(teacher)) < len(pickle.dumps(student))
    assert student.teacher.estimator is teacher  # and the student keeps it


def test_rows_of_folds_are_not_the_students_size():
    folds = [(np.arange(k, len(X), 2), np.arange(1 - k, len(X), 2)) for k in range(2)]
    fitted = [KDClassifier(chimeric=False, max_parameters=50, max_iter=2, cv=cv).fit(X, NAMES) for cv in (2, folds)]
    found = report(dict(zip(("number", "folds"), fitted, strict=True)), n_explained=0).to_dataframe().bytes
    assert found["folds"] == pytest.approx(found["number"], abs=20)
    assert found["folds"] < len(pickle.dumps(fitted[1])) - 16 * len(X)
    assert fitted[1].cv is folds  # and the student keeps them


def test_numbers_of_regressors():
    X, y = load_diabetes(return_X_y=True)
    teacher = DecisionTreeRegressor(max_depth=5, random_state=0).fit(X, y)
    linear = LinearRegression().fit(X, y)
    network = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", max_iter=5000)).fit(
        X, y
    )
    found = report({"linear": linear, "tree": teacher, "network": network}, X, y, teacher=teacher).to_dataframe()
    assert list(found.index) == ["linear", "tree", "network"]
    assert found.r2["linear"] == pytest.approx(r2_score(y, linear.predict(X)))
    assert found.rmse["linear"] == pytest.approx(root_mean_squared_error(y, linear.predict(X)))
    assert found.agreement["linear"] == pytest.approx(r2_score(teacher.predict(X), linear.predict(X)))
    assert list(found.n_parameters)[::2] == [11, 10 * 3 + 3 + 3 + 1]


@pytest.mark.parametrize("classes", [2, 3])
def test_explanations_are_compared_with_the_teacher_s(classes):
    rows = Y < classes
    student = Linear(C=0.1).fit(X[rows], Y[rows])
    twin = LogisticRegression(C=0.1).fit(X[rows], Y[rows])
    found = report({"student": student}, X[rows], Y[rows], teacher=twin).to_dataframe()
    assert found.explanation_agreement["student"] == pytest.approx(1, abs=0.01)
    assert "explanation_agreement" not in report({"s": student}, X[rows], Y[rows], teacher=twin, n_explained=0).table
    other = Linear(C=0.1).fit(X[rows], Y[rows])
    other.superfeature_labels_ = np.array([2, 2, 1, 0])
    both = report({"student": student, "other": other}, X[rows], Y[rows], teacher=twin).table
    assert both.explanation_agreement[["student", "other"]].to_numpy() == pytest.approx(1, abs=0.01)
    student.coef_ = student.coef_ * [[1, 1, -1, -1]]
    found = report({"student": student}, X[rows], Y[rows], teacher=twin).to_dataframe()
    assert found.explanation_agreement["student"] < -0.5


def test_teacher_is_found_on_the_first_student_that_has_one():
    plain = DecisionTreeClassifier(max_depth=1).fit(X, NAMES)
    taught = LogisticRegression(C=0.1).fit(X, NAMES)
    assert "agreement" not in report({"plain": plain}).table
    taught.teacher_ = DecisionTreeClassifier(max_depth=2).fit(X, NAMES)
    found = report({"plain": plain, "taught": taught})
    assert found.teacher == "DecisionTreeClassifier"
    assert found.table.agreement["taught"] == np.mean(taught.predict(X) == taught.teacher_.predict(X))


class Slow(ClassifierMixin, BaseEstimator):
    """Takes 4 ms for a call and 1 ms for a row."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        time.sleep(0.004 + 0.001 * len(X))
        return np.repeat(self.classes_[0], len(X))


def test_times_are_microseconds_of_a_call_and_of_a_row():
    found = report({"slow": Slow().fit(X, NAMES)}, n_repeat_timing=3).table
    assert 5_000 < found.us_one_row["slow"] < 20_000
    assert 1_000 < found.us_per_row_batch["slow"] < 2_000


def test_report_reads_well():
    stump = DecisionTreeClassifier(max_depth=1).fit(X, NAMES)
    linear = LogisticRegression(C=0.1).fit(X, NAMES)
    found = report({"<b>stump</b>": stump, "linear": linear}, teacher=linear)
    text, html = repr(found), found._repr_html_()
    assert text.startswith("150 rows; agreement with the teacher, LogisticRegression; times in µs")
    assert "0.667" in text and "–" in text and "nan" not in text.lower()
    assert "&lt;b&gt;stump" in html and "<table" in html and "<b>stump" not in html
    assert f"{found.table.bytes['linear']:,.0f}" in text
    copy = found.to_dataframe()
    copy.iloc[:] = 0
    assert found.table.accuracy["linear"] > 0.9


def test_tables_are_handed_on_as_they_are():
    frame = pd.DataFrame(X, columns=list("abcd"))
    stump = DecisionTreeClassifier(max_depth=1).fit(frame, NAMES)
    assert report({"stump": stump}, frame).table.accuracy["stump"] == pytest.approx(2 / 3)
    assert report({"stump": DecisionTreeClassifier().fit(X, NAMES)}, X.tolist()).table.accuracy["stump"] == 1


FITTED = LogisticRegression(C=0.1).fit(X, NAMES)


@pytest.mark.parametrize(
    ("students", "kwargs", "error", "match"),
    [
        ([FITTED], {}, ValueError, "'students' parameter"),
        ({}, {}, ValueError, "at least one student"),
        ({"a": LogisticRegression()}, {}, NotFittedError, "'a', a LogisticRegression, is not fitted"),
        ({"a": "model"}, {}, TypeError, "got str without predict"),
        ({"a": FITTED}, {"y": NAMES[1:]}, ValueError, "inconsistent"),
        ({"a": FITTED}, {"X": X[0]}, ValueError, r"got shape \(4,\)"),
        ({"a": FITTED}, {"y": np.where(Y == 0, "new", NAMES)}, ValueError, r"\['new'\], which 'a' does not know"),
        ({"a": FITTED, "b": LinearRegression().fit(X, Y)}, {}, ValueError, "classifiers only or regressors only"),
        ({"teacher": FITTED}, {"teacher": DecisionTreeClassifier().fit(X, Y)}, ValueError, "Give it another name"),
        ({"a": FITTED}, {"n_repeat_timing": 0}, ValueError, "'n_repeat_timing' parameter"),
        ({"a": FITTED}, {"sample_weight": [1, 2]}, ValueError, "shape"),
    ],
)
def test_bad_input(students, kwargs, error, match):
    with pytest.raises(error, match=match):
        report(students, **kwargs)
