"""Group Shapley values: one game, whatever engine computes it."""

import importlib
import json
import os
import subprocess
import sys
import warnings
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC

from skked import ExplainingTeacherRegressor, GroupShapleyExplainer, KEDClassifier
from skked._teachers import TeacherScores, default_teacher

LABELS = np.array([0, 1, 0, 2, 3, 2])
WEIGHT = np.array([0.5, 2.0, 1.0, 0.3, 1.0, 0.7, 1.5])


def shapley_by_permutations(f, x, background, weight, labels):
    """The definition: mean marginal contribution over all orders of the players."""
    n_players = labels.max() + 1
    weight = weight / weight.sum()

    def value(members):
        return weight @ f(np.where(np.isin(labels, members), x, background))

    orders = list(permutations(range(n_players)))
    phi = np.zeros((n_players, *np.shape(value([]))))
    for order in orders:
        for k, player in enumerate(order):
            phi[player] += (value(order[: k + 1]) - value(order[:k])) / len(orders)
    return phi


def explain(teacher, X, rows, labels=LABELS, **options):
    options = {"random_state": 0, **options}
    return GroupShapleyExplainer(labels, **options).fit(teacher, X).explain(rows)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6))
    return X, X[:, 0] * X[:, 1] + X[:, 2] + 0.5 * X[:, 3] * X[:, 5]


@pytest.fixture(scope="module")
def frame(table):
    """Numbers and texts, both with missing cells; the columns of a superfeature are apart."""
    X, _ = table
    D = pd.DataFrame(X.copy(), columns=list("abcdef"))
    D["colour"] = np.where(X[:, 0] > 0.3, "red", np.where(X[:, 1] > 0, "blue", "green"))
    D["size"] = pd.Categorical(np.where(X[:, 2] > 0, "big", "small"))
    D.loc[::7, "b"] = np.nan
    D.loc[::11, "colour"] = None
    return D


FRAME_GROUPS = {"first": ["a", "c", "colour"], "second": ["b", "size"], "third": ["d"], "rest": ["e", "f"]}


def columnwise_steps():
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["a", "b", "c"]),
            ("texts", OneHotEncoder(handle_unknown="ignore", min_frequency=5), ["colour", "size"]),
            ("bins", KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"), ["e"]),
            ("dropped", "drop", ["d"]),
        ],
        remainder=QuantileTransformer(n_quantiles=20),
    )


# ------------------------------------------------------------------------------------------------ the game itself


def test_enumeration_is_the_definition(table):
    X, y = table
    teacher = RandomForestClassifier(10, random_state=0).fit(X, np.digitize(y, [-0.5, 0.5]))
    background = X[:7]
    result = explain(
        lambda rows: teacher.predict_proba(rows),
        X,
        X[20:23],
        background=background,
        background_weight=WEIGHT,
        engine="enumeration",
    )
    expected = [shapley_by_permutations(teacher.predict_proba, x, background, WEIGHT, LABELS) for x in X[20:23]]
    np.testing.assert_allclose(result.phi, expected, atol=1e-14)
    np.testing.assert_allclose(result.base, WEIGHT @ teacher.predict_proba(background) / WEIGHT.sum(), atol=1e-14)
    assert result.standard_error is None
    assert result.n_evaluations == 7 + 3 * (1 + (2**4 - 2) * 7)


def test_counts_every_model_row_and_says_so_before(table, capsys):
    X, _ = table
    calls = []

    def teacher(rows):
        calls.append(len(rows))
        return rows[:, 0] * rows[:, 1]

    for engine in ("enumeration", "sampling", "permutation"):
        calls.clear()
        explainer = GroupShapleyExplainer(LABELS, background=9, engine=engine, random_state=0, verbose=1)
        result = explainer.fit(teacher, X).explain(X[:40])
        spent = sum(calls) - (9 if engine == "permutation" else 0)
        assert result.n_evaluations == spent <= explainer.budget(40)
        assert f"{explainer.budget(40):,} model rows" in capsys.readouterr().out


TEACHERS = {
    "boosting": (HistGradientBoostingClassifier(max_iter=10), "tree", "margin"),
    "forest": (RandomForestClassifier(10, max_depth=5), "tree", "log_odds"),
    "logistic": (LogisticRegression(), "linear", "margin"),
    "network": (make_pipeline(StandardScaler(), MLPClassifier((8, 8), max_iter=400, tol=1e-2)), "network", "log_odds"),
    "bayes": (GaussianNB(), "enumeration", "log_odds"),
    "svc": (make_pipeline(StandardScaler(), SVC()), "enumeration", "margin"),
    "frozen": (FrozenEstimator(LogisticRegression()), "linear", "margin"),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", TEACHERS)
def test_every_engine_plays_the_same_game(table, name, n_classes):
    X, y = table
    y = np.digitize(y, [0] if n_classes == 2 else [-0.5, 0.5])
    teacher, engine, response = TEACHERS[name]
    inner = teacher.estimator if name == "frozen" else teacher
    inner.set_params(**{key: 0 for key in inner.get_params() if key.endswith("random_state")}).fit(X, y)
    options = {"background": X[:7], "background_weight": WEIGHT}
    fast = explain(teacher, X, X[:9], **options)
    exact = explain(teacher, X, X[:9], engine="enumeration", **options)
    assert (fast.engine, fast.response) == (engine, response)
    assert fast.phi.shape == (9, 4, n_classes)
    np.testing.assert_allclose(fast.phi, exact.phi, atol=2e-6 if name in ("network", "forest") else 1e-12)
    np.testing.assert_allclose(fast.base, exact.base, atol=1e-12)
    np.testing.assert_allclose(fast.base + fast.phi.sum(axis=1), exact.base + exact.phi.sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(fast.phi.sum(axis=2), 0, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "response"), [("boosting", "margin"), ("boosting", "probability"), ("logistic", "margin")]
)
def test_closed_forms_ask_for_no_model_rows(table, name, response):
    X, y = table
    teacher = clone(TEACHERS[name][0]).fit(X, y > 0)
    explainer = GroupShapleyExplainer(LABELS, background=5, response=response, random_state=0).fit(teacher, X)
    found = explainer.explain(X[:2])
    assert found.engine == TEACHERS[name][1]
    assert explainer.budget(40) == found.n_evaluations == 0


@pytest.mark.parametrize(
    ("last", "engine"),
    [
        (LogisticRegression(), "linear"),
        (HistGradientBoostingClassifier(max_iter=10), "tree"),
        (MLPClassifier((8,), max_iter=400, random_state=0, tol=1e-2), "network"),
        (RandomForestClassifier(5, max_depth=4, random_state=0), "tree"),
        (GaussianNB(), "enumeration"),
    ],
)
def test_pipelines_are_looked_through(table, frame, last, engine):
    y = np.digitize(table[1], [-0.5, 0.5])
    teacher = TeacherScores(make_pipeline(columnwise_steps(), last).fit(frame, y), frame, temperature=2.0)
    options = {"labels": FRAME_GROUPS, "background": frame[:7], "background_weight": WEIGHT}
    fast = explain(teacher, frame, frame[100:109], **options)
    whole = explain(lambda rows: teacher(rows), frame, frame[100:109], **options)
    assert (fast.engine, whole.engine) == (engine, "enumeration")
    np.testing.assert_allclose(fast.phi, whole.phi, atol=2e-6 if teacher.response == "log_odds" else 1e-12)
    np.testing.assert_allclose(fast.base + fast.phi.sum(axis=1), teacher(frame[100:109]), atol=1e-10)
    assert np.abs(fast.phi[:, 2]).max() < 1e-6  # its only column is dropped


@pytest.mark.parametrize(
    "step",
    [
        PCA(3),
        FunctionTransformer(lambda X: X - X.mean(axis=1, keepdims=True)),
        FunctionTransformer(lambda X: X[:, ::-1]),
    ],
)
def test_steps_that_mix_columns_are_not_looked_through(table, step):
    X, y = table
    teacher = make_pipeline(step, Ridge()).fit(X, y)
    explainer = GroupShapleyExplainer(LABELS, background=X[:7], random_state=0).fit(teacher, X)
    result = explainer.explain(X[:5])
    assert result.engine == "enumeration"
    assert "one by one" in explainer.passed_over_["linear"]
    np.testing.assert_allclose(result.base + result.phi.sum(axis=1), teacher.predict(X[:5])[:, None], atol=1e-12)


@pytest.mark.parametrize("n_superfeatures", [6, 13])
def test_links_of_trees(n_superfeatures):
    """Exact with few superfeatures; sampled on leaves, not on the teacher, with many."""
    X, y = load_digits(n_class=3, return_X_y=True)
    labels = np.arange(64) % n_superfeatures
    for teacher, response in (
        (HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=5), "probability"),
        (RandomForestClassifier(5, max_depth=3, random_state=0), "log_odds"),
    ):
        teacher.fit(X, y)
        options = {"labels": labels, "background": 4, "response": response}
        fast = explain(teacher, X, X[:3], **options)
        exact = explain(teacher, X, X[:3], engine="enumeration", **options)
        assert fast.engine == "tree"
        size = np.sqrt(np.mean(exact.phi**2))
        np.testing.assert_allclose(fast.phi, exact.phi, atol=2e-6 if n_superfeatures < 12 else 0.4 * size)
        np.testing.assert_allclose(fast.base + fast.phi.sum(axis=1), exact.base + exact.phi.sum(axis=1), atol=1e-12)


