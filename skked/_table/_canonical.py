"""One form for one data set, however its rows are repeated, weighted or ordered."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skked._table._columns import column_at, has_levels, levels_of, numbers_of
from skked._table._row_values import check_weight
from skked._table._rows import n_rows

__all__ = ["CanonicalRows", "canonical_rows", "split_strata"]

_MISSING = np.uint64(0xD1B54A32D192ED03)


@dataclass(frozen=True)
class CanonicalRows:
    """The distinct rows of a data set.

    Attributes
    ----------
    index : int array of shape (n_distinct,)
        Position, in the input, of the first occurrence of each distinct row.
    weight : float64 array of shape (n_distinct,)
        Sum of the weights of the input rows that were merged; positive.
    group : int array of shape (n_samples,)
        Distinct row of each input row; -1 where the weight is zero and the row was dropped.
    """

    index: np.ndarray
    weight: np.ndarray
    group: np.ndarray

    def map_index(self, index):
        """Distinct rows that hold the given input rows, in canonical order.

        Parameters
        ----------
        index : int array of input rows, or bool array of shape (n_samples,)

        Returns
        -------
        int array
        """
        found = np.unique(self.group[index])
        return found[found >= 0]

    def map_splits(self, splits):
        """Cross-validation splits of the input rows as splits of the distinct rows.

        Parameters
        ----------
        splits : iterable of (train, test)
            Index arrays into the input rows, which were merged with ``strata=split_strata(splits, n_samples)``.

        Returns
        -------
        list of (train, test)
            Index arrays into the distinct rows.
        """
        return [(self.map_index(train), self.map_index(test)) for train, test in splits]


def canonical_rows(X, y=None, sample_weight=None, *, strata=None):
    """Merge repeated rows, drop rows without weight, and order the rest by content.

    Fitting with an integer weight ``w`` on a row and fitting with that row repeated ``w`` times, in any order, lead to
    the same distinct rows, the same weights and the same order, hence to the same fitted model.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)
    y : array of shape (n_samples,) or (n_samples, n_outputs), default=None
        Rows are merged only if they agree in `y` too.
    sample_weight : array of shape (n_samples,), default=None
        Weights, not negative; None means 1 for every row.
    strata : int array of shape (n_samples,), default=None
        Rows are merged only within a stratum: the folds of given splits, see :func:`split_strata`.

    Returns
    -------
    CanonicalRows

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or all weights are zero.

    Notes
    -----
    Rows are compared and ordered by a 64-bit hash of their values: -0.0 equals 0.0, missing equals missing, float32
    equals float64, category columns compare by value rather than by code. Among a million distinct rows the
    probability that any two collide is below 3e-8.
    """
    n_samples = n_rows(X)
    weight = check_weight(sample_weight, n_samples)
    keys = _hash_table(X)
    for extra in (y, strata):
        if extra is not None:
            # Mixed twice, or a target that equals the only column would cancel it.
            keys = _mix(_mix(keys) ^ _hash_table(_as_columns(extra)))
    kept = np.flatnonzero(weight > 0)
    _, first, group_of_kept = np.unique(keys[kept], return_index=True, return_inverse=True)
    group = np.full(n_samples, -1, dtype=np.intp)
    group[kept] = group_of_kept
    return CanonicalRows(index=kept[first], weight=np.bincount(group_of_kept, weights=weight[kept]), group=group)


def split_strata(splits, n_samples):
    """Rows that are on the same side of every split share a stratum.

    Parameters
    ----------
    splits : list of (train, test)
        Index arrays, as given to or made by a cross-validation splitter.
    n_samples : int

    Returns
    -------
    int array of shape (n_samples,)
        Equal for two rows exactly if each split has both in train, both in test, or both in neither. The numbers
        depend on the splits alone, not on the order of the rows.
    """
    stratum = np.zeros(n_samples, dtype=np.uint64)
    for train, test in splits:
        side = np.zeros(n_samples, dtype=np.uint64)
        side[train] += np.uint64(1)
        side[test] += np.uint64(2)
        stratum = _mix(stratum ^ side)
    return stratum.view(np.int64)


def _as_columns(values):
    values = np.asarray(values)
    values = values[:, None] if values.ndim == 1 else values
    return values if values.dtype.kind in "biuf" else pd.DataFrame(values)


def _hash_table(X):
    """One 64-bit hash per row of a table."""
    keys = np.zeros(n_rows(X), dtype=np.uint64)
    for j in range(X.shape[1]):
        column = column_at(X, j)
        # By dtype: the kind of an object column depends on which rows are there, and the hash of a row must not.
        keys = _mix(keys ^ (_hash_levels(column) if has_levels(column.dtype) else _hash_numbers(numbers_of(column))))
    return keys


def _hash_levels(column):
    codes, levels = levels_of(column)
    hashes = pd.util.hash_array(np.asarray(levels, dtype=object), categorize=False)
    return np.append(hashes, _MISSING)[codes]  # code -1, missing, is the last one


def _hash_numbers(values):
    values = values + 0.0  # turns -0.0 into 0.0
    bits = values.view(np.uint64)
    bits[np.isnan(values)] = _MISSING
    return _mix(bits)


def _mix(bits):
    """The finaliser of splitmix64: a bijection that spreads every bit over all of them."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
