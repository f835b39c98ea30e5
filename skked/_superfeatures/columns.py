"""A table's columns as numbers: what affinities and the additive gap are computed on."""

from dataclasses import dataclass

import numpy as np

from skked._table._columns import column_at, column_kinds, levels_of, matrix_of

__all__ = ["ColumnCodes", "encode_columns", "standardised"]


@dataclass(frozen=True)
class ColumnCodes:
    """The cells of a table as floats.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Numbers as they are; categories as codes by falling frequency (0 = most frequent); missing cells as nan.
    categorical : bool ndarray of shape (n_columns,)
        Which columns hold codes.
    """

    values: np.ndarray
    categorical: np.ndarray


def encode_columns(X):
    """Read an array or a DataFrame with mixed types and missing cells.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_rows, n_columns)
        Numeric array, or data frame with numeric, boolean, category, string or object columns.

    Returns
    -------
    ColumnCodes
        One float column per input column.
    """
    categorical = np.array([kind == "category" for kind in column_kinds(X)], dtype=bool)
    values = np.empty(X.shape, dtype=np.float64)
    values[:, ~categorical] = matrix_of(X, np.flatnonzero(~categorical))
    for position in np.flatnonzero(categorical):
        values[:, position] = _frequency_codes(column_at(X, position))
    return ColumnCodes(values, categorical)


def standardised(columns):
    """Return columns with mean 0 and variance 1, missing cells at the mean, constant columns at 0.

    Parameters
    ----------
    columns : ColumnCodes
        Columns of any scale.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
        Float matrix without missing cells.
    """
    present = ~np.isnan(columns.values)
    count = np.maximum(present.sum(axis=0), 1)
    centred = np.where(present, columns.values, 0.0)
    centred = np.where(present, centred - centred.sum(axis=0) / count, 0.0)
    scale = np.sqrt((centred**2).sum(axis=0) / count)
    return centred / np.where(scale > 0, scale, 1.0)


def _frequency_codes(column):
    level, levels = levels_of(column)
    counts = np.bincount(level[level >= 0], minlength=len(levels))
    place = np.empty(len(counts), dtype=np.float64)
    place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.append(place, np.nan)[level]  # level -1, missing, is the last one