def test_regressors_and_callables(table):
    X, y = table
    for teacher, engine in (
        (HistGradientBoostingRegressor(max_iter=10), "tree"),
        (make_pipeline(StandardScaler(), Ridge()), "linear"),
        (MLPRegressor(hidden_layer_sizes=(8,), max_iter=1000, random_state=0, tol=1e-2, activation="tanh"), "network"),
    ):
        teacher.fit(X, y)
        fast = explain(teacher, X, X[:9], background=X[:7])
        black_box = explain(teacher.predict, X, X[:9], background=X[:7])
        assert (fast.engine, black_box.engine) == (engine, "enumeration")
        assert fast.response == "prediction"
        np.testing.assert_allclose(fast.phi, black_box.phi, atol=1e-12 if engine != "network" else 2e-6)


def test_students_explain_themselves(table, frame):
    """Additive students have a closed form while the groups respect their branches, and are networks otherwise."""
    y = np.digitize(table[1], [-0.5, 0.5])
    teacher = make_pipeline(columnwise_steps(), LogisticRegression())
    quick = {"max_parameters": 200, "max_iter": 2, "cv": 2, "random_state": 0}
    student = KEDClassifier(teacher, superfeatures=FRAME_GROUPS, network="additive", **quick).fit(frame, y)
    coarser = {"first": ["a", "c", "colour", "b", "size"], "rest": ["d", "e", "f"]}
    across = {"one": ["a", "b", "d", "e"], "two": ["c", "colour", "size", "f"]}
    for groups, engine in ((FRAME_GROUPS, "linear"), (coarser, "linear"), (across, "network")):
        fast = explain(student, frame, frame[:5], labels=groups, background=frame[:7])
        exact = explain(student, frame, frame[:5], labels=groups, background=frame[:7], engine="enumeration")
        assert fast.engine == engine
        np.testing.assert_allclose(fast.phi, exact.phi, atol=1e-6)


class AdditiveMachine(ClassifierMixin, BaseEstimator):
    """The attributes of an explainable boosting machine, with one term for two columns."""

    term_features_ = ((0, 2), (1,), (3,), (4,), (5,))
    intercept_ = np.array([0.3])

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def eval_terms(self, X):
        return np.column_stack([X[:, 0] * X[:, 2], np.sin(X[:, 1]), X[:, 3], X[:, 4] ** 2, -X[:, 5]])

    def decision_function(self, X):
        return self.intercept_ + self.eval_terms(X).sum(axis=1)


def test_additive_terms_within_superfeatures(table):
    X, y = table
    machine = AdditiveMachine().fit(X, y > 0)
    fast = explain(machine, X, X[:5], background=X[:7])
    exact = explain(machine, X, X[:5], background=X[:7], engine="enumeration")
    assert fast.engine == "linear"
    np.testing.assert_allclose(fast.phi, exact.phi, atol=1e-13)
    assert explain(machine, X, X[:5], labels=np.array([0, 1, 1, 2, 3, 2])).engine == "enumeration"


@pytest.mark.parametrize("n_classes", [2, 3])
def test_explainable_boosting_machines(table, n_classes):
    glassbox = pytest.importorskip("interpret.glassbox", exc_type=ImportError)
    X, y = table
    machine = glassbox.ExplainableBoostingClassifier(
        interactions=[(0, 2)] if n_classes == 2 else 0, max_rounds=30, outer_bags=2, n_jobs=1, random_state=0
    )
    machine.fit(X, y > 0 if n_classes == 2 else np.digitize(y, [-0.5, 0.5]))
    options = {"background": X[:7], "background_weight": WEIGHT}
    fast = explain(machine, X, X[:5], **options)
    exact = explain(machine, X, X[:5], engine="enumeration", **options)
    assert fast.engine == "linear" and fast.response == "margin"
    np.testing.assert_allclose(fast.phi, exact.phi, atol=1e-12)
    if n_classes == 2:  # the pair is in no one superfeature
        assert explain(machine, X, X[:5], labels=np.arange(6), **options).engine == "enumeration"


