"""Tables: validation of user input, rows, canonical form, encoding."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skked._table import (
    TableEncoder,
    assemble_rows,
    canonical_rows,
    check_and_read,
    check_table,
    column_names,
    is_numeric,
    split_strata,
    stack_rows,
    take_rows,
)


class RidgeOnTable(ClassifierMixin, BaseEstimator):
    """The least estimator that lives on the table functions, to be put through scikit-learn's checks."""

    def fit(self, X, y, sample_weight=None):
        X = check_table(self, X, reset=True)
        if y is None:
            raise ValueError("This estimator requires y to be passed, but the target y is None.")
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} rows, y has {len(y)}.")
        self.classes_, y = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("Expected two classes, got one class.")
        rows = canonical_rows(X, y, sample_weight)
        X, y = take_rows(X, rows.index), y[rows.index]
        self.encoder_ = TableEncoder().fit(X, sample_weight=rows.weight)
        Z = self._design(X)
        self.coef_ = np.linalg.solve(
            Z.T @ (Z * rows.weight[:, None]) + np.eye(Z.shape[1]),
            Z.T @ (np.eye(len(self.classes_))[y] * rows.weight[:, None]),
        )
        return self

    def predict(self, X):
        check_is_fitted(self)
        return self.classes_[(self._design(check_table(self, X, reset=False)) @ self.coef_).argmax(axis=1)]

    def _design(self, X):
        encoded = self.encoder_.transform(X).astype(np.float64)
        return np.column_stack([encoded, np.ones(len(encoded))])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class Plain(BaseEstimator):
    pass


def mixed_frame(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": rng.normal(10, 3, n),
            "count": rng.integers(0, 5, n),
            "small": rng.normal(size=n).astype(np.float32),
            "flag": rng.uniform(size=n) < 0.3,
            "text": rng.choice(["red", "green", None], n),
            "kind": pd.Categorical(rng.choice(["a", "b", "c"], n), categories=["c", "b", "a", "unused"]),
            "nullable": pd.array(rng.integers(0, 3, n), dtype="Int64"),
            "objects": pd.Series([1, "1", 2.5, None] * (n // 4), dtype=object),
        }
    )


def test_an_estimator_on_tables_passes_scikit_learns_checks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(RidgeOnTable(), on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] not in ("passed", "skipped")}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) >= 50


def test_numbers_come_back_as_floats_and_frames_as_they_are():
    plain = Plain()
    for dtype, expected in [("float32", "float32"), ("float64", "float64"), ("int8", "float64"), ("bool", "float64")]:
        assert check_table(plain, np.ones((2, 3), dtype=dtype), reset=True).dtype == expected
    objects = np.array([[1, None], [True, 2.5]], dtype=object)
    np.testing.assert_array_equal(check_table(plain, objects, reset=True), [[1, np.nan], [1, 2.5]])
    frame = mixed_frame()
    assert check_table(plain, frame, reset=True) is frame
    assert list(plain.feature_names_in_) == list(frame.columns)
    assert plain.n_features_in_ == frame.shape[1]


def test_arrays_and_lists_with_texts_become_frames_without_feature_names():
    plain = Plain()
    for X in ([[1, "a"], [2, "b"]], np.array([[1, "a"], [2, "b"]], dtype=object)):
        table = check_table(plain, X, reset=True)
        assert column_names(table) == ["x0", "x1"]
        assert list(table["x0"]) == [1, 2] and list(table["x1"]) == ["a", "b"]
        assert not hasattr(plain, "feature_names_in_") and plain.n_features_in_ == 2
        assert not is_numeric(table)
    assert not is_numeric(check_table(plain, np.array([["u"], ["v"]]), reset=True))


