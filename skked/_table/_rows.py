"""Rows of a table: count, take, stack, and assemble from donors."""

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from skked._table._columns import is_plain

__all__ = ["assemble_rows", "column_names", "n_rows", "stack_rows", "take_rows"]


def n_rows(X):
    """Number of rows of a table.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)

    Returns
    -------
    int
    """
    return X.shape[0]


def take_rows(X, index):
    """The rows of a table at integer positions.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)
    index : int array of shape (n_taken,), bool array of shape (n_samples,) or slice

    Returns
    -------
    ndarray or DataFrame of shape (n_taken, n_features)
        Same kind, columns and dtypes as `X`; a DataFrame keeps its row labels.
    """
    return X.iloc[index] if isinstance(X, pd.DataFrame) else X[index]


def column_names(X):
    """Names of the columns of a table, as strings.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)

    Returns
    -------
    list of str of length n_features
        A DataFrame's own names; ``x0, x1, ...`` for an array.
    """
    if isinstance(X, pd.DataFrame):
        return [str(name) for name in X.columns]
    return [f"x{j}" for j in range(X.shape[1])]


def stack_rows(A, B):
    """One table, the rows of `A` above the rows of `B`.

    Parameters
    ----------
    A, B : ndarray or DataFrame with n_features columns
        Two tables of one kind with the same columns in the same order.

    Returns
    -------
    ndarray or DataFrame of shape (n_rows(A) + n_rows(B), n_features)
        Columns whose dtypes agree keep them. Category columns keep the categories of `A`, followed by those only `B`
        has. Other columns are widened to a dtype that holds both.

    Raises
    ------
    ValueError
        If the tables differ in kind or in columns.
    """
    if isinstance(A, pd.DataFrame) != isinstance(B, pd.DataFrame) or A.shape[1] != B.shape[1]:
        raise ValueError(
            "Expected two tables of one kind with the same columns, got "
            f"{type(A).__name__} of shape {A.shape} and {type(B).__name__} of shape {B.shape}."
        )
    if not isinstance(A, pd.DataFrame):
        return np.concatenate([A, B])
    if not A.columns.equals(B.columns):
        raise ValueError(
            "Expected two tables with the same columns in the same order, got "
            f"{list(A.columns)} and {list(B.columns)}. Reorder the second with B[A.columns]."
        )
    stacked = [_stack_columns(A.iloc[:, j], B.iloc[:, j]) for j in range(A.shape[1])]
    return _frame(stacked, [column.dtype for column in stacked], A.columns)


def assemble_rows(pool, donors, labels):
    """Rows whose superfeatures come from different rows of a pool.

    Row ``r`` of the result takes the columns of superfeature ``g`` from row ``donors[r, g]`` of the pool. Chimeras and
    the coalitions of a Shapley game (pool: the explained rows followed by the background) are both assembled so.

    Parameters
    ----------
    pool : ndarray or DataFrame of shape (n_pool, n_features)
    donors : int array of shape (n_rows, n_superfeatures)
        Positions of rows in the pool.
    labels : int array of shape (n_features,)
        Superfeature of each column, 0 to n_superfeatures - 1.

    Returns
    -------
    ndarray or DataFrame of shape (n_rows, n_features)
        Same kind, columns, dtypes and categories as `pool`; a DataFrame gets a fresh row index.
    """
    donors, labels = np.asarray(donors), np.asarray(labels)
    if isinstance(pool, pd.DataFrame):
        by_superfeature = np.ascontiguousarray(donors.T)
        columns = [pool.iloc[:, j].array.take(by_superfeature[g]) for j, g in enumerate(labels)]
        return _frame(columns, pool.dtypes, pool.columns)
    assembled = np.empty((donors.shape[0], pool.shape[1]), dtype=pool.dtype)
    for g in np.unique(labels):
        columns = _as_slice(np.flatnonzero(labels == g))
        # A contiguous copy of the few columns makes the take one memory copy per row.
        assembled[:, columns] = np.ascontiguousarray(pool[:, columns]).take(donors[:, g], axis=0)
    return assembled


def _as_slice(columns):
    """The columns as a slice where they are adjacent (numpy assigns slices much faster), else unchanged."""
    first, last = columns[0], columns[-1]
    return slice(first, last + 1) if last - first + 1 == len(columns) else columns


def _frame(columns, dtypes, names):
    """A DataFrame of ready columns, without copying them or guessing at dtypes; any names are allowed."""
    pairs = enumerate(zip(columns, dtypes, strict=True))
    frame = pd.DataFrame({j: pd.Series(column, dtype=dtype, copy=False) for j, (column, dtype) in pairs}, copy=False)
    frame.columns = names
    return frame


def _stack_columns(a, b):
    """One Series, the values of `a` above those of `b`."""
    if isinstance(a.dtype, pd.CategoricalDtype) and isinstance(b.dtype, pd.CategoricalDtype):
        if a.dtype != b.dtype:
            return pd.Series(union_categoricals([a, b], ignore_order=True))
    elif a.dtype != b.dtype:
        # Cast first: concatenating unlike columns of missing values is where pandas versions differ.
        common = np.result_type(a.dtype, b.dtype) if is_plain(a.dtype) and is_plain(b.dtype) else object
        a, b = a.astype(common), b.astype(common)
    return pd.concat([a, b], ignore_index=True)
