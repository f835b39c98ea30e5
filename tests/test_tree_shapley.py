"""Tree engines against enumeration of all coalitions with the estimator's public output."""

import functools
import itertools
import math
import pathlib
import subprocess
import sys

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import skked
from skked._explanations._tree import NotExtractable, TreeGame, extract_trees, tree_shapley, why_not_extractable
from skked._explanations._tree_links import shapley_matrix

LABELS = np.array([0, 1, 2, 0, 1, 3, 4, 2])


def enumerate_groups(f, labels, X, background, weight, link=lambda value: value):
    """Shapley values (n, M, C) of v(S) = link(sum_b weight_b f(x_S, b_rest)), by their definition."""
    players, values = range(labels.max() + 1), []
    for row in range(len(X)):
        game = {}
        for size in range(len(players) + 1):
            for coalition in itertools.combinations(players, size):
                taken = np.isin(labels, coalition)
                mixed = background.copy()
                if isinstance(mixed, pd.DataFrame):
                    for column in mixed.columns[taken]:
                        mixed[column] = X[column].array.take([row] * len(mixed))
                else:
                    mixed[:, taken] = X[row, taken]
                outputs = np.asarray(f(mixed), float).reshape(len(mixed), -1)
                game[coalition] = link(weight @ outputs / weight.sum())
        values.append(_shapley(game, players))
    return np.array(values)


def _shapley(game, players):
    M, phi = len(players), []
    for player in players:
        others = [coalition for coalition in game if player not in coalition]
        gains = [
            math.factorial(len(S)) * math.factorial(M - len(S) - 1) / math.factorial(M)
            * (game[tuple(sorted((*S, player)))] - game[S])
            for S in others
        ]  # fmt: skip
        phi.append(np.sum(gains, axis=0))
    return phi


def make_table(n=300, missing=False, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 8))
    score = X[:, 0] * X[:, 3] + np.sin(2 * X[:, 1]) + X[:, 5] * (X[:, 2] > 0)
    if missing:
        X[rng.random(X.shape) < 0.15] = np.nan
    return X, np.digitize(score, [-0.5, 0.6]), score


def compare(estimator, response, X, labels=LABELS, tolerance=1e-12, **keywords):
    f = getattr(estimator, response)
    rows, background = X[:4], X[4:24]
    weight = np.random.default_rng(1).random(20)
    ensemble = extract_trees(estimator, X)
    assert ensemble is not None, why_not_extractable(estimator, X)
    phi, base = tree_shapley(ensemble, labels, rows, background, weight, **keywords)
    expected = enumerate_groups(f, labels, rows, background, weight)
    scale = max(1, np.abs(expected).max())
    assert phi.shape == expected.shape
    np.testing.assert_allclose(phi, expected, rtol=0, atol=tolerance * scale)
    output = np.asarray(f(rows)).reshape(len(rows), -1)
    np.testing.assert_allclose(base + phi.sum(axis=1), output, rtol=0, atol=tolerance * scale * 10)
    return phi


CLASSIFIERS = [
    (DecisionTreeClassifier(random_state=0), "predict_proba", True),
    (RandomForestClassifier(20, random_state=0), "predict_proba", True),
    (RandomForestClassifier(5, max_leaf_nodes=12, random_state=0), "predict_proba", True),
    (ExtraTreesClassifier(20, random_state=0), "predict_proba", True),
    (GradientBoostingClassifier(n_estimators=10, random_state=0), "decision_function", False),
    (HistGradientBoostingClassifier(max_iter=20), "decision_function", True),
]
REGRESSORS = [
    (DecisionTreeRegressor(random_state=0), True),
    (RandomForestRegressor(10, random_state=0), True),
    (ExtraTreesRegressor(10, random_state=0), True),
    (GradientBoostingRegressor(n_estimators=10, random_state=0), False),
    (HistGradientBoostingRegressor(max_iter=20), True),
]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("estimator", "response", "missing"), CLASSIFIERS, ids=lambda each: type(each).__name__)
def test_classifiers_equal_enumeration(estimator, response, missing, compiled):
    X, y, _ = make_table(missing=missing)
    compare(estimator.fit(X, y), response, X, compiled=compiled)


