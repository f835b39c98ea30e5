"""From what users pass to one of the two kinds of table, with scikit-learn's own messages where it has them."""

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn import get_config
from sklearn.utils.validation import validate_data

from skked._table._columns import cells_of, column_kinds, kind_of_dtype, matrix_of, numbers_of

__all__ = ["as_table", "check_and_read", "check_table", "is_numeric"]


def check_table(estimator, X, *, reset):
    """Validate user input and set or check ``n_features_in_`` and ``feature_names_in_``.

    Parameters
    ----------
    estimator : estimator instance
        Gets the two attributes when `reset`; otherwise must have them.
    X : array-like, DataFrame or other frame of shape (n_samples, n_features)
        Numbers, truth values, texts and categories; NaN, None and NA mean missing. Frames of other libraries are
        converted to pandas.
    reset : bool
        True in ``fit``, False everywhere else.

    Returns
    -------
    ndarray or DataFrame of shape (n_samples, n_features)
        Arrays of numbers come back as float64 (float32 is kept), pandas frames as they are, arrays that hold texts as
        a DataFrame with the columns ``x0, x1, ...``.

    Raises
    ------
    TypeError
        If X is sparse, or a column holds dates, durations, complex numbers or containers.
    ValueError
        If X is not two-dimensional, is empty, holds infinite values (not looked for where scikit-learn is told to
        ``assume_finite``), repeats a column name, or has other columns than in ``fit``.
    """
    if not reset and _read(estimator, X) is not None:
        return X
    return _checked(estimator, X, reset)


def check_and_read(estimator, X):
    """As ``check_table`` after ``fit``, with what was read on the way.

    Parameters
    ----------
    estimator : estimator instance
    X : array-like, DataFrame or other frame of shape (n_samples, n_features)

    Returns
    -------
    table : ndarray or DataFrame of shape (n_samples, n_features)
    cells : array of shape (n_samples, n_features) or None
        For ``TableEncoder.transform``, which then need not read them again.
    """
    return _read(estimator, X) or (_checked(estimator, X, reset=False), None)


def as_table(X):
    """Turn any frame into a pandas DataFrame, and an array that holds texts too; leave anything else alone.

    Parameters
    ----------
    X : array-like, DataFrame or other frame

    Returns
    -------
    DataFrame, or `X` itself where it is neither a frame nor an array with texts

    Raises
    ------
    TypeError
        If X is a frame that is yet to be computed.
    """
    if isinstance(X, pd.DataFrame) or sparse.issparse(X):
        return X
    if hasattr(X, "collect_schema") and not hasattr(X, "to_pandas"):
        raise TypeError(f"Expected a table in memory, got a {type(X).__name__}. Call its collect() first.")
    if _is_frame(X):
        return _to_pandas(X)
    if isinstance(X, (list, tuple)) and any(isinstance(value, str) for row in X for value in _items(row)):
        X = np.array(X, dtype=object)
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUST" and X.ndim == 2 and X.size:
        return _from_objects(X)
    return X


def is_numeric(X):
    """Whether a table holds numbers and truth values only.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, n_features)

    Returns
    -------
    bool
    """
    return "category" not in column_kinds(X)


def _checked(estimator, X, reset):
    """The slow path: whatever is wrong is said."""
    table = as_table(X)
    if isinstance(table, pd.DataFrame):
        _check_frame(table, context=f" by {type(estimator).__name__}")
        # Arrays have no names of their own, so what was an array of texts is checked as one.
        validate_data(estimator, table if _is_frame(X) else table.to_numpy(), reset=reset, skip_check_array=True)
        return table
    return validate_data(estimator, table, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan")


def _read(estimator, X):
    """The fast path of prediction: an array or frame that nothing needs to be said about, and its cells, or None."""
    if X.__class__ not in (np.ndarray, pd.DataFrame) or X.ndim != 2 or not len(X):
        return None
    if X.shape[1] != getattr(estimator, "n_features_in_", -1):
        return None
    names = getattr(estimator, "feature_names_in_", None)
    if isinstance(X, np.ndarray):
        return (X, None) if names is None and X.dtype.char in "fd" and _has_no_infinity(X) else None
    if names is None or not np.array_equal(np.asarray(X.columns, dtype=object), names):
        return None
    dtypes = X.dtypes.tolist()
    kind_of = {dtype: kind_of_dtype(dtype) for dtype in set(dtypes)}
    if None in kind_of.values():
        return None
    if "category" not in kind_of.values():
        cells = numbers = X.to_numpy(dtype=np.float64)
    else:
        cells = cells_of(X)
        numbers = matrix_of(X, np.flatnonzero([kind_of[dtype] != "category" for dtype in dtypes]), cells)
    return (X, cells) if _has_no_infinity(numbers) else None


def _has_no_infinity(X):
    return get_config()["assume_finite"] or not np.isinf(X).any()


def _is_frame(X):
    return hasattr(X, "columns") and (
        isinstance(X, pd.DataFrame)
        or hasattr(X, "to_pandas")
        or hasattr(X, "__arrow_c_stream__")
        or hasattr(X, "__dataframe__")
    )


def _to_pandas(X):
    """A frame of another library in pandas, by the way that the library itself prefers."""
    if hasattr(X, "to_pandas"):
        try:
            return X.to_pandas()
        except ImportError:  # polars goes by pyarrow, which is no dependency of ours
            return pd.DataFrame({name: X[name].to_list() for name in X.columns})
    if hasattr(X, "__arrow_c_stream__") and hasattr(pd.DataFrame, "from_arrow"):
        return pd.DataFrame.from_arrow(X)
    return pd.api.interchange.from_dataframe(X)


def _items(row):
    return row if isinstance(row, (list, tuple)) else ()


def _from_objects(X):
    """An array of Python objects as a DataFrame if it holds texts, else as the array of numbers it is."""
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])]).infer_objects()
    return matrix_of(frame, np.arange(X.shape[1])) if is_numeric(frame) else frame


def _check_frame(X, *, context):
    if isinstance(X.columns, pd.MultiIndex):
        raise ValueError(
            f"Expected one level of column names, got {X.columns.nlevels}. "
            "Join them first, such as X.columns = ['_'.join(name) for name in X.columns]."
        )
    if not X.columns.is_unique:
        repeated = list(X.columns[X.columns.duplicated()].unique())
        raise ValueError(f"Expected distinct column names, got {repeated} more than once. Rename or drop the copies.")
    for count, what in zip(X.shape, ("sample(s)", "feature(s)"), strict=True):
        if count == 0:
            raise ValueError(f"Found array with 0 {what} (shape={X.shape}) while a minimum of 1 is required{context}.")
    for j, (kind, dtype) in enumerate(zip(column_kinds(X), X.dtypes, strict=True)):
        if kind == "numeric" and dtype.kind not in "iu" and not _has_no_infinity(numbers_of(X.iloc[:, j])):
            raise ValueError(
                f"Column {X.columns[j]!r} contains infinity (inf). Replace infinite values by numbers, "
                "or by NaN if they stand for missing values."
            )