def test_frames_of_other_libraries_become_pandas_frames():
    pyarrow = pytest.importorskip("pyarrow")
    plain = Plain()
    table = check_table(plain, pyarrow.table({"a": [1, 2], "b": ["u", None]}), reset=True)
    assert list(table["a"]) == [1, 2] and table["b"].isna().tolist() == [False, True]
    assert list(plain.feature_names_in_) == ["a", "b"]


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (sparse.csr_array(np.eye(3)), TypeError, "[Ss]parse data was passed.*toarray"),
        (np.array([1.0, 2.0]), ValueError, "Reshape your data"),
        (np.ones((2, 2, 2)), ValueError, "dim 3"),
        (np.empty((0, 3)), ValueError, "0 sample"),
        (np.empty((3, 0)), ValueError, "0 feature"),
        (np.array([[1.0, np.inf]]), ValueError, "infinity"),
        (np.array([[1j, 0]]), ValueError, "Complex data not supported"),
        (pd.DataFrame({"a": []}), ValueError, "0 sample"),
        (pd.DataFrame(index=[0, 1]), ValueError, "0 feature"),
        (pd.DataFrame({"a": [1.0], "b": [-np.inf]}), ValueError, "'b' contains infinity"),
        (pd.DataFrame({"b": pd.Series([1, np.inf], dtype=object)}), ValueError, "'b' contains infinity"),
        (pd.DataFrame({"when": pd.to_datetime(["2020-01-01"])}), TypeError, "'when' holds datetime.*or drop"),
        (pd.DataFrame({"when": pd.to_timedelta([1], unit="s")}), TypeError, "'when' holds timedelta.*total_seconds"),
        (pd.DataFrame({"when": pd.Series([pd.Timestamp(0), None], dtype=object)}), TypeError, "'when' holds datetime"),
        (pd.DataFrame({"when": pd.period_range("2020", periods=2, freq="Y")}), TypeError, "'when' holds period"),
        (pd.DataFrame({"bin": pd.cut(pd.Series([1, 2]), 2).astype("interval")}), TypeError, "'bin' holds interval"),
        (pd.DataFrame({"z": [1j]}), TypeError, "'z' holds complex"),
        (pd.DataFrame({"s": pd.arrays.SparseArray([0.0, 1.0])}), TypeError, "'s' has the sparse dtype"),
        (pd.DataFrame({"d": [{"a": 1}]}), TypeError, "'d' holds a dict"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, r"distinct column names, got \['a'\]"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), ValueError, "one level of column names"),
    ],
)
def test_what_is_no_table_is_refused_with_advice(X, error, message):
    plain = Plain()
    with pytest.raises(error, match=message):
        check_table(plain, X, reset=True)
    assert not hasattr(plain, "n_features_in_")


def test_columns_at_predict_must_be_those_of_fit():
    plain, frame = Plain(), mixed_frame()
    check_table(plain, frame, reset=True)
    with pytest.raises(ValueError, match="same order"):
        check_table(plain, frame[frame.columns[::-1]], reset=False)
    with pytest.raises(ValueError, match="seen at fit time, yet now missing"):
        check_table(plain, frame.drop(columns="text"), reset=False)
    check_table(plain, np.ones((3, 4)), reset=True)
    for wrong in (np.ones((3, 5)), np.full((3, 4), np.inf)):
        with pytest.raises(ValueError, match=r"5 features|infinity"):
            check_table(plain, wrong, reset=False)


def as_values(table):
    return table.astype(object).where(table.notna(), None).to_numpy() if isinstance(table, pd.DataFrame) else table


@pytest.mark.parametrize("kind", ["array", "frame"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n_superfeatures=st.integers(1, 4), n_new=st.integers(0, 12))
def test_assembled_rows_hold_what_their_donors_hold(kind, seed, n_superfeatures, n_new):
    pool = mixed_frame(8, seed)
    if kind == "array":
        pool = np.random.default_rng(seed).integers(0, 99, pool.shape).astype(np.float32)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_superfeatures, pool.shape[1])
    donors = rng.integers(0, 8, (n_new, n_superfeatures))
    assembled = assemble_rows(pool, donors, labels)
    expected = [[as_values(pool)[donors[r, g], j] for j, g in enumerate(labels)] for r in range(n_new)]
    np.testing.assert_array_equal(as_values(assembled), np.reshape(np.array(expected, dtype=object), assembled.shape))
    if kind == "frame":
        pd.testing.assert_series_equal(assembled.dtypes, pool.dtypes)
    else:
        assert assembled.dtype == pool.dtype


