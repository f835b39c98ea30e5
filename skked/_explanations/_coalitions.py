"""Coalitions of superfeatures: all of them, or some of each size."""

from itertools import combinations
from math import comb

import numpy as np

__all__ = ["all_coalitions", "coalitions_of_size", "n_all_pairs", "n_pairs_of_size", "pairs_per_size", "shapley_matrix"]


def all_coalitions(n_players):
    """Every coalition of a game.

    Parameters
    ----------
    n_players : int

    Returns
    -------
    bool array of shape (2 ** n_players, n_players)
        Row ``i`` holds the bits of ``i``; the first coalition is empty, the last one full.
    """
    return (np.arange(1 << n_players)[:, None] >> np.arange(n_players)) & 1 == 1


def shapley_matrix(n_players):
    """The matrix that takes the values of all coalitions to Shapley values.

    Parameters
    ----------
    n_players : int

    Returns
    -------
    float64 array of shape (n_players, 2 ** n_players)
        ``phi = matrix @ v`` with ``v`` in the order of :func:`all_coalitions`.
    """
    member = all_coalitions(n_players)
    size = member.sum(axis=1)
    # Weight of the marginal contribution to a coalition of s others: s! (M - s - 1)! / M!.
    weight = np.array([1 / (n_players * comb(n_players - 1, s)) for s in range(n_players)] + [0.0])
    return np.where(member, weight[size - 1][:, None], -weight[size][:, None]).T


def n_all_pairs(n_players):
    """Pairs of complementary coalitions in all, that of the empty and the full one not counted."""
    return (1 << (n_players - 1)) - 1


def pairs_per_size(n_players, n_pairs):
    """How many pairs of complementary coalitions to take of each size.

    Every size has the same number, up to the number there are: in expectation the sampling probabilities of leverage
    scores [1]_. Small and large coalitions, of which there are few, are all taken.

    Parameters
    ----------
    n_players : int
    n_pairs : int
        Wanted number of pairs, that of the empty and the full coalition not counted; capped at the number there are.

    Returns
    -------
    int array of shape (n_players // 2,)
        Pairs whose smaller coalition has 1, 2, ... players.

    References
    ----------
    .. [1] Musco and Witter, "Provably Accurate Shapley Value Estimation via Leverage Score Sampling", ICLR 2025.
    """
    sizes = np.arange(1, n_players // 2 + 1)
    available = np.array([n_pairs_of_size(n_players, s) for s in sizes], dtype=float)
    n_pairs = min(n_pairs, available.sum())
    # In a game of even size the middle size is its own complement, so it has half the pairs of the others.
    share = np.where(2 * sizes == n_players, 0.5, 1.0)
    counts = np.zeros(len(sizes))
    while n_pairs - counts.sum() > 1e-9 * max(n_pairs, 1):
        free = share * (counts < available)
        counts = np.minimum(counts + free / free.sum() * (n_pairs - counts.sum()), available)
    floors = np.floor(counts + 1e-9)
    remainder = counts - floors
    extra = round(n_pairs - floors.sum())
    floors[np.argsort(-remainder, kind="stable")[:extra]] += 1
    return floors.astype(int)


def n_pairs_of_size(n_players, size):
    """Number of pairs whose smaller coalition has `size` players."""
    return comb(n_players, size) // (2 if 2 * size == n_players else 1)


def coalitions_of_size(n_players, size, count, rng, known=()):
    """Distinct random coalitions of one size, no two of them complementary.

    Parameters
    ----------
    n_players, size : int
        With ``2 * size == n_players`` the last player is in none.
    count : int
        Number of coalitions, those of `known` counted.
    rng : numpy.random.RandomState
    known : bool array of shape (n_known, n_players), optional
        Coalitions of this size, which come first.

    Returns
    -------
    bool array of shape (count, n_players)
    """
    players = n_players - 1 if 2 * size == n_players else n_players
    found = {row.tobytes(): row for row in known}
    if count >= n_pairs_of_size(n_players, size):
        for members in combinations(range(players), size):
            row = _coalition(n_players, members)
            found.setdefault(row.tobytes(), row)
    while len(found) < count:
        row = _coalition(n_players, rng.choice(players, size, replace=False))
        found.setdefault(row.tobytes(), row)
    return np.array(list(found.values()), dtype=bool).reshape(len(found), n_players)


def _coalition(n_players, members):
    row = np.zeros(n_players, bool)
    row[list(members)] = True
    return row