@pytest.mark.parametrize(("estimator", "missing"), REGRESSORS, ids=lambda each: type(each).__name__)
def test_regressors_equal_enumeration(estimator, missing):
    X, _, y = make_table(missing=missing)
    compare(estimator.fit(X, y), "predict", X)


def test_several_targets_and_unequal_groups():
    X, y, score = make_table()
    targets = np.column_stack([score, score**2, y])
    for labels in (np.zeros(8, int), np.arange(8), np.array([0, 0, 0, 0, 0, 0, 1, 2])):
        compare(RandomForestRegressor(5, random_state=0).fit(X, targets), "predict", X, labels)


def make_frame(n=400, seed=0):
    """Numbers, categories and missing values in both; the target depends on all of them."""
    X, _, score = make_table(n, missing=True, seed=seed)
    rng = np.random.default_rng(seed + 1)
    frame = pd.DataFrame(X[:, :6], columns=list("abcdef"))
    colour = rng.choice(["red", "green", "blue", "grey", "black"], n)
    frame.insert(2, "colour", pd.Categorical(colour))
    frame.insert(5, "size", pd.Categorical(rng.integers(0, 4, n), ordered=True))
    frame.loc[rng.random(n) < 0.1, "colour"] = np.nan
    score = score + np.select([colour == "red", colour == "blue"], [1.5, -1.5], 0) * np.where(X[:, 0] > 0, 1, -1)
    return frame, np.digitize(score, [-0.5, 0.6]), score


def lightgbm_model(kind, **settings):
    lightgbm = pytest.importorskip("lightgbm")
    return getattr(lightgbm, kind)(verbose=-1, n_jobs=1, min_child_samples=5, min_data_per_group=5, **settings)


def xgboost_model(kind, **settings):
    xgboost = pytest.importorskip("xgboost")
    return getattr(xgboost, kind)(n_jobs=1, **settings)


def raw_score(model, X):
    return model.predict(X, raw_score=True)


def output_margin(model, X):
    return model.predict(X, output_margin=True)


def uses_categories(estimator):
    ensemble = extract_trees(estimator)
    return (ensemble.category_start >= 0).any() and (ensemble.category_start < 0).any()


@pytest.mark.parametrize("compiled", [True, False])
def test_native_categories_of_hist_gradient_boosting(compiled):
    X, y, score = make_frame()
    model = HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype").fit(X, y)
    assert uses_categories(model)
    compare(model, "decision_function", X, compiled=compiled)
    unseen = X.copy()  # a category that fit never saw counts as missing
    unseen["colour"] = unseen["colour"].cat.add_categories("pink")
    unseen.loc[unseen.index[:10], "colour"] = "pink"
    compare(model, "decision_function", unseen, compiled=compiled)
    matrix = np.column_stack([X[column].cat.codes if column in ("colour", "size") else X[column] for column in X])
    model = HistGradientBoostingRegressor(max_iter=10, categorical_features=[2, 5]).fit(matrix, score)
    assert uses_categories(model)
    compare(model, "predict", matrix, compiled=compiled)


@pytest.mark.parametrize("settings", [{}, {"zero_as_missing": True}])
def test_lightgbm(settings):
    X, y, score = make_frame()
    X.loc[X.index[::7], "a"] = 0.0
    for labels in (y, y > 0):
        model = lightgbm_model("LGBMClassifier", n_estimators=10, **settings).fit(X, labels)
        assert uses_categories(model)
        model.response = functools.partial(raw_score, model)
        compare(model, "response", X)
    compare(lightgbm_model("LGBMRegressor", n_estimators=10, **settings).fit(X, score), "predict", X)
    forest = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.7} | settings
    compare(lightgbm_model("LGBMRegressor", n_estimators=10, **forest).fit(X, score), "predict", X)
    assert "rf" in why_not_extractable(lightgbm_model("LGBMClassifier", n_estimators=10, **forest).fit(X, y), X)