def test_stacked_rows_keep_dtypes_and_values():
    A, B = mixed_frame(8, 0), mixed_frame(4, 1)
    stacked = stack_rows(A, B)
    pd.testing.assert_series_equal(stacked.dtypes, A.dtypes)
    np.testing.assert_array_equal(as_values(stacked), np.concatenate([as_values(A), as_values(B)]))
    wider = stack_rows(
        pd.DataFrame({"n": [1, 2], "k": pd.Categorical(["a", "b"]), "o": [1, 2]}),
        pd.DataFrame({"n": [0.5], "k": pd.Categorical(["z"]), "o": ["text"]}),
    )
    assert list(wider["n"]) == [1.0, 2.0, 0.5] and list(wider["o"]) == [1, 2, "text"]
    assert list(wider["k"]) == ["a", "b", "z"] and list(wider["k"].cat.categories) == ["a", "b", "z"]
    np.testing.assert_array_equal(stack_rows(np.eye(2), np.ones((1, 2))), [[1, 0], [0, 1], [1, 1]])
    with pytest.raises(ValueError, match="same order"):
        stack_rows(A, B[B.columns[::-1]])
    with pytest.raises(ValueError, match="one kind"):
        stack_rows(np.eye(2), np.eye(3))


@pytest.mark.parametrize("kind", ["array", "frame"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), weights=st.lists(st.integers(0, 3), min_size=8, max_size=8).filter(any))
def test_repeated_rows_in_any_order_are_weighted_rows(kind, seed, weights):
    X = mixed_frame(8, seed % 3)  # with equal rows in places
    X = X.iloc[[0, 1, 2, 3, 4, 4, 6, 7]].reset_index(drop=True)
    if kind == "array":
        X = np.array([[0.0, 1], [-0.0, 1], [np.nan, 2], [-np.nan, 2], [3, 4], [4, 3], [5, 5], [1, 0]])
    y = np.array(["u", "u", "v", "v", "u", "v", "u", "v"])
    order = np.random.default_rng(seed).permutation(np.repeat(np.arange(8), weights))
    weighted, repeated = canonical_rows(X, y, weights), canonical_rows(take_rows(X, order), y[order])
    assert weighted.weight.sum() == sum(weights)
    np.testing.assert_array_equal(weighted.weight, repeated.weight)
    np.testing.assert_array_equal(y[weighted.index], y[order][repeated.index])
    left, right = as_values(take_rows(X, weighted.index)), as_values(take_rows(take_rows(X, order), repeated.index))
    np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(weighted.group[order], repeated.group)
    assert (weighted.group[np.array(weights) == 0] == -1).all()