@pytest.mark.parametrize(
    ("last", "engine"), [(LogisticRegression(), "linear"), (HistGradientBoostingClassifier(max_iter=5), "tree")]
)
def test_skrub_is_looked_through(table, frame, last, engine):
    skrub = pytest.importorskip("skrub", exc_type=ImportError)
    teacher = skrub.tabular_pipeline(last).fit(frame, table[1] > 0)
    options = {"labels": FRAME_GROUPS, "background": frame[:7]}
    fast = explain(teacher, frame, frame[100:105], **options)
    exact = explain(teacher, frame, frame[100:105], engine="enumeration", **options)
    assert fast.engine == engine
    np.testing.assert_allclose(fast.phi, exact.phi, atol=1e-6)  # skrub computes in float32


RAW_TABLES = ["adult", "credit_default", "credit_g", "fars", "connect4", "mice_protein", "diamonds", "nycflights"]


@pytest.mark.parametrize("name", ["generated", *RAW_TABLES])
def test_strings_and_missing_cells_reach_the_fast_engines(frame, table, name):
    """Raw tables with the default teacher, a forest and a linear model: no fallback to coalitions of model rows."""
    if name == "generated":
        X, y = frame, np.where(table[1] > 0, "yes", "no")
    else:
        X, y = raw_table(name)
    numbers = [column for column in X if X[column].dtype.kind in "iuf"]
    texts = [column for column in X if column not in numbers]
    steps = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore", min_frequency=5, sparse_output=False), texts),
        ]
    )
    regresses = y.dtype.kind == "f"
    forest = (RandomForestRegressor if regresses else RandomForestClassifier)(5, max_depth=6, random_state=0)
    linear = Ridge() if regresses else LogisticRegression(max_iter=1000)
    boosting = default_teacher("regression" if regresses else "classification", X, random_state=0)
    boosting.set_params(**{key: 5 for key in boosting.get_params() if key.endswith("max_iter")})
    labels = np.arange(X.shape[1]) % 6
    for teacher, engine in (
        (boosting, "tree"),
        (make_pipeline(steps, forest), "tree"),
        (make_pipeline(steps, linear), "linear"),
    ):
        teacher.fit(X, y)
        result = explain(teacher, X, X[:20], labels=labels, background=X[20:50])
        assert result.engine == engine
        assert result.n_evaluations == 0
        assert np.isfinite(result.phi).all()


def raw_table(name):
    """600 rows of a shared table; the folder is named by SKKED_DATA."""
    folder = os.environ.get("SKKED_DATA")
    if not folder:
        pytest.skip("SKKED_DATA names no folder of tables")
    X = pd.read_parquet(Path(folder) / f"{name}.parquet")
    X = X.sample(600, random_state=0).reset_index(drop=True)
    y = X.pop("target").to_numpy()
    assert X.isna().any().any() or any(dtype.kind not in "iuf" for dtype in X.dtypes)
    return X, y.astype(float) if name in ("diamonds", "nycflights") else y.astype(str)


def test_torch_networks(table):
    torch = pytest.importorskip("torch")
    X, _ = table
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Linear(6, 8),
            torch.nn.GELU(),
            torch.nn.Dropout(),
            torch.nn.Sequential(torch.nn.Linear(8, 5), torch.nn.LeakyReLU()),
            torch.nn.Linear(5, 3),
            torch.nn.Softmax(1),
        ).eval()

    def black_box(rows):
        with torch.inference_mode():
            return network(torch.from_numpy(rows).float()).numpy()

    fast = explain(network, X, X[:9], background=X[:7])
    exact = explain(black_box, X, X[:9], background=X[:7])
    assert (fast.engine, exact.engine) == ("network", "enumeration")
    np.testing.assert_allclose(fast.phi, exact.phi, atol=1e-6)


def test_agrees_with_kernel_explainer():
    shap = pytest.importorskip("shap", exc_type=ImportError)
    from shap.utils._legacy import DenseData

    X, y = load_breast_cancer(return_X_y=True)
    teacher = RandomForestClassifier(20, random_state=0).fit(X, y)
    labels = np.arange(30) // 5
    groups = [np.flatnonzero(labels == g) for g in range(6)]
    ours = explain(teacher, X, X[:3], labels=labels, background=X[100:110], response="probability")
    data = DenseData(X[100:110], [f"g{g}" for g in range(6)], groups)
    theirs = shap.KernelExplainer(teacher.predict_proba, data).shap_values(
        X[:3], nsamples=100, l1_reg=False, silent=True
    )
    np.testing.assert_allclose(ours.phi, theirs, atol=1e-9)


# ------------------------------------------------------------------------------------------ properties of the game


def random_game(seed, n_features):
    """A random polynomial with interactions up to order three."""
    rng = np.random.default_rng(seed)
    terms = [(rng.normal(), rng.choice(n_features, size=rng.integers(1, 4), replace=False)) for _ in range(8)]
    return lambda rows: sum(weight * np.prod(np.sin(rows[:, columns]), axis=1) for weight, columns in terms)


