"""Which coalitions to evaluate: pairs of every size, each telling as much as possible beyond the others."""

from functools import lru_cache

import numpy as np

from skked._explanations._coalitions import coalitions_of_size, n_all_pairs, n_pairs_of_size, pairs_per_size
from skked._explanations._gaussian_process import covariance_with, cross_covariance

__all__ = ["nested_design", "spread_design"]

# The design is made before anything is known of the game, for a prior in which pairs of superfeatures interact a
# little and triples less.
_RHO = 0.12
_WEIGHT = 2.0
_NOISE = 1e-3
_MOST_CANDIDATES = 2048
_CANDIDATES_PER_PAIR = 8
_MOST_GREEDY = 1024
# Designs of up to four pairs a player begin with up to three that may be of any size.
_SMALL, _OF_ANY_SIZE = 4, 3


@lru_cache(maxsize=64)
def nested_design(n_players, sizes, seed):
    """A spread design of the last of these sizes, which begins with those of the sizes before.

    It knows nothing of the game, so folds with one seed share it.

    Parameters
    ----------
    n_players : int
    sizes : tuple of int
        Numbers of pairs, growing.
    seed : int

    Returns
    -------
    bool array of shape (n_pairs, n_players)
        Read only.
    """
    given = nested_design(n_players, sizes[:-1], seed) if len(sizes) > 1 else None
    design = spread_design(n_players, sizes[-1], np.random.RandomState([seed, len(sizes)]), given)
    design.flags.writeable = False
    return design


def spread_design(n_players, n_pairs, rng, given=None):
    """Coalitions whose complements are meant to be evaluated with them.

    Coalitions are picked one by one from random candidates, each time the one that most reduces the expected squared
    error of the Shapley values under a generic prior. Small designs begin with three pairs for each player of whatever
    size: all single players first, then halves. Otherwise the number of each size is that of leverage scores, which
    guards against games unlike the prior; beyond 1,024 pairs coalitions are random.

    Parameters
    ----------
    n_players : int
    n_pairs : int
        Number of pairs, that of the empty and the full coalition not counted; capped at the number there are.
    rng : numpy.random.RandomState
    given : bool array of shape (n_given, n_players), optional
        A smaller design to extend; it comes first.

    Returns
    -------
    bool array of shape (n_pairs, n_players)
        One coalition of each pair, at most half of the players in it.
    """
    given = np.zeros((0, n_players), bool) if given is None else given
    n_pairs = min(n_pairs, n_all_pairs(n_players))
    if n_pairs <= _SMALL * n_players:
        n_free = min(n_pairs, _OF_ANY_SIZE * n_players) - len(given)
        candidates = _candidates(n_players, np.full(n_players // 2, 2 * _MOST_CANDIDATES // n_players), rng, given)
        given = _extended(given, candidates, n_free, np.full(n_players // 2, n_pairs))
    if len(given) >= n_pairs:
        return given
    wanted = pairs_per_size(n_players, n_pairs)
    known = np.array([(given.sum(axis=1) == size).sum() for size in range(1, n_players // 2 + 1)])
    places = _shared_out(np.maximum(wanted - known, 0), n_pairs - len(given))
    greedy = n_pairs <= _MOST_GREEDY
    factor = np.clip(_MOST_CANDIDATES // n_pairs, 2, _CANDIDATES_PER_PAIR) if greedy else 1
    candidates = _candidates(n_players, factor * wanted, rng, given)
    if greedy:
        return _extended(given, candidates, n_pairs - len(given), places)
    return np.concatenate([given, candidates])


def _shared_out(places, n_more):
    """So many of the places, of each size in proportion."""
    shares = places * (n_more / places.sum())
    floors = np.floor(shares + 1e-9).astype(int)
    floors[np.argsort(floors - shares, kind="stable")[: n_more - floors.sum()]] += 1
    return floors


def _candidates(n_players, counts, rng, given):
    """Random coalitions that are not given, of each size as many as to make the count, or all there are."""
    found = []
    for size, count in enumerate(counts, start=1):
        known = given[given.sum(axis=1) == size]
        count = max(len(known), min(count, n_pairs_of_size(n_players, size)))
        found.append(coalitions_of_size(n_players, size, count, rng, known)[len(known) :])
    return np.concatenate(found)


def _extended(given, candidates, n_more, places):
    """A design with so many more of the candidates, of each size at most as many as there are places."""
    if n_more <= 0:
        return given
    return np.concatenate([given, candidates[_most_informative(candidates, places.copy(), given, n_more)]])


def _most_informative(candidates, places, given, n_more):
    """Greedy choice of candidates."""
    size = candidates.sum(axis=1)
    signs = 2.0 * np.concatenate([candidates, given, np.ones((1, candidates.shape[1]), bool)]) - 1
    posterior = _Posterior(signs, n_more + len(given) + 1)
    for known in range(len(candidates), len(signs)):
        posterior.observe(known)
    is_open = places[size - 1] > 0
    chosen = []
    while len(chosen) < n_more and is_open.any():
        pick = int(np.argmax(np.where(is_open, posterior.gain()[: len(candidates)], -1.0)))
        posterior.observe(pick)
        chosen.append(pick)
        is_open[pick] = False
        places[size[pick] - 1] -= 1
        if places[size[pick] - 1] == 0:
            is_open[size == size[pick]] = False
    return chosen


class _Posterior:
    """Posterior (co)variances at a set of coalitions, updated observation by observation (pivoted Cholesky)."""

    def __init__(self, signs, n_observations):
        self.signs = signs
        self.rho = np.full(signs.shape[1], min(_RHO, 2 / signs.shape[1]))
        self.cross = cross_covariance(signs, self.rho, _WEIGHT)
        prior = covariance_with(signs[:1], signs[0], self.rho, _WEIGHT)[0]
        self.noise = _NOISE * prior
        self.variance = np.full(len(signs), prior + self.noise)
        self.columns = np.empty((n_observations, len(signs)))
        self.n_observed = 0

    def gain(self):
        """Reduction of the summed variance of the Shapley values by observing each coalition."""
        return np.sum(self.cross**2, axis=0) / self.variance

    def observe(self, index):
        """Condition on the value of one coalition."""
        known = self.columns[: self.n_observed]
        column = covariance_with(self.signs, self.signs[index], self.rho, _WEIGHT) - known[:, index] @ known
        column[index] += self.noise
        column /= np.sqrt(self.variance[index])
        self.cross = self.cross - np.outer(self.cross[:, index] / np.sqrt(self.variance[index]), column)
        self.variance = np.maximum(self.variance - column**2, 1e-12)
        self.columns[self.n_observed] = column
        self.n_observed += 1