def test_rows_are_merged_exactly_if_all_their_values_agree():
    X = np.array([[0.0, np.nan], [-0.0, -np.nan], [0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    rows = canonical_rows(X, [0, 0, 0, 0], [1, 2, 3, 4])
    assert rows.group[0] == rows.group[1] and len(set(rows.group)) == 3
    assert sorted(rows.weight) == [3, 3, 4]
    assert len(canonical_rows(X, [0, 1, 0, 0]).index) == 4
    np.testing.assert_array_equal(canonical_rows(X.astype(np.float64)).group, canonical_rows(X).group)
    values = ["b", "a", None, "b"]
    reference = canonical_rows(pd.DataFrame({"v": values})).group
    for categories in (["a", "b"], ["b", "c", "a"]):
        frame = pd.DataFrame({"v": pd.Categorical(values, categories=categories)})
        np.testing.assert_array_equal(canonical_rows(frame).group, reference)


@pytest.mark.parametrize(
    ("weight", "message"),
    [([0, 0], "Every sample_weight is zero"), ([1, -1], "at least zero"), ([1, np.nan], "finite"), ([1], "shape")],
)
def test_weights_that_say_nothing_are_refused(weight, message):
    with pytest.raises(ValueError, match=message):
        canonical_rows(np.eye(2), None, weight)


def test_splits_survive_the_merging_of_rows():
    X = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [2.0]])  # row 0 is repeated within and across the folds
    splits = [(np.array([2, 3, 4]), np.array([0, 1, 5])), (np.array([0, 1, 5]), np.array([2, 3, 4]))]
    weight = np.array([1, 2, 5, 1, 1, 0])
    rows = canonical_rows(X, None, weight, strata=split_strata(splits, 6))
    for (train, test), (mapped_train, mapped_test) in zip(splits, rows.map_splits(splits), strict=True):
        assert not set(mapped_train) & set(mapped_test)
        for part, mapped in ((train, mapped_train), (test, mapped_test)):
            expected = pd.Series(weight[part]).groupby(X[part, 0]).sum()
            found = pd.Series(rows.weight[mapped], index=X[rows.index[mapped], 0]).sort_index()
            assert dict(found) == dict(expected[expected > 0])
    folds = list(KFold(3).split(X))
    assert len(np.unique(split_strata(folds, 6))) == 3


def encode_one(values, fit_values=None, **kwargs):
    frame = pd.DataFrame({"v": values})
    encoder = TableEncoder(**kwargs).fit(frame if fit_values is None else pd.DataFrame({"v": fit_values}))
    return encoder, encoder.transform(frame)


def test_numbers_are_scored_robustly_and_far_ones_drawn_in():
    values = np.random.default_rng(0).normal(50, 7, 1001)
    encoder, encoded = encode_one(values)
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    z = (values - median) * 1.3489795003921634 / (high - low)
    np.testing.assert_allclose(encoded[:, 0], np.arcsinh(z), atol=0.01)
    values[:50] = 1e9
    _, with_outliers = encode_one(values)
    np.testing.assert_allclose(with_outliers[50:], encoded[50:], atol=0.25)
    assert np.abs(with_outliers).max() < 15
    far = encoder.transform(pd.DataFrame({"v": [1e300, -1e300, np.finfo(float).max]}))
    np.testing.assert_allclose(far[:, 0], np.arcsinh([1e6, -1e6, 1e6]), rtol=1e-6)


def test_a_column_that_is_mostly_one_value_keeps_what_it_says():
    values = np.zeros(100)
    values[:4] = [5, 10, 10, 1000]
    _, encoded = encode_one(values)
    np.testing.assert_allclose(encoded[:5, 0], np.arcsinh([0.5, 1, 1, 100, 0]), rtol=1e-6)


@pytest.mark.parametrize("values", [[2.5] * 4, [np.nan] * 4, [0.1 + 0.2, 0.3, 0.3, 0.3], [None] * 4, ["same"] * 4])
def test_a_column_that_says_nothing_is_one_column_of_zeros(values):
    encoder, encoded = encode_one(values)
    np.testing.assert_array_equal(encoded, np.zeros((4, 1)))
    assert encoder.columns_.tolist() == [0]


def test_missing_numbers_read_as_the_median_and_are_marked_where_fit_had_some():
    X = np.array([[1.0, 1.0], [2.0, np.nan], [3.0, 3.0]])
    encoder = TableEncoder().fit(X)
    assert encoder.get_feature_names_out().tolist() == ["x0", "x1", "x1_(missing)"]
    assert encoder.columns_.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(encoder.transform(X)[:, 2], [0, 1, 0])
    np.testing.assert_array_equal(encoder.transform(np.array([[np.nan, np.nan]])), [[0, 0, 1]])
    np.testing.assert_array_equal(encoder.transform(np.array([[2.0, 1.0]])), [[0, 0, 0]])


def test_truth_values_are_centred():
    _, encoded = encode_one([True, False, False, False])
    np.testing.assert_allclose(encoded[:, 0], np.arcsinh([0.75, -0.25, -0.25, -0.25]), rtol=1e-6)


def test_frequent_levels_get_columns_and_the_rest_share_one():
    values = ["a"] * 50 + ["b"] * 30 + ["c"] * 18 + ["rare", None]
    encoder, encoded = encode_one(["a", "b", "rare", "unseen", None], values, min_share=0.05)
    assert encoder.feature_names_out_ == ["v_a", "v_b", "v_c", "v_(other)", "v_(missing)"]
    onehot = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]])
    np.testing.assert_allclose(encoded, onehot - [0.5, 0.3, 0.18, 0.01, 0.01], atol=1e-7)
    _, unseen = encode_one(["unseen", None], ["a", "b", "c"])
    np.testing.assert_array_equal(unseen, np.zeros((2, 3)))
    two, _ = encode_one(["a"], ["a", "b"])
    assert two.feature_names_out_ == ["v_a"]


