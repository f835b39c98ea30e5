"""Which coalitions to evaluate: pairs of every size, each telling as much as possible beyond the others."""

import numpy as np

from skked._explanations._coalitions import coalitions_of_size, n_pairs_of_size, pairs_per_size
from skked._explanations._gaussian_process import covariance_with, cross_covariance

__all__ = ["spread_design"]

# The design is made before anything is known of the game, for a prior in which pairs of superfeatures interact a
# little and triples less.
_RHO = 0.12
_WEIGHT = 2.0
_NOISE = 1e-3
_MOST_CANDIDATES = 2048
_CANDIDATES_PER_PAIR = 8
_MOST_GREEDY = 1024


def spread_design(n_players, n_pairs, rng, given=None):
    """Coalitions whose complements are meant to be evaluated with them.

    The number of each size is that of leverage scores. Within a size coalitions are picked one by one from random
    candidates, each time the one that most reduces the expected squared error of the Shapley values under a generic
    prior; beyond 1,024 pairs they are random.

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
    of_size = [given[given.sum(axis=1) == size] for size in range(1, n_players // 2 + 1)]
    wanted = pairs_per_size(n_players, n_pairs)
    greedy = len(given) < n_pairs <= _MOST_GREEDY
    factor = np.clip(_MOST_CANDIDATES // n_pairs, 2, _CANDIDATES_PER_PAIR) if greedy else 1
    candidates, open_places = [], []
    for size, (known, count) in enumerate(zip(of_size, wanted, strict=True), start=1):
        n_candidates = min(factor * count, n_pairs_of_size(n_players, size))
        candidates.append(coalitions_of_size(n_players, size, n_candidates, rng, known)[len(known) :])
        open_places.append(max(0, count - len(known)))
    candidates = np.concatenate(candidates)
    if greedy:
        candidates = candidates[_most_informative(candidates, np.array(open_places), given)]
    return np.concatenate([given, candidates])


def _most_informative(candidates, open_places, given):
    """Greedy choice of candidates: as many of each size as there are open places."""
    n_chosen = open_places.sum()
    size = candidates.sum(axis=1)
    signs = 2.0 * np.concatenate([candidates, given, np.ones((1, candidates.shape[1]), bool)]) - 1
    posterior = _Posterior(signs, n_chosen + len(given) + 1)
    for known in range(len(candidates), len(signs)):
        posterior.observe(known)
    is_open = open_places[size - 1] > 0
    chosen = []
    for _ in range(n_chosen):
        pick = int(np.argmax(np.where(is_open, posterior.gain()[: len(candidates)], -1.0)))
        posterior.observe(pick)
        chosen.append(pick)
        is_open[pick] = False
        open_places[size[pick] - 1] -= 1
        if open_places[size[pick] - 1] == 0:
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