@pytest.mark.parametrize("settings", [{}, {"booster": "dart", "rate_drop": 0.3}, {"num_parallel_tree": 2}])
def test_xgboost(settings):
    X, y, score = make_frame()
    for labels in (y, (y > 0).astype(int)):
        model = xgboost_model(
            "XGBClassifier", n_estimators=6, enable_categorical=True, max_cat_to_onehot=1, **settings
        ).fit(X, labels)
        assert uses_categories(model)
        model.response = functools.partial(output_margin, model)
        compare(model, "response", X, tolerance=3e-6)  # XGBoost adds in float32
    targets = np.column_stack([score, -(score**2)])
    model = xgboost_model("XGBRegressor", n_estimators=6, enable_categorical=True, max_cat_to_onehot=1).fit(X, targets)
    compare(model, "predict", X, tolerance=3e-6)


def test_categories_that_no_split_of_xgboost_names_go_where_unknown_ones_go():
    X, y, _ = make_frame()
    X["colour"] = X["colour"].cat.set_categories([*X["colour"].cat.categories, "violet"])  # which fit does not see
    model = xgboost_model("XGBClassifier", n_estimators=6, enable_categorical=True, max_cat_to_onehot=1)
    model.fit(X, (y > 0).astype(int)).response = functools.partial(output_margin, model)
    X.loc[X.index[:12], "colour"] = "violet"
    compare(model, "response", X, tolerance=3e-6)


def test_names_of_categories_that_xgboost_cuts_off_are_not_read():
    X, y, _ = make_frame()
    X["colour"] = X["colour"].cat.rename_categories({"red": "rød", "blue": "синий"})
    model = xgboost_model("XGBClassifier", n_estimators=4, enable_categorical=True, max_cat_to_onehot=1).fit(X, y)
    assert "beyond ASCII" in why_not_extractable(model, X)
    found = skked.GroupShapleyExplainer(LABELS, background=3).fit(model, X).explain(X[:3])
    assert found.engine == "enumeration"


@pytest.mark.parametrize("kind", ["CatBoostClassifier", "CatBoostRegressor"])
def test_catboost(kind):
    catboost = pytest.importorskip("catboost")
    X, y, score = make_table(missing=True)
    model = getattr(catboost, kind)(iterations=8, depth=4, verbose=0, allow_writing_files=False, thread_count=1)
    for target in (y, (y > 0).astype(int)) if "Classifier" in kind else (score,):
        model = model.copy().fit(X, target)
        model.response = functools.partial(model.predict, prediction_type="RawFormulaVal")
        compare(model, "response", X)
    model = getattr(catboost, kind)(iterations=3, grow_policy="Depthwise", verbose=0, allow_writing_files=False)
    assert "SymmetricTree" in why_not_extractable(model.fit(X, y), X)
    names = pd.DataFrame({"a": X[:, 1], "b": np.where(score > 0, "u", "v")})
    model = getattr(catboost, kind)(iterations=3, cat_features=["b"], verbose=0, allow_writing_files=False)
    assert "encoding of categories" in why_not_extractable(model.fit(names, y), names)