ENGINES = st.sampled_from(["enumeration", "sampling", "permutation"])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), engine=ENGINES)
def test_property_efficiency(seed, engine):
    X = np.random.default_rng(seed).normal(size=(20, 7))
    f = random_game(seed, 7)
    result = explain(f, X, X[:4], labels=np.arange(7), background=3, engine=engine, n_coalitions=20)
    np.testing.assert_allclose(result.base + result.phi.sum(axis=1), f(X[:4])[:, None], atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_property_symmetry_dummy_linearity(seed):
    X = np.random.default_rng(seed).normal(size=(20, 6))
    X[:, 1] = X[:, 0]  # the symmetric players are equal in the rows and enter alike
    f, g = random_game(seed, 4), random_game(seed + 1, 4)

    def first(rows):
        return f(np.column_stack([rows[:, 0] * rows[:, 1], rows[:, 2:5]]))

    def second(rows):
        return g(np.column_stack([rows[:, 0] + rows[:, 1], rows[:, 2:5]]))

    def phi(teacher):
        return explain(teacher, X, X[:4], labels=np.arange(6), background=X[:5]).phi

    np.testing.assert_allclose(phi(first)[:, 0], phi(first)[:, 1], atol=1e-13)
    np.testing.assert_allclose(phi(first)[:, 5], 0, atol=1e-13)
    both = phi(lambda rows: 2 * first(rows) - 3 * second(rows))
    np.testing.assert_allclose(both, 2 * phi(first) - 3 * phi(second), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_property_permutation_and_quotient(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20, 6))
    f, g = random_game(seed, 3), random_game(seed + 1, 3)

    def teacher(rows):
        return f(rows[:, :3]) + g(rows[:, 3:])

    labels = np.array([0, 1, 2, 3, 4, 5])
    phi = explain(teacher, X, X[:4], labels=labels, background=X[:5]).phi
    order = rng.permutation(6)
    permuted = explain(teacher, X, X[:4], labels=order, background=X[:5]).phi
    np.testing.assert_allclose(permuted[:, order], phi, atol=1e-13)
    # Players 2 and 3 do not interact, so merging them adds their values and changes no other.
    merged = explain(teacher, X, X[:4], labels=np.array([0, 1, 2, 2, 3, 4]), background=X[:5]).phi
    np.testing.assert_allclose(merged[:, 2], phi[:, 2] + phi[:, 3], atol=1e-12)
    np.testing.assert_allclose(merged[:, [0, 1, 3, 4]], phi[:, [0, 1, 4, 5]], atol=1e-12)


# ------------------------------------------------------------------------------------------------------- estimates


@pytest.fixture(scope="module")
def digits_network():
    X, y = load_digits(return_X_y=True)
    teacher = MLPClassifier((32,), max_iter=60, random_state=0, tol=1e-2).fit(X / 16, y)
    labels = np.arange(64) // 6  # eleven superfeatures
    options = {"labels": labels, "background": 10}
    exact = explain(teacher, X / 16, X[:40] / 16, **options)
    assert exact.engine == "network" and exact.standard_error is None
    return teacher, X / 16, options, exact


def test_sampling_stops_at_the_tolerance_and_says_its_error(digits_network):
    teacher, X, options, exact = digits_network
    size = np.sqrt(np.mean(exact.phi**2))
    for tolerance in (0.1, 0.03):
        estimate = explain(teacher.predict_proba, X, X[:40], engine="sampling", tolerance=tolerance, **options)
        reference = explain(teacher.predict_proba, X, X[:40], engine="enumeration", **options)
        size = np.sqrt(np.mean(reference.phi**2))
        error = estimate.phi - reference.phi
        assert np.median(estimate.standard_error) <= 1.2 * tolerance * size
        assert np.sqrt(np.mean(error**2)) <= 2.5 * tolerance * size
        assert 0.85 <= np.mean(np.abs(error) <= 1.96 * estimate.standard_error) <= 0.995
        assert estimate.n_evaluations < reference.n_evaluations / 4


def test_many_rows_teach_each_other_and_their_standard_errors_hold():
    X = np.random.default_rng(0).normal(size=(160, 12))
    calls = []

    def teacher(rows):  # by themselves 98 % are within 1.96 standard errors with 64 coalitions, 90 % with 200
        calls.append(len(rows))
        return rows[:, 0] * rows[:, 1] * rows[:, 2] + rows[:, 3] * rows[:, 4] + np.sin(rows[:, 5:].sum(axis=1))

    options = {"superfeatures": np.arange(12), "background": X[:5]}
    exact = GroupShapleyExplainer(engine="enumeration", **options).fit(teacher, X).explain(X)
    for n_coalitions in (64, 200):
        errors, alone, covered = [], [], []
        for seed in range(3):
            calls.clear()
            explainer = GroupShapleyExplainer(
                engine="sampling", n_coalitions=n_coalitions, random_state=seed, **options
            ).fit(teacher, X)
            found = explainer.explain(X)
            assert found.n_evaluations == sum(calls) <= explainer.budget(160)
            errors.append(np.abs(found.phi - exact.phi))
            covered.append(errors[-1] <= 1.96 * found.standard_error)
            alone.append(explainer.explain(X[:100]).phi - exact.phi[:100])
        assert 0.92 <= np.mean(covered) <= 0.98
        assert np.mean(np.square(errors)) < 0.8 * np.mean(np.square(alone))


def test_nothing_is_calibrated_where_nothing_is_uncertain():
    X = np.random.default_rng(0).normal(size=(160, 12))
    constant = explain(lambda rows: np.ones(len(rows)), X, X, labels=np.arange(12), background=3, engine="sampling")
    assert not constant.phi.any() and not constant.standard_error.any()
    few = {"labels": np.arange(12) % 3, "background": 3}
    complete = explain(lambda rows: rows.prod(axis=1), X, X, engine="sampling", **few)
    exact = explain(lambda rows: rows.prod(axis=1), X, X, engine="enumeration", **few)
    np.testing.assert_allclose(complete.phi, exact.phi, atol=1e-6 * np.abs(exact.phi).max())
    assert complete.n_evaluations == exact.n_evaluations


def test_folds_share_their_designs():
    def asked(n_training, n_explained):
        """Coalitions: rows of ones on a background of zeros."""
        seen = []
        explain(lambda rows: seen.append(np.unique(rows, axis=0)) or rows.prod(axis=1), np.zeros((n_training, 13)),
                np.ones((n_explained, 13)), labels=np.arange(13), engine="sampling")  # fmt: skip
        return np.unique(np.concatenate(seen), axis=0)

    np.testing.assert_array_equal(asked(12_000, 150), asked(11_000, 130))


def test_a_constant_teacher_is_settled_by_the_first_coalitions():
    X = np.random.default_rng(0).normal(size=(20, 13))
    constant, additive = (
        explain(f, X, X[:4], labels=np.arange(13), background=3, engine="sampling", tolerance=tolerance)
        for f, tolerance in ((lambda rows: np.ones(len(rows)), 0.01), (lambda rows: rows.sum(axis=1), 0.99))
    )
    assert not constant.phi.any() and constant.n_evaluations == additive.n_evaluations


def test_permutations_are_unbiased(table):
    X, _ = table
    f = random_game(3, 6)
    exact = explain(f, X, X[:5], labels=np.arange(6), background=X[:7], background_weight=WEIGHT)
    many = np.repeat(X[:5], 2000, axis=0)
    noisy = explain(
        f,
        X,
        many,
        labels=np.arange(6),
        background=X[:7],
        background_weight=WEIGHT,
        engine="permutation",
        n_coalitions=20,
    )
    assert noisy.n_evaluations == 7 + len(many) * (1 + 20)
    draws = noisy.phi.reshape(5, 2000, 6)
    error = (draws.mean(axis=1) - exact.phi[:, :, 0]) / (draws.std(axis=1) / np.sqrt(2000))
    assert np.abs(error).max() < 4.5
    assert np.sqrt(np.mean(error**2)) < 1.3


# -------------------------------------------------------------------------------------------- resources and tables


def test_memory_stays_bounded_and_values_do_not_depend_on_it(table):
    X, _ = table
    sizes = []

    def teacher(rows):
        sizes.append(rows.nbytes)
        return rows[:, 0] * rows[:, 1] - rows[:, 3]

    roomy = explain(teacher, X, X[:10], background=30)
    assert max(sizes) > 10_000
    sizes.clear()
    tight = explain(teacher, X, X[:10], background=30, max_bytes=5_000)
    # The first call of each fit scores the background itself.
    assert max(sizes[1:]) <= 5_000 / 4
    np.testing.assert_allclose(tight.phi, roomy.phi, atol=1e-13)


@pytest.mark.parametrize("engine", ["enumeration", "sampling", "permutation"])
def test_n_jobs_changes_nothing(table, engine):
    X, _ = table
    f = make_pipeline(StandardScaler(), Ridge()).fit(X, X[:, 0] * X[:, 1]).predict
    options = {"labels": np.arange(6), "background": 5, "engine": engine, "max_bytes": 20_000, "n_coalitions": 20}
    alone = explain(f, X, X[:50], **options)
    together = explain(f, X, X[:50], n_jobs=2, **options)
    np.testing.assert_array_equal(together.phi, alone.phi)


def test_frames_with_texts_and_missing_cells(frame):
    def teacher(rows):
        assert list(rows.dtypes) == list(frame.dtypes)
        return (rows["colour"] == "red") * rows["a"] + (rows["size"] == "big") * rows["b"].fillna(-1) + rows["e"]

    result = explain(teacher, frame, frame[:10], labels=FRAME_GROUPS)
    np.testing.assert_allclose(result.base + result.phi.sum(axis=1), np.asarray(teacher(frame[:10]))[:, None])
    assert result.superfeature_names == list(FRAME_GROUPS)
    reordered = frame[[*frame.columns[1:], "a"]]
    with pytest.raises(ValueError, match="order"):
        explain(teacher, frame, reordered, labels=FRAME_GROUPS)


def test_ordinal_encoded_texts_reach_the_tree_engine(table, frame):
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    steps = ColumnTransformer([("texts", encoder, ["colour", "size"])], remainder="passthrough")
    steps.set_output(transform="pandas")
    teacher = make_pipeline(steps, HistGradientBoostingRegressor(max_iter=5)).fit(frame, table[1])
    fast = explain(teacher, frame, frame[:5], labels=FRAME_GROUPS, background=frame[:7])
    exact = explain(teacher, frame, frame[:5], labels=FRAME_GROUPS, background=frame[:7], engine="enumeration")
    assert fast.engine == "tree"
    np.testing.assert_allclose(fast.phi, exact.phi, atol=1e-13)


def test_default_background(table):
    """Few weighted medoids for engines that pay per row, all rows for those that do not."""
    X, y = table
    weight = np.maximum(np.arange(300.0) - 150, 0)
    ridge = Ridge().fit(X, y)
    linear = GroupShapleyExplainer(LABELS, background_weight=weight).fit(ridge, X)
    np.testing.assert_allclose(linear.base_, np.average(ridge.predict(X), weights=weight), atol=1e-12)
    for n_weighted, n_expected in ((150, 100), (30, 30)):
        seen = []

        def teacher(rows, seen=seen):
            seen.append(rows)
            return rows[:, 0]

        weight = (np.arange(300) < n_weighted) * 1.0
        GroupShapleyExplainer(LABELS, background_weight=weight, random_state=0).fit(teacher, X)
        known = {tuple(row) for row in X[:n_weighted]}
        assert len(seen[0]) <= n_expected and all(tuple(row) in known for row in seen[0])


def test_to_shap(table):
    X, y = table
    binary = LogisticRegression().fit(X, y > 0)
    names = {"both": [0, 2], "one": [1], "pair": [3, 5], "single": [4]}
    result = explain(binary, X, X[:5], labels=names).to_shap()
    np.testing.assert_allclose(result.base_values + result.values.sum(axis=1), binary.decision_function(X[:5]))
    assert result.feature_names == list(names)
    assert result.data[0, 3] == X[0, 4] and result.data[0, 0].startswith("x0=")
    three = LogisticRegression().fit(X, np.digitize(y, [-0.5, 0.5]))
    assert explain(three, X, X[:5]).to_shap().values.shape == (5, 4, 3)


@pytest.mark.parametrize(
    "name", ["trees", "peers", "black_box", "coalitions", "floors", "single_features", "training_target"]
)
def test_tables_of_the_guide_are_what_the_benchmarks_wrote(name):
    pytest.importorskip("shap", exc_type=ImportError)
    root = Path(__file__).parents[1]
    results = root / "benchmarks" / "results" / f"explanations-{name.replace('_', '-')}.json"
    render = importlib.import_module(f"benchmarks.explanations.{name}").render
    assert render(json.loads(results.read_text())) in (root / "docs" / "explanations.md").read_text(encoding="utf-8")


def test_import_is_light():
    code = "import sys, skked; skked.GroupShapleyExplainer; print({'torch', 'shap', 'numba'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


# ---------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("superfeatures", "message"),
    [
        ([0, 1, 0], "6 integers"),
        ([0, 1, 0, 3, 3, 1], r"without \[2\]"),
        ({"a": [0, 1], "b": [1, 2, 3, 4, 5]}, "x1"),
        ({"a": [0, 1], "b": [2, 3]}, "leave out columns: 'x4', 'x5'"),
        ({"a": [0, 1, 2, 3, 4, 5], "b": []}, "no column: 'b'"),
        ([[0, 1, 2], [3, 4, 9]], "9"),
        ({"a": ["x0", "y"], "b": [1, 2, 3, 4, 5]}, "'y'"),
    ],
)
def test_superfeatures_that_are_no_partition(table, superfeatures, message):
    with pytest.raises(ValueError, match=message):
        GroupShapleyExplainer(superfeatures).fit(lambda rows: rows[:, 0], table[0])


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (lambda rows: np.full(len(rows), np.nan), "NaN"),
        (lambda rows: rows[:3, 0], r"shape \(3,\)"),
        (lambda rows: rows[:, :, None], "three|shape"),
    ],
)
def test_teachers_that_answer_badly(table, teacher, message):
    with pytest.raises(ValueError, match=message):
        GroupShapleyExplainer(LABELS).fit(teacher, table[0])


