"""Shapley values from the values of a few coalitions: Gaussian process regression on the hypercube.

Shapley values depend on a game only through its odd part ``h(S) = (v(S) - v(complement of S)) / 2``. With signs
``s_g = +1`` for members of S and ``-1`` for others, the prior covariance of two values of ``h`` is the odd part of a
product kernel, with extra weight for additive games::

    k(s, t) = w Σ_g ρ_g s_g t_g + (Π_g (1 + ρ_g s_g t_g) - Π_g (1 - ρ_g s_g t_g)) / 2

An interaction of superfeatures has prior variance proportional to the product of their ρ, so higher orders count for
less, and superfeatures that interact more get a larger ρ. Shapley values are linear in the game, so their posterior
mean is one matrix for all rows and outputs, and their posterior variance is known.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

__all__ = ["HypercubeProcess", "covariance_with", "cross_covariance", "efficient", "fit_process", "posterior"]

_MAX_NODES = 32
# Values that the parameters are fitted to; more change them little and cost the cube.
_MAX_FITTED = 512
# Standard deviation, on the logit scale, of the superfeatures' parameters around their mean.
_SPREAD = 1.0
_JITTER = 1e-9
_START = {"logit_rho": -2.5, "log_weight": 1.0, "log_noise": -9.0}
_BOUNDS = {"logit_rho": (-9.0, 3.0), "log_weight": (-6.0, 8.0), "log_noise": (-16.0, 0.0)}


@dataclass(frozen=True)
class HypercubeProcess:
    """The posterior of Shapley values given the odd values of a design.

    Attributes
    ----------
    matrix : float64 array of shape (n_superfeatures, 1 + n_pairs)
        ``phi = matrix @ h``; the first value is that of the full coalition.
    unit_variance : float64 array of shape (n_superfeatures,)
        Posterior variance at scale one.
    precision : float64 array of shape (1 + n_pairs, 1 + n_pairs)
        Inverse of the prior covariance of the values.
    theta : float64 array
        The fitted parameters, to start a larger fit from.
    """

    matrix: np.ndarray
    unit_variance: np.ndarray
    precision: np.ndarray
    theta: np.ndarray

    def values(self, odd):
        """Shapley values from odd values of shape (n_rows, 1 + n_pairs, n_outputs)."""
        return np.einsum("gm,nmc->ngc", self.matrix, odd, optimize=True)

    def standard_errors(self, odd):
        """Posterior standard deviations of the same shape as the values, at the scale of each game."""
        return np.sqrt(self.unit_variance)[:, None] * self.scale(odd)

    def scale(self, odd):
        """Scale of every game, of shape (n_rows, 1, n_outputs).

        It is what a game's leave-one-out residuals say, which stays right where the prior is not. One parameter for
        each superfeature was fitted to the same values, for all games together, which the last factor pays for.
        """
        flat = odd.transpose(1, 0, 2).reshape(odd.shape[1], -1)
        residual = (self.precision @ flat)[1:] / np.sqrt(np.diag(self.precision)[1:, None])
        variance = np.mean(residual**2, axis=0) * (1 + len(self.matrix) / (2 * len(residual)))
        return np.sqrt(variance).reshape(odd.shape[0], 1, odd.shape[2])


def _signs(design):
    """Members as 1 and others as -1, of the full coalition and of a design."""
    return np.vstack([np.ones(design.shape[1]), 2.0 * design - 1])


def fit_process(design, odd, start=None):
    """Fit the covariance by marginal likelihood, pooled over games, and solve for Shapley values.

    Parameters
    ----------
    design : bool array of shape (n_pairs, n_superfeatures)
        One coalition of each pair.
    odd : float64 array of shape (n_rows, 1 + n_pairs, n_outputs)
        Odd values of the full coalition and of the design.
    start : float64 array, optional
        Parameters of a smaller fit.

    Returns
    -------
    HypercubeProcess
    """
    n_players = design.shape[1]
    signs = _signs(design)
    fitted = np.unique(np.linspace(0, len(signs) - 1, min(len(signs), _MAX_FITTED)).astype(int))
    games = odd[:, fitted].transpose(1, 0, 2).reshape(len(fitted), -1)
    spread = np.sqrt(np.mean(games**2, axis=0))
    games = games[:, spread > 1e-9 * spread.max()]
    theta = start
    if theta is None:
        theta = np.array([_START["logit_rho"]] * n_players + [_START["log_weight"], _START["log_noise"]])
    if games.shape[1]:
        bounds = [_BOUNDS["logit_rho"]] * n_players + [_BOUNDS["log_weight"], _BOUNDS["log_noise"]]
        options = {"maxiter": 40}
        result = minimize(
            _loss, theta, args=(signs[fitted], games), jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        theta = result.x
    return posterior(theta, design)


def covariance_with(signs, one, rho, weight):
    """Prior covariance of the values at many coalitions with the value at one.

    Parameters
    ----------
    signs : float array of shape (n, n_superfeatures)
    one : float array of shape (n_superfeatures,)
    rho, weight
        Parameters of the kernel.

    Returns
    -------
    float64 array of shape (n,)
    """
    agreement = rho * signs * one
    return weight * agreement.sum(axis=1) + (np.prod(1 + agreement, axis=1) - np.prod(1 - agreement, axis=1)) / 2


def _unpack(theta):
    return 1 / (1 + np.exp(-theta[:-2])), np.exp(theta[-2]), np.exp(theta[-1])


def _kernel(signs, rho):
    """Additive part, the two products whose half difference is the rest."""
    additive = (signs * rho) @ signs.T
    plus, minus = np.ones_like(additive), np.ones_like(additive)
    for g, r in enumerate(rho):
        agreement = r * np.outer(signs[:, g], signs[:, g])
        plus *= 1 + agreement
        minus *= 1 - agreement
    return additive, plus, minus


def _covariance(signs, rho, weight, noise):
    """Covariance of observed values, and what multiplies the prior variance on its diagonal."""
    additive, plus, minus = _kernel(signs, rho)
    covariance = weight * additive + (plus - minus) / 2
    # The full coalition is interpolated, which makes the values efficient; other values may deviate a little.
    is_inner = np.arange(len(signs)) > 0
    relative_noise = noise * is_inner + _JITTER
    covariance[np.diag_indices_from(covariance)] *= 1 + relative_noise
    return covariance, relative_noise, (additive, plus, minus)


def _loss(theta, signs, games):
    """Negative log marginal likelihood per value, each game's scale profiled out, and its gradient."""
    n_values, n_games = games.shape
    rho, weight, noise = _unpack(theta)
    covariance, relative_noise, (additive, plus, minus) = _covariance(signs, rho, weight, noise)
    factor = cholesky(covariance, lower=True, check_finite=False)
    inverse = cho_solve((factor, True), np.eye(n_values), check_finite=False)
    solved = inverse @ games
    scale = np.mean(games * solved, axis=0)
    loss = n_values * np.log(scale).sum() / 2 + n_games * np.log(np.diag(factor)).sum()
    outer = (n_games * inverse - (solved / scale) @ solved.T) / 2
    gradient = np.empty(len(theta))
    variance = covariance[0, 0] / (1 + relative_noise[0])
    gradient[-1] = noise * variance * np.diag(outer)[1:].sum()
    # Noise is relative to the prior variance, so the other parameters act through it as well.
    outer[np.diag_indices_from(outer)] *= 1 + relative_noise
    gradient[:-2] = _gradient_of_rho(outer, signs, rho, weight, plus, minus) * rho * (1 - rho)
    gradient[-2] = weight * np.sum(outer * additive)
    # Rows and outputs are one teacher's, far from independent: against the prior they count as a single game.
    deviation = (theta[:-2] - theta[:-2].mean()) / _SPREAD
    loss += n_games * np.sum(deviation**2) / 2
    gradient[:-2] += n_games * deviation / _SPREAD
    return loss / games.size, gradient / games.size


