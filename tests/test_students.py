"""Students: what they learn, what they promise, and how they live in scikit-learn's ecosystem."""

import copy
import hashlib
import io
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_classification
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skked import (
    E2KDClassifier,
    GroupShapleyExplainer,
    KDClassifier,
    KDRegressor,
    KEDClassifier,
    KEDRegressor,
    XDistillationClassifier,
)

QUICK = {"max_iter": 10, "max_parameters": 300, "random_state": 0}


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return X, y.to_numpy()


@pytest.fixture(scope="module")
def student(cancer):
    return KEDClassifier(superfeatures=4, network="additive", **QUICK).fit(*cancer)


class CountingTree(DecisionTreeClassifier):
    """A teacher that counts its fits."""

    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        return super().fit(X, y, sample_weight=sample_weight)


# what a student promises ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["additive", "heads"])
def test_contributions_sum_to_the_score_on_any_rows(cancer, network):
    X, y = cancer
    student = KEDClassifier(superfeatures=4, network=network, **QUICK).fit(X, y)
    strange = X * 100 - 7
    for rows in (X, strange, X.iloc[:1]):
        total = student.explanation_base_ + student.contributions(rows).sum(axis=1)
        np.testing.assert_allclose(total, student.decision_function(rows), rtol=1e-6, atol=1e-6)
    iris, species = load_iris(return_X_y=True)
    student = KEDClassifier(superfeatures=2, network=network, **QUICK).fit(iris, species)
    total = student.explanation_base_ + student.contributions(iris).sum(axis=1)
    assert student.contributions(iris).shape == (150, 2, 3)
    np.testing.assert_allclose(total, student.decision_function(iris), rtol=1e-6, atol=1e-6)


def test_contributions_are_shapley_values_of_the_student(cancer, student):
    X, _ = cancer
    phi = student.contributions(X)
    np.testing.assert_allclose(phi.mean(axis=0), 0, atol=1e-5)  # centred over the training rows
    swapped = X.copy()
    columns = student.superfeature_labels_ == 1
    swapped.loc[:, columns] = X.loc[:, columns].to_numpy()[::-1]
    moved = student.contributions(swapped)
    np.testing.assert_allclose(np.delete(moved, 1, axis=1), np.delete(phi, 1, axis=1))
    np.testing.assert_allclose(moved[:, 1], phi[::-1, 1])


def test_explanation_goes_into_shap(cancer, student):
    import shap

    explanation = student.explain(cancer[0].head(5))
    assert isinstance(explanation, shap.Explanation)
    np.testing.assert_array_equal(explanation.values, student.contributions(cancer[0].head(5)))
    np.testing.assert_allclose(explanation.base_values, student.explanation_base_)
    assert explanation.feature_names == student.superfeature_names_
    assert explanation.data.shape == explanation.values.shape


@pytest.mark.parametrize("max_parameters", [200, 500, 2000, 10_000])
@pytest.mark.parametrize("n_superfeatures", [3, 6])
def test_students_of_one_budget_have_one_size(cancer, max_parameters, n_superfeatures):
    settings = {"max_parameters": max_parameters, "max_iter": 1, "random_state": 0}
    teacher = DecisionTreeClassifier(max_depth=2)
    ked = KEDClassifier(teacher, superfeatures=n_superfeatures, chimeric=False, **settings).fit(*cancer)
    kd = KDClassifier(teacher, **settings).fit(*cancer)
    assert ked.n_parameters_ <= max_parameters
    assert abs(ked.n_parameters_ - kd.n_parameters_) <= max(0.03 * kd.n_parameters_, 12)


