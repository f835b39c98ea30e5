"""The forward pass against a short oracle, for few rows and for many; sizes, centring and units."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skked._forward import (
    BLOCK_ROWS,
    FEW_ROWS,
    MANY_BLOCK_ROWS,
    MANY_ROWS,
    StudentNetwork,
    solve_two_widths,
    solve_widths,
)

RNG = np.random.RandomState(0)


def _network(inputs, widths, n_outputs, n_superfeatures):
    """A network with random weights; the last layer gives each branch its share of the contributions."""
    n_last = n_superfeatures * n_outputs // len(inputs)
    coefs, intercepts = [], []
    sizes = [len(columns) for columns in inputs]
    for width in [*widths, n_last]:
        outs = [width + (0 if width == n_last else branch) for branch in range(len(inputs))]
        coefs.append([RNG.randn(*shape).astype(np.float32) for shape in zip(sizes, outs, strict=True)])
        intercepts.append([RNG.randn(out).astype(np.float32) for out in outs])
        sizes = outs
    base = RNG.randn(n_outputs).astype(np.float32)
    return StudentNetwork([np.array(columns) for columns in inputs], coefs, intercepts, base, n_superfeatures)


def _oracle(network, z):
    """Contributions of one row, branch by branch."""
    parts = []
    for branch, columns in enumerate(network.inputs):
        hidden = z[columns].astype(float)
        for layer, (coefs, intercepts) in enumerate(zip(network.coefs, network.intercepts, strict=True)):
            hidden = hidden @ coefs[branch].astype(float) + intercepts[branch]
            if layer < len(network.coefs) - 1:
                hidden = np.maximum(hidden, 0)
        parts.append(hidden)
    return np.concatenate(parts).reshape(network.n_superfeatures, network.n_outputs)


EVERY_KIND = pytest.mark.parametrize(
    "network",
    [
        _network([[4, 0], [1], [3, 2, 5]], [6], 1, 3),
        _network([[4, 0], [1], [3, 2, 5]], [6, 3], 4, 3),
        _network([range(6)], [7, 5], 3, 4),
        _network([range(6)], [7], 1, 1),
        _network([[5, 4, 3, 2, 1, 0]], [7], 1, 1),
    ],
    ids=["additive", "deep additive of classes", "heads", "dense", "reversed"],
)


@EVERY_KIND
def test_contributions_and_score_are_those_of_the_branches(network):
    Z = RNG.randn(2 * BLOCK_ROWS + 3, 6).astype(np.float32)
    for n_rows in (1, FEW_ROWS, FEW_ROWS + 1, len(Z)):
        phi, score = network.contributions(Z[:n_rows]), network.score(Z[:n_rows])
        for row in {0, n_rows // 2, n_rows - 1}:
            np.testing.assert_allclose(phi[row], _oracle(network, Z[row]), rtol=0, atol=1e-12)
        np.testing.assert_allclose(network.base + phi.sum(axis=1), score, rtol=0, atol=1e-12)
        hidden = network.hidden(Z[:n_rows])
        assert hidden.shape == (n_rows, sum(len(bias) for bias in network.intercepts[-2]))
        assert (hidden >= 0).all()
        stops = np.cumsum([len(bias) for bias in network.intercepts[-2]])
        heads = [
            units @ coef.astype(float) + bias
            for units, coef, bias in zip(
                np.split(hidden, stops[:-1], axis=1), network.coefs[-1], network.intercepts[-1], strict=True
            )
        ]
        np.testing.assert_allclose(np.hstack(heads), phi.reshape(n_rows, -1), rtol=0, atol=1e-12)


def test_a_row_does_not_depend_on_the_rows_beside_it():
    network = _network([[4, 0], [1], [3, 2, 5]], [40], 2, 3)
    Z = RNG.randn(3 * BLOCK_ROWS, 6).astype(np.float32)
    together = network.score(Z)
    for row in (0, 1, BLOCK_ROWS, len(Z) - 1):
        np.testing.assert_allclose(network.score(Z[row : row + 1])[0], together[row], rtol=0, atol=1e-12)
    np.testing.assert_allclose(network.score(Z[:FEW_ROWS]), together[:FEW_ROWS], rtol=0, atol=1e-12)


@EVERY_KIND
def test_many_rows_in_single_precision(network):
    Z = RNG.randn(MANY_ROWS + 3, 6).astype(np.float32)
    phi, score, hidden = network.contributions(Z), network.score(Z), network.hidden(Z)
    assert phi.dtype == score.dtype == np.float64
    for rows in (slice(0, 300), slice(len(Z) - 300, None)):
        few = network.contributions(Z[rows])
        largest = np.abs(few).max()
        np.testing.assert_allclose(phi[rows], few, rtol=0, atol=3e-6 * largest)
        np.testing.assert_allclose(score[rows], network.score(Z[rows]), rtol=0, atol=3e-6 * largest)
        np.testing.assert_allclose(hidden[rows], network.hidden(Z[rows]), rtol=0, atol=3e-6 * hidden.max())
    if len(network.inputs) > 1:
        np.testing.assert_allclose(network.base + phi.sum(axis=1), score, rtol=0, atol=1e-12)


@pytest.mark.parametrize("read", [StudentNetwork.hidden, StudentNetwork.score, StudentNetwork.contributions])
def test_precision_is_double_in_tables_of_fewer_than_many_rows(read):
    many = 10_000  # as the guide says
    network, Z = _network([[4, 0], [1], [3, 2, 5]], [40], 2, 3), RNG.randn(many, 6).astype(np.float32)
    for n_rows, is_double in ((many - 1, True), (many, False)):
        error = np.abs(read(network, Z[:n_rows])[:100] - read(network, Z[:100])).max()
        assert (error < 1e-12) == is_double


@EVERY_KIND
def test_many_rows_do_not_depend_on_the_rows_beside_them(network):
    Z = RNG.randn(MANY_ROWS, 6).astype(np.float32)
    other = RNG.randn(3 * MANY_BLOCK_ROWS + 7, 6).astype(np.float32)
    np.testing.assert_array_equal(network.contributions(np.concatenate([Z, other]))[: len(Z)], network.contributions(Z))
    shifted = network.score(np.concatenate([other[:MANY_BLOCK_ROWS], Z]))[MANY_BLOCK_ROWS:]
    np.testing.assert_array_equal(shifted, network.score(Z))


@settings(max_examples=200, deadline=None)
@given(
    inputs=st.lists(st.integers(1, 12), min_size=1, max_size=6), n_outputs=st.integers(1, 5), more=st.integers(0, 300)
)
def test_widths_spend_what_a_dense_student_could(inputs, n_outputs, more):
    def cost(widths, inputs=inputs):
        return sum(w * (d + 1 + n_outputs) + n_outputs for w, d in zip(widths, inputs, strict=True))

    smallest = cost([1] * len(inputs))
    with pytest.raises(ValueError, match=f"Raise max_parameters to at least {smallest}\\."):
        solve_widths(smallest - 1, inputs, n_outputs)
    dense = max(cost([w], [sum(inputs)]) for w in range(400) if cost([w], [sum(inputs)]) <= smallest + more)
    budget, widths = max(smallest, dense), [1] * len(inputs)
    while cost([w + 1 for w in widths]) <= budget:
        widths = [w + 1 for w in widths]
    for branch in range(len(inputs)):
        wider = [w + (i == branch) for i, w in enumerate(widths)]
        widths = wider if cost(wider) <= budget else widths
    assert solve_widths(smallest + more, inputs, n_outputs).tolist() == widths


@settings(max_examples=200, deadline=None)
@given(n_inputs=st.integers(1, 40), n_outputs=st.integers(1, 8), budget=st.integers(1, 3000))
def test_two_widths_spend_the_budget(n_inputs, n_outputs, budget):
    def cost(first, second):
        return (n_inputs + 1) * first + (first + 1) * second + (second + 1) * n_outputs

    equal = max((w for w in range(1, 60) if cost(w, w) <= budget), default=0)
    first, second = solve_two_widths(budget, n_inputs, n_outputs)
    assert first == equal
    if first:
        assert cost(first, second) <= budget < cost(first, second + 1)


def test_parameters_are_those_that_a_score_needs():
    additive, deep = _network([[4, 0], [1], [3, 2, 5]], [6], 1, 3), _network([[4, 0], [1]], [6, 3], 4, 2)
    assert additive.n_parameters == (2 * 6 + 6 + 6 + 1) + (1 * 7 + 7 + 7 + 1) + (3 * 8 + 8 + 8 + 1)
    assert deep.n_parameters == (2 * 6 + 6 + 6 * 3 + 3 + 3 * 4 + 4) + (1 * 7 + 7 + 7 * 4 + 4 + 4 * 4 + 4)
    heads = _network([range(6)], [7, 5], 3, 4)
    assert heads.n_parameters == (6 * 7 + 7) + (7 * 5 + 5) + (5 * 3 + 3)  # four heads count as their sum


@EVERY_KIND
@pytest.mark.parametrize("over_outputs", [False, True])
def test_centring_takes_the_weighted_means_out_of_the_contributions(network, over_outputs):
    Z, weight = RNG.randn(40, 6).astype(np.float32), RNG.rand(40)
    expected, base = network.contributions(Z), network.base.astype(float)
    if over_outputs:
        expected, base = expected - expected.mean(axis=2, keepdims=True), base - base.mean()
    mean = (weight[:, None, None] * expected).sum(axis=0) / weight.sum()
    found = network.centred(Z, weight, over_outputs=over_outputs)
    largest = np.abs(expected).max() + 1
    np.testing.assert_allclose(found.contributions(Z), expected - mean, rtol=0, atol=1e-5 * largest)
    np.testing.assert_allclose(found.base, base + mean.sum(axis=0), rtol=0, atol=1e-5 * largest)
    assert {array.dtype for layer in (*found.coefs, *found.intercepts, [found.base]) for array in layer} == {
        np.dtype(np.float32)
    }


@EVERY_KIND
def test_units_are_changed_in_the_last_layer(network):
    Z = RNG.randn(40, 6).astype(np.float32)
    found = network.rescaled(2.5, -3.0)
    np.testing.assert_allclose(found.score(Z), 2.5 * network.score(Z) - 3, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.contributions(Z), 2.5 * network.contributions(Z), rtol=0, atol=1e-4)
    for before, after in zip(network.coefs[:-1], found.coefs[:-1], strict=True):
        assert all(one is other for one, other in zip(before, after, strict=True))


@EVERY_KIND
def test_a_copy_says_the_same(network):
    Z, copy = RNG.randn(FEW_ROWS + 1, 6).astype(np.float32), pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(copy.contributions(Z), network.contributions(Z))
    assert set(network.__getstate__()) == {"inputs", "coefs", "intercepts", "base", "n_superfeatures"}


def test_threads_share_a_network():
    network = _network([[4, 0], [1], [3, 2, 5]], [40], 2, 3)
    tables = [RNG.randn(MANY_ROWS, 6).astype(np.float32) for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(network.score, tables))
    for table, score in zip(tables, together, strict=True):
        np.testing.assert_array_equal(score, network.score(table))
