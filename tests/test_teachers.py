import pickle
import warnings
from decimal import Decimal

import lightgbm
import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skked._teachers import TeacherScores, cross_fit_teacher, default_teacher


def problem(n_classes=3, n_samples=240, random_state=0, **kwargs):
    return make_classification(n_samples, 8, n_informative=5, n_classes=n_classes, random_state=random_state, **kwargs)


def cross_fit(teacher, X, y, **kwargs):
    return cross_fit_teacher(teacher, X, y, **{"task": "classification", "random_state": 0, **kwargs})


class Answers(ClassifierMixin, BaseEstimator):
    """A classifier whose predict_proba is whatever ``answer`` makes of the right one."""

    def __init__(self, answer=None):
        self.answer = answer

    def fit(self, X, y):
        self.model_ = GaussianNB().fit(X, y)
        self.classes_ = self.model_.classes_
        self.n_features_in_ = X.shape[1]
        return self

    def predict_proba(self, X):
        return self.answer(self.model_.predict_proba(X))


LIGHTGBM = lightgbm.LGBMClassifier(n_estimators=8, verbose=-1, n_jobs=1)
MARGINS = [
    HistGradientBoostingClassifier(max_iter=5),
    GradientBoostingClassifier(n_estimators=5),
    LogisticRegression(),
    LinearDiscriminantAnalysis(),
    make_pipeline(StandardScaler(), LogisticRegression()),
    LIGHTGBM,
    make_pipeline(StandardScaler(), LIGHTGBM),
    make_pipeline(StandardScaler(), FrozenEstimator(LIGHTGBM)),
]
LOG_ODDS = [
    RandomForestClassifier(10, random_state=0),
    GaussianNB(),
    DecisionTreeClassifier(),
    KNeighborsClassifier(),
    OneVsRestClassifier(LogisticRegression()),
]


