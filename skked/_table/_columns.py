"""One column of a DataFrame: what kind it is, its numbers, its levels."""

import numbers

import numpy as np
import pandas as pd
from pandas.api import types

__all__ = [
    "cells_of",
    "column_at",
    "column_kinds",
    "has_levels",
    "is_plain",
    "kind_of_dtype",
    "levels_at",
    "levels_of",
    "matrix_of",
    "numbers_of",
]

# Cells up to which a frame is faster to read as objects at once than column by column.
_FEW_CELLS = 2000

_MEASURE = "give what the model should measure as numbers, such as the year, the hour or the days since a fixed date"
_ADVICE = {
    "complex": "pass its real and imaginary parts, or its modulus and angle, as two columns",
    "datetime": _MEASURE,
    "timedelta": "give durations as numbers, such as X[column].dt.total_seconds()",
    "period": _MEASURE,
    "interval": "give its ends or its middle as numbers, or its text with X[column].astype(str)",
}
_KIND_OF_OBJECTS = {
    "integer": "numeric",
    "floating": "numeric",
    "mixed-integer-float": "numeric",
    "decimal": "numeric",
    "empty": "numeric",
    "boolean": "boolean",
    "string": "category",
    "bytes": "category",
}
_REFUSED_OBJECTS = {
    "complex": "complex",
    "datetime64": "datetime",
    "datetime": "datetime",
    "date": "datetime",
    "time": "datetime",
    "timedelta64": "timedelta",
    "timedelta": "timedelta",
    "period": "period",
    "interval": "interval",
}


def column_at(X, j):
    """Column `j` of a table as a Series.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)
    j : int

    Returns
    -------
    Series of length n_samples
    """
    return X.iloc[:, j] if isinstance(X, pd.DataFrame) else pd.Series(X[:, j], name=f"x{j}")


def column_kinds(X):
    """What each column of a table holds: numbers, truth values, or levels of a category.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)

    Returns
    -------
    list of {"numeric", "boolean", "category"}, of length n_features
        Strings and category dtypes are ``"category"``. Object columns are judged by their values: numbers are
        ``"numeric"``, a mixture of texts and numbers is ``"category"``, nothing but missing values ``"numeric"``.

    Raises
    ------
    TypeError
        If a column holds dates, durations, complex numbers, sparse values, or containers such as dict and list.
    """
    if not isinstance(X, pd.DataFrame):
        return ["numeric"] * X.shape[1]
    return [kind_of_dtype(dtype) or _kind_of_values(X.iloc[:, j]) for j, dtype in enumerate(X.dtypes)]


def kind_of_dtype(dtype):
    """The kind of column that a common dtype alone decides.

    Parameters
    ----------
    dtype : numpy or pandas dtype

    Returns
    -------
    {"numeric", "boolean", "category"} or None
        None where the values decide.
    """
    if is_plain(dtype):
        return "boolean" if dtype.kind == "b" else "numeric"
    return "category" if isinstance(dtype, (pd.CategoricalDtype, pd.StringDtype)) else None


def has_levels(dtype):
    """Whether columns of a dtype hold objects, texts or categories.

    Parameters
    ----------
    dtype : numpy or pandas dtype

    Returns
    -------
    bool
    """
    return isinstance(dtype, (pd.CategoricalDtype, pd.StringDtype)) or types.is_object_dtype(dtype)


def is_plain(dtype):
    """Whether a dtype is one of numpy's for truth values, integers or floats.

    Parameters
    ----------
    dtype : numpy or pandas dtype

    Returns
    -------
    bool
    """
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def cells_of(X):
    """The cells of a small frame as objects, else None.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)

    Returns
    -------
    object array of shape (n_samples, n_features) or None
    """
    return X.to_numpy(dtype=object) if isinstance(X, pd.DataFrame) and X.size <= _FEW_CELLS else None