def _gradient_of_rho(outer, signs, rho, weight, plus, minus):
    gradient = np.empty(len(rho))
    weighted_plus, weighted_minus = outer * plus, outer * minus
    for g, r in enumerate(rho):
        s = signs[:, g]
        # a / (1 + r a) with a = s_i s_j = ±1 equals (a - r) / (1 - r²), so all sums are quadratic forms.
        rest = s @ (weighted_plus + weighted_minus) @ s - r * (weighted_plus - weighted_minus).sum()
        gradient[g] = weight * (s @ outer @ s) + rest / (2 * (1 - r**2))
    return gradient


def posterior(theta, design):
    """The posterior under given parameters, a HypercubeProcess; arguments as of `fit_process`."""
    rho, weight, noise = _unpack(theta)
    signs = _signs(design)
    covariance, _, _ = _covariance(signs, rho, weight, noise)
    factor = cholesky(covariance, lower=True, check_finite=False)
    cross = cross_covariance(signs, rho, weight)
    matrix = cho_solve((factor, True), cross.T, check_finite=False).T
    variance = np.maximum(_prior_variance(rho, weight) - np.sum(matrix * cross, axis=1), 0)
    precision = cho_solve((factor, True), np.eye(len(signs)), check_finite=False)
    return HypercubeProcess(efficient(matrix), variance, precision, theta)


def efficient(matrix):
    """The matrix, changed by rounding errors so that the values sum to twice the odd value of the full coalition."""
    excess = -matrix.sum(axis=0)
    excess[0] += 2
    return matrix + excess / len(matrix)


def _nodes(n_players):
    """Gauss-Legendre nodes and weights for the mean over (-1, 1), exact for the products up to 64 superfeatures."""
    u, w = np.polynomial.legendre.leggauss(min(n_players // 2 + 1, _MAX_NODES))
    return u, w / 2


def cross_covariance(signs, rho, weight):
    """Prior covariance of Shapley values with values: ``2 ρ_i t_i (w + E_u Π_{g≠i} (1 + ρ_g t_g u))``, u ~ U(-1, 1).

    Parameters
    ----------
    signs : float array of shape (n, n_superfeatures)
    rho, weight
        Parameters of the kernel.

    Returns
    -------
    float64 array of shape (n_superfeatures, n)
    """
    u, w = _nodes(len(rho))
    factors = 1 + (signs * rho)[:, :, None] * u
    others = np.prod(factors, axis=1)[:, None, :] / factors
    return (2 * signs * rho * (weight + others @ w)).T


def _prior_variance(rho, weight):
    """Prior variance of Shapley values: ``4 ρ_i (w + E_{u,u'} Π_{g≠i} (1 + ρ_g u u'))``."""
    u, w = _nodes(len(rho))
    products = np.outer(u, u)
    factors = 1 + rho[:, None, None] * products
    others = np.prod(factors, axis=0) / factors
    return 4 * rho * (weight + np.einsum("guv,u,v->g", others, w, w))
