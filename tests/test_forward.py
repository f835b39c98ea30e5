"""The forward pass against a short oracle, for few rows and for many."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skked._forward import BLOCK_ROWS, FEW_ROWS, MANY_BLOCK_ROWS, MANY_ROWS, StudentNetwork

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


@EVERY_KIND
def test_many_rows_do_not_depend_on_the_rows_beside_them(network):
    Z = RNG.randn(MANY_ROWS, 6).astype(np.float32)
    other = RNG.randn(3 * MANY_BLOCK_ROWS + 7, 6).astype(np.float32)
    np.testing.assert_array_equal(network.contributions(np.concatenate([Z, other]))[: len(Z)], network.contributions(Z))
    shifted = network.score(np.concatenate([other[:MANY_BLOCK_ROWS], Z]))[MANY_BLOCK_ROWS:]
    np.testing.assert_array_equal(shifted, network.score(Z))


def test_threads_share_a_network():
    network = _network([[4, 0], [1], [3, 2, 5]], [40], 2, 3)
    tables = [RNG.randn(MANY_ROWS, 6).astype(np.float32) for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(network.score, tables))
    for table, score in zip(tables, together, strict=True):
        np.testing.assert_array_equal(score, network.score(table))
