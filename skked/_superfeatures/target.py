"""What a target column asks for: classes or numbers."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d

__all__ = ["read_target"]

_MAX_INTEGER_CLASSES = 30


def read_target(y, *, is_classifier=None):
    """Turn a target into class codes or numbers.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Classes of any kind, or numbers.
    is_classifier : bool, optional
        Kind of task. By default texts, truth values and at most 30 different whole numbers are classes.

    Returns
    -------
    target : ndarray of shape (n_rows,)
        Class codes 0 to n_classes - 1, or floats.
    is_classifier : bool
        Kind of task.

    Raises
    ------
    ValueError
        If ``y`` has several columns, or missing or infinite values.
    """
    y = column_or_1d(y)
    if y.dtype.kind in "Mmc":
        raise TypeError(f"Expected a target of classes or numbers, got {y.dtype}. Turn it into numbers first.")
    numeric = y.dtype.kind in "iuf"
    if not numeric and pd.isna(y).any():
        raise ValueError("Expected a target without missing values: drop the rows where y is missing.")
    if numeric and not np.isfinite(y).all():
        raise ValueError("Expected a target without missing or infinite values: drop the rows where y is not finite.")
    classes, codes = np.unique(y if numeric else y.astype(str), return_inverse=True)
    if is_classifier is None:
        is_classifier = not numeric or (
            len(classes) <= _MAX_INTEGER_CLASSES and bool((classes == classes.round()).all())
        )
    return (codes, True) if is_classifier else (y.astype(np.float64), False)
