"""Engines that evaluate coalitions: all of them, or random permutations of each row."""

import numpy as np

from skked._explanations._blocks import Jobs
from skked._explanations._coalitions import all_coalitions, shapley_matrix
from skked._table import assemble_rows, n_rows, stack_rows

__all__ = ["Enumeration", "Permutations"]

_ROWS_PER_BLOCK = 256


class Enumeration:
    """Exact Shapley values from the values of all coalitions.

    Parameters
    ----------
    values : MaskedRows or NetworkValues
        The game.
    max_bytes : int
        Bound for the table of values of one block of rows.
    jobs : Jobs
    """

    name = "enumeration"

    def __init__(self, values, max_bytes, jobs=None):
        self.values = values
        self.jobs = jobs or Jobs()
        self.base = values.base
        n_coalitions = 1 << values.n_superfeatures
        self.rows_per_block = int(np.clip(max_bytes // (16 * n_coalitions * len(self.base)), 1, _ROWS_PER_BLOCK))

    def budget(self, n_samples):
        """Model rows that `n_samples` rows cost; the full coalition needs one, the empty one none of its own."""
        inner = (1 << self.values.n_superfeatures) - 2
        return self.values.n_background + n_samples * (1 + inner * self.values.n_background)

    def explain(self, rows):
        """Contributions of shape (n_rows, n_superfeatures, n_outputs), no standard errors, and model rows spent."""
        phi = self.jobs.over_blocks(self._explain_block, rows, self.rows_per_block)
        return np.concatenate(phi), None, self.budget(n_rows(rows)), self.name

    def _explain_block(self, rows):
        coalitions = all_coalitions(self.values.n_superfeatures)
        matrix = shapley_matrix(self.values.n_superfeatures)
        change = self.values.full(rows)[:, None] - self.base
        if len(coalitions) > 2:
            inner = self.values(rows, coalitions[1:-1]) - self.base
            change = np.concatenate([inner, change], axis=1)
        return np.einsum("gm,nmc->ngc", matrix[:, 1:], change, optimize=True)


class Permutations:
    """Unbiased noisy values from a few antithetic permutations of each row.

    A permutation of the superfeatures enters them one by one and credits each with the change of the score; its
    reverse is evaluated with it. Each pair of permutations uses a single background row, drawn by weight, so a pair
    costs ``2 (M - 1)`` model rows. The expectation over permutations and background rows is the Shapley value. The
    difference between the score of the drawn background row and the mean one, whose expectation is zero, is spread
    evenly over the superfeatures, which makes the values efficient and less noisy.

    Parameters
    ----------
    values : MaskedRows
        The game.
    n_pairs : int
        Pairs of permutations for each row.
    rng : int
        Seed of the permutations.
    jobs : Jobs
    """

    name = "permutation"

    def __init__(self, values, n_pairs, seed, jobs=None):
        self.values = values
        self.n_pairs = n_pairs
        self.seed = seed
        self.jobs = jobs or Jobs()
        self.base = values.base
        self.background_scores = values.score(values.background)
        self.rows_per_block = max(1, values.block // (n_pairs * max(1, 2 * (values.n_superfeatures - 1))))

    def budget(self, n_samples):
        """Model rows that `n_samples` rows cost."""
        inner = 2 * (self.values.n_superfeatures - 1) * self.n_pairs
        return self.values.n_background + n_samples * (1 + inner)

    def explain(self, rows):
        """Contributions, their standard errors (None with a single pair), and model rows spent."""
        rng = np.random.RandomState(self.seed)
        n, n_players = n_rows(rows), self.values.n_superfeatures
        orders = rng.random_sample((n, self.n_pairs, n_players)).argsort(axis=2)
        drawn = self._draw_background(n, rng)
        blocks = self.jobs.over_blocks(self._explain_block, rows, self.rows_per_block, orders, drawn)
        per_pair = np.concatenate(blocks)
        standard_error = None
        if self.n_pairs > 1:
            standard_error = per_pair.std(axis=1, ddof=1) / np.sqrt(self.n_pairs)
        return per_pair.mean(axis=1), standard_error, self.budget(n), self.name

    def _draw_background(self, n, rng):
        """Background rows of each row's pairs, by systematic sampling from the weights: (n, n_pairs)."""
        position = (rng.random_sample((n, 1)) + np.arange(self.n_pairs)) / self.n_pairs
        drawn = np.searchsorted(np.cumsum(self.values.background_weight), position, side="right")
        return np.minimum(drawn, self.values.n_background - 1)

    def _explain_block(self, rows, orders, drawn):
        n, n_pairs, n_players = orders.shape
        own, other = np.arange(n)[:, None, None, None], n + drawn[:, :, None, None]
        # rank[..., g] < k: superfeature g is among the first k of the order.
        rank = orders.argsort(axis=2)
        prefix = rank[:, :, None, :] < np.arange(1, n_players)[:, None]
        donors = np.stack([np.where(prefix, own, other), np.where(prefix, other, own)])
        pool = stack_rows(self.values.prepare(rows), self.values.background)
        scores = self.values.score(assemble_rows(pool, donors.reshape(-1, n_players), self.values.labels))
        with_prefix, without_prefix = scores.reshape(2, n, n_pairs, n_players - 1, -1)
        total = (self.values.full(rows)[:, None] - self.background_scores[drawn])[:, :, None]
        # The two walks credit position k with the mean of their steps, half the growth of v(P_k) - v(N \ P_k).
        odd = np.concatenate([-total, with_prefix - without_prefix, total], axis=2)
        steps = np.diff(odd, axis=2) / 2
        phi = np.take_along_axis(steps, rank[..., None], axis=2)
        return phi + (self.background_scores[drawn] - self.base)[:, :, None] / n_players
