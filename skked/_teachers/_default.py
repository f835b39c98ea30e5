"""The teacher that stands in when the user gives none: gradient boosting, on any table."""

from itertools import groupby

import numpy as np
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

# HistGradientBoosting bins a categorical column into at most 255 levels, one of which is kept for missing cells.
MAX_LEVELS = 254


def default_teacher(task, X, *, random_state=None):
    """Build an unfitted gradient-boosting teacher for the table ``X``.

    Numbers go to :class:`~sklearn.ensemble.HistGradientBoostingClassifier` (or the regressor) as they are, missing
    cells included. Where the table has categories or strings, the model stands at the end of a
    :class:`~sklearn.pipeline.Pipeline` whose first step numbers the levels, column by column and in the same order of
    columns; the model treats those numbers as categories. Levels beyond the 253 most frequent of a column share one
    number; levels never seen count as missing.

    Parameters
    ----------
    task : {"classification", "regression"}
        What is predicted.
    X : ndarray or DataFrame of shape (n_samples, n_features)
        The table that the teacher will be fitted on; only its size and types are looked at.
    random_state : int, RandomState instance or None, default=None
        Seed of the model (it draws only where early stopping is on, or bins are subsampled).

    Returns
    -------
    teacher : estimator
        ``HistGradientBoosting*``, or a Pipeline that ends with one.

    Notes
    -----
    With few rows the trees are fewer, smaller and have smaller leaves, so that the teacher is not a constant on
    twenty rows and costs a few milliseconds there. Above 10,000 rows, boosting stops early on held-out rows.
    """
    categorical = _categorical_columns(X)
    model = _boosting(task, len(X), random_state, np.flatnonzero(categorical).tolist())
    if not categorical.any():
        return model
    return Pipeline([("levels", _number_levels(categorical)), ("boosting", model)])


def _boosting(task, n_samples, random_state, categorical):
    few = n_samples < 1_000
    kind = HistGradientBoostingClassifier if task == "classification" else HistGradientBoostingRegressor
    return kind(
        learning_rate=0.15 if few else 0.1,
        max_iter=int(np.clip(n_samples // 6, 16, 60)) if few else 100 if n_samples <= 10_000 else 300,
        max_leaf_nodes=15 if few else 31,
        min_samples_leaf=int(np.clip(n_samples // 20, 2, 20)),
        categorical_features=categorical or None,
        early_stopping=n_samples > 10_000,
        random_state=random_state,
    )


def _categorical_columns(X):
    """Mark the columns that are neither numbers nor booleans."""
    if not hasattr(X, "dtypes"):
        return np.zeros(X.shape[1], dtype=bool)
    return np.array([not (is_numeric_dtype(dtype) or is_bool_dtype(dtype)) for dtype in X.dtypes], dtype=bool)


def _number_levels(categorical):
    """Encode runs of neighbouring columns of one kind, so that the columns keep their order."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=MAX_LEVELS,
    )
    runs = [(is_levels, list(run)) for is_levels, run in groupby(range(len(categorical)), categorical.__getitem__)]
    steps = [(f"columns_{run[0]}", encoder if is_levels else "passthrough", run) for is_levels, run in runs]
    # A DataFrame in between keeps every column's own type: an array of mixed columns would be one of objects.
    return ColumnTransformer(steps, verbose_feature_names_out=False).set_output(transform="pandas")
