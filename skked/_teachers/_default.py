"""The teacher that stands in when the user gives none: gradient boosting, on any table."""

from itertools import groupby

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_bool_dtype, is_numeric_dtype
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

# A table with more columns is wide: its trees are smaller and read fewer thresholds of each column, since ten classes
# and 649 columns would otherwise cost minutes, for the same accuracy.
_WIDE = 128
# A column with fewer values may have none at all in the training rows of a fold, which the binning cannot bear.
_FEW_VALUES = 30
# Of a class with fewer rows a fold may hold a single one, which cannot be shared out to rows that are held out.
_RARE_CLASS = 10
# What pandas calls object columns that hold numbers or truth values.
_NUMERIC_OBJECTS = {"integer", "floating", "mixed-integer-float", "decimal", "boolean", "empty"}


def default_teacher(task, X, y=None, *, random_state=None):
    """Build an unfitted gradient-boosting teacher for the table ``X``.

    Numbers go to :class:`~sklearn.ensemble.HistGradientBoostingClassifier` (or the regressor) as they are, missing
    cells included. Where the table has anything else, the model stands at the end of a
    :class:`~sklearn.pipeline.Pipeline` whose first step works column by column and keeps the order of the columns: it
    numbers the levels of categories and texts, and the model treats those numbers as categories. The rare levels of
    a column with more than 255 of them share one number (in wide tables, 63); levels never seen count as missing. In
    a column of numbers that is nearly empty, missing cells become a number below all others, which trees split off
    just as well.

    Parameters
    ----------
    task : {"classification", "regression"}
        What is predicted.
    X : ndarray or DataFrame of shape (n_samples, n_features)
        The table that the teacher will be fitted on; only its size, types and missing cells are looked at.
    y : array-like of shape (n_samples,), default=None
        Its labels, if some are so rare that no rows can be held out; not looked at for a regression.
    random_state : int, RandomState instance or None, default=None
        Seed of the model, which draws the columns that each split may use.

    Returns
    -------
    teacher : estimator
        ``HistGradientBoosting*``, or a Pipeline that ends with one.

    Notes
    -----
    With few rows the trees are fewer, smaller and have smaller leaves, so that the teacher is not a constant on
    twenty rows and costs a few milliseconds there. With more than 128 columns the trees are smaller too, up to 10,000
    rows. Above that, boosting stops early on held-out rows, unless a class has fewer than ten; then, above 1,000
    rows, leaves are penalised too.
    """
    kinds = _kinds(X)
    levels = [column for column, kind in enumerate(kinds) if kind in ("levels", "objects")]
    rare = task == "classification" and y is not None and np.unique(y, return_counts=True)[1].min() < _RARE_CLASS
    model = _boosting(task, X.shape, levels, rare, random_state)
    if set(kinds) <= {"numbers"}:
        return model
    return Pipeline([("columns", _column_steps(X, kinds, model.max_bins)), ("boosting", model)])


def _boosting(task, shape, levels, rare, random_state):
    n_samples, n_columns = shape
    few, wide = n_samples <= 1_000, n_columns > _WIDE
    stops_early = n_samples > 10_000 and not rare
    max_iter = int(np.clip(n_samples // 4, 16, 60)) if few else 300 if stops_early else 100
    kind = HistGradientBoostingClassifier if task == "classification" else HistGradientBoostingRegressor
    return kind(
        learning_rate=max(0.1, 6 / max_iter) if few else 0.1,
        max_iter=max_iter,
        max_leaf_nodes=8 if few or (wide and n_samples <= 10_000) else 31,
        min_samples_leaf=int(np.clip(n_samples // 20, 2, 20)),
        max_features=0.5,
        max_bins=63 if wide else 255,
        # Unpenalised, leaves with one of two rows of a class make all scores a hundred times too large.
        l2_regularization=1.0 if rare and not few else 0.0,
        categorical_features=levels or None,
        early_stopping=stops_early,
        random_state=random_state,
    )


def _kinds(X):
    """Say what each column needs before boosting: nothing ("numbers"), or a step of ``_column_steps``."""
    if not isinstance(X, pd.DataFrame):
        few = (~np.isnan(X)).sum(axis=0) < _FEW_VALUES
        return ["scarce" if scarce else "numbers" for scarce in few & np.isnan(X).any(axis=0)]
    return [_kind(X.iloc[:, j]) for j in range(X.shape[1])]


def _kind(column):
    numeric = is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype)
    content = infer_dtype(column, skipna=True) if column.dtype == object else None
    if not (numeric or content in _NUMERIC_OBJECTS):
        return "levels" if content in (None, "string") else "objects"
    if column.isna().any() and column.notna().sum() < _FEW_VALUES:
        return "scarce"
    return "numbers" if numeric else "numeric objects"


def _column_steps(X, kinds, max_levels):
    """Treat runs of neighbouring columns of one kind together, so that the columns keep their order."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=max_levels,
    )
    step_of_kind = {
        "numbers": "passthrough",
        "levels": encoder,
        "scarce": make_pipeline(_each_column(_numbers), _below_all(X, kinds)),
        "objects": make_pipeline(_each_column(_texts), encoder),
        "numeric objects": _each_column(_numbers),
    }
    runs = [(kind, list(run)) for kind, run in groupby(range(len(kinds)), kinds.__getitem__)]
    steps = [(f"columns_{run[0]}", step_of_kind[kind], run) for kind, run in runs]
    # A DataFrame in between keeps every column's own type: an array of mixed columns would be one of objects.
    return ColumnTransformer(steps).set_output(transform="pandas")


def _below_all(X, kinds):
    """Impute a number that is below every value of the nearly empty columns."""
    scarce = [j for j, kind in enumerate(kinds) if kind == "scarce"]
    cells = _numbers(X.iloc[:, scarce]).to_numpy() if isinstance(X, pd.DataFrame) else X[:, scarce]
    least = np.min(cells, initial=0.0, where=~np.isnan(cells))
    return SimpleImputer(strategy="constant", fill_value=least - 1 - abs(least), keep_empty_features=True)


def _each_column(function):
    return FunctionTransformer(function, feature_names_out="one-to-one")


def _numbers(X):
    return X.apply(_as_floats) if isinstance(X, pd.DataFrame) else X


def _as_floats(column):
    present = column.notna().to_numpy()
    floats = np.full(len(column), np.nan)
    floats[present] = column[present].astype(np.float64)
    return pd.Series(floats, index=column.index)


def _texts(X):
    return X.apply(lambda column: column.map(str, na_action="ignore").astype(object))
