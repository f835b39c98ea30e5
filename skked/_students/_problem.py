"""What a fit is given, validated and in canonical form."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from skked._table import as_table, canonical_rows, check_table, n_rows, split_strata, take_rows


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
    X = as_table(X)
    table = check_table(estimator, X, reset=True)
    y = column_or_1d(y, warn=True)
    check_consistent_length(table, y)
    _check_target(y, task)
    cv = _splits(estimator.cv, table, y, task)
    strata = split_strata(cv, len(y)) if isinstance(cv, list) else None
    distinct = canonical_rows(table, y, sample_weight, strata=strata)
    table, y, weight = take_rows(table, distinct.index), y[distinct.index], distinct.weight
    if isinstance(cv, list):
        cv = distinct.map_splits(cv)
    classes, hard = None, y[:, None].astype(np.float64) if task == "regression" else None
    if task == "classification":
        classes, index = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"{type(estimator).__name__} needs at least two classes, but y holds {len(classes)} class: "
                f"{classes[0]!r}. Check the target, or the weights that drop the other classes."
            )
        weight = weight * _class_weights(estimator.class_weight, classes, index, weight)[index]
        hard = index[:, None].astype(np.float64) if len(classes) == 2 else np.eye(len(classes))[index]
    unlabelled = None
    if X_unlabelled is not None:
        unlabelled = check_table(estimator, as_table(X_unlabelled), reset=False)
        if type(unlabelled) is not type(table):
            raise TypeError(
                f"X_unlabelled must be the same kind of table as X: expected {type(table).__name__}, "
                f"got {type(unlabelled).__name__}."
            )
    return Problem(table, y, hard, weight / weight.mean(), classes, cv, unlabelled)


def _check_target(y, task):
    if task == "classification":
        if pd.isna(y).any() or (y.dtype.kind == "f" and np.isinf(y).any()):
            raise ValueError("Input y contains NaN, None or infinity. Drop the rows without a label.")
        check_classification_targets(y)
        return
    if y.dtype.kind not in "biuf":
        try:
            y = y.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"Expected a numeric target y for regression, got values such as {y[0]!r}.") from error
    if not np.isfinite(y.astype(np.float64)).all():
        raise ValueError("Input y contains NaN or infinity. Drop or impute the rows without a target.")


def _splits(cv, X, y, task):
    """The splits of a splitter or iterable as a list; numbers and None as they are."""
    if cv is None or isinstance(cv, (bool, int, np.integer)):
        return cv
    splitter = check_cv(cv, y, classifier=task == "classification")
    return [(np.asarray(train), np.asarray(test)) for train, test in splitter.split(X, y)]


def _class_weights(class_weight, classes, index, weight):
    if class_weight == "balanced":
        counts = np.bincount(index, weights=weight)
        return weight.sum() / (len(classes) * counts)
    return compute_class_weight(class_weight, classes=classes, y=classes[index])