@pytest.mark.parametrize(
    ("settings", "additive"),
    [
        ({"max_parameters": 54}, True),  # two superfeatures, 4 units each: 4 · (2 + 1 + 3) + 3 parameters, twice
        ({"max_parameters": 53}, False),
        ({"max_parameters": 53, "network": "additive"}, True),
        ({"max_parameters": 53, "explanation_weight": 0.0}, True),
        ({"hidden_layer_sizes": 1}, True),
        ({"max_parameters": 54, "network": "heads"}, False),
    ],
)
def test_superfeatures_share_a_network_where_the_budget_leaves_them_few_units(settings, additive):
    X, y = (values[::4] for values in load_iris(return_X_y=True))  # too few rows for a rehearsal
    common = {"max_iter": 1, "chimeric": False, "max_features": None, "cv": 2, "random_state": 0}
    student = KEDClassifier(DecisionTreeClassifier(), superfeatures=[0, 0, 1, 1], **common, **settings).fit(X, y)
    assert student.network_.is_additive is additive
    changed = X + [0.0, 0.0, 0.0, 5.0]
    assert np.array_equal(student.contributions(X)[:, 0], student.contributions(changed)[:, 0]) is additive


def _crossing(n_rows, rng, share):
    """Two pairs of alike columns, and a target that in part is a product across the pairs."""
    common = rng.randn(n_rows, 2)
    X = np.repeat(common, 2, axis=1) + 0.1 * rng.randn(n_rows, 4)
    return X, X[:, 0] + X[:, 2] + share * X[:, 0] * X[:, 2]


@pytest.mark.parametrize(
    ("n_rows", "share", "settings", "additive"),
    [
        (5000, 1.0, {}, False),
        (5000, 0.0, {}, True),
        (300, 1.0, {}, False),
        (300, 0.0, {}, True),
        (49, 1.0, {}, True),
        (5000, 1.0, {"network": "additive"}, True),
        (5000, 1.0, {"hidden_layer_sizes": 8}, True),
    ],
)
def test_rows_whose_superfeatures_interact_take_a_dense_student(n_rows, share, settings, additive):
    X, y = _crossing(n_rows, np.random.RandomState(0), share)
    teacher = HistGradientBoostingRegressor(max_iter=30, random_state=0)
    common = {"superfeatures": [0, 0, 1, 1], "n_explanations": 100, "cv": None, "random_state": 0}
    student = KEDRegressor(teacher, max_iter=10 if n_rows == 5000 else 60, **common, **settings).fit(X, y)
    assert student.network_.is_additive is additive


@pytest.mark.parametrize(("together", "additive"), [(True, True), (False, False)])
def test_groups_of_rows_are_not_split_to_see_whether_superfeatures_interact(together, additive):
    rng = np.random.RandomState(0)
    group = np.arange(400) % 20
    X = rng.uniform(-1, 1, (20, 2))[group] + 0.01 * rng.randn(400, 2)
    y = rng.randn(20)[group]  # to be known again by both columns, and of no use for other groups
    cv = list(GroupKFold(5).split(X, groups=group)) if together else 5
    teacher = HistGradientBoostingRegressor(max_iter=30, random_state=0)
    student = KEDRegressor(teacher, superfeatures=[0, 1], cv=cv, max_iter=60, random_state=0).fit(X, y)
    assert student.network_.is_additive is additive


@pytest.mark.parametrize(("n_rows", "budget", "n_layers"), [(5000, 121, 2), (5000, 120, 1), (4999, 121, 1)])
def test_many_rows_take_two_layers_that_are_wide_enough(n_rows, budget, n_layers):
    X, y = _crossing(n_rows, np.random.RandomState(0), 1.0)  # 8 units twice: 8 · (4 + 1) + 8 · (8 + 1) + 8 + 1 = 121
    settings = {"max_parameters": budget, "max_iter": 1, "cv": None, "random_state": 0}
    teacher = LinearRegression()
    assert len(KDRegressor(teacher, **settings).fit(X, y).network_.coefs) == 1 + n_layers
    common = {"superfeatures": [0, 0, 1, 1], "n_explanations": 10, **settings}
    assert len(KEDRegressor(teacher, network="heads", **common).fit(X, y).network_.coefs) == 1 + n_layers
    assert len(KEDRegressor(teacher, network="additive", **common).fit(X, y).network_.coefs) == 2


