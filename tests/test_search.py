"""Students chosen by cross-validation, and what dense and narrow students need for it."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_iris, load_wine, make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, matthews_corrcoef
from sklearn.utils.estimator_checks import check_estimator

from skked import KDClassifier, KEDClassifier, KEDClassifierCV, KEDRegressor, KEDRegressorCV

LINEAR = LogisticRegression(solver="newton-cholesky")
QUICK = {"max_parameters": 300, "max_iter": 30, "cv": 3, "random_state": 0}
GRID = {"network": ["additive", "heads"], "explanation_weight": [0.0, 0.7], "distillation_weight": [0.0, 0.8]}


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


def test_chosen_student_is_the_one_that_its_parameters_make(wine):
    searched = KEDClassifierCV(LINEAR, param_grid=GRID, committee_size=1, **QUICK).fit(*wine)
    alone = KEDClassifier(LINEAR, committee_size=1, **QUICK)
    alone.set_params(**searched.best_params_).fit(*wine)
    assert_array_equal(searched.predict_proba(wine[0]), alone.predict_proba(wine[0]))
    assert_array_equal(searched.contributions(wine[0]), alone.contributions(wine[0]))
    assert searched.superfeature_names_ == alone.superfeature_names_


def test_a_committee_teaches_the_chosen_student(wine):
    X, y = wine
    quick = {**QUICK, "max_iter": 100}
    grid = {**GRID, "distillation_weight": [0.4, 0.8]}
    fitted = [KEDClassifierCV(LINEAR, param_grid=grid, committee_size=n, **quick).fit(X, y) for n in (1, 4)]
    assert fitted[0].best_params_ == fitted[1].best_params_
    one, taught = (student.predict_proba(X) for student in fitted)
    assert not np.array_equal(one, taught)
    assert (one.argmax(axis=1) == taught.argmax(axis=1)).mean() > 0.95
    assert not hasattr(fitted[1], "_committee")


def test_frames_with_names_raise_no_warning():
    X, y = load_wine(return_X_y=True, as_frame=True)
    searched = KEDClassifierCV(LINEAR, param_grid={"temperature": [1.0, 3.0]}, **QUICK)
    searched.fit(X, y)
    assert searched.feature_names_in_.tolist() == X.columns.tolist()
    assert set(searched.superfeature_labels_) == set(range(len(searched.superfeature_names_)))


def test_results_are_laid_out_as_in_a_grid_search(wine):
    searched = KEDClassifierCV(LINEAR, param_grid=GRID, **QUICK).fit(*wine)
    results = searched.cv_results_
    assert len(results["params"]) == 8
    folds = np.array([results[f"split{fold}_test_score"] for fold in range(3)])
    assert_allclose(results["mean_test_score"], folds.mean(axis=0))
    assert searched.best_params_ == results["params"][np.argmax(folds.mean(axis=0))]
    assert results["rank_test_score"][searched.best_index_] == 1
    assert searched.best_score_ == results["mean_test_score"].max()
    assert results["param_network"].tolist() == [point["network"] for point in results["params"]]


def test_default_grid_has_many_kinds_and_the_choice_does_not_depend_on_jobs():
    X, y = load_diabetes(return_X_y=True)
    one, two = (KEDRegressorCV(n_jobs=jobs, **QUICK).fit(X[:150], y[:150]) for jobs in (1, 2))
    assert len(one.cv_results_["params"]) >= 20
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert_array_equal(one.predict(X), two.predict(X))
    assert one.n_parameters_ <= 300


def test_a_teacher_that_knows_nothing_is_not_listened_to():
    X, y = make_classification(200, 5, n_informative=4, n_redundant=0, class_sep=2.0, random_state=0)
    grid = {"distillation_weight": [0.0, 0.95]}
    searched = KEDClassifierCV(DummyClassifier(strategy="prior"), param_grid=grid, **QUICK).fit(X, y)
    assert searched.best_params_ == {"distillation_weight": 0.0}


def test_interactions_across_superfeatures_call_for_a_dense_student():
    X = np.random.RandomState(0).uniform(-1, 1, (400, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    grid = {"network": ["additive", "heads"]}
    quick = {**QUICK, "max_iter": 60}
    searched = KEDClassifierCV(superfeatures=[0, 1], param_grid=grid, scoring="accuracy", **quick).fit(X, y)
    additive, dense = searched.cv_results_["mean_test_score"]
    assert searched.best_params_ == {"network": "heads"}
    assert dense > additive + 0.2


@pytest.mark.parametrize(("n_rows", "kind"), [(5000, "heads"), (49, "additive")])
def test_candidates_whose_kind_is_automatic_are_scored_as_what_is_trained(n_rows, kind):
    rng = np.random.RandomState(0)
    X = np.repeat(rng.randn(n_rows, 2), 2, axis=1)
    y = X[:, 0] * X[:, 2]
    teacher = HistGradientBoostingRegressor(max_iter=30, random_state=0)
    common = {"superfeatures": [0, 0, 1, 1], "n_explanations": 100, "max_iter": 20, "cv": None, "random_state": 0}
    grid = {"distillation_weight": [0.0, 0.4], "explanation_weight": [0.3]}
    students = [
        KEDRegressorCV(teacher, param_grid=points, **common).fit(X, y)
        for points in (
            grid,
            [
                {**grid, "distillation_weight": [0.0], "network": ["additive"]},
                {**grid, "distillation_weight": [0.4], "network": [kind]},
            ],
        )
    ]
    left_open, named = students
    assert left_open.network_.is_additive is (kind == "additive")
    assert_array_equal(left_open.cv_results_["mean_test_score"], named.cv_results_["mean_test_score"])
    assert_array_equal(left_open.predict(X), named.predict(X))


def test_what_a_committee_teaches_keeps_the_kind_that_was_scored():
    X, y = load_iris(return_X_y=True)
    common = {"superfeatures": [0, 0, 1, 1], "max_parameters": 53, "max_iter": 5, "cv": 2, "random_state": 0}
    grid = {"distillation_weight": [0.0], "explanation_weight": [0.7], "max_features": [None], "alpha": [0.1, 0.2]}
    searched = KEDClassifierCV(LogisticRegression(), param_grid=grid, **common).fit(X, y)
    assert searched.network_.is_additive  # who learns from labels alone is; with explanations 53 numbers are too few


def test_who_does_best_without_a_teacher_is_not_advised_by_those_that_it_misled():
    X, y = load_iris(return_X_y=True)
    wrong = FrozenEstimator(LogisticRegression(max_iter=1000).fit(X, (y + 1) % 3))
    grid = {"distillation_weight": [0.0, 0.4, 0.8]}
    searched = KEDClassifierCV(wrong, param_grid=grid, max_iter=100, random_state=0).fit(X, y)
    assert searched.best_params_ == {"distillation_weight": 0.0}
    assert searched.score(X, y) > 0.9


def test_a_committee_counts_for_as_much_as_the_folds_say():
    grid = {"distillation_weight": [0.8, 0.9], "network": ["heads"]}
    common = {"param_grid": grid, "max_iter": 100, "random_state": 0}
    X, y = load_iris(return_X_y=True)
    wrong = FrozenEstimator(LogisticRegression(max_iter=1000).fit(X, (y + 1) % 3))
    misled = KEDClassifierCV(wrong, **common).fit(X, y)
    assert misled.committee_weight_ == 0.3
    assert misled.score(X, y) > 0.9

    rng = np.random.RandomState(0)
    X = rng.normal(size=(5000, 8))
    y = (rng.uniform(size=5000) < 1 / (1 + np.exp(-X.sum(axis=1) / 2))).astype(int)
    knows = FrozenEstimator(LogisticRegression().fit(X, y))
    advised = KEDClassifierCV(knows, **common).fit(X[:200], y[:200])
    assert advised.committee_weight_ == 0.9
    alone = advised.set_params(committee_size=1).fit(X[:200], y[:200])
    assert np.isnan(alone.committee_weight_)

    lies = FrozenEstimator(LogisticRegression().fit(X, 1 - y))
    grid = {"distillation_weight": [0.0], "alpha": [0.1, 0.2]}
    unmoved = KEDClassifierCV(lies, **{**common, "param_grid": grid}).fit(X[:200], y[:200])
    assert unmoved.committee_weight_ >= 0.8  # the committee's weight, which did not listen, and not the teacher's


def test_students_are_judged_by_rows_that_they_did_not_see():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(90, 30)), rng.randint(2, size=90)
    searched = KEDClassifierCV(
        FrozenEstimator(DummyClassifier(strategy="prior").fit(X, y)),
        param_grid={"network": ["heads"], "distillation_weight": [0.0], "alpha": [0.0], "max_features": [None, 5]},
        scoring="accuracy",
        max_parameters=2000,
        committee_size=1,
        random_state=0,
    ).fit(X, y)
    assert searched.score(X, y) > 0.85  # memorised
    assert (searched.cv_results_["mean_test_score"] < 0.68).all()  # by chance 0.5 ± 0.053


@pytest.mark.parametrize("scoring", ["balanced_accuracy", make_scorer(matthews_corrcoef)])
def test_any_scorer_may_choose(wine, scoring):
    searched = KEDClassifierCV(param_grid={"distillation_weight": [0.0, 0.8]}, scoring=scoring, **QUICK).fit(*wine)
    assert 0.7 < searched.best_score_ <= 1.0


def test_unknown_parameters_of_the_grid_are_named(wine):
    with pytest.raises(ValueError, match="no_such"):
        KEDClassifierCV(param_grid={"no_such": [1]}, **QUICK).fit(*wine)
    with pytest.raises(ValueError, match="temperature"):
        KEDClassifierCV(param_grid={"temperature": [-1.0]}, **QUICK).fit(*wine)
    with pytest.raises(ValueError, match="param_grid is empty"):
        KEDClassifierCV(param_grid=[], **QUICK).fit(*wine)
    searched = KEDClassifierCV(param_grid={"teacher": [None]}, **QUICK)
    with pytest.raises(ValueError, match="teacher"):
        searched.fit(*wine)
    assert not hasattr(searched, "cv_results_")


@pytest.mark.parametrize(
    "grid", [{"max_parameters": [500, 5]}, {"superfeatures": [99]}, {"no_such": [1]}, {"committee_size": [1, 4]}]
)
def test_what_no_candidate_can_be_is_refused_before_the_teacher_is_fitted(wine, grid):
    (name,) = grid
    with pytest.raises(ValueError, match=name):
        KEDClassifierCV(DummyClassifier(strategy="fails at its fit"), param_grid=grid, **QUICK).fit(*wine)


def test_a_grid_may_give_a_budget_where_the_search_has_none_that_suffices(wine):
    searched = KEDClassifierCV(LINEAR, param_grid={"max_parameters": [300]}, **QUICK)
    assert 5 < searched.set_params(max_parameters=5).fit(*wine).n_parameters_ <= 300


def test_heads_that_were_not_taught_explain_without_touching_the_score(wine):
    X, y = wine
    common = {**QUICK, "superfeatures": 4, "chimeric": False}
    dense = KDClassifier(LINEAR, max_features=None, **{**QUICK, "chimeric": False}).fit(X, y)
    heads = KEDClassifier(LINEAR, network="heads", explanation_weight=0.0, **common)
    heads.set_params(max_features=None, committee_size=1).fit(X, y)
    taught = KEDClassifier(LINEAR, **common).fit(X, y)
    assert heads.n_parameters_ == dense.n_parameters_
    assert_allclose(heads.predict_proba(X), dense.predict_proba(X), atol=0.02)  # the base differs a little
    score = heads.explanation_base_ + heads.contributions(X).sum(axis=1)
    assert_allclose(score, heads.decision_function(X), atol=1e-5)
    apart = heads.contributions(X) - heads.contributions(X).mean(axis=0)
    wanted = taught.contributions(X) - taught.contributions(X).mean(axis=0)
    assert np.corrcoef(apart.ravel(), wanted.ravel())[0, 1] > 0.7


def test_few_columns_are_the_ones_that_tell():
    X, y = make_classification(
        400, 40, n_informative=4, n_redundant=0, shuffle=False, class_sep=1.5, n_clusters_per_class=1, random_state=0
    )
    student = KDClassifier(max_features=4, max_parameters=200, max_iter=60, random_state=0).fit(X, y)
    (read,) = student.network_.inputs
    assert len(read) == 4 and len(set(read) & {0, 1, 2, 3}) >= 3
    everything = KDClassifier(max_features=None, max_parameters=200, max_iter=60, random_state=0).fit(X, y)
    assert student.score(X, y) > everything.score(X, y) - 0.05


def test_additive_students_read_a_column_of_every_superfeature():
    X, y = load_diabetes(return_X_y=True)
    student = KEDRegressor(superfeatures=[0, 0, 0, 1, 1, 1, 2, 2, 2, 2], max_features=3, **QUICK).fit(X, y)
    assert [len(columns) for columns in student.network_.inputs] == [1, 1, 1]


def test_budgets_below_one_unit_of_all_columns_are_spent_on_fewer():
    X, y = make_classification(200, 300, n_informative=10, random_state=0)
    student = KDClassifier(LogisticRegression(), max_parameters=200, max_iter=20, random_state=0).fit(X, y)
    assert student.n_parameters_ <= 200
    with pytest.raises(ValueError, match="max_parameters=200"):
        student.set_params(max_features=None).fit(X, y)


@pytest.mark.parametrize("searched", [KEDClassifierCV, KEDRegressorCV])
def test_scikit_learn_checks(searched):
    """The battery of tests/test_common.py with one candidate in place of two dozen, to spare the minutes."""
    estimator = searched(param_grid={"network": ["heads"]}, committee_size=1, max_iter=100)
    results = check_estimator(estimator, on_skip=None, on_fail="raise")
    statuses = Counter(result["status"] for result in results)
    assert statuses["passed"] >= 60, statuses
    assert set(statuses) <= {"passed", "skipped"}, statuses


def test_a_search_for_numbers_has_other_candidates():
    from skked import KEDRegressorCV

    rng = np.random.RandomState(0)
    X = rng.normal(size=(80, 2))
    quick = {"max_iter": 2, "max_parameters": 60, "cv": 2, "random_state": 0}
    student = KEDRegressorCV(**quick).fit(X, X[:, 0])
    assert not any("temperature" in parameters for parameters in student.cv_results_["params"])
