"""Chimeric sets: parts observed together, wholes that are new."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skked import make_chimeric_set
from skked._table import assemble_rows

LABELS = np.array([0, 1, 0, 2])


def table(kind="array", n=9, seed=0):
    X = np.random.default_rng(seed).integers(0, 5, (n, 4))
    if kind == "array":
        return X
    return pd.DataFrame(
        {"a": X[:, 0], "b": pd.Categorical(X[:, 1]), "c": [f"level {v}" for v in X[:, 2]], "d": X[:, 3] / 2}
    )


def rows_of(X, columns):
    return set(map(tuple, np.asarray(X, dtype=object)[:, columns]))


@pytest.mark.parametrize("kind", ["array", "frame"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), swap=st.sampled_from([0.01, 0.3, 0.9, 1.0]), within_class=st.booleans())
def test_parts_were_observed_and_wholes_are_new(kind, seed, swap, within_class):
    X, y = table(kind, seed=seed), np.arange(9) % 3
    X_chimeric, donors = make_chimeric_set(X, LABELS, 15, swap=swap, y=y, within_class=within_class, random_state=seed)
    assert type(X_chimeric) is type(X) and X_chimeric.shape == (15, 4) and donors.shape == (15, 3)
    expected = assemble_rows(X, donors, LABELS)
    if kind == "frame":
        pd.testing.assert_frame_equal(X_chimeric, expected)
        pd.testing.assert_series_equal(X_chimeric.dtypes, X.dtypes)
    else:
        np.testing.assert_array_equal(X_chimeric, expected)
        assert X_chimeric.dtype == X.dtype
    for g in range(3):
        assert rows_of(X_chimeric, LABELS == g) <= rows_of(X, LABELS == g)
    assert (donors != donors[:, :1]).any(axis=1).all()
    assert len(np.unique(donors, axis=0)) == 15
    if within_class:
        assert (y[donors] == y[donors[:, :1]]).all()


@pytest.mark.parametrize("swap", [0.2, 1.0])
def test_every_possible_chimera_is_found_before_any_is_repeated(swap):
    X = table(n=5)
    for n_samples, n_distinct in ((60, 60), (120, 120), (150, 120)):  # 5^3 - 5 = 120 exist
        _, donors = make_chimeric_set(X, LABELS, n_samples, swap=swap, random_state=0)
        assert len(donors) == n_samples
        assert len(np.unique(donors, axis=0)) == n_distinct


def test_swap_is_the_share_of_superfeatures_from_other_rows():
    n_superfeatures = 10
    X = np.zeros((500, n_superfeatures))
    for swap in (0.05, 0.3, 0.6):
        _, donors = make_chimeric_set(X, np.arange(n_superfeatures), 4000, swap=swap, random_state=0)
        from_base = np.array([np.unique(row, return_counts=True)[1].max() for row in donors])
        # A binomial number of swaps, given that it is not zero.
        expected = n_superfeatures * swap / (1 - (1 - swap) ** n_superfeatures)
        assert (n_superfeatures - from_base).mean() == pytest.approx(expected, rel=0.03)
    _, donors = make_chimeric_set(X, np.arange(n_superfeatures), 4000, swap=1.0, random_state=0)
    assert np.mean([len(np.unique(row)) for row in donors]) == pytest.approx(500 * (1 - (499 / 500) ** 10), rel=0.01)


@pytest.mark.parametrize("within_class", [False, True])
@pytest.mark.parametrize("swap", [0.5, 1.0])
def test_rows_are_drawn_in_proportion_to_their_weight(swap, within_class):
    # Many more pairs than are drawn, so that distinctness does not level the weights.
    weight, y = np.tile([0.0, 1.0, 2.0, 3.0, 4.0], 400), np.repeat([0, 1], 1000)
    _, donors = make_chimeric_set(
        np.zeros((2000, 2)),
        [0, 1],
        20_000,
        swap=swap,
        y=y,
        within_class=within_class,
        sample_weight=weight,
        random_state=0,
    )
    for column in donors.T:
        share = np.bincount(column % 5, minlength=5) / len(column)
        np.testing.assert_allclose(share, np.arange(5) / 10, atol=0.02)
        assert share[0] == 0
        assert y[column].mean() == pytest.approx(0.5, abs=0.02)
        assert len(np.unique(column)) > 1500


def test_rows_of_a_small_table_are_bases_equally_often():
    _, donors = make_chimeric_set(np.eye(3, 40), np.arange(40), 3000, swap=0.1, random_state=0)
    base = (donors[:, :, None] == np.arange(3)).sum(axis=1).argmax(axis=1)
    np.testing.assert_allclose(np.bincount(base) / 3000, 1 / 3, atol=0.04)


def test_parts_may_come_from_one_row_where_all_are_swapped():
    """Three donors drawn independently of three rows: two of them are the same in 18 of 24 chimeras."""
    _, donors = make_chimeric_set(np.eye(3), [0, 1, 2], 24, swap=1.0, random_state=0)
    alike = [np.sum(donors[:, one] == donors[:, other]) for one, other in ((0, 1), (0, 2), (1, 2))]
    assert alike == [6, 6, 6]


@pytest.mark.parametrize("seed", range(5))
def test_rows_alone_in_their_class_are_left_out(seed):
    y = np.array([2, 0, 1, 0, 3, 1, 0])
    chimera, donors = make_chimeric_set(np.eye(7), np.arange(7), 1, y=y, within_class=True, random_state=seed)
    assert chimera.shape == (1, 7) and set(donors[0]) <= ({1, 3, 6} if y[donors[0, 0]] == 0 else {2, 5})


@pytest.mark.parametrize("swap", [0.5, 1.0])
def test_every_row_of_a_class_is_drawn_in_its_turn(swap):
    y = np.repeat([0, 1, 2], 3)
    _, donors = make_chimeric_set(np.eye(9), [0] * 4 + [1] * 5, 18, swap=swap, y=y, within_class=True, random_state=0)
    pairs = {(one, other) for one in range(9) for other in range(9) if one != other and y[one] == y[other]}
    assert set(map(tuple, donors)) == pairs


def test_weights_hold_within_classes_too():
    y = np.array(["few", "many", "many", "alone", "many", "few"])
    weight = np.array([1.0, 1e-20, 5.0, 7.0, 0.0, 1.0])  # 1 + 1e-20 is 1 in floating point
    _, donors = make_chimeric_set(
        np.eye(6), [0, 0, 0, 1, 1, 1], 4, y=y, within_class=True, sample_weight=weight, random_state=0
    )
    assert set(map(tuple, donors)) == {(0, 5), (5, 0), (1, 2), (2, 1)}


def test_the_seed_decides():
    X = table(n=30)
    first, again, other = (make_chimeric_set(X, LABELS, 40, random_state=s)[1] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    state = np.random.get_state()[1].copy()  # noqa: NPY002 (the global state is what must not move)
    make_chimeric_set(X, LABELS, 40, random_state=np.random.RandomState(0))
    make_chimeric_set(X, LABELS, 40, random_state=3)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"superfeature_labels": [0, 0, 0, 0]}, ValueError, "at least two superfeatures"),
        ({"superfeature_labels": [0, 1, 3, 1]}, ValueError, "every number from 0 to M - 1.*return_inverse"),
        ({"superfeature_labels": [0, 1, 2]}, ValueError, "each of the 4 columns"),
        ({"superfeature_labels": [0.0, 1.0, 0.0, 1.0]}, ValueError, "dtype float64"),
        ({"n_samples": 0}, ValueError, "'n_samples'"),
        ({"swap": 0.0}, ValueError, "'swap'"),
        ({"swap": 1.5}, ValueError, "'swap'"),
        ({"within_class": True}, ValueError, "pass y"),
        ({"within_class": True, "y": [0, 1]}, ValueError, "one class per row"),
        ({"within_class": True, "y": np.arange(9)}, ValueError, "two rows with positive weight, in one class"),
        ({"sample_weight": np.arange(9) == 3}, ValueError, "two rows with positive weight;"),
        ({"sample_weight": -np.ones(9)}, ValueError, "at least zero"),
        ({"sample_weight": np.ones(3)}, ValueError, "shape"),
        ({"X": sparse.csr_array(np.eye(4))}, TypeError, "[Ss]parse"),
        ({"X": np.ones(4)}, ValueError, "two dimensions"),
    ],
)
def test_what_makes_no_chimera_is_refused_with_advice(options, error, message):
    arguments = {"X": table(), "superfeature_labels": LABELS, "n_samples": 3} | options
    with pytest.raises(error, match=message):
        make_chimeric_set(**arguments)


@pytest.mark.parametrize("y", [None, [5, 5]])
def test_two_rows_are_enough(y):
    X = np.array([[0.0, 1.0], [2.0, 3.0]])
    mixed, _ = make_chimeric_set(X, [0, 1], 4, y=y, within_class=y is not None, random_state=0)
    assert {tuple(row) for row in mixed} == {(0.0, 3.0), (2.0, 1.0)}


def test_rare_chimeras_are_repeated_before_the_search_for_new_ones_takes_long(monkeypatch):
    from skked import _chimera

    monkeypatch.setattr(_chimera, "_MOST_ROUNDS", 1)
    weight = np.array([1.0, 1.0, 1e-9])
    _, donors = make_chimeric_set(np.eye(3), [0, 1, 2], 24, sample_weight=weight, random_state=0)
    assert len(donors) == 24
    assert 6 <= len(np.unique(donors, axis=0)) < 24  # of the 24, all but 6 hold the row of hardly any weight
