"""How closely two columns of a table are associated, whatever their types: rank correlation and mutual information."""

import numpy as np
from scipy.stats import rankdata

__all__ = ["mutual_information", "rank_association"]

_N_LEVELS = 32  # further categories are pooled
_N_BINS = 8
_MIN_COMMON = 8  # pairs of columns with fewer common rows count as not associated
_BLOCK_CELLS = 2**23


def rank_association(columns):
    """Absolute rank correlation between columns of mixed types.

    Two numeric columns: the absolute correlation of their ranks (Spearman), over the rows where both are present.
    A category and a number: the correlation ratio of the ranks, corrected for the number of categories
    (the square root of epsilon squared). Two categories: Cramér's V with Bergsma's bias correction [1]_, a
    missing category being a category of its own.

    Parameters
    ----------
    columns : ColumnCodes
        The table.

    Returns
    -------
    ndarray of shape (n_columns, n_columns)
        Symmetric, 0 to 1, ones on the diagonal.

    References
    ----------
    .. [1] W. Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical
       Society 42 (2013). https://doi.org/10.1016/j.jkss.2012.10.002
    """
    categorical = columns.categorical
    affinity = np.zeros((len(categorical),) * 2)
    ranks = _ranks(columns.values[:, ~categorical])
    affinity[np.ix_(~categorical, ~categorical)] = _correlation(ranks)
    if categorical.any():
        onehot = _OneHot([_levels(column) for column in columns.values[:, categorical].T])
        ratio = _correlation_ratio(onehot, ranks)
        affinity[np.ix_(categorical, ~categorical)] = ratio
        affinity[np.ix_(~categorical, categorical)] = ratio.T
        affinity[np.ix_(categorical, categorical)] = onehot.pairwise(_cramers_v)
    return _finished(affinity)


def mutual_information(columns):
    """Mutual information between binned columns, normalised to 0 to 1.

    Numbers are cut into eight bins of equal counts, categories kept; missing cells are a level of their own.
    ``I(a; b)`` is corrected for its bias to first order (Miller and Madow) and divided by the geometric mean of the
    two entropies.

    Parameters
    ----------
    columns : ColumnCodes
        The table.

    Returns
    -------
    ndarray of shape (n_columns, n_columns)
        Symmetric, 0 to 1, ones on the diagonal.
    """
    levels = [
        _levels(column if is_category else _bins(column))
        for column, is_category in zip(columns.values.T, columns.categorical, strict=True)
    ]
    return _finished(_OneHot(levels).pairwise(_normalised_information))


def _finished(affinity):
    affinity = np.clip(np.nan_to_num(affinity), 0.0, 1.0)
    affinity = np.maximum(affinity, affinity.T)
    np.fill_diagonal(affinity, 1.0)
    return affinity


def _ranks(values):
    """Ranks within each column, centred and of unit scale, nan where missing; constant columns are 0."""
    ranks = rankdata(values, axis=0, nan_policy="omit") if values.size else values.astype(np.float64)
    present = ~np.isnan(ranks)
    count = np.maximum(present.sum(axis=0), 1)
    centred = ranks - np.where(present, ranks, 0.0).sum(axis=0) / count
    scale = np.sqrt(np.where(present, centred**2, 0.0).sum(axis=0) / count)
    return centred / np.where(scale > 0, scale, 1.0)


def _correlation(ranks):
    """Absolute correlation of each pair of columns over their common rows."""
    present = ~np.isnan(ranks)
    if present.all():
        return np.abs(ranks.T @ ranks) / max(len(ranks), 1)
    filled, there = np.where(present, ranks, 0.0), present.astype(np.float64)
    n_common = there.T @ there
    count = np.maximum(n_common, 1.0)
    mean = filled.T @ there / count  # mean of column a over the rows where b is present
    variance = np.maximum((filled**2).T @ there / count - mean**2, 0.0)
    covariance = filled.T @ filled / count - mean * mean.T
    product = np.sqrt(variance * variance.T)
    usable = (n_common >= _MIN_COMMON) & (product > 1e-12)
    return np.where(usable, np.abs(covariance) / np.where(usable, product, 1.0), 0.0)


def _levels(column):
    """Small integer levels of one column: the most frequent ones, the pooled rest, and missing."""
    missing = np.isnan(column)
    _, level, counts = np.unique(np.where(missing, -np.inf, column), return_inverse=True, return_counts=True)
    if len(counts) <= _N_LEVELS:
        return level
    place = np.empty(len(counts), dtype=np.intp)
    place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(place[level], _N_LEVELS - 1)


def _bins(column):
    present = column[~np.isnan(column)]
    if present.size == 0:
        return column
    edges = np.unique(np.quantile(present, np.linspace(0, 1, _N_BINS + 1)[1:-1]))
    return np.where(np.isnan(column), np.nan, np.searchsorted(edges, column, side="right"))