def test_levels_are_known_by_value_not_by_code_or_dtype():
    texts = ["a", "b", "b", "c"]
    encoder, expected = encode_one(texts)
    for other in (
        pd.Categorical(texts, categories=["z", "c", "b", "a"]),
        pd.array(texts, dtype="string"),
        np.array(texts, object),
    ):
        np.testing.assert_array_equal(encoder.transform(pd.DataFrame({"v": other})), expected)
    by_number, expected = encode_one(pd.Categorical([1, 2, 3]))
    np.testing.assert_array_equal(by_number.transform(pd.DataFrame({"v": [1.0, 2.0, 3.0]})), expected)


def test_many_levels_become_codes_of_the_target():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 4000, 40_000)
    effect = rng.normal(size=4000)
    score = effect[level] + rng.normal(size=40_000)
    frame = pd.DataFrame({"v": [f"level {k}" for k in level]})
    encoder = TableEncoder().fit(frame, codes_target=np.column_stack([-score, score]))
    encoded = encoder.transform(frame)
    assert encoded.shape == (40_000, 1)
    np.testing.assert_allclose([encoded.mean(), encoded.std()], [0, 1], atol=1e-3)
    assert np.corrcoef(encoded[:, 0], effect[level])[0, 1] > 0.9
    assert abs(encoder.transform(pd.DataFrame({"v": ["unseen"]}))[0, 0]) < 1
    means = pd.Series(score - score.mean()).groupby(level).agg(["sum", "count"])
    shrunken = (means["sum"] / (means["count"] + 10))[level].to_numpy()
    usual = means["count"][level].to_numpy() >= 3
    np.testing.assert_allclose(encoded[usual, 0], (shrunken / shrunken.std())[usual], atol=3e-3)
    assert TableEncoder().fit(frame).transform(frame).shape == (40_000, 9)
    assert TableEncoder().fit(frame, codes_target=np.ones(40_000)).transform(frame).any() == 0


def test_weights_count_like_repeated_rows():
    frame = mixed_frame(40)
    weight = np.random.default_rng(1).integers(1, 4, 40)
    repeated = frame.loc[frame.index.repeat(weight)].reset_index(drop=True)
    target = frame["size"].to_numpy()
    encoders = [
        TableEncoder(max_onehot=1, smoothing=0, min_share=0.01).fit(X, sample_weight=w, codes_target=t)
        for X, w, t in [(frame, weight, target), (repeated, None, np.repeat(target, weight))]
    ]
    np.testing.assert_allclose(encoders[0].transform(frame), encoders[1].transform(frame), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 39))
def test_rows_are_encoded_each_by_itself(seed, size):
    frame = mixed_frame(40)
    encoder = TableEncoder().fit(frame)
    index = np.random.default_rng(seed).choice(40, size)
    np.testing.assert_array_equal(encoder.transform(frame.iloc[index]), encoder.transform(frame)[index])
    X = np.random.default_rng(seed).normal(size=(40, 37))
    encoder = TableEncoder().fit(X)
    np.testing.assert_array_equal(encoder.transform(X[index]), encoder.transform(X)[index])


@pytest.mark.parametrize("numbers", ["plain", "nullable"])
def test_small_frames_are_read_like_large_ones(numbers):
    frame = mixed_frame(800)
    texts = frame["text"].astype(object).where(frame.index < 700, "blue")
    frame = frame.assign(
        text=texts,
        na=texts.where(frame["flag"]).astype("string"),
        ranks=pd.Categorical([2, 0, None, 2] * 200, categories=[2, 0]),
        gaps=frame["size"].where(frame["flag"]),
        bytes=pd.Series([b"x", b"y"] * 400, dtype=object),
    )
    if numbers == "plain":
        frame = frame.drop(columns="nullable")
    encoder = TableEncoder().fit(frame[:700])
    few_by_few = [encoder.transform(frame[row : row + 5]) for row in range(0, 800, 5)]
    np.testing.assert_array_equal(np.concatenate(few_by_few), encoder.transform(frame))


