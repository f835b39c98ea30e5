"""Coalitions of superfeatures: all of them, a paired design, or random permutations."""

from itertools import combinations
from math import comb

import numpy as np

__all__ = ["all_coalitions", "paired_design", "shapley_matrix"]


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


def paired_design(n_players, n_pairs, rng, given=None):
    """Coalitions without repetition whose complements are meant to be evaluated with them.

    Every size has the same expected number of coalitions, up to the number there are: the sampling probabilities of
    leverage scores [1]_. Small and large coalitions, of which there are few, are therefore all taken first.

    Parameters
    ----------
    n_players : int
    n_pairs : int
        Number of pairs, the pair of the empty and the full coalition not counted; capped at the number there are.
    rng : numpy.random.RandomState
    given : bool array of shape (n_given, n_players), optional
        A smaller design to extend.

    Returns
    -------
    bool array of shape (n_pairs, n_players)
        One coalition of each pair, at most half of the players in it; `given` comes first.

    References
    ----------
    .. [1] Musco and Witter, "Provably Accurate Shapley Value Estimation via Leverage Score Sampling", ICLR 2025.
    """
    counts = _pairs_per_size(n_players, n_pairs)
    given = np.zeros((0, n_players), bool) if given is None else given
    design = [given]
    for size, count in enumerate(counts, start=1):
        seen = {row.tobytes() for row in given[given.sum(axis=1) == size]}
        if len(seen) < count:
            design.append(_more_of_size(n_players, size, count, seen, rng))
    return np.concatenate(design)


def _pairs_per_size(n_players, n_pairs):
    """How many pairs whose smaller coalition has 1, 2, ... players: as equal as the numbers there are allow."""
    sizes = np.arange(1, n_players // 2 + 1)
    available = np.array([_n_pairs_of_size(n_players, s) for s in sizes], dtype=float)
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


def _n_pairs_of_size(n_players, size):
    return comb(n_players, size) // (2 if 2 * size == n_players else 1)


def _more_of_size(n_players, size, count, seen, rng):
    """Coalitions of one size until `count` are seen; of the middle size, those without the last player."""
    players = n_players - 1 if 2 * size == n_players else n_players
    if count == _n_pairs_of_size(n_players, size):
        every = (_coalition(n_players, members) for members in combinations(range(players), size))
        return np.array([row for row in every if row.tobytes() not in seen])
    seen, new = set(seen), []
    while len(seen) < count:
        row = _coalition(n_players, rng.choice(players, size, replace=False))
        if row.tobytes() not in seen:
            seen.add(row.tobytes())
            new.append(row)
    return np.array(new)


def _coalition(n_players, members):
    row = np.zeros(n_players, bool)
    row[list(members)] = True
    return row