def _ids(estimator):
    return "-".join(type(step).__name__ for step in getattr(estimator, "named_steps", {"": estimator}).values())


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("teacher", MARGINS, ids=_ids)
def test_margins_are_log_probabilities(teacher, n_classes):
    X, y = problem(n_classes)
    if isinstance(getattr(teacher, "steps", [[None]])[-1][-1], FrozenEstimator):
        scaled = StandardScaler().fit_transform(X)
        teacher = make_pipeline(StandardScaler(), FrozenEstimator(clone(LIGHTGBM).fit(scaled, y)))
    fitted = clone(teacher).fit(X, y)
    scores = TeacherScores(fitted, X)
    assert scores.response == "margin"
    assert scores(X).shape == (len(X), n_classes) and scores(X).dtype == np.float64
    np.testing.assert_allclose(scores(X).mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(softmax(scores(X), axis=1), fitted.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(scores.calibrated(4, scores.floor)(X), scores(X) / 4)


@pytest.mark.parametrize("teacher", LOG_ODDS, ids=_ids)
def test_probabilities_are_floored(teacher):
    X, y = problem(3)
    fitted = clone(teacher).fit(X, y)
    scores = TeacherScores(fitted, X, floor=0.03)
    assert scores.response == "log_odds"
    np.testing.assert_allclose(softmax(scores(X), axis=1), 0.97 * fitted.predict_proba(X) + 0.01, atol=1e-12)


@pytest.mark.parametrize("teacher", [LinearSVC(), RidgeClassifier(), SVC()], ids=_ids)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_margin_without_probabilities_is_calibrated(teacher, n_classes):
    X, y = problem(n_classes, class_sep=1.5)
    found = cross_fit(teacher, X, y)
    assert found.full.response == "margin" and found.full.temperature != 1
    assert log_loss(y, softmax(found.scores, axis=1)) < 0.8 * np.log(n_classes)
    frozen = cross_fit(FrozenEstimator(clone(teacher).fit(X, y)), X, y)
    assert frozen.full.temperature != 1
    assert log_loss(y, softmax(frozen.scores, axis=1)) < 0.8 * np.log(n_classes)


def test_regressor_scores_are_predictions():
    X, y = problem()
    fitted = LinearRegression().fit(X, y)
    scores = TeacherScores(fitted, X)
    assert (scores.response, scores.classes_, scores.n_outputs) == ("prediction", None, 1)
    np.testing.assert_array_equal(scores(X), fitted.predict(X)[:, None])
    found = cross_fit(LinearRegression(), X, y.astype(float), task="regression")
    assert found.scores.shape == (len(X), 1) and found.n_fits == 6


def test_scores_are_out_of_fold():
    X, y = problem(2)
    found = cross_fit(DecisionTreeClassifier(random_state=0), X, y, cv=4)
    assert found.n_fits == 5 and not found.in_sample
    np.testing.assert_array_equal(np.bincount(found.fold_of_row), [60] * 4)
    for fold in range(4):
        test = found.fold_of_row == fold
        assert abs(y[test].mean() - y.mean()) < 0.02  # stratified
        again = DecisionTreeClassifier(random_state=found.fold_scores[fold].estimator.random_state)
        again.fit(X[~test], y[~test])
        np.testing.assert_array_equal(
            found.fold_scores[fold].estimator.predict_proba(X[test]), again.predict_proba(X[test])
        )
        np.testing.assert_allclose(found.scores[test], found.fold_scores[fold](X[test]))
    own = found.full.estimator.score(X, y)
    assert own == 1 and (found.scores.argmax(axis=1) == y).mean() < 0.95


def test_calibration_of_an_overconfident_network():
    X, y = problem(3, flip_y=0.2)
    network = MLPClassifier((50,), alpha=0, solver="lbfgs", max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = cross_fit(network, X, y)
    assert found.full.temperature > 1.5
    raw = np.empty_like(found.scores)
    for fold, scores in enumerate(found.fold_scores):
        test = found.fold_of_row == fold
        raw[test] = scores.calibrated(1, 1e-6)(X[test])
    assert log_loss(y, softmax(found.scores, axis=1)) < 0.7 * log_loss(y, softmax(raw, axis=1))


def test_temperature_is_the_best_one():
    X, y = problem(3)
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    found = cross_fit(LogisticRegression(), X, y, sample_weight=weight)
    n_effective = weight.sum() ** 2 / (weight**2).sum()
    smoothing = 3 / (n_effective + 3)
    goal = (1 - smoothing) * np.eye(3)[y] + smoothing / 3

    def loss(factor):
        return -np.average((goal * log_softmax(found.scores / factor, axis=1)).sum(axis=1), weights=weight)

    assert loss(1) < min(loss(0.98), loss(1.02))


def test_perfect_teachers_stay_finite():
    X = np.repeat([[-1.0], [1.0]], 30, axis=0)
    y = np.repeat([0, 1], 30)
    found = cross_fit(LogisticRegression(C=1e6), X, y)
    confidence = softmax(found.scores, axis=1).max(axis=1)
    assert (confidence > 0.95).all() and (confidence < 0.995).all()


@pytest.mark.parametrize("teacher", [GaussianNB(), LogisticRegression(), LIGHTGBM], ids=_ids)
def test_fold_that_misses_a_class(teacher):
    X, y = problem(3)
    y = np.array(["b", "c", "a"])[y]
    order = np.argsort(y)
    folds = [(order[: len(y) // 2], order[len(y) // 2 :]), (order[len(y) // 2 :], order[: len(y) // 2])]
    found = cross_fit(teacher, X, y, cv=folds)
    assert found.scores.shape == (len(y), 3) and np.isfinite(found.scores).all()
    for scores, missing in zip(found.fold_scores, [2, 0], strict=True):
        assert set(scores.estimator.classes_) == {"a", "b", "c"} - {"abc"[missing]}
        np.testing.assert_allclose(scores(X).mean(axis=1), 0, atol=1e-12)
        probability = softmax(scores.calibrated(1, 1e-3)(X), axis=1)
        assert (probability[:, missing] <= 1e-3).all()
        known = np.delete(probability, missing, axis=1)
        expected = scores.estimator.predict_proba(X)
        np.testing.assert_allclose(known / known.sum(axis=1, keepdims=True), expected, atol=2e-3)


def test_contributions_of_margins_leave_the_constant_out():
    X, y = problem(2)
    scores = TeacherScores(LogisticRegression().fit(X, y), X, classes=[-1, 0, 1], temperature=2)
    margin = scores.estimator.decision_function(X)[:, None]
    np.testing.assert_array_equal(scores.from_raw(0 * margin, constant=False), 0)
    contribution = scores.from_raw(margin, constant=False)
    np.testing.assert_allclose(contribution[:, 2] - contribution[:, 1], margin[:, 0] / 2)
    np.testing.assert_allclose(scores(X), scores.from_raw(0 * margin) + contribution, atol=1e-12)


def test_one_vs_rest_folds_of_two_classes_agree_on_a_response():
    X, y = problem(3)
    order = np.argsort(y, kind="stable")
    folds = [(order[:150], order[150:]), (np.arange(len(y)), order[:150])]
    found = cross_fit(OneVsRestClassifier(LogisticRegression()), X, y, cv=folds)
    assert {scores.response for scores in [*found.fold_scores, found.full]} == {"log_odds"}


@pytest.mark.parametrize(
    ("counts", "single"), [((20, 1), 1), ((3, 2), 0), ((2, 2, 1), 1), ((30, 3, 2, 1), 1), ((1, 1), 2), ((5, 1), 1)]
)
def test_rare_classes_never_fail(counts, single):
    y = np.repeat(np.arange(len(counts)), counts)
    X = np.random.default_rng(0).normal(size=(len(y), 3))
    found = cross_fit(LogisticRegression(), X, y)
    assert (found.fold_of_row == -1).sum() == single
    assert np.isfinite(found.scores).all() and found.in_sample == (single == len(y))
    assert all(len(scores.estimator.classes_) == len(counts) for scores in found.fold_scores)


def test_splitters_and_no_folds():
    X, y = problem(2)
    teacher = LogisticRegression()
    assert cross_fit(teacher, X, y, cv=KFold(3)).n_fits == 4
    half = cross_fit(teacher, X, y, cv=ShuffleSplit(1, test_size=0.5, random_state=0))
    rest = half.fold_of_row == -1
    assert rest.sum() == len(y) // 2
    np.testing.assert_allclose(half.scores[rest], half.full(X[rest]))
    for cv in (None, False):
        found = cross_fit(teacher, X, y, cv=cv)
        assert found.in_sample and found.n_fits == 1 and found.full.temperature == 1
        np.testing.assert_array_equal(found.scores, found.full(X))
    rows = np.arange(len(y))
    twice = cross_fit(teacher, X, y, cv=[(rows[:150], rows[150:]), (rows[50:], rows[:50]), (rows[:90], rows[90:])])
    np.testing.assert_array_equal(np.unique(twice.fold_of_row, return_counts=True), [[-1, 0, 1, 2], [40, 90, 50, 60]])
    masks = [(y == 0, y == 1)]
    np.testing.assert_array_equal(cross_fit(GaussianNB(), X, y, cv=masks).fold_of_row == 0, y == 1)


@pytest.mark.parametrize("cv", [0, 1, True, "five", 2.5, object()])
def test_bad_cv(cv):
    X, y = problem(2)
    with pytest.raises(ValueError, match="cv="):
        cross_fit(GaussianNB(), X, y, cv=cv)


def test_teacher_is_never_touched():
    X, y = problem(2)
    unfitted = make_pipeline(StandardScaler(), RandomForestClassifier(5))
    frozen = FrozenEstimator(RandomForestClassifier(5).fit(X, y))
    for teacher, n_fits in [(unfitted, 6), (frozen, 0)]:
        before, rows = pickle.dumps(teacher), X.copy()
        found = cross_fit(teacher, X, y)
        assert pickle.dumps(teacher) == before and found.n_fits == n_fits
        np.testing.assert_array_equal(X, rows)
    assert found.full.estimator is frozen.estimator and found.in_sample


def test_same_bits_for_the_same_seed_and_any_n_jobs():
    X, y = problem(3)
    forest = make_pipeline(StandardScaler(), BaggingClassifier(RandomForestClassifier(3), n_estimators=2))
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, parallel = (cross_fit(forest, X, y, n_jobs=jobs).scores for jobs in (None, 1, 2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, parallel)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    assert not np.array_equal(first, cross_fit(forest, X, y, random_state=1).scores)
    fixed = RandomForestClassifier(3, random_state=7)
    assert cross_fit(fixed, X, y).full.estimator.random_state == 7


@pytest.mark.parametrize(
    "teacher",
    [
        DecisionTreeClassifier(max_depth=2, random_state=0),
        make_pipeline(StandardScaler(with_mean=False, with_std=False), DecisionTreeClassifier(max_depth=2)),
        GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2]}, cv=2),
    ],
    ids=_ids,
)
def test_weights_reach_the_teacher(teacher):
    X, y = problem(2)
    weight = np.where(y == 1, 50.5, 1)
    plain, weighted = (cross_fit(teacher, X, y, sample_weight=w).full.estimator for w in (None, weight))
    assert weighted.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.2


def test_weights_that_a_teacher_cannot_take():
    X, y = problem(2)
    teacher = KNeighborsClassifier(3)
    equal = cross_fit(teacher, X, y, sample_weight=np.full(len(y), 0.3))
    np.testing.assert_array_equal(equal.scores, cross_fit(teacher, X, y).scores)
    copies = np.arange(len(y)) % 3 + 1
    counted = cross_fit(teacher, X, y, sample_weight=copies / copies.mean())
    repeated = KNeighborsClassifier(3).fit(np.repeat(X, copies, axis=0), np.repeat(y, copies))
    np.testing.assert_array_equal(counted.full.estimator.predict_proba(X), repeated.predict_proba(X))
    with pytest.raises(TypeError, match="KNeighborsClassifier does not take sample_weight"):
        cross_fit(teacher, X, y, sample_weight=np.random.default_rng(0).uniform(size=len(y)))


def _add_nan(p):
    return np.where(np.arange(len(p))[:, None] == 0, np.nan, p)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (_add_nan, "answered NaN or infinity in 2 of"),
        (lambda p: np.full_like(p, np.inf), "NaN or infinity"),
        (lambda p: p[:, :1], r"probabilities of shape \(\d+, 1\); expected .*\(\d+, 2\)"),
        (lambda p: p[:-1], "probabilities of shape"),
        (lambda p: 2 * p, "do not sum to one"),
        (lambda p: p + [[0.5, -0.5]], "negative"),
    ],
)
def test_bad_probabilities(answer, match):
    X, y = problem(2)
    with pytest.raises(ValueError, match=match):
        cross_fit(Answers(answer), X, y)


class Predictions(RegressorMixin, BaseEstimator):
    def __init__(self, answer=None):
        self.answer = answer

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return self.answer(X)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda X: X[:, :2], r"predicted an array of shape"),
        (lambda X: X[:-1, 0], r"predicted an array of shape"),
        (lambda X: X[:, 0] * np.nan, "NaN"),
    ],
)
def test_bad_predictions(answer, match):
    X, y = problem(2)
    with pytest.raises(ValueError, match=match):
        cross_fit(Predictions(answer), X, y.astype(float), task="regression")