@pytest.mark.parametrize("n_columns", [1, 30, 80, 1200])
@pytest.mark.parametrize("gaps", [False, True])
def test_blocks_of_many_rows_join_without_a_seam(n_columns, gaps):
    rng = np.random.default_rng(0)
    n_rows = 400_000 // n_columns
    X = rng.normal(size=(n_rows, n_columns)) * 10.0 ** rng.integers(-3, 300, size=n_columns)
    if gaps:
        X[rng.random(X.shape) < 0.01] = np.nan
    encoder = TableEncoder().fit(X[:300])
    encoded = encoder.transform(X)
    assert encoded.dtype == np.float32 and encoded.flags.c_contiguous
    some = np.append(np.arange(0, n_rows, 299), n_rows - 1)
    np.testing.assert_array_equal(encoded[some], np.concatenate([encoder.transform(X[[row]]) for row in some]))
    for as_stored in (np.asfortranarray(X), pd.DataFrame(X)):
        np.testing.assert_array_equal(encoder.transform(as_stored), encoded)


def test_frames_of_numbers_are_let_through_only_as_in_fit():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=["a", "b"])
    model = RidgeOnTable().fit(X, np.arange(20) % 2)
    assert check_table(model, X[:1], reset=False).shape == (1, 2)
    infinite = X.replace(X.iloc[3, 1], np.inf)
    with pytest.raises(ValueError, match="'b' contains infinity"):
        check_table(model, infinite, reset=False)
    with config_context(assume_finite=True):
        check_table(model, infinite, reset=False)
        check_table(RidgeOnTable().fit(X.to_numpy(), np.arange(20) % 2), infinite.to_numpy(), reset=False)
    mixed = X.assign(c=["x", "y"] * 10)
    model = RidgeOnTable().fit(mixed, np.arange(20) % 2)
    assert check_table(model, mixed[:1], reset=False).shape == (1, 3)
    for rows in (slice(3, 4), slice(None)):
        with pytest.raises(ValueError, match="'b' contains infinity"):
            check_table(model, mixed.assign(b=infinite["b"])[rows], reset=False)
    model = RidgeOnTable().fit(X, np.arange(20) % 2)
    for wrong in (X[["b", "a"]], X.rename(columns={"a": "c"}), X[["a"]], X[:0], X.assign(b=pd.Timestamp(0))):
        with pytest.raises((ValueError, TypeError)):
            check_table(model, wrong, reset=False)


def test_levels_stay_what_they_are_in_frames_that_are_read_as_numbers():
    X = pd.DataFrame({"a": np.arange(40.0), "b": ["True", "False"] * 20, "c": ["2", "9007199254740993"] * 20})
    model, encoder = RidgeOnTable().fit(X, np.arange(40) % 2), TableEncoder().fit(X)
    as_numbers = X.assign(b=X["b"] == "True", c=X["c"].astype(np.int64))
    for rows in (slice(None), slice(0, 1), slice(1, 2)):
        table, cells = check_and_read(model, as_numbers[rows])
        assert cells.dtype == np.float64
        np.testing.assert_array_equal(encoder.transform(table, cells), encoder.transform(X[rows]))


def test_the_fitted_encoder_is_small_and_plain():
    frame = mixed_frame(40)
    encoder = TableEncoder().fit(frame)
    restored = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(restored.transform(frame), encoder.transform(frame))
    assert len(pickle.dumps(encoder)) < 4000
    assert encoder.columns_.shape == encoder.get_feature_names_out().shape == (encoder.transform(frame).shape[1],)
    plain = (np.ndarray, int, list)
    assert all(isinstance(value, plain) for name, value in vars(encoder).items() if name.endswith("_"))


def test_texts_in_a_numeric_column_are_named():
    encoder = TableEncoder().fit(pd.DataFrame({"v": [1.0, 2.0]}))
    with pytest.raises(ValueError, match=r"'v' was numeric in fit.*Convert"):
        encoder.transform(pd.DataFrame({"v": ["high"]}))


def test_target_that_equals_the_only_column_keeps_rows_apart():
    X = np.arange(5.0)[:, None]
    assert len(canonical_rows(X, X[:, 0]).index) == 5


def test_booleans_that_may_be_missing_and_complex_numbers_among_others():
    known = pd.DataFrame({"a": pd.array([True, None, False], dtype="boolean")})
    assert TableEncoder().fit(known).transform(known).shape[0] == 3
    with pytest.raises(TypeError, match="holds complex values"):
        check_table(BaseEstimator(), pd.DataFrame({"a": ["u", 1 + 2j, 3]}), reset=True)
