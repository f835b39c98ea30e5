"""One column of a DataFrame: what kind it is, its numbers, its levels."""

import numpy as np
import pandas as pd
from pandas.api import types

__all__ = ["column_kind", "levels_of", "numbers_of"]

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
    "mixed": "category",
    "mixed-integer": "category",
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


def column_kind(column):
    """What a column holds: numbers, truth values, or levels of a category.

    Parameters
    ----------
    column : Series

    Returns
    -------
    {"numeric", "boolean", "category"}
        Strings and category dtypes are ``"category"``. Object columns are judged by their values: numbers are
        ``"numeric"``, a mixture of texts and numbers is ``"category"``, nothing but missing values ``"numeric"``.

    Raises
    ------
    TypeError
        If the column holds dates, durations, complex numbers, sparse values, or containers such as dict and list.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) or isinstance(dtype, pd.StringDtype):
        return "category"
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
    if inferred == "mixed":
        _refuse_containers(column)
    return _KIND_OF_OBJECTS.get(inferred, "category")


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
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
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
    codes, values = pd.factorize(column)
    return codes, [_text(value) for value in values]


def _text(value):
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _refusal(column, kind):
    return TypeError(
        f"Column {column.name!r} holds {kind} values (dtype {column.dtype}), which have no one meaning as numbers; "
        f"{_ADVICE[kind]}, or drop the column."
    )


def _refuse_containers(column):
    for value in column:
        if isinstance(value, (dict, list, set, tuple, np.ndarray)):
            # The words "argument must be a string or a number" are those of float(), which scikit-learn looks for.
            raise TypeError(
                f"Column {column.name!r} holds a {type(value).__name__}: each value given as argument must be "
                "a string or a real number. Spread it over columns of its own, or drop the column."
            )
        if isinstance(value, complex):
            raise _refusal(column, "complex")
