"""What sampled explanations are made of: coalitions, their values, and the regression, beside dense algebra."""

from itertools import permutations, product
from math import comb
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from skked._explanations import _gaussian_process as gp
from skked._explanations._coalitions import (
    all_coalitions,
    coalitions_of_size,
    n_pairs_of_size,
    pairs_per_size,
    shapley_matrix,
)
from skked._explanations._design import spread_design
from skked._explanations._refinement import refined
from skked._explanations._values import MaskedRows, TransformedRows, table_row_bytes

RNG = np.random.RandomState(0)


# ------------------------------------------------------------------------------------------------------ coalitions


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_matrix_of_shapley_values_is_the_mean_over_orders(n):
    members = all_coalitions(n)
    np.testing.assert_array_equal(members, [bits[::-1] for bits in product([False, True], repeat=n)])
    v, number = RNG.randn(2**n), 2 ** np.arange(n)
    phi, orders = np.zeros(n), list(permutations(range(n)))
    for order in orders:
        for k, player in enumerate(order):
            before = number[list(order[:k])].sum()
            phi[player] += (v[before + number[player]] - v[before]) / len(orders)
    np.testing.assert_allclose(shapley_matrix(n) @ v, phi, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(n=st.integers(2, 12), n_pairs=st.integers(1, 3000))
def test_sizes_get_the_same_number_of_pairs_as_far_as_there_are(n, n_pairs):
    counts = pairs_per_size(n, n_pairs)
    available = np.array([comb(n, s) // (1 + (2 * s == n)) for s in range(1, n // 2 + 1)])
    assert counts.dtype.kind == "i" and [n_pairs_of_size(n, s + 1) for s in range(n // 2)] == list(available)
    assert counts.sum() == min(n_pairs, 2 ** (n - 1) - 1) and (counts <= available).all()
    per_share = counts / np.where(2 * np.arange(1, n // 2 + 1) == n, 0.5, 1)
    lacking = counts < available
    if lacking.any():  # those with places left lie within rounding, and none that is full has more
        assert np.ptp(per_share[lacking]) <= 2
        assert per_share[~lacking].max(initial=0) <= per_share[lacking].min() + 2


@pytest.mark.parametrize(("n", "size"), [(6, 3), (6, 2), (5, 1), (7, 3)])
def test_coalitions_of_a_size_are_distinct_and_no_complements(n, size):
    most = n_pairs_of_size(n, size)
    few = coalitions_of_size(n, size, 2, np.random.RandomState(0))
    for count in (3, most - 1, most):
        found = coalitions_of_size(n, size, count, np.random.RandomState(1), few)
        assert found.shape == (count, n) and found.dtype == bool and (found.sum(axis=1) == size).all()
        np.testing.assert_array_equal(found[:2], few)
        both = np.concatenate([found, ~found])
        assert len(np.unique(both, axis=0)) == 2 * count
        assert not found[:, -1].any() or 2 * size != n
    np.testing.assert_array_equal(coalitions_of_size(n, size, most, None), coalitions_of_size(n, size, most, None))


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 20), n_pairs=st.integers(1, 90), more=st.integers(0, 60))
def test_designs_are_distinct_pairs_and_grow(n, n_pairs, more):
    rng = np.random.RandomState(n)
    small = spread_design(n, n_pairs, rng)
    large = spread_design(n, n_pairs + more, rng, given=small)
    all_there_are = 2 ** (n - 1) - 1
    for design, wanted in ((small, n_pairs), (large, n_pairs + more)):
        assert len(design) == min(wanted, all_there_are)
        assert len(np.unique(np.concatenate([design, ~design]), axis=0)) == 2 * len(design)
        assert (1 <= design.sum(axis=1)).all() and (2 * design.sum(axis=1) <= n).all()
    np.testing.assert_array_equal(large[: len(small)], small)


def test_small_designs_hold_every_single_player_and_large_ones_every_size():
    sizes = np.bincount(spread_design(16, 31, np.random.RandomState(0)).sum(axis=1), minlength=9)
    assert sizes[1] == 16 and sizes[6:].sum() == 15
    sizes = np.bincount(spread_design(16, 127, np.random.RandomState(0)).sum(axis=1), minlength=9)
    np.testing.assert_array_equal(sizes[1:], pairs_per_size(16, 127))


# ---------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("max_bytes", [1, 2024, 10**9])
def test_values_of_coalitions_are_means_over_the_background(max_bytes):
    rows, background, weight = RNG.randn(3, 4), RNG.randn(5, 4), np.array([0.1, 0.2, 0.3, 0.15, 0.25])
    labels, coalitions, most = np.array([0, 1, 0, 2]), all_coalitions(3), []

    def score(X):
        most.append(len(X))
        return np.column_stack([X[:, 0] * X[:, 1] + X[:, 2], np.sin(X @ np.arange(4))])

    game = MaskedRows(score, labels, 3, background, weight, max_bytes)
    np.testing.assert_allclose(game.base, weight @ score(background), atol=1e-14)
    np.testing.assert_array_equal(game.full(rows), score(rows))
    most.clear()
    values = game(rows, coalitions)
    assert values.shape == (3, 8, 2) and game.n_background == 5
    for row in range(3):
        for number, members in enumerate(coalitions):
            mixed = np.where(members[labels], rows[row], background)
            np.testing.assert_allclose(values[row, number], weight @ score(mixed), atol=1e-12)
    # A row takes 32 bytes, five times with the teacher's copies, less one, and 56 of numbers beside it.
    assert game.block == min(max(1, max_bytes // (4 * 32 + 8 * (3 + 2 * 2))), 2**16)
    calls = {1: [1] * 120, 2024: [10] * 12, 10**9: [120]}
    assert most[: len(calls[max_bytes])] == calls[max_bytes]


def test_values_are_the_same_after_columnwise_steps():
    """Columns 0 and 1 become three, of which the last two are the second superfeature's."""
    rows, background, weight = RNG.randn(3, 2), RNG.randn(5, 2), np.full(5, 0.2)

    def transform(X):
        return np.column_stack([X[:, 0] ** 2, X[:, 1], np.exp(X[:, 1])])

    inner = SimpleNamespace(transform=transform, labels=np.array([0, 1, 1]))
    after = TransformedRows(inner, lambda T: np.prod(T, axis=1, keepdims=True), 2, background, weight, 10**6)
    before = MaskedRows(
        lambda X: np.prod(transform(X), axis=1, keepdims=True), np.arange(2), 2, background, weight, 10**6
    )
    coalitions = all_coalitions(2)
    np.testing.assert_allclose(after(rows, coalitions), before(rows, coalitions), atol=1e-12)
    np.testing.assert_allclose(after.full(rows), before.full(rows), atol=1e-12)
    np.testing.assert_allclose(after.base, before.base, atol=1e-12)


def test_bytes_of_a_row_of_a_table():
    assert table_row_bytes(np.zeros((7, 3), dtype=np.float32)) == 12
    frame = pd.DataFrame({"a": np.zeros(3), "b": np.zeros(3, dtype=np.int8), "c": np.zeros(3, dtype=np.int16)})
    assert table_row_bytes(frame) == 8 + 1 + 2
    levels = pd.DataFrame({"c": pd.Categorical(["x", "y", "x", "x", "x"])})
    assert table_row_bytes(levels) == -(-levels.memory_usage(index=False)["c"] // 5)
    assert table_row_bytes(frame[:0]) == 0


# ------------------------------------------------------------------------------------------------------ regression

RHO, WEIGHT, NOISE = np.array([0.1, 0.4, 0.25, 0.6, 0.05]), 1.7, 0.03
THETA = np.array([*np.log(RHO / (1 - RHO)), np.log(WEIGHT), np.log(NOISE)])


def _kernel(s, t):
    agreement = RHO * s * t
    return WEIGHT * agreement.sum() + (np.prod(1 + agreement) - np.prod(1 - agreement)) / 2


def _gram(some, others):
    return np.array([[_kernel(s, t) for t in others] for s in some])


def _observed():
    """The full coalition and six others, the prior covariance of what is seen of them, and two games of two outputs."""
    design = all_coalitions(5)[[1, 2, 5, 12, 16, 9]]
    signs = np.vstack([np.ones(5), 2.0 * design - 1])
    noise = np.array([0, *[NOISE] * 6]) + 1e-9
    covariance = _gram(signs, signs)
    return design, signs, covariance + np.diag(noise * np.diag(covariance)), RNG.randn(2, 7, 2)


def test_the_posterior_is_that_of_all_coalitions():
    """Shapley values are a matrix times the values of all coalitions, so dense algebra says what they are."""
    design, signs, covariance, odd = _observed()
    shapley, every = shapley_matrix(5), 2.0 * all_coalitions(5) - 1
    cross = shapley @ _gram(every, signs)
    np.testing.assert_allclose(gp.cross_covariance(signs, RHO, WEIGHT), cross, atol=1e-12)
    np.testing.assert_allclose(gp.covariance_with(signs, signs[3], RHO, WEIGHT), _gram(signs, signs)[3], atol=1e-12)
    process = gp.posterior(THETA, design)
    matrix = cross @ np.linalg.inv(covariance)
    prior = np.diag(shapley @ _gram(every, every) @ shapley.T)
    np.testing.assert_allclose(process.unit_variance, prior - np.sum(matrix * cross, axis=1), atol=1e-8)
    np.testing.assert_allclose(process.precision, np.linalg.inv(covariance), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(process.matrix.sum(axis=0), [2, 0, 0, 0, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(process.matrix, matrix, atol=1e-7)  # efficient already, but for the jitter
    np.testing.assert_allclose(process.values(odd), np.stack([matrix @ game for game in odd]), atol=1e-6)


def test_standard_errors_have_the_scale_of_the_residuals_left_out():
    design, _, covariance, odd = _observed()
    process = gp.posterior(THETA, design)
    scale = np.zeros((2, 2))
    for left in range(1, 7):
        rest = np.arange(7) != left
        solved = np.linalg.solve(covariance[rest][:, rest], covariance[rest, left])
        variance = covariance[left, left] - solved @ covariance[rest, left]
        scale += (odd[:, left] - np.einsum("m,nmc->nc", solved, odd[:, rest])) ** 2 / variance / 6
    expected = np.sqrt(process.unit_variance[:, None] * scale[:, None] * (1 + 5 / 12))
    np.testing.assert_allclose(process.standard_errors(odd), expected, rtol=1e-6)


def test_what_some_rows_teach_is_ridge_regression_judged_by_rows_left_out():
    rng = np.random.RandomState(1)
    larger = np.concatenate([_observed()[0], all_coalitions(5)[[4, 8, 3, 6, 10]]])
    habits = rng.randn(2, 12)
    odd = np.einsum("nkc,km->nmc", rng.randn(9, 2, 2), habits) + 0.5 * rng.randn(9, 12, 2)
    process, finer = gp.posterior(THETA, larger[:6]), gp.posterior(THETA, larger)
    found = refined(process, larger, odd)

    scale = process.scale(odd[:, :7])[:, 0, :, None]
    whitened = odd[:, :7].transpose(0, 2, 1) @ np.linalg.cholesky(process.precision) / scale
    missed = (finer.values(odd) - process.values(odd[:, :7])).transpose(0, 2, 1) / scale

    def weights(rows, ridge):
        z, y = whitened[rows].reshape(-1, 7), missed[rows].reshape(-1, 5)
        return np.linalg.solve(z.T @ z + ridge * np.mean(np.sum(whitened**2, axis=2)) * np.eye(7), z.T @ y)

    def left_out(ridge):
        return np.array([missed[i] - whitened[i] @ weights(np.arange(9) != i, ridge) for i in range(9)])

    ridge = min((0.03, 0.1, 0.3, 1.0, 3.0, 10.0), key=lambda ridge: np.sum(left_out(ridge) ** 2))
    left = left_out(ridge)
    assert np.sum(left**2) < 0.5 * np.sum(missed**2)
    predicted = (whitened @ weights(np.arange(9), ridge) * scale).transpose(0, 2, 1)
    np.testing.assert_allclose(found.values(odd[:, :7]), process.values(odd[:, :7]) + predicted, atol=1e-9)
    np.testing.assert_allclose(found.matrix.sum(axis=0), [2, 0, 0, 0, 0, 0, 0], atol=1e-12)
    foreseen = process.unit_variance - finer.unit_variance

    def factor(errors):
        ratio = np.abs(errors).reshape(-1, 5) / np.sqrt(foreseen)
        weight = np.tile(np.sqrt(np.mean(errors**2, axis=(0, 1))), (18, 1))
        enough = [r for r in ratio.ravel() if np.sum(weight[ratio <= r]) >= 0.95 * weight.sum()]
        return min(enough) / 1.96

    expected = factor(left) ** 2 * foreseen + factor(missed) ** 2 * finer.unit_variance
    np.testing.assert_allclose(found.unit_variance, expected)

    doubled = refined(process, larger, np.repeat(odd, 2, axis=0))  # a row says nothing of its double
    np.testing.assert_allclose(doubled.matrix, found.matrix, atol=1e-9)
    np.testing.assert_allclose(doubled.unit_variance, found.unit_variance)
    alike = gp.posterior(THETA, larger)  # nothing more is known, or nothing at all
    assert refined(alike, larger, odd) is alike
    assert refined(process, larger, np.zeros((3, 12, 2))) is process


def test_the_loss_is_the_likelihood_with_every_games_best_scale_and_its_gradient_the_slope():
    _, signs, _, odd = _observed()
    games = odd.transpose(1, 0, 2).reshape(7, 4)

    def likelihood(theta):
        rho, weight, noise = 1 / (1 + np.exp(-theta[:-2])), np.exp(theta[-2]), np.exp(theta[-1])
        agreement = rho * signs[:, None] * signs
        covariance = weight * agreement.sum(axis=2) + (np.prod(1 + agreement, axis=2) - np.prod(1 - agreement, 2)) / 2
        covariance += np.diag((np.array([0, *[noise] * 6]) + 1e-9) * np.diag(covariance))
        return sum(
            multivariate_normal(cov=covariance * (y @ np.linalg.solve(covariance, y) / 7)).logpdf(y) for y in games.T
        )

    def penalty(theta):
        return 4 * np.sum((theta[:-2] - theta[:-2].mean()) ** 2) / 2

    other = THETA + 0.3 * RNG.randn(7)
    difference = gp._loss(other, signs, games)[0] - gp._loss(THETA, signs, games)[0]
    expected = likelihood(THETA) - likelihood(other) + penalty(other) - penalty(THETA)
    assert difference == pytest.approx(expected / games.size, rel=1e-6)
    slope = approx_fprime(other, lambda theta: gp._loss(theta, signs, games)[0], 1e-6)
    np.testing.assert_allclose(gp._loss(other, signs, games)[1], slope, rtol=1e-4, atol=1e-6)


def test_the_fit_takes_the_best_parameters_and_leaves_out_games_without_values():
    design, signs, _, odd = _observed()
    process = gp.fit_process(design, odd)
    games = odd.transpose(1, 0, 2).reshape(7, 4)
    best, gradient = gp._loss(process.theta, signs, games)
    inside = (process.theta > [-8.9] * 5 + [-5.9, -15.9]) & (process.theta < [2.9] * 5 + [7.9, -0.1])
    assert inside.any() and np.abs(gradient[inside]).max() < 1e-2
    assert best < gp._loss(np.array([-2.5] * 5 + [1.0, -9.0]), signs, games)[0]
    np.testing.assert_allclose(process.matrix, gp.posterior(process.theta, design).matrix)
    with_empty = np.concatenate([odd, np.zeros((2, 7, 2))])
    np.testing.assert_allclose(gp.fit_process(design, with_empty).theta, process.theta, rtol=1e-9)
    nothing = gp.fit_process(design, np.zeros((2, 7, 2)))
    assert nothing.theta.tolist() == [-2.5] * 5 + [1.0, -9.0]
    assert gp.fit_process(design, np.zeros((2, 7, 2)), THETA).theta is THETA


@pytest.mark.parametrize("n", [4, 5, 8, 9])
def test_values_of_a_game_that_the_prior_knows_are_found(n):
    """An additive game of n players, from its own prior and hardly any noise."""
    design = all_coalitions(n)[1 << np.arange(n)]
    effects = RNG.randn(n)
    odd = (np.vstack([np.ones(n), 2.0 * design - 1]) @ effects / 2)[None, :, None]
    np.testing.assert_allclose(gp.fit_process(design, odd).values(odd)[0, :, 0], effects, atol=2e-2)


def test_designs_of_very_many_pairs_are_drawn_at_random():
    given = spread_design(13, 50, np.random.RandomState(0))
    design = spread_design(13, 1100, np.random.RandomState(1), given)
    assert design.shape == (1100, 13) and np.array_equal(design[:50], given)
    sizes = design.sum(axis=1)
    assert sizes.min() == 1 and sizes.max() == 6
    pairs = np.concatenate([design, ~design]) @ (1 << np.arange(13))
    assert len(np.unique(pairs)) == 2200
