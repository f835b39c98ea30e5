"""Centre and scale of one numeric column, robust to outliers."""

import numpy as np

__all__ = ["mean_and_scale", "median_and_scale", "weighted_quantiles"]

_NORMAL_IQR = 1.3489795003921634  # interquartile range of the standard normal distribution
_ROUNDING = 1e-12  # spreads below this share of the values are rounding errors of a constant


def median_and_scale(values, weight):
    """Weighted median, and one over the robust spread around it.

    Parameters
    ----------
    values : float64 array of shape (n,)
        Without missing values, at least one.
    weight : float64 array of shape (n,)

    Returns
    -------
    centre : float
    scale : float
        0 for a constant column.
    """
    low, centre, high = weighted_quantiles(values, weight, (0.25, 0.5, 0.75))
    spread = (high - low) / _NORMAL_IQR
    smallest = _ROUNDING * abs(centre)
    if spread <= smallest:
        distance = np.abs(values - centre)
        apart = distance > smallest
        if not apart.any():
            return centre, 0.0
        (spread,) = weighted_quantiles(distance[apart], weight[apart], (0.5,))
    return centre, 1.0 / max(spread, np.finfo(np.float64).tiny)


def mean_and_scale(values, weight):
    """Weighted mean and scale 1, for truth values.

    Parameters
    ----------
    values, weight : float64 arrays of shape (n,)

    Returns
    -------
    centre : float
    scale : float
    """
    return np.average(values, weights=weight), 1.0


def weighted_quantiles(values, weight, levels):
    """Smallest value that at least a share `level` of the weight does not exceed, for each level.

    Parameters
    ----------
    values, weight : float64 arrays of shape (n,)
    levels : sequence of float in (0, 1]

    Returns
    -------
    float64 array of shape (n_levels,)
    """
    if weight.min() == weight.max():  # ranks are enough, and a partial sort finds them several times faster
        rank = np.maximum(np.ceil(np.asarray(levels) * len(values)).astype(np.intp) - 1, 0)
        return np.partition(values, rank)[rank]
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weight[order])
    position = np.searchsorted(cumulated, np.asarray(levels) * cumulated[-1] * (1 - 1e-12))
    return values[order[position]]