def test_other_errors(table, frame):
    X, y = table
    ridge = Ridge().fit(X, y)

    def fit(teacher=ridge, X=X, labels=LABELS, **options):
        return GroupShapleyExplainer(labels, **options).fit(teacher, X)

    with pytest.raises(ValueError, match="6 columns of X, got 5"):
        fit(background=X[:5, :5])
    with pytest.raises(ValueError, match="kind of X"):
        fit(background=frame)
    with pytest.raises(ValueError, match="background row"):
        fit(background=X[:5], background_weight=[1.0, 2.0])
    with pytest.raises(ValueError, match="does not apply to a regressor"):
        fit(response="margin")
    with pytest.raises(ValueError, match='engine="tree" does not apply: Ridge'):
        fit(engine="tree")
    with pytest.raises(ValueError, match='engine="network" does not apply: a callable'):
        fit(ridge.predict, engine="network")
    with pytest.raises(ValueError, match="no link of these trees"):
        fit(HistGradientBoostingClassifier(max_iter=2).fit(X, y > 0), engine="tree", response="log_odds")
    with pytest.raises(ValueError, match="no decision_function"):
        fit(GaussianNB().fit(X, y > 0), response="margin")
    with pytest.raises(TypeError, match="callable"):
        fit("teacher")
    with pytest.raises(ValueError, match="n_coalitions"):
        fit(n_coalitions=0)


