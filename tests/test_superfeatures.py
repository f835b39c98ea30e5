"""Superfeatures: exact counts, planted partitions, honest gaps, and whatever users call superfeatures."""

import json
import time
from itertools import product
from pathlib import Path

import networkx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.cluster import FeatureAgglomeration, KMeans
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_estimator

from skked import SuperfeatureClustering
from skked._superfeatures import resolve_superfeatures
from skked._superfeatures.affinities import rank_association
from skked._superfeatures.columns import encode_columns
from skked._superfeatures.communities import louvain_communities, modularity
from skked._superfeatures.hessian import hessian_interactions
from skked._superfeatures.interaction import swap_interactions
from skked._superfeatures.linkage import LINKAGES, group_columns, tree_from_labels
from skked._superfeatures.measured_gap import measure_additive_gap
from skked._superfeatures.names import superfeature_names
from skked._superfeatures.target import read_target

PAIRS = np.array([0, 1, 2, 3, 0, 1, 2, 3])


def products(n=1_500, seed=0):
    """Columns j and j + 4 act through their product."""
    X = np.random.RandomState(seed).normal(size=(n, 8))
    return X, (X[:, :4] * X[:, 4:]).sum(axis=1)


def blocks(sizes=(5, 3, 2), n=300, seed=0):
    """Columns that copy a hidden column each, with noise."""
    rng = np.random.RandomState(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return rng.normal(size=(n, len(sizes)))[:, labels] + 0.5 * rng.normal(size=(n, len(labels))), labels


def mixed(n=600, seed=0):
    rng = np.random.RandomState(seed)
    size, place = rng.normal(size=n), rng.randint(4, size=n)
    frame = pd.DataFrame(
        {
            "height": size + 0.2 * rng.normal(size=n),
            "weight": np.exp(size),
            "build": pd.Categorical(np.array(["s", "m", "l"])[np.digitize(size, [-0.5, 0.5])]),
            "city": np.array(["a", "b", "c", "d"])[place],
            "postcode": np.array(["1", "2", "3", "4"])[place],
            "coast": place > 1,
        }
    )
    frame.loc[rng.rand(n) < 0.2, "weight"] = np.nan
    frame.loc[rng.rand(n) < 0.2, "city"] = None
    return frame, np.array([0, 0, 0, 1, 1, 1])


# Exactly M groups, whatever the columns.


@settings(max_examples=40, deadline=None)
@given(
    n_columns=st.integers(1, 9),
    kind=st.sampled_from(["random", "zero", "ones", "ties", "chain"]),
    linkage=st.sampled_from(LINKAGES),
    cap=st.sampled_from([None, 1.0, 0.0]),
    seed=st.integers(0, 99),
)
def test_every_affinity_is_cut_into_exactly_m_groups(n_columns, kind, linkage, cap, seed):
    draw = np.random.RandomState(seed).rand(n_columns, n_columns)
    place = np.arange(n_columns)
    affinity = {
        "random": draw,
        "zero": 0 * draw,
        "ones": 0 * draw + 1,
        "ties": draw.round(),
        "chain": 1 / (1 + abs(place[:, None] - place**1.5)),
    }[kind]
    affinity = (affinity + affinity.T) / 2
    for count in range(1, n_columns + 1):
        size = None if cap is None else max(-(-n_columns // count), int(cap * n_columns))
        labels, tree = group_columns(affinity, count, linkage=linkage, max_size=size)
        communities = louvain_communities(affinity, count, random_state=np.random.RandomState(seed), max_size=size)
        for found in (labels, communities):
            sizes = np.bincount(found, minlength=count)
            assert len(sizes) == count and sizes.min() >= 1
            assert size is None or sizes.max() <= size
            assert np.unique(found, return_index=True)[1].tolist() == sorted(np.unique(found, return_index=True)[1])
        if n_columns > 1:
            assert hierarchy.is_valid_linkage(tree) and hierarchy.is_monotonic(tree)
            by_step = np.column_stack([tree[:, :2], np.arange(n_columns - 1), tree[:, 3]])  # untie the heights
            assert adjusted_rand_score(hierarchy.cut_tree(by_step, count).ravel(), labels) == 1
            assert len(hierarchy.dendrogram(tree, no_plot=True)["leaves"]) == n_columns


@pytest.mark.parametrize("linkage", [name for name in LINKAGES if name != "summed"])
def test_limited_merging_makes_scipys_tree_where_the_limit_does_not_bind(linkage):
    X, _ = blocks((3, 3, 3), seed=3)
    affinity = np.abs(spearmanr(X).statistic)
    expected = group_columns(affinity, 3, linkage=linkage, max_size=9)[1]
    tree = tree_from_labels(affinity, np.zeros(9, dtype=int), linkage=linkage)  # one group: nothing is kept apart
    np.testing.assert_allclose(tree[:, 2:], expected[:, 2:], atol=1e-12)


@pytest.mark.parametrize("method", ["hierarchical", "louvain"])
@pytest.mark.parametrize("affinity", ["spearman", "mutual_info", "interaction"])
def test_constant_missing_and_duplicate_columns(method, affinity):
    X, y = products(60)
    X[:, 1], X[:, 2], X[:, 3] = 5.0, np.nan, X[:, 0]
    for count in (1, 3, 8):
        fitted = SuperfeatureClustering(count, method=method, affinity=affinity, random_state=0).fit(X, y)
        assert fitted.n_superfeatures_ == len(set(fitted.labels_)) == len(fitted.superfeatures_) == count
        assert np.isfinite(fitted.affinity_).all()


def test_no_giant_group_by_accident_but_one_where_columns_demand_it():
    noise = np.random.RandomState(0).normal(size=(200, 20))
    for linkage in ("single", "average", "centroid"):
        labels = SuperfeatureClustering(3, affinity="spearman", linkage=linkage).fit(noise).labels_
        assert np.bincount(labels).max() <= 12
    X, labels = blocks((10, 1, 1))
    assert adjusted_rand_score(SuperfeatureClustering(3, affinity="spearman").fit(X).labels_, labels) == 1
    capped = SuperfeatureClustering(3, affinity="spearman", max_size=4).fit(X)
    assert np.bincount(capped.labels_).tolist() == [4, 4, 4]


# Planted partitions.


def test_interactions_find_columns_that_act_through_their_product():
    X, y = products()
    for method in ("hierarchical", "louvain"):
        fitted = SuperfeatureClustering(4, method=method, affinity="interaction", random_state=0).fit(X, y)
        assert adjusted_rand_score(fitted.labels_, PAIRS) == 1
    teacher = HistGradientBoostingRegressor(max_iter=50).fit(X, y)
    for given_teacher in (teacher, lambda rows: (rows[:, :4] * rows[:, 4:]).sum(axis=1)):
        fitted = SuperfeatureClustering(4, affinity="interaction", random_state=0).fit(X, teacher=given_teacher)
        assert adjusted_rand_score(fitted.labels_, PAIRS) == 1
        assert np.isnan(fitted.additive_gap_)


def test_auto_takes_interactions_where_they_matter_and_correlation_where_not():
    X, y = products()
    auto = SuperfeatureClustering(random_state=0).fit(X, y)
    assert (auto.affinity_name_, auto.n_superfeatures_) == ("interaction", 4)
    assert adjusted_rand_score(auto.labels_, PAIRS) == 1
    assert auto.additive_gap_ < 3 * auto.additive_gap_error_
    wrong = SuperfeatureClustering(4, affinity="spearman", random_state=0).fit(X, y)
    assert wrong.additive_gap_ > 0.3 and wrong.additive_gap_ > 5 * wrong.additive_gap_error_

    X, labels = blocks((4, 4, 4, 4), n=1_500)
    additive = SuperfeatureClustering(random_state=0).fit(
        X, X.sum(axis=1) + np.random.RandomState(1).normal(size=1_500)
    )
    assert additive.affinity_name_ == "spearman"
    assert adjusted_rand_score(additive.labels_, labels) == 1


def test_correlation_finds_blocks_of_mixed_types_with_missing_cells():
    frame, labels = mixed()
    for affinity in ("spearman", "mutual_info"):
        fitted = SuperfeatureClustering(2, affinity=affinity).fit(frame)
        assert adjusted_rand_score(fitted.labels_, labels) == 1
        assert fitted.superfeatures_.keys() == {name for name in fitted.superfeatures_}
        assert [len(columns) for columns in fitted.superfeatures_.values()] == [3, 3]


def test_a_table_of_strings_can_be_asked_for_interactions():
    frame, _ = mixed(500)
    y = np.where(frame["coast"].to_numpy() ^ (frame["height"].to_numpy() > 0), "yes", "no")
    fitted = SuperfeatureClustering(3, affinity="interaction", random_state=0).fit(frame, y)
    top = np.unravel_index(fitted.affinity_.argmax(), (6, 6))
    assert len({fitted.labels_[column] for column in top}) == 1


def test_hessian_of_a_relu_network_finds_the_columns_of_each_of_two_properties():
    rng = np.random.RandomState(0)
    z = rng.normal(size=(1_200, 6))
    y = 2 * (z[:, 0] + z[:, 1] > np.abs(z[:, 2])) + (z[:, 3] > z[:, 4] * z[:, 5])
    X = (z * [1, 10, 100, 1, 10, 100] + 3)[:, [0, 3, 1, 4, 2, 5]]
    network = make_pipeline(StandardScaler(), MLPClassifier((24,), max_iter=1_000, tol=1e-3, random_state=0))
    network.fit(X, y)
    for method in ("louvain", "hierarchical"):
        fitted = SuperfeatureClustering(2, method=method, affinity="hessian", random_state=0).fit(X, y, teacher=network)
        assert adjusted_rand_score(fitted.labels_, [0, 1, 0, 1, 0, 1]) == 1


def two_bits(n, seed):
    """Twelve shuffled columns; products within each half of them make one bit of the class."""
    rng = np.random.RandomState(seed)
    X, order = rng.normal(size=(n, 12)), rng.permutation(12)
    bits = [(X[:, half : half + 6 : 2] * X[:, half + 1 : half + 6 : 2]).sum(axis=1) > 0 for half in (0, 6)]
    return X[:, order], 2 * bits[0] + bits[1], np.repeat([0, 1], 6)[order]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_planted_partition_is_found_in_what_a_network_learned():
    X, y, truth = two_bits(2_000, seed=0)
    network = MLPClassifier((32,), learning_rate_init=0.01, max_iter=60, tol=1e-3, random_state=0).fit(X, y)
    for affinity in ("hessian", "interaction"):
        fitted = SuperfeatureClustering(2, method="louvain", affinity=affinity, random_state=0)
        assert adjusted_rand_score(fitted.fit(X, y, teacher=network).labels_, truth) == 1, affinity


@pytest.mark.parametrize("kind", ["forest", "lightgbm", "xgboost"])
def test_pairs_that_act_together_are_found_in_trees_of_every_kind(kind):
    X, y = products()
    if kind == "forest":
        teacher = RandomForestRegressor(30, min_samples_leaf=3, random_state=0)
    else:
        module = pytest.importorskip(kind)
        regressor = module.LGBMRegressor if kind == "lightgbm" else module.XGBRegressor
        silent = {"verbose": -1} if kind == "lightgbm" else {}
        teacher = regressor(n_estimators=40, n_jobs=1, random_state=0, **silent)
    teacher.fit(X, y)
    for method in ("louvain", "hierarchical"):
        fitted = SuperfeatureClustering(4, method=method, affinity="interaction", random_state=0)
        assert adjusted_rand_score(fitted.fit(X, teacher=teacher).labels_, PAIRS) == 1


# Affinities against other computations.


def test_rank_association_is_spearman_and_ignores_missing_rows():
    X, _ = blocks()
    np.testing.assert_allclose(rank_association(encode_columns(X)), np.abs(spearmanr(X).statistic), atol=1e-12)
    X[::3, 0] = np.nan
    there = np.abs(spearmanr(X[~np.isnan(X[:, 0])]).statistic)[0]
    np.testing.assert_allclose(rank_association(encode_columns(X))[0], there, atol=0.02)


def test_independent_columns_are_hardly_associated_and_copies_fully():
    rng = np.random.RandomState(0)
    frame = pd.DataFrame(
        {"number": rng.normal(size=2_000), "few": rng.randint(3, size=2_000), "many": rng.randint(20, size=2_000)}
    )
    frame["few"], frame["many"] = frame["few"].astype(str), frame["many"].astype(str)
    frame["copy"] = frame["many"].map(lambda level: "level " + level)
    for kind in ("spearman", "mutual_info"):
        affinity = SuperfeatureClustering(2, affinity=kind).fit(frame).affinity_
        assert affinity[:3, :3][~np.eye(3, dtype=bool)].max() < 0.15
        assert affinity[2, 3] > 0.95
        np.testing.assert_array_equal(affinity, affinity.T)


def test_association_with_many_levels_is_corrected_for_chance():
    rng = np.random.RandomState(0)
    levels = rng.randint(25, size=(300, 6)).astype(str)
    frame = pd.DataFrame(levels).assign(**{f"n{i}": rng.normal(size=300) for i in range(6)}).rename(columns=str)
    affinity = rank_association(encode_columns(frame))
    for block in (affinity[:6, :6][np.triu_indices(6, 1)], affinity[:6, 6:]):  # 0.28 uncorrected
        assert block.mean() < 0.1


def test_mutual_information_agrees_with_scikit_learn():
    frame, _ = mixed(5_000)
    affinity = SuperfeatureClustering(2, affinity="mutual_info").fit(
        frame[["build", "postcode"]].assign(z=frame["postcode"])
    )
    expected = normalized_mutual_info_score(frame["build"], frame["postcode"], average_method="geometric")
    assert affinity.affinity_[0, 1] == pytest.approx(expected, abs=1e-3)
    assert affinity.affinity_[1, 2] == pytest.approx(1, abs=1e-2)


def test_swap_interactions_of_a_product_are_known():
    X = np.random.RandomState(0).choice([-1.0, 1.0], size=(400, 12))
    found = swap_interactions(
        lambda rows: np.column_stack([3 * rows[:, 0] * rows[:, 1] + rows[:, 2], np.zeros(len(rows))]),
        lambda donors: X[donors, np.arange(12)],
        400,
        12,
        random_state=np.random.RandomState(0),
    )
    # |3 (a' - a)(b' - b)| is 12 for a quarter of the pairs of rows, else 0; the mean over outputs halves it.
    assert found[0, 1] == found[1, 0] == pytest.approx(1.5, abs=0.4)
    found[0, 1] = found[1, 0] = 0
    assert not found.any()


@pytest.mark.parametrize("budget", [500, 2_000, 20_000])
def test_interactions_stay_within_their_budget(budget):
    X = np.random.RandomState(0).normal(size=(50, 15))
    asked = []

    def everything_interacts(rows):
        asked.append(len(rows))
        return rows.sum(axis=1) ** 2

    swap_interactions(
        everything_interacts,
        lambda donors: X[donors, np.arange(15)],
        50,
        15,
        max_evaluations=budget,
        random_state=np.random.RandomState(0),
    )
    assert 0.3 * budget <= sum(asked) <= budget


def test_hessian_is_that_of_the_log_probabilities():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(200, 4))
    network = MLPClassifier((6, 5), max_iter=30, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        network.fit(X, rng.randint(3, size=200))
    row, steps, spread = X[:1], 1e-3 * np.eye(4), 1e-9

    def total(at):
        return np.log(network.predict_proba(at)).sum()

    def second_difference(a, b):
        return total(row + a + b) - total(row + a - b) - total(row - a + b) + total(row - a - b)

    numeric = np.array([[second_difference(a, b) for b in steps] for a in steps]) / 4e-6
    np.fill_diagonal(numeric, 0)
    # Two rows that are all but one: their standard deviation is the unit of every column.
    found = hessian_interactions(network, np.vstack([row - spread, row + spread])) / spread**2
    np.testing.assert_allclose(found, np.abs(numeric), rtol=1e-3, atol=1e-4)


def test_louvain_finds_nearly_the_best_modularity():
    rng = np.random.RandomState(0)
    for _ in range(5):
        weight = rng.rand(7, 7) ** 3
        weight += weight.T
        every = (np.array(labels) for labels in product(range(3), repeat=7) if len(set(labels)) == 3)
        best = max(modularity(weight, labels) for labels in every)
        found = louvain_communities(weight, 3, random_state=np.random.RandomState(0))
        assert modularity(weight, found) >= best - 0.002
    graph = networkx.planted_partition_graph(5, 12, 0.5, 0.15, seed=1)
    theirs = networkx.community.louvain_communities(graph, seed=0)
    weight = networkx.to_numpy_array(graph, nodelist=range(60))
    ours = louvain_communities(weight, len(theirs), random_state=np.random.RandomState(0))
    assert modularity(weight, ours) >= networkx.community.modularity(graph, theirs) - 0.01
    assert modularity(weight, ours) == pytest.approx(
        networkx.community.modularity(
            graph, [np.flatnonzero(ours == group).tolist() for group in range(ours.max() + 1)]
        )
    )


@pytest.mark.parametrize(
    ("y", "is_classifier"),
    [
        ([0, 1, 2] * 20, True),
        ([0.0, 1.0] * 30, True),
        (["a", "b"] * 30, True),
        ([0.5, 1.0] * 30, False),
        (range(60), False),
    ],
)
def test_targets_are_classes_if_texts_or_few_whole_numbers(y, is_classifier):
    assert read_target(np.array(y))[1] is is_classifier


# The estimator.


def test_scikit_learns_checks():
    results = check_estimator(SuperfeatureClustering(random_state=0), on_fail=None, on_skip=None)
    failed = [(result["check_name"], result["exception"]) for result in results if result["status"] == "failed"]
    assert not failed
    assert sum(result["status"] == "passed" for result in results) >= 35


def test_same_seed_same_labels_and_parameters_survive_clone():
    X, y = products(900)
    first = SuperfeatureClustering(random_state=3, max_size=0.5, n_jobs=2).fit(X, y)
    again = clone(first).set_params(n_jobs=1).fit(X, y)
    np.testing.assert_array_equal(first.labels_, again.labels_)
    np.testing.assert_array_equal(first.linkage_, again.linkage_)
    assert first.additive_gap_ == again.additive_gap_
    assert clone(first).get_params() == first.get_params()


def test_order_of_columns_changes_labels_only():
    X, y = products()
    order = np.random.RandomState(0).permutation(8)
    for affinity in ("spearman", "interaction"):
        straight = SuperfeatureClustering(4, affinity=affinity, random_state=0).fit(X, y)
        shuffled = SuperfeatureClustering(4, affinity=affinity, random_state=0).fit(X[:, order], y)
        assert adjusted_rand_score(straight.labels_[order], shuffled.labels_) == 1


def test_weights_count_in_the_gap_and_zero_weight_is_absence():
    X, y = products(1_200)
    weight = np.where(np.arange(1_200) < 800, 2.0, 0.0)
    model = SuperfeatureClustering(4, affinity="spearman", random_state=0)
    weighted, short = clone(model).fit(X, y, sample_weight=weight), clone(model).fit(X[:800], y[:800])
    assert weighted.additive_gap_ == pytest.approx(short.additive_gap_)
    y[::2] = X[::2].sum(axis=1)  # half of the rows follow a purely additive rule
    additive_rows = np.arange(1_200) % 2 == 0
    gaps = [
        clone(model).fit(X, y, sample_weight=weight).additive_gap_
        for weight in (np.where(additive_rows, 1.0, 0.01), None, np.where(additive_rows, 0.01, 1.0))
    ]
    assert gaps[0] < 0.05 < gaps[1] < 0.25 < gaps[2]


def test_tiny_tables_are_quick_and_use_the_cheap_rule():
    X, y = products(60)
    model = SuperfeatureClustering(random_state=0).fit(X, y)
    assert (model.affinity_name_, model.n_superfeatures_) == ("spearman", 4) and np.isnan(model.additive_gap_)
    start = time.perf_counter()
    for _ in range(10):
        clone(model).fit(X, y)
    assert time.perf_counter() - start < 0.5 * 4  # 50 ms each, with room for a busy machine


@pytest.mark.parametrize("n_columns", [1, 2, 3])
def test_auto_adapts_to_few_columns(n_columns):
    X, y = products(500)
    assert SuperfeatureClustering(random_state=0).fit(X[:, :n_columns], y).n_superfeatures_ <= n_columns


def test_a_callable_and_a_matrix_serve_as_affinity():
    X, labels = blocks()
    affinity = np.equal.outer(labels, labels).astype(float)
    by_function = SuperfeatureClustering(3, affinity=lambda rows: affinity).fit(X)
    by_matrix = SuperfeatureClustering(3, affinity=affinity).fit(X)
    itself = SuperfeatureClustering(3, affinity="precomputed").fit(affinity)
    for fitted, name in ((by_function, "callable"), (by_matrix, "precomputed"), (itself, "precomputed")):
        assert adjusted_rand_score(fitted.labels_, labels) == 1 and fitted.affinity_name_ == name


@pytest.mark.parametrize(
    ("parameters", "fit", "message"),
    [
        ({"n_superfeatures": 9}, {}, "9 superfeatures need as many columns, but X has 8"),
        ({"n_superfeatures": 2, "max_size": 3}, {}, "max_size=4 or more"),
        ({"affinity": np.eye(3)}, {}, r"shape \(8, 8\)"),
        ({"affinity": -np.ones((8, 8))}, {}, "at least zero"),
        ({"affinity": np.triu(np.ones((8, 8)))}, {}, "symmetric"),
        ({"affinity": "interaction"}, {"y": None}, "needs a target or a teacher"),
        ({"affinity": "hessian"}, {}, "needs a ReLU network"),
        ({}, {"y": [np.nan] * 60}, "without missing"),
        ({}, {"y": [1.0] * 59}, "one target per row"),
        ({}, {"sample_weight": np.zeros(60)}, "weight"),
    ],
)
def test_bad_input_is_explained_and_leaves_no_half_fitted_object(parameters, fit, message):
    X, y = products(60)
    model = SuperfeatureClustering(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(X, **{"y": y, **fit})
    assert not hasattr(model, "labels_")


def test_hessian_refuses_what_it_cannot_read():
    X, y = products(60)
    bent = make_pipeline(PolynomialFeatures(), MLPClassifier((4,), max_iter=2, random_state=0))
    with pytest.warns(UserWarning, match="Maximum iterations"):
        bent.fit(X, y > 0)
    for teacher in (HistGradientBoostingRegressor().fit(X, y), bent):
        with pytest.raises(TypeError, match="ReLU classifier network"):
            SuperfeatureClustering(2, affinity="hessian").fit(X, y, teacher=teacher)


# Names, and what users call superfeatures.


@pytest.mark.parametrize(
    ("inside", "outside", "name"),
    [
        (["BILL_AMT1", "BILL_AMT2"], ["PAY_AMT1"], "BILL_AMT"),
        (["BILL_AMT1", "BILL_AMT2"], ["BILL_AMT3"], "BILL_AMT1–2"),
        (["x_mean", "y_mean"], [], "mean"),
        (["totalRooms", "sleepingRooms"], ["population"], "Rooms"),
        (["colour=red", "colour=blue"], ["size"], "colour"),
        (["mean texture", "texture error", "worst texture"], ["mean area"], "texture"),
        (["meanTexture", "textureError", "worst_texture"], [], "Texture"),
        (["mean texture", "texture error"], ["worst texture"], "mean texture & texture error"),
        (["longitude", "latitude"], [], "latitude & longitude"),
        (["ash", "alcalinity_of_ash"], [], "alcalinity_of_ash & ash"),
        (["x3", "x1", "x2"], ["x4"], "x1–3"),
        (["x10", "x9", "x1"], ["x4"], "x1, x9–10"),
        (["p08", "p10", "p09"], ["p11"], "p08–10"),
        ([f"x{i}" for i in [*range(20, 32), 2, 4, 6, 8, 11, 13, 15, 17, 19]], ["x1"], "x19–31 + 8 more"),
        ([f"x{i}" for i in range(0, 40, 2)], ["x1"], "x0 + 19 more"),
        (["the height of a person", "sizes in all other words"], [], "sizes in all other words + 1 more"),
        (["age", "sex", "height"], [], "age + 2 more"),
        (["0", "1"], ["2"], "0–1"),
        (["age"], ["age_2"], "age"),
    ],
)
def test_names_are_read_from_the_columns(inside, outside, name):
    labels = np.repeat([0, 1], [len(inside), len(outside)])
    assert superfeature_names(inside + outside, labels)[0] == name


def test_names_differ_and_point_at_the_central_column():
    names = superfeature_names(["age & sex", "age", "sex", "age & sex (2)"], [0, 1, 1, 2])
    assert len(set(names)) == 3 and names[0] == "age & sex"
    affinity = np.array([[1, 0.9, 0.1], [0.9, 1, 0.8], [0.1, 0.8, 1]])
    assert superfeature_names(["left", "middle", "right"], [0, 0, 0], affinity) == ["middle + 2 more"]


COLUMNS = ["age", "sex", "x1", "x2", "x3", "BILL_AMT1", "BILL_AMT2", "PAY_AMT1", "mean area", "area error", "up"]


@given(st.lists(st.integers(0, 3), min_size=len(COLUMNS), max_size=len(COLUMNS)), st.randoms(use_true_random=False))
def test_names_are_unique_and_no_matter_of_order(groups, order):
    labels = np.unique(groups, return_inverse=True)[1]
    affinity = np.abs(np.corrcoef(np.random.RandomState(0).normal(size=(len(COLUMNS), 5))))
    names = superfeature_names(COLUMNS, labels, affinity)
    assert len(set(names)) == labels.max() + 1
    shuffled = order.sample(range(len(COLUMNS)), len(COLUMNS))
    again = superfeature_names(
        [COLUMNS[column] for column in shuffled], labels[shuffled], affinity[np.ix_(shuffled, shuffled)]
    )
    assert again == names


def test_resolve_accepts_everything_people_call_superfeatures():
    X, y = products(100)
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    expected = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    groups = {"left": ["a", "b", "c", 3], "right": list("efgh")}
    for given_superfeatures in (list("llllrrrr"), np.repeat([7, 2], 4), groups):
        labels, names, clustering = resolve_superfeatures(given_superfeatures, frame)
        np.testing.assert_array_equal(labels, expected)
        assert len(set(names)) == 2 and clustering is None
    assert names == ["left", "right"]
    reversed_groups = dict(reversed(groups.items()))
    np.testing.assert_array_equal(resolve_superfeatures(reversed_groups, frame)[0], 1 - expected)
    mine = SuperfeatureClustering(3)
    for given_superfeatures, count in (
        ("auto", None),
        (3, 3),
        (mine, 3),
        (FeatureAgglomeration(3), 3),
        (np.int64(2), 2),
    ):
        labels, names, clustering = resolve_superfeatures(given_superfeatures, frame, y, random_state=0)
        assert labels.shape == (8,) and labels[0] == 0 and len(names) == labels.max() + 1 == (count or len(names))
        assert clustering is not given_superfeatures and hasattr(clustering, "labels_")
    assert not hasattr(mine, "labels_")


def test_resolve_clusters_mixed_tables_by_any_clusterer_of_features():
    frame, _ = mixed()
    labels, names, _ = resolve_superfeatures(FeatureAgglomeration(2), frame)
    assert labels.shape == (6,) and len(names) == 2


@pytest.mark.parametrize(
    ("superfeatures", "error", "message"),
    [
        ([0, 1], ValueError, r"one superfeature label per column \(3\), got 2"),
        ({"one": ["a", "b"]}, ValueError, "leave out columns: 'c'"),
        ({"one": ["a", "b"], "two": ["b", "c"]}, ValueError, "more than once: 'b'"),
        ({"one": ["a", "b"], "two": ["z", "c"]}, ValueError, "X does not have: 'z'"),
        ({"one": ["a", "b", 9]}, ValueError, "X does not have: 9.*leave out columns: 'c'"),
        ({"one": ["a", "b", "c"], "two": []}, ValueError, "have no column: 'two'"),
        (4, ValueError, "X has 3"),
        (0, ValueError, "n_superfeatures"),
        ("many", TypeError, "one label per column"),
        (None, TypeError, "one label per column"),
        (1.5, TypeError, "one label per column"),
        (SuperfeatureClustering, TypeError, "one label per column"),
        ([[0], [1], [2]], TypeError, "one label per column"),
        (KMeans(2, n_init=1), ValueError, "one superfeature label per column"),
        (StandardScaler(), TypeError, "StandardScaler has none"),
    ],
)
def test_resolve_explains_what_is_wrong(superfeatures, error, message):
    frame = pd.DataFrame(np.random.RandomState(0).normal(size=(20, 3)), columns=list("abc"))
    with pytest.raises(error, match=message):
        resolve_superfeatures(superfeatures, frame)


def test_gap_judges_the_groups_it_was_given_where_columns_are_categories():
    rng = np.random.RandomState(0)
    n = 1200
    X = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.choice(list("uv"), n),
            "c": rng.normal(size=n),
            "d": rng.choice(list("xy"), n),
        }
    )
    y = X["a"] * np.where(X["b"] == "u", 2.0, -2.0) + X["c"] * np.where(X["d"] == "x", 2.0, -2.0)
    together, apart = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    gaps = [
        measure_additive_gap(labels, X, y.to_numpy(), is_classifier=False, sample_weight=np.ones(n), random_state=rng)
        for labels in (together, apart)
    ]
    assert gaps[0] < 0.05 < 0.5 < gaps[1]


def test_page_shows_what_was_measured():
    from benchmarks.sisters.communities import render

    root = Path(__file__).parents[1]
    measured = json.loads((root / "benchmarks" / "results" / "communities.json").read_text())
    assert render(measured) in (root / "docs" / "communities.md").read_text(encoding="utf-8")


# rarer paths ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["hierarchical", "louvain"])
def test_groups_that_cannot_grow_are_dissolved(method):
    """Three pairs that like each other, two groups wanted, at most three columns each: one pair must part."""
    X = np.repeat(np.random.RandomState(0).normal(size=(200, 3)), 2, axis=1)
    X += 0.01 * np.random.RandomState(1).normal(size=X.shape)
    clustering = SuperfeatureClustering(2, method=method, affinity="spearman", max_size=3, random_state=0).fit(X)
    assert sorted(np.bincount(clustering.labels_)) == [3, 3]


def test_the_gap_of_wide_tables_is_measured_on_the_columns_that_matter(monkeypatch):
    from skked._superfeatures import gap

    X = np.random.RandomState(0).normal(size=(600, 8))
    y = 3 * X[:, 0] * X[:, 4]

    def differences(X):
        rest = {"is_classifier": False, "sample_weight": np.ones(600), "random_state": np.random.RandomState(0)}
        return gap.AdditiveGap(encode_columns(X), y, **rest).differences(np.arange(X.shape[1]))

    monkeypatch.setattr(gap, "_MAX_COLUMNS", 2)
    found, alone = differences(X), differences(X[:, [0, 4]])
    np.testing.assert_array_equal(found, alone)
    assert found.mean() > 0.5


def test_the_measured_gap_of_long_tables_takes_some_rows(monkeypatch):
    from skked._superfeatures import measured_gap

    X, y = products(n=600)
    rest = {"is_classifier": False, "sample_weight": np.ones(600)}
    labels = np.arange(X.shape[1])
    whole = measure_additive_gap(labels, X, y, **rest, random_state=np.random.RandomState(0))
    monkeypatch.setattr(measured_gap, "_MAX_ROWS", 400)
    part = measure_additive_gap(labels, X, y, **rest, random_state=np.random.RandomState(0))
    assert whole != part and abs(whole - part) < 0.5


@pytest.mark.parametrize(
    ("network", "match"),
    [
        (lambda torch: torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)), "Tanh"),
        (lambda torch: torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()), "does not end with Linear"),
        (lambda torch: torch.nn.Sequential(torch.nn.Linear(5, 2)), "reads 5 columns"),
    ],
)
def test_hessian_refuses_other_networks_of_torch(network, match):
    import torch

    X = np.random.RandomState(0).normal(size=(50, 3))
    with pytest.raises((TypeError, ValueError), match=match):
        SuperfeatureClustering(2, affinity="hessian").fit(X, teacher=network(torch))