@pytest.mark.filterwarnings("ignore:The argument 'eval_set'")
def test_early_stopping_is_obeyed():
    X, y, _ = make_table()
    fit = {"eval_set": [(X[:50], y[:50][::-1])]}
    model = xgboost_model("XGBClassifier", n_estimators=40, early_stopping_rounds=2).fit(X, y, verbose=False, **fit)
    assert extract_trees(model, X).n_trees < 3 * 40
    lightgbm = pytest.importorskip("lightgbm")
    callbacks = [lightgbm.early_stopping(2, verbose=False)]
    model = lightgbm_model("LGBMClassifier", n_estimators=40).fit(X, y, callbacks=callbacks, **fit)
    assert extract_trees(model, X).n_trees < 3 * 40


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (HistGradientBoostingRegressor(loss="poisson", max_iter=3), "poisson"),
        (GradientBoostingRegressor(n_estimators=3, init=DecisionTreeRegressor(max_depth=1)), "init"),
        (LinearRegression(), "LinearRegression is not"),
        (lambda: lightgbm_model("LGBMRegressor", n_estimators=3, linear_tree=True), "linear"),
        (lambda: lightgbm_model("LGBMRegressor", n_estimators=3, objective="poisson"), "differs"),
        (lambda: xgboost_model("XGBRegressor", n_estimators=3, booster="gblinear"), "gblinear"),
    ],
)
def test_what_cannot_be_read_says_why(estimator, reason):
    X, _, score = make_table()
    estimator = estimator() if callable(estimator) else estimator
    estimator.fit(X, np.exp(score / 3))
    assert extract_trees(estimator, X) is None
    assert reason in why_not_extractable(estimator, X)


@pytest.mark.parametrize("fault", ["threshold", "value", "missing_left", "node_code"])
def test_a_wrong_tree_is_refused(fault):
    X, y, _ = make_table(missing=True)
    model = HistGradientBoostingClassifier(max_iter=10).fit(X, y)
    ensemble = extract_trees(model, X)
    tree_shapley(ensemble, LABELS, X[:2], X[:50])
    node = ensemble.tree_start[3]  # a root
    if fault == "missing_left":
        ensemble.missing_left[node] ^= True
    elif fault == "value":
        ensemble.value[np.flatnonzero(ensemble.feature < 0)[5]] += 1e-3
    elif fault == "node_code":
        ensemble.node_code[node] += 8
    else:
        stored = model._predictors[1][0].nodes
        stored["num_threshold"][0] += 0.5
        reread = extract_trees(model)
        stored["num_threshold"][0] -= 0.5
        ensemble = reread
    with pytest.raises(NotExtractable, match="differs"):
        tree_shapley(ensemble, LABELS, X[:2], X[:50])


def test_any_number_of_threads_and_blocks_gives_the_same_bits():
    X, y, _ = make_table(9000, missing=True)
    ensemble = extract_trees(RandomForestClassifier(6, max_depth=7, random_state=0).fit(X[:500], y[:500]))
    one, _ = tree_shapley(ensemble, LABELS, X, X[:40])
    for settings in ({"n_threads": 3}, {"max_bytes": 400_000}, {"n_threads": 2, "max_bytes": 10_000}):
        other, _ = tree_shapley(ensemble, LABELS, X, X[:40], **settings)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("compiled", [True, False])
def test_streaming_equals_tables(compiled):
    """The walk for deep trees: categories, missing values, several targets, more background rows than a set holds."""
    X, y, score = make_frame()
    weight = np.random.default_rng(0).random(150)
    weight[3] = 0
    forest = RandomForestRegressor(3, random_state=0).fit(X[list("abcf")], np.column_stack([score, y]))
    boosting = HistGradientBoostingClassifier(max_iter=4, categorical_features="from_dtype").fit(X, y)
    pure = DecisionTreeClassifier(random_state=0).fit(X[list("abcf")], y)  # with leaves that give all to the last class
    for model, rows, labels in (
        (forest, X[list("abcf")], LABELS[:4]),
        (pure, X[list("abcf")], LABELS[:4]),
        (boosting, X, LABELS),
    ):
        game = rows[:30], rows[-150:], weight
        tables, _ = tree_shapley(extract_trees(model), labels, *game)
        streamed, base = tree_shapley(extract_trees(model), labels, *game, compiled=compiled, max_tree_entries=0)
        np.testing.assert_allclose(streamed, tables, rtol=0, atol=1e-12)
        output = extract_trees(model).response(rows[:30]).reshape(30, -1)
        np.testing.assert_allclose(base + streamed.sum(axis=1), output, rtol=0, atol=1e-12)