# ------------------------------------------------------------------------------------------------ the rarer paths


def torch_model(*layers):
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = {
            "lin": lambda: torch.nn.Linear(6, 6),
            "silu": torch.nn.SiLU,
            "sigmoid": torch.nn.Sigmoid,
            "softmax": lambda: torch.nn.Softmax(1),
            "rough": lambda: torch.nn.GELU(approximate="tanh"),
            "leaky": lambda: torch.nn.LeakyReLU(0.2),
            "norm": lambda: torch.nn.LayerNorm(6),
            "nothing": torch.nn.Identity,
        }
        return torch.nn.Sequential(*(parts[layer]() for layer in layers)).eval()


@pytest.mark.parametrize(
    "layers",
    [
        ["lin", "silu", "lin", "lin", "softmax"],
        ["lin", "sigmoid", "nothing", "lin", "softmax"],
        ["lin", "rough", "lin", "softmax"],
        ["lin", "leaky", "lin", "softmax"],
        ["lin"],
        ["lin", "softmax"],
    ],
)
def test_torch_networks_of_other_layers(layers, table):
    import torch

    network, X = torch_model(*layers), table[0]

    def black_box(rows):
        with torch.inference_mode():
            return network(torch.from_numpy(np.asarray(rows)).float()).numpy()

    found = explain(network, X, X[:6], background=X[:5])
    assert found.engine == "network"
    np.testing.assert_allclose(found.phi, explain(black_box, X, X[:6], background=X[:5]).phi, atol=1e-6)
    # "cpu" is numpy, any other device is torch's
    on_torch = explain(network, X, X[:6], background=X[:5], device="cpu:0", max_bytes=20_000)
    np.testing.assert_allclose(on_torch.phi, found.phi, atol=1e-6)


