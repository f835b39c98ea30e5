"""What a few rows whose games are better known teach about all rows: a correction, and how sure to be of it."""

from dataclasses import replace

import numpy as np

from skked._explanations._gaussian_process import efficient, posterior

__all__ = ["refined"]

# Strengths of the ridge, as shares of the mean square of a whitened game; the last is no correction.
_RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, np.inf)
# Standard errors are calibrated so that this share of the values is within 1.96 of them.
_COVERED, _WITHIN = 0.95, 1.96
# Games whose scale is a smaller share of the largest one are known to rounding.
_ROUNDING = 1e-6


def refined(process, design, odd):
    """A posterior that has learnt from rows of which more values are known.

    The prior knows how much superfeatures interact, but not how: a teacher's games resemble each other beyond that. So
    what the values of a design missed is predicted from the values of the design themselves, both at the scale of the
    game and the latter whitened, by ridge regression for all superfeatures,

        φ(finer design) − φ(design) ≈ scale · Wᵀ z,   z = Lᵀ h / scale,   L Lᵀ = precision,

    which only adds ``(L W)ᵀ`` to the matrix that gives the Shapley values. The ridge, up to no correction at all, is
    chosen by leaving out one row at a time. What it leaves there calibrates the standard errors: by the prior it is
    normal, with the difference of the posterior variances, and a factor makes 95 % of it smaller than 1.96 standard
    deviations. A superfeature counts by how far it is off, so that those which hardly matter do not decide. What the
    finer design misses too is not seen; it gets the factor of what the prior missed before the correction.

    Parameters
    ----------
    process : HypercubeProcess
    design : bool array of shape (n_pairs, n_superfeatures)
        A larger design, which begins with the one of the process.
    odd : float64 array of shape (n_rows, 1 + n_pairs, n_outputs)
        Odd values of the full coalition and of the larger design.

    Returns
    -------
    HypercubeProcess
    """
    odd = odd[np.unique(odd.reshape(len(odd), -1), axis=0, return_index=True)[1]]  # a row's double would foretell it
    known = odd[:, : len(process.precision)]
    finer = posterior(process.theta, design)
    scale = process.scale(known)
    scale = np.where(scale > _ROUNDING * scale.max(), scale, np.inf)
    whitener = np.linalg.cholesky(process.precision)
    games = np.einsum("nmc,mk->nck", known / scale, whitener, optimize=True)
    missed = ((finer.values(odd) - process.values(known)) / scale).transpose(0, 2, 1)
    foreseen = np.sqrt(np.maximum(process.unit_variance - finer.unit_variance, 0))
    if not (missed.any() and foreseen.any()):
        return process
    weights, left = _by_ridge(games, missed)
    is_known = np.isfinite(scale[:, 0])
    variance = (_inflation(left[is_known], foreseen) * foreseen) ** 2
    variance += _inflation(missed[is_known], foreseen) ** 2 * finer.unit_variance
    return replace(process, matrix=efficient(process.matrix + (whitener @ weights).T), unit_variance=variance)


def _by_ridge(games, missed):
    """Weights of the best ridge, and what it leaves of each row when they are learnt from the other rows.

    `games` has shape (n_rows, n_outputs, n_values), `missed` (n_rows, n_outputs, n_superfeatures); the weights have
    shape (n_values, n_superfeatures).
    """
    left, singular, right = np.linalg.svd(games.reshape(-1, games.shape[2]), full_matrices=False)
    target = missed.reshape(-1, missed.shape[2])
    rotated = left.T @ target
    by_row = left.reshape(*games.shape[:2], -1)
    mean_square = np.sum(singular**2) / len(target)
    found = []
    for ridge in _RIDGES:
        kept = singular**2 / (singular**2 + ridge * mean_square)
        residual = missed - by_row @ (kept[:, None] * rotated)
        rest = np.eye(games.shape[1]) - (by_row * kept) @ by_row.transpose(0, 2, 1)
        found.append(np.linalg.solve(rest, residual))
    best = int(np.argmin([np.sum(errors**2) for errors in found]))
    shrunk = singular / (singular**2 + _RIDGES[best] * mean_square)
    return right.T @ (shrunk[:, None] * rotated), found[best]


def _inflation(left, foreseen):
    """Factor of the standard errors, from what is left of games, and what their posterior foresees, at unit scale."""
    weight = np.broadcast_to(np.sqrt(np.mean(left**2, axis=0)), left.shape)[:, foreseen > 0].ravel()
    ratio = (np.abs(left)[:, foreseen > 0] / foreseen[foreseen > 0]).ravel()
    order = np.argsort(ratio)
    below = np.cumsum(weight[order])
    return float(ratio[order][np.searchsorted(below, _COVERED * below[-1])] / _WITHIN)