def test_hessian_reads_networks_of_torch_and_needs_complete_rows():
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(8, 3, bias=False)
        )
    X = np.random.RandomState(0).normal(size=(50, 4))
    assert SuperfeatureClustering(2, affinity="hessian").fit(X, teacher=network).labels_.max() == 1
    with pytest.raises(ValueError, match="rows without missing cells"):
        SuperfeatureClustering(2, affinity="hessian").fit(np.full((50, 4), np.nan), teacher=network)


@pytest.mark.parametrize("teacher", [5, DecisionTreeClassifier])
def test_teachers_are_models_or_functions(teacher):
    with pytest.raises(TypeError, match="fitted estimator or a function"):
        SuperfeatureClustering(2).fit(np.random.RandomState(0).normal(size=(50, 3)), teacher=teacher)


def test_interactions_need_somebody_to_ask():
    X = np.random.RandomState(0).normal(size=(50, 3))
    with pytest.raises(ValueError, match="needs a target or a teacher"):
        SuperfeatureClustering(2, affinity="interaction").fit(X)


def test_one_row_has_no_interactions_and_frozen_teachers_are_looked_into():
    X = np.random.RandomState(0).normal(size=(80, 3))
    tree = FrozenEstimator(DecisionTreeClassifier(max_depth=3).fit(X, X[:, 0] * X[:, 1] > 0))
    found = SuperfeatureClustering(2, affinity="interaction").fit(X, teacher=tree)
    assert found.labels_.max() == 1
    alone = SuperfeatureClustering(2, affinity="interaction").fit(X[:1], teacher=tree)
    assert alone.labels_.max() == 1


