"""What a fit is given, validated and in canonical form."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from skked._table import (
    as_table,
    canonical_rows,
    check_labels,
    check_table,
    check_weight,
    n_rows,
    split_strata,
    take_rows,
)
from skked._validation import split_pairs

_LARGEST_TARGET = 1e30
# Half ranges, as shares of the size: what single precision may lose, and rounding errors of a constant.
_TOLD_APART, _SAME_VALUE = 1e-6, 1e-15


@dataclass(frozen=True)
class Problem:
    """Distinct rows with their weights, in an order that does not depend on the order they came in.

    Attributes
    ----------
    X : table of n rows
    y : array of shape (n,), as the user gave it
    hard : float array of shape (n, K)
        Labels in link space: one column per class (three or more), the indicator of the second class (two), or the
        target.
    weight : float array of shape (n,)
        Mean 1.
    classes : array of shape (C,) or None
    cv : what cross-fitting takes: splits of these rows, or the user's ``cv`` as it is
    unlabelled : table or None
    """

    X: object
    y: np.ndarray
    hard: np.ndarray
    weight: np.ndarray
    classes: np.ndarray | None
    cv: object
    unlabelled: object = None

    def __len__(self):
        return n_rows(self.X)


def read_problem(estimator, X, y, sample_weight, X_unlabelled):
    """Validate the arguments of ``fit`` and bring them into canonical form.

    Parameters
    ----------
    estimator : estimator instance
        Gets ``n_features_in_`` and ``feature_names_in_``; its ``cv`` and ``class_weight`` are read.
    X, y, sample_weight, X_unlabelled
        As given to ``fit``.

    Returns
    -------
    Problem

    Raises
    ------
    TypeError, ValueError
        If an argument is not what ``fit`` documents.
    """
    task = "classification" if is_classifier(estimator) else "regression"
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
    table = check_table(estimator, X, reset=True)
    y = column_or_1d(y, warn=True)
    check_consistent_length(table, y)
    y = _read_target(y, task)
    cv = _splits(estimator.cv, table, y)
    strata = split_strata(cv, len(y)) if isinstance(cv, list) else None
    weight = check_weight(sample_weight, len(y))
    distinct = canonical_rows(table, y if task == "regression" else _codes(y, weight), weight, strata=strata)
    table, y, weight = take_rows(table, distinct.index), y[distinct.index], distinct.weight
    if isinstance(cv, list):
        cv = _usable(distinct.map_splits(cv))
    classes, hard = None, y[:, None].astype(np.float64) if task == "regression" else None
    if task == "classification":
        classes, index = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"{type(estimator).__name__} needs at least two classes, but y holds {len(classes)} class: "
                f"{classes.tolist()[0]!r}. Check the target, or the weights that drop the other classes."
            )
        weight = weight * _class_weights(estimator.class_weight, classes, index, weight)[index]
        hard = index[:, None].astype(np.float64) if len(classes) == 2 else np.eye(len(classes))[index]
    unlabelled = None if X_unlabelled is None else _read_unlabelled(estimator, X_unlabelled, table)
    return Problem(table, y, hard, weight / weight.mean(), classes, cv, unlabelled)


def _read_unlabelled(estimator, X, table):
    if isinstance(as_table(X), pd.DataFrame) != isinstance(table, pd.DataFrame):
        raise TypeError(
            f"X_unlabelled must be the same kind of table as X: expected {type(table).__name__}, "
            f"got {type(as_table(X)).__name__}."
        )
    return check_table(estimator, X, reset=False)


def _read_target(y, task):
    if task == "classification":
        check_labels(y)
        check_classification_targets(y)
        return y
    if y.dtype.kind not in "biuf":
        try:
            if y.dtype.kind in "Mm":
                raise TypeError("no numbers")
            y = y.astype(np.float64)
        except (TypeError, ValueError) as error:
            given = f"{y.dtype}, such as {str(y[0])!r}"
            raise ValueError(f"Expected a numeric target y for regression, got values of type {given}.") from error
    if not np.isfinite(y.astype(np.float64)).all():
        raise ValueError("Input y contains NaN or infinity. Drop or impute the rows without a target.")
    _check_size(y.astype(np.float64))
    return y


def _codes(y, weight):
    """Numbers of the classes, so that their names decide nothing; any number where the weight is zero."""
    codes = np.zeros(len(y), dtype=np.intp)
    codes[weight > 0] = np.unique(y[weight > 0], return_inverse=True)[1]
    return codes


def _check_size(y):
    """Students compute in single precision, which must hold the target and tell its values apart."""
    size, spread = np.abs(y).max(), y.max() / 2 - y.min() / 2
    if size > _LARGEST_TARGET or 0 < spread < 1 / _LARGEST_TARGET:
        raise ValueError(
            f"Expected a target y on a scale that single precision can hold, between 1e-30 and 1e30, got a largest "
            f"size of {size:.3g} and a half range of {spread:.3g}. Rescale it, such as with TransformedTargetRegressor."
        )
    if _SAME_VALUE * size < spread < _TOLD_APART * size:
        raise ValueError(
            f"Expected a target y whose values single precision can tell apart, got a range of {2 * spread:.3g} around "
            f"{size:.3g}. Subtract its mean first, such as with TransformedTargetRegressor."
        )


def _splits(cv, X, y):
    """The splits of a splitter or iterable as a list; numbers and None as they are."""
    if cv is None or isinstance(cv, (bool, int, np.integer)):
        return cv
    splits = [_check_split(split, len(y)) for split in split_pairs(cv, X, y)]
    if not splits:
        raise ValueError("Expected cv to give at least one split, got none. Use cv=None for a teacher of all rows.")
    return splits


def _check_split(split, n):
    if not isinstance(split, (tuple, list)) or len(split) != 2:
        raise ValueError(f"Expected cv to give pairs (train, test) of row numbers, got {split!r}.")
    halves = [np.asarray(half) for half in split]
    for half in halves:
        rows = np.flatnonzero(half) if half.dtype == bool and half.shape == (n,) else half
        if rows.ndim != 1 or not len(rows) or rows.dtype.kind not in "iu" or rows.min() < -n or rows.max() >= n:
            raise ValueError(f"Expected cv to give row numbers from 0 to {n - 1} or masks of {n} rows, got {half!r}.")
    return tuple(halves)


def _usable(splits):
    """Folds that test rows of positive weight; they must train on some too, and on others than they test."""
    usable = [(train, test) for train, test in splits if len(test)]
    for fold, (train, test) in enumerate(usable):
        if not len(train):
            raise ValueError(
                f"Expected cv to give folds that train on rows of positive weight, but fold {fold} has none."
            )
        if len(np.intersect1d(train, test)):
            raise ValueError(
                f"Expected cv to test rows that the fold does not train on, but fold {fold} has rows on both sides. "
                "Use cv=None for a teacher of all rows."
            )
    return usable


def _class_weights(class_weight, classes, index, weight):
    if class_weight == "balanced":
        counts = np.bincount(index, weights=weight)
        return weight.sum() / (len(classes) * counts)
    for label, value in (class_weight or {}).items():
        if not isinstance(value, Real) or not 0 < value < np.inf:
            raise ValueError(f"Expected class_weight to hold numbers above zero, got {value!r} for class {label!r}.")
    return compute_class_weight(class_weight, classes=classes, y=classes[index])