@pytest.mark.parametrize(
    "student",
    [
        E2KDClassifier(superfeatures=2),
        E2KDClassifier(explanation="gradient"),
        XDistillationClassifier(superfeatures=2),
        XDistillationClassifier(superfeatures=2, mode="input"),
    ],
    ids=str,
)
def test_sisters_take_many_rows_too(student):
    X, y = _crossing(5000, np.random.RandomState(0), 1.0)
    student.set_params(teacher=LogisticRegression(), max_parameters=121, max_iter=1, cv=None, random_state=0)
    student.fit(X, y > 0)
    assert student.n_parameters_ <= 121
    assert student.score(X, y > 0) > 0.5


def test_learns_the_teachers_explanations():
    rng = np.random.RandomState(0)
    X = rng.uniform(-2, 2, (600, 4))
    y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + X[:, 3]
    student = KEDRegressor(superfeatures=[0, 0, 1, 1], max_parameters=1500, random_state=0).fit(X, y)
    truth = np.column_stack([X[:, 0] * X[:, 1], np.sin(2 * X[:, 2]) + X[:, 3]])
    for group in range(2):
        assert np.corrcoef(student.contributions(X)[:, group], truth[:, group])[0, 1] > 0.97


class SaysTheOpposite(ClassifierMixin, BaseEstimator):
    """A fitted teacher that gives the wrong class, the sign of the first column reversed, nine parts of ten."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.where(X[:, :1] > 0, [0.9, 0.1], [0.1, 0.9])


@pytest.mark.parametrize("network", [KDClassifier, KEDClassifier])
def test_a_committee_says_what_it_made_of_labels_and_teacher(network):
    X = np.random.RandomState(0).uniform(0.2, 1, (300, 1)) * np.resize([-1, 1], (300, 1))
    y, share = (X[:, 0] > 0).astype(int), 0.6
    settings = {"distillation_weight": share, "alpha": 0.0, "chimeric": False, "random_state": 0, "max_parameters": 50}
    if network is KEDClassifier:
        settings |= {"explanation_weight": 0.0, "superfeatures": 1}
    right = {}
    for size in (1, 3):
        student = network(FrozenEstimator(SaysTheOpposite().fit(X, y)), committee_size=size, **settings).fit(X, y)
        right[size] = student.predict_proba(X)[np.arange(300), y]
    said = 1 - share + share * 0.1  # of the right class, by what learns from labels and teacher
    np.testing.assert_allclose(right[1], said, atol=0.03)
    np.testing.assert_allclose(right[3], 1 - share + share * said, atol=0.03)


@pytest.mark.parametrize(("n_rows", "alone"), [(2000, False), (2001, True)])
def test_no_committee_for_many_rows(n_rows, alone):
    X, y = make_classification(n_rows, 4, random_state=0)
    teacher = FrozenEstimator(LogisticRegression().fit(X, y))
    settings = {**QUICK, "max_iter": 1, "cv": None}
    said = [KDClassifier(teacher, committee_size=size, **settings).fit(X, y).predict_proba(X) for size in (1, 2)]
    assert np.array_equal(*said) is alone


def test_a_committee_of_numbers_speaks_in_units_of_the_target():
    X = np.random.RandomState(0).normal(size=(200, 2))
    y = 1e5 + 1e3 * X[:, 0]
    student = KDRegressor(LinearRegression(), committee_size=2, distillation_weight=1.0, random_state=0).fit(X, y)
    assert student.score(X, y) > 0.99


@pytest.mark.parametrize("student", [KDRegressor, KEDRegressor])
def test_a_dead_student_starts_once_more_where_its_committee_has_learnt(student, monkeypatch):
    X = np.random.RandomState(0).normal(size=(200, 3))
    y = 1e5 + 1e3 * X[:, 0]

    def dead(self, *args):
        trained = fit_network(self, *args)
        trained.coefs[-1] = [0 * coef for coef in trained.coefs[-1]]
        return trained

    fit_network = student._fit_network
    monkeypatch.setattr(student, "_fit_network", dead)
    alone, advised = (student(LinearRegression(), committee_size=n, random_state=0).fit(X, y) for n in (1, 2))
    assert np.ptp(alone.predict(X)) < 1  # target units: the fault is planted
    assert advised.score(X, y) > 0.99


def test_regression_in_target_units():
    X, y = load_diabetes(return_X_y=True)
    small = KEDRegressor(superfeatures=3, **QUICK).fit(X, y)
    large = KEDRegressor(superfeatures=3, **QUICK).fit(X, 1000 * y + 5)
    np.testing.assert_allclose(large.predict(X), 1000 * small.predict(X) + 5, rtol=0.2)
    assert np.corrcoef(large.contributions(X)[:, 0], small.contributions(X)[:, 0])[0, 1] > 0.95
    np.testing.assert_allclose(
        small.explanation_base_ + small.contributions(X).sum(axis=1), small.predict(X), rtol=1e-6
    )


# teachers ---------------------------------------------------------------------------------------------------------


def test_frozen_teacher_is_used_as_it_is(cancer):
    X, y = cancer
    teacher = RandomForestClassifier(20, random_state=0).fit(X[::2], y[::2])
    before = pickle.dumps(teacher)
    student = KEDClassifier(FrozenEstimator(teacher), superfeatures=3, **QUICK).fit(X, y)
    assert pickle.dumps(teacher) == before
    assert student.teacher_ is teacher


def test_users_teacher_is_cloned(cancer):
    teacher = make_pipeline(StandardScaler(), LogisticRegression())
    student = KEDClassifier(teacher, superfeatures=3, **QUICK).fit(*cancer)
    assert not hasattr(teacher[-1], "coef_")
    assert student.teacher_.score(*cancer) > 0.95


def test_grid_search_over_students_fits_each_teacher_once(cancer, tmp_path):
    X, y = cancer
    student = KEDClassifier(
        CountingTree(max_depth=4, random_state=0), superfeatures=3, cv=3, memory=str(tmp_path), **QUICK
    )
    grid = {"explanation_weight": [0.0, 0.5], "learning_rate_init": [0.01, 0.03], "temperature": [1.0, 2.0]}
    CountingTree.fits = 0
    GridSearchCV(student, grid, cv=2).fit(X, y)
    assert CountingTree.fits == (2 + 1) * (3 + 1)  # two folds and the refit; three folds and all rows in each


def test_failing_teacher_leaves_the_student_as_it_was(cancer):
    class Broken(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            raise RuntimeError("out of paper")

    student = KEDClassifier(Broken(), **QUICK)
    with pytest.raises(RuntimeError, match="out of paper"):
        student.fit(*cancer)
    assert vars(student).keys() == student.get_params(deep=False).keys()


# training extras --------------------------------------------------------------------------------------------------


def test_unlabelled_rows_teach_too():
    X, y = make_classification(1300, 8, n_informative=6, random_state=3)
    settings = {"superfeatures": 2, "chimeric": False, "max_parameters": 400, "random_state": 0}
    teacher = FrozenEstimator(RandomForestClassifier(100, random_state=0).fit(X[:1000], y[:1000]))
    alone = KEDClassifier(teacher, **settings).fit(X[:60], y[:60])
    helped = KEDClassifier(teacher, **settings).fit(X[:60], y[:60], X_unlabelled=X[60:1000])
    answers = teacher.predict(X[1000:])
    assert np.mean(helped.predict(X[1000:]) == answers) > np.mean(alone.predict(X[1000:]) == answers) + 0.02


def test_class_weight_moves_the_balance():
    X, y = make_classification(400, 6, weights=[0.9], flip_y=0.1, random_state=0)
    plain = KEDClassifier(superfeatures=2, **QUICK).fit(X, y)
    balanced = KEDClassifier(superfeatures=2, class_weight="balanced", **QUICK).fit(X, y)
    assert balanced.predict(X).mean() > plain.predict(X).mean() + 0.05


def test_early_stopping_keeps_the_best_epoch(cancer):
    student = KEDClassifier(
        superfeatures=3, early_stopping=True, n_iter_no_change=3, max_iter=300, chimeric=False, random_state=0
    ).fit(*cancer)
    assert student.n_iter_ < 300
    assert student.n_iter_ == len(student.loss_curve_) == len(student.validation_curve_)
    assert np.argmin(student.validation_curve_) == student.n_iter_ - 1 - 3
    student.set_params(early_stopping=False, max_iter=2).fit(*cancer)
    assert not hasattr(student, "validation_curve_")


def test_warm_start_goes_on(cancer):
    student = KDClassifier(max_iter=5, max_parameters=300, random_state=0, warm_start=True)
    first = student.fit(*cancer).loss_curve_[-1]
    assert student.fit(*cancer).loss_curve_[0] < first * 1.5
    fresh = KDClassifier(max_iter=5, max_parameters=300, random_state=0).fit(*cancer)
    assert fresh.loss_curve_[0] > student.loss_curve_[0]


def test_chimeras_of_every_kind(cancer):
    X, y = cancer
    teacher = DecisionTreeClassifier(max_depth=3)
    seen = set()
    for chimeric, swap, within_class in ((False, 0.3, False), (True, 0.3, False), (200, 1.0, False), (0.5, 0.3, True)):
        student = KEDClassifier(
            teacher, superfeatures=3, chimeric=chimeric, swap=swap, within_class=within_class, **QUICK
        ).fit(X, y)
        seen.add(student.decision_function(X).tobytes())
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("chimeric", "expected"),
    [(True, 500), (np.True_, 500), ("auto", 500), (1, 1), (1.0, 100), (0.25, 25), (7, 7), (False, None)],
)
def test_chimeras_by_number_share_and_word(cancer, chimeric, expected, monkeypatch):
    """A number is a number: 1 is no True."""
    import skked._students._lessons as lessons

    made, make = [], lessons.make_chimeric_set

    def recorded(X, labels, n, **settings):
        made.append(n)
        return make(X, labels, n, **settings)

    monkeypatch.setattr(lessons, "make_chimeric_set", recorded)
    X, y = cancer[0][:100], cancer[1][:100]
    KEDClassifier(superfeatures=2, chimeric=chimeric, cv=2, max_iter=1, random_state=0).fit(X, y)
    assert made == ([] if expected is None else [expected])


def test_deep_students(cancer):
    student = KEDClassifier(superfeatures=3, hidden_layer_sizes=(5, 4), **QUICK).fit(*cancer)
    assert student.n_parameters_ == 30 * 5 + 3 * (5 + 5 * 4 + 4 + 4 + 1)


# tables -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def people():
    rng = np.random.RandomState(0)
    n = 300
    frame = pd.DataFrame(
        {
            "age": rng.randint(18, 80, n),
            "income": rng.lognormal(10, 1, n),
            "city": rng.choice(["Paris", "Rome", "Oslo"], n),
            "job": pd.Categorical(rng.choice(["cook", "clerk", "smith"], n)),
            "member": rng.rand(n) < 0.5,
            "town": rng.choice([f"t{i}" for i in range(200)], n),
            "nothing": np.nan,
            "constant": 3.0,
        }
    )
    frame.loc[::7, "income"] = np.nan
    frame.loc[::11, "city"] = None
    y = np.where((frame["age"] > 50) ^ (frame["city"] == "Rome").fillna(False), "yes", "no")
    return frame, y


def test_tables_as_people_have_them(people):
    X, y = people
    student = KEDClassifier(max_parameters=1000, random_state=0).fit(X, y)
    assert student.score(X, y) > 0.75
    assert set(student.classes_) == {"no", "yes"}
    foreign = X.head(4).assign(city="Atlantis", town="nowhere", income=1e12)
    assert np.isfinite(student.decision_function(foreign)).all()
    assert len(student.superfeature_labels_) == X.shape[1]
    with pytest.raises(ValueError, match="feature names"):
        student.predict(X[X.columns[::-1]])
    words = student.explain(X.head(2)).display_data
    assert any("city=" in str(word) or "Rome" in str(word) for word in words.ravel())


def test_teacher_sees_the_table_as_it_is(people):
    X, y = people
    columns = make_column_transformer((OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"]))
    student = KEDClassifier(make_pipeline(columns, DecisionTreeClassifier()), superfeatures=2, **QUICK)
    assert student.fit(X, y).teacher_.feature_names_in_.tolist() == X.columns.tolist()


@pytest.mark.parametrize(
    "superfeatures",
    [4, [0] * 15 + [1] * 15, {"first": list(range(10)), "rest": list(range(10, 30))}],
    ids=["number", "labels", "names"],
)
def test_superfeatures_of_every_kind(cancer, superfeatures):
    student = KEDClassifier(superfeatures=superfeatures, **QUICK).fit(*cancer)
    if isinstance(superfeatures, dict):
        assert student.superfeature_names_ == ["first", "rest"]
    assert student.contributions(cancer[0]).shape[1] == student.superfeature_labels_.max() + 1


# errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_parameters": 3}, "at least"),
        ({"max_parameters": 10, "network": "additive"}, "at least"),
        ({"max_parameters": 20, "max_features": None}, "at least"),
        ({"temperature": 0}, "temperature"),
        ({"distillation_weight": 1.5}, "distillation_weight"),
        ({"superfeatures": 31}, "30|31"),
        ({"superfeatures": [0, 1]}, "30"),
        ({"superfeatures": {"a": [0, 1], "b": [1, 2]}}, "a|b|1"),
        ({"device": "abacus"}, "abacus"),
        ({"swap": 0}, "swap"),
        ({"network": "deep"}, "network"),
        ({"committee_size": 0}, "committee_size"),
    ],
)
def test_bad_parameters_say_what_to_do(cancer, parameters, message):
    student = KEDClassifier(**{**QUICK, **parameters})
    with pytest.raises(ValueError, match=message):
        student.fit(*cancer)
    assert not hasattr(student, "n_features_in_")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((5, 2)), np.zeros(5), "two classes"),
        (np.zeros((5, 2)), np.zeros(4), "inconsistent"),
        (np.zeros((5, 2)), [0, 1, np.nan, 0, 1], "NaN"),
        (np.full((5, 2), np.inf), [0, 1, 0, 1, 0], "inf"),
    ],
)
def test_bad_rows_say_what_to_do(X, y, message):
    with pytest.raises(ValueError, match=message):
        KEDClassifier(**QUICK).fit(X, y)


def _global_state():
    import torch

    numpy_state = np.random.get_state()[1].tobytes()  # noqa: NPY002
    return numpy_state, torch.get_rng_state().numpy().tobytes(), torch.get_num_threads(), sklearn.get_config()


def test_fit_touches_no_global_state(cancer):
    import torch

    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    before = _global_state()
    inputs = cancer[0].copy()
    KEDClassifier(superfeatures=3, **QUICK).fit(*cancer)
    assert _global_state() == before
    pd.testing.assert_frame_equal(cancer[0], inputs)


# determinism ------------------------------------------------------------------------------------------------------

SCRIPT = """
import hashlib, sys
from sklearn.datasets import load_breast_cancer
from skked import KEDClassifier
X, y = load_breast_cancer(return_X_y=True)
student = KEDClassifier(max_iter=10, max_parameters=300, random_state=0, n_jobs=int(sys.argv[1])).fit(X, y)
print(hashlib.sha256(student.decision_function(X).tobytes()).hexdigest())
"""


def test_same_seed_same_bits_in_other_processes_and_jobs(cancer):
    X, y = cancer[0].to_numpy(), cancer[1]
    here = hashlib.sha256(KEDClassifier(**QUICK).fit(X, y).decision_function(X).tobytes()).hexdigest()
    for n_jobs in ("1", "2"):
        done = subprocess.run([sys.executable, "-c", SCRIPT, n_jobs], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == here


def test_gpu_student_agrees_with_the_cpu_one(cancer):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    settings = {**QUICK, "superfeatures": 3}
    cpu = KEDClassifier(device="cpu", **settings).fit(*cancer)
    gpu = KEDClassifier(device="cuda", **settings).fit(*cancer)
    np.testing.assert_allclose(gpu.decision_function(cancer[0]), cpu.decision_function(cancer[0]), atol=1e-2)


def test_order_of_rows_does_not_matter(cancer):
    X, y = cancer
    order = np.random.RandomState(0).permutation(len(y))
    one = KEDClassifier(superfeatures=3, **QUICK).fit(X, y)
    other = KEDClassifier(superfeatures=3, **QUICK).fit(X.iloc[order], y[order])
    np.testing.assert_array_equal(one.decision_function(X), other.decision_function(X))


# the ecosystem ----------------------------------------------------------------------------------------------------


def test_in_a_searched_pipeline(cancer):
    X, y = cancer
    labels = np.array(["benign", "malignant"])[1 - y]
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), KEDClassifier(superfeatures=3, **QUICK))
    search = GridSearchCV(pipeline, {"kedclassifier__explanation_weight": [0.0, 0.5]}, cv=2).fit(X, labels)
    assert search.score(X, labels) > 0.9
    assert set(search.predict(X)) == {"benign", "malignant"}


def test_cross_val_predict_voting_and_calibration(cancer):
    X, y = cancer
    student = KEDClassifier(superfeatures=3, **QUICK)
    assert np.mean(cross_val_predict(student, X, y, cv=2) == y) > 0.9
    voting = VotingClassifier([("student", student), ("linear", make_pipeline(StandardScaler(), LogisticRegression()))])
    assert voting.fit(X, y).score(X, y) > 0.9
    assert CalibratedClassifierCV(student, cv=2).fit(X, y).score(X, y) > 0.9


def test_set_output_gives_named_contributions(cancer):
    X, y = cancer
    student = KEDClassifier(superfeatures={"a": list(range(10)), "b": list(range(10, 30))}, **QUICK)
    frame = student.set_output(transform="pandas").fit(X, y).transform(X)
    assert list(frame.columns) == ["a", "b"]
    np.testing.assert_array_equal(frame.to_numpy(), student.contributions(X))


def test_metadata_routing_brings_weights_through():
    X, y = make_classification(300, 6, flip_y=0.3, random_state=0)
    weight = np.where(y == 1, 20.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        student = KEDClassifier(superfeatures=3, **QUICK).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), student)
        pipeline.fit(X, y, sample_weight=weight)
    assert pipeline.predict(X).mean() > 0.7


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s)), lambda s: _through_joblib(s)]
)
def test_copies_predict_the_same(cancer, student, copied):
    twin = copied(student)
    np.testing.assert_array_equal(twin.decision_function(cancer[0]), student.decision_function(cancer[0]))
    np.testing.assert_array_equal(twin.contributions(cancer[0]), student.contributions(cancer[0]))


def _through_joblib(student):
    buffer = io.BytesIO()
    joblib.dump(student, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def test_pickles_are_small_and_clones_unfitted(student):
    assert len(pickle.dumps(student)) < 25_000
    assert not hasattr(pickle.loads(pickle.dumps(student)), "teacher_")
    assert hasattr(copy.deepcopy(student), "teacher_")
    assert not hasattr(clone(student), "network_")


@pytest.mark.parametrize("estimator", [KDClassifier, KDRegressor])
def test_plain_networks_are_students_without_a_teacher(estimator, cancer):
    X, y = cancer
    assert estimator(distillation_weight=0.0, max_parameters=300, random_state=0).fit(X, y).score(X, y) > 0.8


def test_a_black_box_is_explained_on_all_rows_within_the_budget(monkeypatch):
    """By few permutations of each row where all coalitions would cost too much, unless the number of rows is given."""
    rng = np.random.RandomState(0)
    X = rng.rand(60, 6)
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0.8).astype(int)
    asked, explained, explain = [], [], GroupShapleyExplainer.explain

    class Counting(KNeighborsClassifier):
        def predict_proba(self, X):
            asked.append(len(X))
            return super().predict_proba(X)

    def recorded(explainer, X):
        explained.append((explainer.engine, len(X)))
        return explain(explainer, X)

    budget = 60 * (3 * 2 * 5 + 2)  # three pairs of permutations of six superfeatures
    monkeypatch.setattr("skked._students._lessons.MODEL_ROWS", budget)
    monkeypatch.setattr(GroupShapleyExplainer, "explain", recorded)
    settings = {**QUICK, "superfeatures": list(range(6)), "chimeric": False, "cv": 2}
    KEDClassifier(Counting(), **settings).fit(X, y)
    assert {engine for engine, _ in explained} == {"permutation"}
    assert sum(n for _, n in explained) == 60
    assert sum(asked) < budget + 20 * len(X)
    explained.clear()
    KEDClassifier(Counting(), n_explanations=10, **settings).fit(X, y)
    assert {engine for engine, _ in explained} == {"auto"}
    assert 10 <= sum(n for _, n in explained) <= 12


# rarer paths ------------------------------------------------------------------------------------------------------


def test_hidden_units_have_names():
    X, y = load_iris(return_X_y=True)
    student = KDClassifier(LogisticRegression(), max_iter=2, max_parameters=60, cv=2, random_state=0).fit(X, y)
    units = student.transform(X)
    names = student.get_feature_names_out()
    assert units.shape == (150, len(names)) and names[0] == "kdclassifier0" and (units >= 0).all()


def test_batches_and_weights_to_start_from():
    X, y = load_iris(return_X_y=True)
    parameters = {"max_iter": 2, "max_parameters": 60, "cv": 2, "random_state": 0, "superfeatures": [0, 0, 1, 1]}
    student = KEDClassifier(LogisticRegression(), batch_size=1000, warm_start=True, **parameters).fit(X, y)
    first = student.loss_curve_
    assert student.fit(X, y).loss_curve_[-1] < first[-1]
    student.set_params(max_parameters=120).fit(X, y)  # of another size: from the beginning
    alone = clone(student).fit(X, y)
    np.testing.assert_array_equal(student.decision_function(X), alone.decision_function(X))


def test_durations_in_words():
    from skked._students._lessons import in_words

    assert [in_words(t) for t in (0.2, 80, 240, 5000, 7200)] == ["1 s", "80 s", "4 min", "83 min", "2.0 h"]


def test_losses_that_are_not_finite_are_refused_by_automatic_derivatives():
    X, y = load_iris(return_X_y=True)
    student = XDistillationClassifier(LogisticRegression(), learning_rate_init=1e30, max_iter=30, cv=2, random_state=0)
    with pytest.raises(ValueError, match=r"loss became .* Lower learning_rate_init=1e"):
        student.fit(X, y)


def test_automatic_derivatives_stop_when_nothing_gets_better():
    from skked import E2KDClassifier

    X, y = load_iris(return_X_y=True)
    parameters = {"max_iter": 200, "max_parameters": 60, "cv": 2, "random_state": 0, "superfeatures": [0, 0, 1, 1]}
    student = E2KDClassifier(LogisticRegression(), early_stopping=True, n_iter_no_change=2, tol=1.0, **parameters)
    assert len(student.fit(X, y).loss_curve_) < 200