def test_hessian_looks_into_frozen_networks_and_refuses_other_activations():
    X = np.random.RandomState(0).normal(size=(60, 4))
    y = X[:, 0] * X[:, 1] > 0
    network = MLPClassifier((6,), max_iter=30, tol=10.0, random_state=0).fit(X, y)
    plain, frozen = (
        SuperfeatureClustering(2, affinity="hessian").fit(X, teacher=teacher)
        for teacher in (network, FrozenEstimator(network))
    )
    np.testing.assert_array_equal(plain.affinity_, frozen.affinity_)
    with pytest.raises(TypeError, match=r"needs a ReLU classifier network.*tanh"):
        smooth = MLPClassifier((6,), activation="tanh", max_iter=30, tol=10.0).fit(X, y)
        SuperfeatureClustering(2, affinity="hessian").fit(X, teacher=smooth)


def test_a_teacher_is_asked_about_the_rows_of_the_subsample_only():
    X, seen = np.random.RandomState(0).normal(size=(300, 4)), []

    def teacher(rows):
        seen.append(np.unique(rows[:, 0]))
        return rows[:, 0] * rows[:, 1] + rows[:, 2] * rows[:, 3]

    found = SuperfeatureClustering(2, affinity="interaction", subsample=100, random_state=0).fit(X, teacher=teacher)
    assert found.labels_.tolist() == [0, 0, 1, 1]
    assert len(np.unique(np.concatenate(seen))) <= 100


def test_very_many_columns_are_put_together_without_trying_every_pair():
    from skked._superfeatures.communities import louvain_communities

    truth = np.repeat([0, 1, 2], 67)
    affinity = np.where(np.equal.outer(truth, truth), 1.0, 0.1)
    found = louvain_communities(affinity, 3, random_state=np.random.RandomState(0))
    assert adjusted_rand_score(truth, found) == 1