def test_foreign_teachers():
    X, y = problem(3)
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    frozen = FrozenEstimator(GaussianNB().fit(frame, y))
    with pytest.raises(ValueError, match=r"of which \[2\] are not in y"):
        cross_fit(frozen, frame[y < 2], y[y < 2])
    with pytest.raises(ValueError, match=r"but y also has \[3\]"):
        cross_fit(frozen, frame, np.where(np.arange(len(y)) < 9, 3, y))
    with pytest.raises(ValueError, match="fitted on 8 columns, but X has 7"):
        cross_fit(frozen, frame.iloc[:, 1:], y)
    with pytest.raises(ValueError, match="in another order"):
        cross_fit(frozen, frame[frame.columns[::-1]], y)
    with pytest.raises(ValueError, match=r"unknown to it: \['z'\]"):
        cross_fit(frozen, frame.rename(columns={"a": "z"}), y)
    with pytest.raises(NotFittedError, match="frozen but not fitted"):
        cross_fit(FrozenEstimator(GaussianNB()), X, y)
    with pytest.raises(NotFittedError, match="frozen but not fitted"):
        cross_fit(FrozenEstimator(make_pipeline(StandardScaler(), GaussianNB())), X, y)


class NearestCentroidLabels(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self


def test_teachers_without_the_methods():
    X, y = problem(3)
    with pytest.raises(TypeError, match="neither predict_proba nor decision_function"):
        TeacherScores(NearestCentroidLabels().fit(X, y), X)
    with pytest.raises(TypeError, match="has no classes_"):
        TeacherScores(LinearRegression().fit(X, y), X, task="classification")
    with pytest.raises(ValueError, match="decision_function_shape='ovr'"):
        X, y = problem(4, n_clusters_per_class=1)
        TeacherScores(SVC(decision_function_shape="ovo").fit(X, y), X)


class Spoils(LogisticRegression):
    """Writes into what it is given."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        X[...] = 0
        return self

    def decision_function(self, X):
        margin = super().decision_function(X)
        X[...] = 0
        return margin

    def predict_proba(self, X):
        probability = super().predict_proba(X.copy())
        X[...] = 0
        return probability


def test_teacher_that_changes_its_input():
    X, y = problem(2)
    before = X.copy()
    found = cross_fit(Spoils(), X, y)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(found.full(X), found.full(X))
    np.testing.assert_array_equal(X, before)
    assert (found.scores.argmax(axis=1) == y).mean() > 0.7


class Raises(LogisticRegression):
    def __init__(self, where="fit"):
        super().__init__()
        self.where = where

    def fit(self, X, y, sample_weight=None):
        if self.where == "fit":
            raise KeyError("boom")
        return super().fit(X, y)

    def decision_function(self, X):
        raise KeyError("boom")

    predict_proba = decision_function


@pytest.mark.parametrize(("where", "note"), [("fit", "fitting the teacher Raises on 192"), ("predict", "asked for")])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_exception_of_a_teacher_keeps_its_type_and_says_where(where, note, n_jobs):
    X, y = problem(2)
    with pytest.raises(KeyError, match="boom") as caught:
        cross_fit(Raises(where), X, y, n_jobs=n_jobs)
    assert any(note in line for line in caught.value.__notes__)


def mixed_table(n=200):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "text": rng.choice(["u", "v", "w"], n),
            "category": pd.Categorical(rng.choice(["x", "y"], n)),
            "flag": rng.random(n) < 0.5,
            "object": rng.choice(np.array([None, "p", "q"], dtype=object), n),
            "mixed": rng.choice(np.array([None, "p", 1], dtype=object), n),
            "decimal": np.array([Decimal(int(v)) for v in rng.integers(0, 3, n)], dtype=object),
            "integer": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "many": [f"level {i}" for i in rng.integers(0, 10 * n, n)],
            "empty": np.nan,
            "void": np.full(n, None, dtype=object),
            "scarce": np.where(np.arange(n) < 5, 1.0, np.nan),
        }
    )
    y = ((frame["number"] > 0) ^ (frame["text"] == "u")).to_numpy().astype(int)
    frame.loc[::7, ["number", "text", "category", "integer"]] = None
    return frame, y


def test_default_teacher_takes_any_table():
    frame, y = mixed_table()
    found = cross_fit(default_teacher("classification", frame), frame, y)
    assert found.full.response == "margin" and (found.scores.argmax(axis=1) == y).mean() > 0.8
    unseen = frame.assign(text="never seen", category=pd.Categorical(["other"] * len(frame)))
    assert np.isfinite(found.full(unseen)).all()
    for column in frame:
        one = frame[[column]]
        teacher = default_teacher("regression", one, random_state=0)
        assert cross_fit(teacher, one, y.astype(float), task="regression", cv=2).scores.shape == (len(y), 1)


def test_default_teacher_treats_levels_as_levels():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 12, 600)
    y = level % 2
    frame = pd.DataFrame({"noise": rng.normal(size=600), "level": np.array([f"{v:02d}" for v in level])})
    teacher = default_teacher("classification", frame, random_state=0).fit(frame, y)
    assert teacher.score(frame, y) == 1
    assert teacher[-1].is_categorical_.tolist() == [False, True]


@pytest.mark.parametrize("n_columns", [1, 150])
def test_default_teacher_takes_more_levels_than_it_can_tell_apart(n_columns):
    frame = pd.DataFrame({"many": [f"level {i}" for i in range(600)] * 2})
    frame = pd.concat([frame, pd.DataFrame(np.zeros((1200, n_columns - 1))).add_prefix("x")], axis=1)
    y = np.arange(1200) % 600 < 300
    cross_fit(default_teacher("classification", frame), frame, y)


def test_default_teacher_survives_columns_that_are_nearly_empty():
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[2:, 0] = np.nan
    X[:, 1] = np.nan
    y = (X[:, 2] > 0).astype(int)
    found = cross_fit(default_teacher("classification", X), X, y, cv=2)
    assert (found.scores.argmax(axis=1) == y).mean() > 0.8


def test_default_teacher_takes_many_rows_and_a_class_with_one():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_500, 2))
    y = np.where(X[:, 0] + rng.logistic(size=len(X)) > 0, "common", "usual")
    assert default_teacher("classification", X, y).early_stopping
    y[[7, 70]] = "single", "rare"
    found = cross_fit(default_teacher("classification", X, y, random_state=0), X, y, cv=2)
    assert (found.scores.argmax(axis=1) == np.where(X[:, 0] > 0, 0, 3)).mean() > 0.8
    assert found.full.temperature < 10


@pytest.mark.parametrize("n", [6, 20, 100])
def test_default_teacher_is_quick_and_not_constant_on_few_rows(n):
    X = np.random.default_rng(0).normal(size=(n, 4))
    y = (X[:, 0] > np.median(X[:, 0])).astype(int)
    teacher = default_teacher("classification", X, random_state=0).fit(X, y)
    assert teacher.score(X, y) > 0.8
    assert teacher.max_iter * teacher.max_leaf_nodes <= 25 * 8


class Duck:
    """Knows nothing of scikit-learn."""

    classes_ = ("no", "yes")

    def predict_proba(self, X):
        return np.column_stack([X[:, 0] > 0, X[:, 0] <= 0]).astype(np.float32)


def test_any_object_with_the_methods_can_be_scored():
    X, _ = problem(2)
    scores = TeacherScores(Duck(), X, floor=0.1)
    assert scores.classes_.tolist() == ["no", "yes"]
    np.testing.assert_allclose(softmax(scores(X), axis=1)[:, 0], np.where(X[:, 0] > 0, 0.95, 0.05))


class OddMargins(ClassifierMixin, BaseEstimator):
    """Margins of another shape than the probabilities, and none at all of a frozen last step."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 3), 1 / 3)

    def decision_function(self, X):
        return np.zeros((len(X), 7))

    def predict(self, X):
        return self.classes_[np.zeros(len(X), int)]


def test_margins_of_another_shape_are_no_scores():
    X, y = problem()
    assert TeacherScores(OddMargins().fit(X, y), X, task="classification", classes=np.arange(3)).response == "log_odds"


def test_pipelines_of_one_frozen_step_are_asked_for_their_last_step():
    X, y = problem()
    tree = DecisionTreeClassifier(max_depth=3).fit(X, y)
    settings = {"task": "classification", "classes": np.arange(3)}
    alone = TeacherScores(tree, X, **settings)
    wrapped = TeacherScores(make_pipeline(FrozenEstimator(make_pipeline(tree))), X, **settings)
    np.testing.assert_array_equal(wrapped(X), alone(X))


def test_boosters_alone_in_a_pipeline_have_margins():
    lightgbm = pytest.importorskip("lightgbm")
    X, y = problem()
    booster = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(X, y)
    settings = {"task": "classification", "classes": np.arange(3)}
    alone = TeacherScores(booster, X, **settings)
    for last in (booster, FrozenEstimator(booster)):
        piped = TeacherScores(Pipeline([("booster", last)]), X, **settings)
        assert piped.response == "margin"
        np.testing.assert_array_equal(piped(X), alone(X))