def matrix_of(X, columns, cells=None):
    """The values of numeric and boolean columns as float64, missing as NaN.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)
    columns : int array of shape (n_columns,)
    cells : array of shape (n_samples, n_features), default=None
        What ``cells_of`` gave, or the values of a frame of plain numbers as float64.

    Returns
    -------
    float array of shape (n_samples, n_columns)
        float64, or `X` itself where it is an array and all its columns are asked for.
    """
    whole = len(columns) == X.shape[1]
    if not isinstance(X, pd.DataFrame):
        return X if whole else X[:, columns].astype(np.float64)
    if cells is not None and cells.dtype == np.float64:
        return cells if whole else cells[:, columns]
    dtypes = X.dtypes.tolist()
    are_plain = all(is_plain(dtype) for dtype in (set(dtypes) if whole else {dtypes[j] for j in columns}))
    if are_plain and cells is not None:
        return cells[:, columns].astype(np.float64)
    part = X if whole else X.iloc[:, columns]
    if are_plain:
        return part.to_numpy(dtype=np.float64)
    matrix = np.empty(part.shape)
    for position, (_, column) in enumerate(part.items()):
        matrix[:, position] = numbers_of(column)
    return matrix


def numbers_of(column):
    """The values of a numeric or boolean column as float64, missing as NaN.

    Parameters
    ----------
    column : Series

    Returns
    -------
    float64 array of shape (n_samples,)

    Raises
    ------
    ValueError
        If a value is not a number.
    """
    if is_plain(column.dtype):
        return column.to_numpy(dtype=np.float64)
    try:
        return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"Column {column.name!r} was numeric in fit, but now holds values that are not numbers ({error}). "
            "Convert them to numbers, or mark them as missing."
        ) from error


def levels_of(column):
    """The levels of a column and the level of each row.

    Parameters
    ----------
    column : Series

    Returns
    -------
    codes : int array of shape (n_samples,)
        Position of each row's level in `levels`; -1 where missing.
    levels : list of str
        Text of each level. Whole numbers read alike whatever their dtype (``1``, ``1.0`` and ``True`` stay apart only
        as ``"1"``, ``"1"`` and ``"True"``), so a level is recognised by value, not by category code.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy().astype(np.intp), [_text(value) for value in column.cat.categories]
    codes, values = column.array.factorize()
    return codes, [_text(value) for value in values]


def levels_at(X, j, cells=None):
    """The levels of column `j` and the level of each row.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)
    j : int
    cells : array of shape (n_samples, n_features), default=None
        What ``cells_of`` gave; of numbers it is not used, since they have lost their dtypes.

    Returns
    -------
    codes : int array of shape (n_samples,)
    levels : list of str
        As from ``levels_of``; the same text once for each of its rows where there are cells.
    """
    if cells is None or cells.dtype != object:
        return levels_of(column_at(X, j))
    values = cells[:, j]
    missing = pd.isna(values)
    codes = np.where(missing, -1, np.cumsum(~missing) - 1)
    return codes, [_text(value) for value in values[~missing]]


def _kind_of_values(column):
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        raise TypeError(
            f"Column {column.name!r} has the sparse dtype {dtype}, but dense data is required. "
            "Convert it with X[column].sparse.to_dense()."
        )
    if types.is_bool_dtype(dtype):
        return "boolean"
    if types.is_complex_dtype(dtype):
        raise _refusal(column, "complex")
    if types.is_numeric_dtype(dtype):
        return "numeric"
    inferred = types.infer_dtype(column, skipna=True)
    if inferred in _REFUSED_OBJECTS:
        raise _refusal(column, _REFUSED_OBJECTS[inferred])
    return _KIND_OF_OBJECTS.get(inferred) or _kind_of_mixture(column)


def _text(value):
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _refusal(column, kind):
    return TypeError(
        f"Column {column.name!r} holds {kind} values (dtype {column.dtype}), which have no one meaning as numbers; "
        f"{_ADVICE[kind]}, or drop the column."
    )


def _kind_of_mixture(column):
    """The kind of a column with Python objects of several types: numbers if it holds nothing else."""
    values = [value for value, missing in zip(column, column.isna(), strict=True) if not missing]
    for value in values:
        if isinstance(value, (dict, list, set, tuple, np.ndarray)):
            # The words "argument must be a string or a number" are those of float(), which scikit-learn looks for.
            raise TypeError(
                f"Column {column.name!r} holds a {type(value).__name__}: each value given as argument must be "
                "a string or a real number. Spread it over columns of its own, or drop the column."
            )
        if isinstance(value, complex):
            raise _refusal(column, "complex")
    return "numeric" if all(isinstance(value, numbers.Number) for value in values) else "category"