def test_paths_of_more_groups_than_a_table_holds():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 40))
    model = DecisionTreeRegressor(splitter="random", random_state=0).fit(X, rng.normal(size=3000))
    ensemble = extract_trees(model, X)
    game = TreeGame(ensemble, np.arange(40), X[:130])
    assert game.leaves.n_groups.max() > 16
    phi = game.shapley(X[:50])
    np.testing.assert_allclose(game.base + phi.sum(axis=1), model.predict(X[:50])[:, None], rtol=0, atol=1e-12)
    merged, _ = tree_shapley(ensemble, np.arange(40) // 8, X[:50], X[:130])
    np.testing.assert_allclose(
        merged, tree_shapley(ensemble, np.arange(40) // 8, X[:50], X[:130], max_tree_entries=0)[0], atol=1e-12
    )


def test_float32_tables_are_close():
    X, y, _ = make_table()
    ensemble = extract_trees(HistGradientBoostingClassifier(max_iter=20).fit(X, y))
    exact, _ = tree_shapley(ensemble, LABELS, X, X[:40])
    close, _ = tree_shapley(ensemble, LABELS, X, X[:40], dtype=np.float32)
    assert 0 < np.abs(exact - close).max() < 1e-5 * np.abs(exact).max()


def test_no_cache_directory_is_needed(tmp_path):
    """Where numba finds no place for its cache, the kernels compile for this process only."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import numba.core.caching as caching; caching.CacheImpl._locator_classes = [];"
        "import importlib; module = importlib.import_module('skked._explanations._tree_kernels');"
        "import numpy as np; masks = np.zeros((2, 3), np.uint16);"
        "module.split(np.array([0, 1, 2], np.uint16), np.uint16(1), np.uint16(65535), False,"
        "np.zeros(0, np.bool_), np.uint16(1), masks[0], masks[1]); print(masks.tolist())"
    )
    root = pathlib.Path(skked.__file__).parents[1]
    result = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, text=True, cwd=tmp_path)
    assert result.stdout.strip() == "[[1, 1, 0], [0, 0, 1]]", result.stderr


def centred_log(probability, floor):
    logs = np.log((1 - floor) * probability + floor / probability.shape[-1])
    return logs - logs.mean(axis=-1, keepdims=True)


def link_cases():
    X, y, _ = make_table(missing=True)
    forest = RandomForestClassifier(12, random_state=0).fit(X, y)
    floor = 1.5 / (12 + 1.5)  # of the smoothed vote (12 p + 1/2) / (12 + 3/2)
    log = functools.partial(centred_log, floor=floor)
    boosting = HistGradientBoostingClassifier(max_iter=8)
    for target in (y, (y > 0).astype(int)):
        fitted = clone(boosting).fit(X, target)
        yield X, fitted, "probability", fitted.predict_proba, {}
    yield X, forest, "log_odds", forest.predict_proba, {"link": log}
    yield X, forest, "mean_log_odds", lambda rows: log(forest.predict_proba(rows)), {}


def test_link_games_equal_enumeration():
    every = (np.arange(32)[:, None] >> np.arange(5)) & 1 == 1
    for X, model, link, f, after in link_cases():
        rows, background, weight = X[:4], X[4:24], np.random.default_rng(0).random(20)
        game = TreeGame(extract_trees(model), LABELS, background, weight)
        expected = enumerate_groups(f, LABELS, rows, background, weight, **after)
        phi, base = game.link_shapley(rows, link)
        np.testing.assert_allclose(phi, expected, rtol=0, atol=1e-12)
        values = game.coalition_values(rows, every, link)  # found by other means: sets of leaves
        np.testing.assert_allclose(values[:, 0], np.tile(base, (4, 1)), rtol=0, atol=1e-12)
        np.testing.assert_allclose(values[:, -1] - base, phi.sum(axis=1), rtol=0, atol=1e-12)
        by_definition = np.einsum("ms,nsc->nmc", shapley_matrix(5), values)
        np.testing.assert_allclose(by_definition, expected, rtol=0, atol=1e-12)
        threads = TreeGame(extract_trees(model), LABELS, background, weight, n_threads=2, max_bytes=10**6)
        np.testing.assert_array_equal(threads.link_shapley(X[:40], link)[0][:4], phi)
        parts = TreeGame(extract_trees(model), LABELS, background, weight, max_bytes=50_000)  # of the background
        np.testing.assert_allclose(parts.link_shapley(rows, link)[0], expected, rtol=0, atol=1e-12)


def test_values_of_coalitions_of_many_groups_and_large_trees():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 40))
    model = RandomForestClassifier(3, random_state=0).fit(X, rng.integers(0, 3, 600))  # above 64 leaves
    game = TreeGame(extract_trees(model, X), np.arange(40), X[:30])
    coalitions = rng.random((7, 40)) < 0.5
    values = game.coalition_values(X[100:103], coalitions)
    for row, coalition in itertools.product(range(3), range(7)):
        mixed = np.where(coalitions[coalition], X[100 + row], X[:30])
        expected = model.predict_proba(mixed).mean(axis=0)
        np.testing.assert_allclose(values[row, coalition], expected, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="at most 16 groups"):
        game.link_shapley(X[:1], "log_odds")
    with pytest.raises(ValueError, match="probability"):
        game.coalition_values(X[:1], coalitions, "probability")


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(seed=st.integers(0, 10_000), streamed=st.booleans())
def test_axioms(seed, streamed):
    """Efficiency, dummy, linearity, relabelled players, and groups that do not interact merged (quotient)."""
    rng = np.random.default_rng(seed)
    X, labels = rng.normal(size=(120, 7)), np.array([0, 1, 2, 3, 0, 1, 4])
    y = X[:, 0] * X[:, 1] + X[:, 2]
    X[:, 6] = 0  # a constant is a dummy player
    one = RandomForestRegressor(2, max_features=0.5, random_state=seed).fit(X, y)
    other = RandomForestRegressor(2, max_features=0.5, random_state=seed + 1).fit(X, y**2)
    both = RandomForestRegressor(4).fit(X, y)
    both.estimators_ = one.estimators_ + other.estimators_

    def explain(model, players):
        limit = 0 if streamed else 2**20
        return tree_shapley(extract_trees(model), players, X[:9], X[9:59], max_tree_entries=limit)

    (phi, base), (phi_other, _), (phi_both, _) = (explain(each, labels) for each in (one, other, both))
    close = functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-11)
    close(base + phi.sum(axis=1), one.predict(X[:9])[:, None])
    assert not phi[:, 4].any()
    close(phi_both, (phi + phi_other) / 2)
    relabelled = rng.permutation(5)
    close(explain(one, relabelled[labels])[0][:, relabelled], phi)
    additive = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5, interaction_cst="no_interactions")
    alone, _ = explain(additive.fit(X, y), np.arange(7))
    merged, _ = explain(additive, np.minimum(np.arange(7), 5))
    close(merged[:, 5], alone[:, 5] + alone[:, 6])
    close(merged[:, :5], alone[:, :5])
    crossed, _ = explain(additive, np.array([0, 0, 1, 2, 3, 4, 5]))
    close(crossed[:, 0], alone[:, 0] + alone[:, 1])


# rarer paths ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_tree_entries", [2**20, 0])
def test_paths_of_more_than_eight_groups_without_numba(max_tree_entries, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 12))
    model = DecisionTreeRegressor(splitter="random", random_state=0).fit(X, rng.normal(size=400))
    ensemble, labels = extract_trees(model, X), np.arange(12)
    settings = {"max_tree_entries": max_tree_entries}
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "skked._explanations._tree_stream_kernels", None)
        ours, base = tree_shapley(ensemble, labels, X[:9], X[:30], compiled=False, **settings)
    theirs, _ = tree_shapley(ensemble, labels, X[:9], X[:30], compiled=True, **settings)
    assert TreeGame(ensemble, labels, X[:30]).leaves.n_groups.max() > 8
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(base + ours.sum(axis=1), model.predict(X[:9])[:, None], rtol=0, atol=1e-12)


def test_tables_of_more_than_sixteen_groups_without_numba():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20))
    targets = np.column_stack([X[:, 0] * X[:, 1], X[:, 2]])
    for y in (targets, targets[:, 0]):  # with a number for each output, and one for all
        forest = ExtraTreesRegressor(3, max_depth=6, random_state=0).fit(X, y)
        ensemble, labels = extract_trees(forest, X), np.arange(20)
        ours, base = tree_shapley(ensemble, labels, X[:9], X[:30], compiled=False)
        np.testing.assert_allclose(ours, tree_shapley(ensemble, labels, X[:9], X[:30], compiled=True)[0], atol=1e-12)
        np.testing.assert_allclose(base + ours.sum(axis=1), forest.predict(X[:9]).reshape(9, -1), rtol=0, atol=1e-12)


def test_boosting_of_named_columns_has_its_constant_start():
    X, _, score = make_table()
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    compare(GradientBoostingRegressor(n_estimators=5, random_state=0).fit(frame, score), "predict", frame)


class TwoMargins(HistGradientBoostingClassifier):
    """One margin more than its trees give."""

    def decision_function(self, X):
        margin = super().decision_function(X)
        return np.column_stack([-margin, margin])


def test_more_that_cannot_be_read_says_why():
    X, y, score = make_table()
    assert "1 outputs, the estimator 2" in why_not_extractable(TwoMargins(max_iter=3).fit(X, y > 0), X)
    several = xgboost_model("XGBRegressor", n_estimators=3, multi_strategy="multi_output_tree")
    assert "multi_output_tree" in why_not_extractable(several.fit(X, np.column_stack([score, -score])), X)


def test_paths_of_very_many_groups_are_refused(monkeypatch):
    from skked._explanations import _tree_stream

    monkeypatch.setattr(_tree_stream, "MAX_STREAM_GROUPS", 8)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 12))
    model = DecisionTreeRegressor(splitter="random", random_state=0).fit(X, rng.normal(size=400))
    with pytest.raises(NotExtractable, match="at most 8 are supported"):
        TreeGame(extract_trees(model, X), np.arange(12), X)


def test_frozen_estimators_are_read_and_strangers_say_why():
    X, y, _ = make_table()
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    labels = np.arange(8) // 2
    frozen, plain = (extract_trees(each, X) for each in (FrozenEstimator(model), model))
    np.testing.assert_array_equal(*(tree_shapley(each, labels, X[:5], X[:9])[0] for each in (frozen, plain)))
    assert why_not_extractable(model) == ""
    broken = clone(model)
    broken.classes_, broken.n_outputs_, broken.n_classes_ = model.classes_, 1, 2
    assert "another inside than expected" in why_not_extractable(broken)
    several = RandomForestClassifier(2, random_state=0).fit(X, np.column_stack([y, y]))
    assert "several targets" in why_not_extractable(several)


def test_more_thresholds_than_sixteen_bits_hold():
    X = np.arange(67_000.0)[:, None]
    y = np.random.default_rng(0).normal(size=len(X))
    model = DecisionTreeRegressor(random_state=0).fit(X, y)
    ensemble = extract_trees(model, X)
    assert ensemble.code_type == np.uint32
    rows = X[[0, 1, 1000, -2, -1]]
    phi, base = tree_shapley(ensemble, np.zeros(1, int), rows, X[::9000], compiled=False)
    np.testing.assert_allclose(base + phi.sum(axis=1), y[[0, 1, 1000, -2, -1]][:, None], rtol=0, atol=1e-9)
    few = extract_trees(DecisionTreeRegressor(max_depth=3).fit(X[:100], y[:100]), X[:100])
    assert few.code_type == np.uint16