@pytest.mark.parametrize("response", ["margin", "probability", "log_odds"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("classes", [2, 3])
def test_networks_on_a_torch_device(response, activation, classes, table):
    X, y = table[0], np.digitize(table[0][:, 0], [0.0, 0.5][: classes - 1])
    teacher = MLPClassifier((7, 5), activation=activation, max_iter=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        teacher.fit(X, y)
    background = {"background": X[:20], "background_weight": np.arange(1, 21)}
    by_numpy, by_torch, *by_gpu = (
        explain(teacher, X, X[:9], response=response, device=device, **background)
        for device in ["cpu", "cpu:0", *(["cuda"] if has_gpu() else [])]
    )
    assert by_torch.engine == "network"
    for found in (by_torch, *by_gpu):
        np.testing.assert_allclose(found.phi, by_numpy.phi, atol=1e-5 * np.abs(by_numpy.phi).max())
        np.testing.assert_array_equal(found.base, by_numpy.base)


def has_gpu():
    import torch

    return torch.cuda.is_available()


def test_a_network_that_does_not_fit_into_a_gpu_is_explained_on_the_cpu(table, monkeypatch):
    import torch

    X = table[0]
    teacher = MLPRegressor(hidden_layer_sizes=(5,), max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        teacher.fit(X, X[:, 0])
    expected = explain(teacher, X, X[:9], device="cpu")

    def full(*args, **kwargs):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch, "einsum", full)
    with pytest.warns(UserWarning, match="not enough memory.*on the CPU.*max_bytes"):
        found = explain(teacher, X, X[:9], device="cpu:0")
    np.testing.assert_array_equal(found.phi, expected.phi)


@pytest.mark.parametrize("layers", [["lin", "norm", "lin"], ["softmax"], ["lin", "softmax", "lin"], ["lin", "silu"]])
def test_torch_networks_of_unknown_layers_are_not_read(layers):
    from skked._explanations._network import network_of

    assert network_of(torch_model(*layers)) is None


class Squares(ClassifierMixin, BaseEstimator):
    """Coefficients, but not one per column."""

    def fit(self, X, y):
        self.classes_, self.coef_, self.intercept_ = np.array([0, 1]), np.ones((1, 12)), np.zeros(1)
        return self

    def decision_function(self, X):
        X = np.asarray(X)
        return np.hstack([X, X**2]) @ self.coef_[0]

    def predict(self, X):
        return (self.decision_function(X) > 0).astype(int)


class Bent(Squares):
    """Coefficients per column, whose sum is bent."""

    def fit(self, X, y):
        self.classes_, self.coef_, self.intercept_ = np.array([0, 1]), np.ones((1, 6)), np.zeros(1)
        return self

    def decision_function(self, X):
        return np.tanh(np.asarray(X) @ self.coef_[0])


@pytest.mark.parametrize("teacher", [Squares(), Bent()], ids=lambda each: type(each).__name__)
def test_what_only_looks_additive_is_asked_instead(teacher, table):
    X, y = table
    teacher.fit(X, y > 0)
    found = explain(teacher, X, X[:4], background=X[:5])
    assert found.engine == "enumeration"
    expected = explain(teacher.decision_function, X, X[:4], background=X[:5]).phi[..., 0]
    np.testing.assert_allclose(found.phi[..., 1] - found.phi[..., 0], expected, atol=1e-10)


def test_dense_students_are_no_sums_of_superfeatures(table):
    from skked import KDClassifier

    X, y = table
    student = KDClassifier(GaussianNB(), max_iter=2, max_parameters=100, cv=2, random_state=0).fit(X, y > 0)
    found = explain(student, X, X[:4], background=X[:5])
    exact = explain(student, X, X[:4], background=X[:5], engine="enumeration")
    np.testing.assert_allclose(found.phi, exact.phi, atol=1e-6)


@pytest.mark.parametrize("response", ["probability", "log_odds"])
def test_linear_models_are_not_additive_in_probabilities(response, table):
    X, y = table
    linear = LogisticRegression().fit(X, np.digitize(y, [-0.5, 0.5]))
    found = explain(linear, X, X[:4], background=X[:5], response=response)
    exact = explain(linear, X, X[:4], background=X[:5], response=response, engine="enumeration")
    np.testing.assert_allclose(found.phi, exact.phi, atol=1e-8)


def test_one_superfeature_has_all_and_one_pair_has_no_error(table):
    X, y = table
    teacher = GaussianNB().fit(X, y > 0)
    alone = explain(teacher, X, X[:4], labels=np.zeros(6, int), engine="enumeration", background=X[:5])
    np.testing.assert_allclose(alone.base + alone.phi[:, 0], alone.base + alone.phi.sum(axis=1))
    paired = explain(teacher, X, X[:4], engine="permutation", background=X[:5], n_coalitions=2)
    assert paired.standard_error is None
    many = explain(teacher, X, X[:4], engine="permutation", background=X[:5])
    np.testing.assert_allclose(paired.phi.sum(axis=1), many.phi.sum(axis=1), atol=1e-10)


def test_coalitions_that_are_asked_for_choose_the_engine(table):
    X, y = table
    teacher = SVC().fit(X, y > 0)
    assert explain(teacher, X, X[:2], background=3, n_coalitions=16).engine == "enumeration"
    assert explain(teacher, X, X[:2], background=3, n_coalitions=8).engine == "sampling"


@pytest.mark.parametrize("background", [4, None])
def test_backgrounds_of_engines_that_take_many_rows(background, table, monkeypatch):
    from skked._explanations import _dispatch

    monkeypatch.setattr(_dispatch, "_MAX_BACKGROUND", 50)
    X, y = table
    linear = Ridge().fit(X, y)
    found = explain(linear, X, X[:4], background=background)
    assert found.engine == "linear"
    total = found.base + found.phi.sum(axis=1)
    np.testing.assert_allclose(total, linear.predict(X[:4])[:, None])


def test_shap_of_probabilities_is_of_the_second_class(table):
    X, y = table
    two = LogisticRegression().fit(X, y > 0)
    shown = explain(two, X, X[:5], response="probability").to_shap()
    np.testing.assert_allclose(shown.base_values + shown.values.sum(axis=1), two.predict_proba(X[:5])[:, 1])
    regressor = explain(Ridge().fit(X, y), X, X[:5]).to_shap()
    assert regressor.values.shape == (5, 4)


@pytest.mark.parametrize(
    "step",
    [
        SimpleImputer(),
        KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf"),
        SplineTransformer(3),
        OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False),
        OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist", sparse_output=False),
        MissingIndicator(),
    ],
    ids=lambda each: type(each).__name__,
)
def test_more_steps_are_looked_through(step, table):
    X, y = np.round(table[0]), table[1]
    if isinstance(step, SimpleImputer):
        X = np.hstack([X, np.full((300, 1), np.nan)])
    if isinstance(step, MissingIndicator):
        X[::3, 1], X[::4, 3] = np.nan, np.nan
    labels = np.append(LABELS, 1)[: X.shape[1]]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about columns without a value, and levels that are new
        teacher = make_pipeline(step, Ridge()).fit(X, y)
        found = explain(teacher, X, X[:5], labels=labels, background=X[:7])
        exact = explain(teacher, X, X[:5], labels=labels, background=X[:7], engine="enumeration")
    assert found.engine == "linear"
    np.testing.assert_allclose(found.phi, exact.phi, atol=1e-9)


def test_columns_that_are_selected_in_other_ways(table):
    X, y = table
    D = pd.DataFrame(X, columns=list("abcdef"))
    chosen = ColumnTransformer(
        [
            ("range", StandardScaler(), slice("a", "b")),
            ("name", FunctionTransformer(np.asarray, validate=False), ["c"]),
            ("number", StandardScaler(), slice(3, 4)),
            ("mask", StandardScaler(), np.array([False] * 4 + [True, False])),
            ("none", StandardScaler(), []),
            ("kept", "passthrough", [5]),
        ]
    )
    teacher = make_pipeline(chosen, Ridge()).fit(D, y)
    found = explain(teacher, D, D[:5], background=D[:7])
    exact = explain(teacher, D, D[:5], background=D[:7], engine="enumeration")
    assert found.engine == "linear"
    np.testing.assert_allclose(found.phi, exact.phi, atol=1e-9)


def test_margins_that_networks_keep_to_themselves(table):
    X, y = table
    network = MLPClassifier((4,), max_iter=5, random_state=0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = network.fit(X, np.digitize(y, [-0.5, 0.5]))
        piped = make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=5, random_state=0)).fit(X, y > 0)
    for teacher in (alone, make_pipeline(alone), piped):
        found = explain(teacher, X, X[:4], background=X[:5], response="margin")
        again = explain(teacher, X, X[:4], background=X[:5], response="margin", engine="enumeration")
        np.testing.assert_allclose(found.phi, again.phi, atol=1e-6)
    with pytest.raises(ValueError, match="GaussianNB has no decision_function"):
        explain(GaussianNB().fit(X, y > 0), X, X[:4], response="margin")


def test_shap_takes_over_where_there_are_many_superfeatures_or_a_budget(table):
    pytest.importorskip("shap", exc_type=ImportError)
    X, y = np.random.RandomState(0).normal(size=(60, 12)), np.arange(60) % 2
    teacher = GaussianNB().fit(X, y)
    labels = np.arange(12)
    explainer = GroupShapleyExplainer(labels, engine="shap", background=2, n_coalitions=25, random_state=0)
    found = explainer.fit(teacher, X).explain(X[:2])
    total = found.base + found.phi.sum(axis=1)
    exact = explain(teacher, X, X[:2], labels=labels, background=2)
    np.testing.assert_allclose(total, exact.base + exact.phi.sum(axis=1), atol=1e-8)


def test_superfeatures_of_a_clusterer_that_has_no_names(table):
    from sklearn.cluster import FeatureAgglomeration

    X, y = table
    linear = Ridge().fit(X, y)
    clusters = FeatureAgglomeration(3).fit(X)
    found = explain(linear, X, X[:3], labels=clusters)
    np.testing.assert_allclose(found.phi, explain(linear, X, X[:3], labels=clusters.labels_).phi)
    assert found.phi.shape == (3, 3, 1)


def test_searches_are_looked_into(table):
    from sklearn.model_selection import GridSearchCV

    X, y = table
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}).fit(X, y)
    found = explain(search, X, X[:3], background=X[:5])
    assert found.engine == "linear"
    np.testing.assert_allclose(found.phi, explain(search.best_estimator_, X, X[:3], background=X[:5]).phi)


def test_forests_have_floors_and_trees_with_categories_have_none(table):
    X, y = table
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(7, random_state=0)).fit(X, y > 0)
    found = explain(forest, X, X[:4], background=X[:5], response="log_odds")
    exact = explain(forest, X, X[:4], background=X[:5], response="log_odds", engine="enumeration")
    np.testing.assert_allclose(found.phi, exact.phi, atol=1e-8)