def _correlation_ratio(onehot, ranks):
    """Square root of epsilon squared of every numeric column (ranks) given every category; (n_cat, n_num)."""
    present = ~np.isnan(ranks)
    filled = np.where(present, ranks, 0.0)
    total, count = filled.sum(axis=0), present.sum(axis=0)
    spread = (filled**2).sum(axis=0) - total**2 / np.maximum(count, 1)
    ratio = np.zeros((onehot.n_columns, ranks.shape[1]))
    for column in range(onehot.n_columns):
        indicator = onehot.block(column, column + 1).astype(np.float64)
        n_level, sums = indicator.T @ present, indicator.T @ filled
        between = (sums**2 / np.maximum(n_level, 1)).sum(axis=0) - total**2 / np.maximum(count, 1)
        n_used = (n_level > 0).sum(axis=0)
        eta = np.where(spread > 1e-12, between / np.where(spread > 1e-12, spread, 1.0), 0.0)
        epsilon = 1.0 - (1.0 - eta) * (count - 1) / np.maximum(count - n_used, 1)
        usable = (count >= _MIN_COMMON) & (n_used > 1) & (count > n_used)
        ratio[column] = np.where(usable, np.sqrt(np.maximum(epsilon, 0.0)), 0.0)
    return ratio


class _OneHot:
    """Indicator columns of integer-levelled columns, and functions of all their pairwise contingency tables."""

    def __init__(self, levels):
        self.levels = levels
        self.n_columns = len(levels)
        self.n_rows = len(levels[0])
        self.n_levels = np.array([level.max() + 1 for level in levels])

    def block(self, first, last):
        """Indicators of columns first to last - 1, float32 of shape (n_rows, sum of levels)."""
        starts = np.concatenate([[0], np.cumsum(self.n_levels[first:last])])
        indicator = np.zeros((self.n_rows, starts[-1]), dtype=np.float32)
        rows = np.arange(self.n_rows)
        for start, level in zip(starts, self.levels[first:last], strict=False):
            indicator[rows, start + level] = 1.0
        return indicator

    def pairwise(self, measure):
        """Apply a measure to all contingency tables, blocks of columns at a time; (n_columns, n_columns)."""
        width = max(1, int(_BLOCK_CELLS // max(self.n_rows * self.n_levels.max(), 1)))
        bounds = [(first, min(first + width, self.n_columns)) for first in range(0, self.n_columns, width)]
        result = np.zeros((self.n_columns, self.n_columns))
        for index, rows in enumerate(bounds):
            left = self.block(*rows)
            for columns in bounds[index:]:
                counts = left.T @ self.block(*columns)
                part = measure(counts.astype(np.float64), self.n_levels[slice(*rows)], self.n_levels[slice(*columns)])
                result[slice(*rows), slice(*columns)] = part
                result[slice(*columns), slice(*rows)] = part.T
        return result


def _table_sums(cells, n_left, n_right):
    """Sum a matrix of stacked contingency tables table by table."""
    rows = np.concatenate([[0], np.cumsum(n_left)[:-1]])
    columns = np.concatenate([[0], np.cumsum(n_right)[:-1]])
    return np.add.reduceat(np.add.reduceat(cells, rows, axis=0), columns, axis=1)


def _expected(counts, n_left, n_right):
    """Counts expected under independence, for stacked contingency tables."""
    n_rows = counts[: n_left[0], : n_right[0]].sum()
    left = counts[:, : n_right[0]].sum(axis=1)
    right = counts[: n_left[0]].sum(axis=0)
    return np.outer(left, right) / n_rows, n_rows


def _cramers_v(counts, n_left, n_right):
    expected, n_rows = _expected(counts, n_left, n_right)
    phi = _table_sums((counts - expected) ** 2 / expected, n_left, n_right) / n_rows
    left, right = n_left[:, None] - 1.0, n_right[None, :] - 1.0
    degrees = max(n_rows - 1.0, 1.0)
    phi = np.maximum(phi - left * right / degrees, 0.0)
    smaller = np.minimum(left - left**2 / degrees, right - right**2 / degrees)
    return np.sqrt(np.where(smaller > 0, phi / np.where(smaller > 0, smaller, 1.0), 0.0))


def _normalised_information(counts, n_left, n_right):
    expected, n_rows = _expected(counts, n_left, n_right)
    logs = np.log(np.where(counts > 0, counts, 1.0) / np.where(counts > 0, expected, 1.0))
    information = _table_sums(counts * logs, n_left, n_right) / n_rows
    occupied = _table_sums(counts > 0, n_left, n_right)
    information -= (occupied - n_left[:, None] - n_right[None, :] + 1) / (2 * n_rows)
    left = _entropies(counts[:, : n_right[0]].sum(axis=1), n_left)
    right = _entropies(counts[: n_left[0]].sum(axis=0), n_right)
    scale = np.sqrt(np.outer(left, right))
    return np.where(scale > 1e-12, information / np.where(scale > 1e-12, scale, 1.0), 0.0)


def _entropies(counts, n_levels):
    starts = np.concatenate([[0], np.cumsum(n_levels)[:-1]])
    share = counts / counts[: n_levels[0]].sum()
    return np.add.reduceat(-share * np.log(np.where(share > 0, share, 1.0)), starts)