def test_the_floor_of_a_forest_is_half_a_vote_for_each_class(table):
    X, y = table
    forest = RandomForestClassifier(7, random_state=0).fit(X, np.digitize(y, [-0.5, 0.5]))
    votes = 7 * forest.predict_proba(X[:4]) + 1 / 2
    logs = np.log(votes / votes.sum(axis=1, keepdims=True))
    found = explain(forest, X, X[:4], background=X[:5])
    total = found.base + found.phi.sum(axis=1)
    np.testing.assert_allclose(total, logs - logs.mean(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize(
    ("last", "response"),
    [
        (LogisticRegression(), "margin"),
        *((HistGradientBoostingClassifier(max_iter=4), response) for response in ("margin", "probability")),
    ],
)
def test_a_last_superfeature_that_is_dropped_on_the_way_has_nothing(last, response, table):
    X, y = table
    kept = ColumnTransformer([("kept", "passthrough", [0, 1, 2, 3, 5])])
    teacher = make_pipeline(kept, last).fit(X, y > 0)
    found = explain(teacher, X, X[:4], background=X[:5], response=response)
    exact = explain(teacher, X, X[:4], background=X[:5], response=response, engine="enumeration")
    assert found.engine in ("linear", "tree") and not found.phi[:, 3].any()
    np.testing.assert_allclose(found.phi, exact.phi, atol=1e-12)


@pytest.mark.parametrize("response", ["probability", "margin"])
def test_pipelines_are_explained_by_their_last_step(response, table):
    from sklearn.ensemble import HistGradientBoostingClassifier

    X, y = table
    teacher = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=4)).fit(X, y > 0)
    found = explain(teacher, X, X[:4], background=X[:5], response=response)
    exact = explain(teacher, X, X[:4], background=X[:5], response=response, engine="enumeration")
    np.testing.assert_allclose(found.phi, exact.phi, atol=1e-8)


def altered(kind, method, change):
    """A kind of model, known by its name, whose answers are changed on the way out."""
    return type(kind.__name__, (kind,), {method: lambda self, X: change(getattr(kind, method)(self, X))})


@pytest.mark.parametrize(
    ("teacher", "response", "engine", "reason"),
    [
        (
            altered(HistGradientBoostingRegressor, "predict", lambda y: 2 * y)(max_iter=4),
            "auto",
            "tree",
            "differs from the estimator's output",
        ),
        (
            altered(HistGradientBoostingClassifier, "predict_proba", lambda p: 0.9 * p + 0.05)(max_iter=4),
            "probability",
            "tree",
            "link that was read does not give the explained scores",
        ),
        (
            altered(MLPRegressor, "predict", lambda y: 2 * y)(hidden_layer_sizes=(4,), max_iter=9),
            "auto",
            "network",
            "network that was read does not give the explained scores",
        ),
        (
            altered(Ridge, "predict", lambda y: 2 * y)(),
            "auto",
            "linear",
            "is not additive in this response",
        ),
    ],
    ids=["leaves", "link", "network", "linear"],
)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_what_is_changed_after_it_was_read_is_asked_instead(teacher, response, engine, reason, table):
    X, y = table
    teacher.fit(X, y if response == "auto" else y > 0)
    answer = teacher.predict(X[:4])[:, None] if response == "auto" else teacher.predict_proba(X[:4])
    explainer = GroupShapleyExplainer(LABELS, background=X[:5], response=response).fit(teacher, X)
    found = explainer.explain(X[:4])
    assert found.engine == "enumeration" and reason in explainer.passed_over_[engine]
    np.testing.assert_allclose(found.base + found.phi.sum(axis=1), answer, atol=1e-12)


def test_students_of_one_network_with_heads_are_read_as_networks(table):
    X, y = table
    quick = {"max_iter": 2, "max_parameters": 100, "cv": 2, "random_state": 0}
    student = KEDClassifier(GaussianNB(), superfeatures=LABELS, network="heads", **quick).fit(X, y > 0)
    explainer = GroupShapleyExplainer(LABELS, background=X[:5]).fit(student, X)
    assert explainer.engine_ == "network" and "dense" in explainer.passed_over_["linear"]
    exact = explain(student, X, X[:4], background=X[:5], engine="enumeration")
    np.testing.assert_allclose(explainer.explain(X[:4]).phi, exact.phi, atol=1e-6)


def test_explaining_teachers_of_other_columns_say_so_themselves(table):
    X, y = table
    teacher = ExplainingTeacherRegressor(LABELS, max_iter=3, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="7 features, but ExplainingTeacherRegressor is expecting 6"):
        GroupShapleyExplainer(np.arange(7)).fit(teacher, np.column_stack([X, y]))


class Cautious(Pipeline):
    """Says half of what its last step says."""

    def predict(self, X):
        return super().predict(X) / 2


def test_pipelines_that_say_otherwise_than_their_last_step_are_asked_themselves(table):
    X, y = table
    teacher = Cautious([("scale", StandardScaler()), ("last", Ridge())]).fit(X, y)
    found = explain(teacher, X, X[:4], background=X[:5], engine="enumeration")
    np.testing.assert_allclose(found.base + found.phi.sum(axis=1), teacher.predict(X[:4])[:, None])


def test_steps_that_make_columns_of_their_own_are_not_looked_through(table):
    X, y = table
    more = FunctionTransformer(lambda X: np.column_stack([X, X[:, 0] * X[:, 1]]))
    explainer = GroupShapleyExplainer(LABELS, background=X[:5]).fit(make_pipeline(more, Ridge()).fit(X, y), X)
    assert explainer.explain(X[:4]).engine == "enumeration"
    assert "FunctionTransformer gives 7 columns where 6 were expected" in explainer.passed_over_["linear"]


def test_margins_that_are_no_log_odds_of_the_probabilities(table):
    X, y = table
    teacher = OneVsRestClassifier(LogisticRegression()).fit(X, np.digitize(y, [-0.5, 0.5]))
    assert explain(teacher, X, X[:4], background=X[:5]).response == "log_odds"
    found = explain(teacher, X, X[:4], background=X[:5], response="margin")
    margins = teacher.decision_function(X[:4])
    total = found.base + found.phi.sum(axis=1)
    np.testing.assert_allclose(total, margins - margins.mean(axis=1, keepdims=True), atol=1e-12)


def test_shap_is_counted_before_and_after(table):
    pytest.importorskip("shap", exc_type=ImportError)
    X, _ = table
    explainer = GroupShapleyExplainer(LABELS, background=3, engine="shap", random_state=0)
    found = explainer.fit(lambda rows: rows[:, 0] * rows[:, 1], X).explain(X[:2])
    assert found.n_evaluations == explainer.budget(2) == 3 * (1 + 2 * 2**4)


def test_networks_are_explained_without_numba(table, monkeypatch):
    from skked._explanations import _network

    X, y = table
    network = MLPRegressor(hidden_layer_sizes=(8, 4), max_iter=1000, random_state=0, tol=1e-2).fit(X, y)
    compiled = explain(network, X, X[:4], background=X[:5], engine="network")
    _network._compiled_relu.cache_clear()
    monkeypatch.setattr(_network.importlib.util, "find_spec", lambda name: None)
    found = explain(network, X, X[:4], background=X[:5], engine="network")
    _network._compiled_relu.cache_clear()
    np.testing.assert_allclose(found.phi, compiled.phi, atol=1e-6)
