"""Looking through pipelines: the last estimator, and which superfeature each of its columns belongs to."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from skked._explanations._errors import NotApplicableError
from skked._explanations._response import unwrap
from skked._forward import StudentNetwork
from skked._table import TableEncoder, assemble_rows, n_rows, take_rows

__all__ = ["InnerEstimator", "look_through"]

_CHECKED_ROWS = 40
_TOLERANCE = 1e-6
_ONE_TO_ONE = {
    "Binarizer",
    "FunctionTransformer",
    "MaxAbsScaler",
    "MinMaxScaler",
    "OrdinalEncoder",
    "PowerTransformer",
    "QuantileTransformer",
    "RobustScaler",
    "SquashingScaler",
    "StandardScaler",
}


@dataclass(frozen=True)
class InnerEstimator:
    """The last estimator of a pipeline, as a teacher of the superfeatures of the input columns.

    Attributes
    ----------
    estimator : estimator
        The last estimator, fitted.
    labels : int array of shape (n_transformed,)
        Superfeature of each of its columns; superfeatures whose columns the transformers drop do not occur.
    transformers : list of transformers
        The fitted steps before it.
    """

    estimator: object
    labels: np.ndarray
    transformers: list = field(default_factory=list)

    def transform(self, rows):
        """Rows as the last estimator sees them; sparse results as arrays."""
        for transformer in self.transformers:
            rows = _transform(transformer, rows)
        return rows


def look_through(estimator, labels, X):
    """Find the last estimator of a pipeline whose other steps keep superfeatures apart.

    Parameters
    ----------
    estimator : fitted estimator or Pipeline
    labels : int array of shape (n_features,)
        Superfeature of each input column.
    X : table
        Rows on which to check that transformed mixtures of rows are mixtures of transformed rows.

    Returns
    -------
    InnerEstimator

    Raises
    ------
    NotApplicableError
        If a step mixes columns of different superfeatures.
    """
    steps = _steps(estimator)
    sample = take_rows(X, slice(_CHECKED_ROWS))
    table, inner_labels = sample, labels
    for step in steps[:-1]:
        transformed = _transform(step, table)
        inner_labels = _labels_after(step, inner_labels, table, transformed.shape[1])
        table = transformed
    inner = InnerEstimator(steps[-1], inner_labels, steps[:-1])
    if len(steps) > 1:
        _check_mixtures(inner, labels, sample, table)
    return inner


def _steps(estimator):
    estimator = unwrap(estimator)
    if isinstance(getattr(estimator, "network_", None), StudentNetwork):
        return [estimator.encoder_, estimator.network_]
    if not isinstance(estimator, Pipeline):
        return [estimator]
    before = [step for _, step in estimator.steps[:-1] if step is not None and step != "passthrough"]
    return before + _steps(estimator.steps[-1][1])


def _transform(transformer, rows):
    rows = transformer.transform(rows)
    return rows.toarray() if sparse.issparse(rows) else rows


def _labels_after(transformer, labels, table, n_out):
    """Superfeature of each output column of a transformer."""
    if len(np.unique(labels)) == 1:
        return np.full(n_out, labels[0])
    if isinstance(transformer, Pipeline):
        for step in _steps(transformer):
            transformed = _transform(step, table)
            labels = _labels_after(step, labels, table, transformed.shape[1])
            table = transformed
        return labels
    if isinstance(transformer, ColumnTransformer):
        return _labels_after_columns(transformer, labels, table, n_out)
    if isinstance(transformer, TableEncoder):
        return labels[transformer.columns_]
    if hasattr(transformer, "input_to_outputs_") and hasattr(transformer, "all_outputs_"):
        return _labels_by_name(transformer, labels, table)
    counts = _n_outputs_per_column(transformer, len(labels), n_out)
    after = np.concatenate([np.repeat(labels, counts), labels[_indicated(transformer)]])
    if len(after) != n_out:
        raise NotApplicableError(
            f"{type(transformer).__name__} gives {n_out} columns where {len(after)} were expected of {len(labels)}"
        )
    return after


def _labels_by_name(transformer, labels, table):
    """Superfeatures after a transformer of skrub, which says what becomes of each column by name."""
    label_of = {
        output: labels[table.columns.get_loc(column)]
        for column, outputs in transformer.input_to_outputs_.items()
        for output in outputs
    }
    return np.array([label_of[output] for output in transformer.all_outputs_])


def _n_outputs_per_column(transformer, n_in, n_out):
    """How many output columns each input column becomes, in the order of the input columns."""
    name = type(transformer).__name__
    if name in _ONE_TO_ONE:
        return np.ones(n_in, dtype=int)
    if name == "SimpleImputer":
        kept = np.ones(n_in, dtype=int)
        if n_out < n_in + len(_indicated(transformer)):
            kept -= pd.isna(transformer.statistics_)
        return kept
    if name == "OneHotEncoder":
        return np.array([_n_levels(transformer, j) for j in range(n_in)])
    if name == "KBinsDiscretizer":
        return np.ones(n_in, dtype=int) if transformer.encode == "ordinal" else np.asarray(transformer.n_bins_)
    if name in ("TargetEncoder", "SplineTransformer") and n_out % n_in == 0:
        return np.full(n_in, n_out // n_in)
    if name == "MissingIndicator":
        return np.isin(np.arange(n_in), transformer.features_).astype(int)
    raise NotApplicableError(f"the step {name} is not known to treat columns one by one")


def _n_levels(encoder, j):
    n_levels = len(encoder.categories_[j])
    infrequent = getattr(encoder, "infrequent_categories_", None)
    if infrequent is not None and infrequent[j] is not None:
        n_levels -= len(infrequent[j]) - 1
    dropped = encoder.drop_idx_ is not None and encoder.drop_idx_[j] is not None
    return n_levels - dropped


def _indicated(transformer):
    """Columns for which an imputer appends an indicator of missingness."""
    indicator = getattr(transformer, "indicator_", None)
    return np.zeros(0, dtype=int) if indicator is None else np.asarray(indicator.features_)


def _labels_after_columns(transformer, labels, table, n_out):
    after = np.full(n_out, -1)
    for name, part, columns in transformer.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        place = transformer.output_indices_[name]
        index = _column_index(columns, table)
        width = place.stop - place.start
        if len(index) == 0 or width == 0:
            continue
        selected = table.iloc[:, index] if isinstance(table, pd.DataFrame) else table[:, index]
        # One column selected by name alone reaches its transformer as a Series, which only it can read.
        after[place] = _labels_after(part, labels[index], selected, width)
    return after


def _column_index(columns, table):
    """Positions of the columns that a ColumnTransformer selects."""
    every = np.arange(table.shape[1])
    if isinstance(columns, str) or (isinstance(columns, slice) and isinstance(columns.start or columns.stop, str)):
        located = table.columns.slice_indexer(columns.start, columns.stop) if isinstance(columns, slice) else None
        return every[located] if located is not None else every[table.columns == columns]
    if isinstance(columns, (int, np.integer, slice)):
        return np.atleast_1d(every[columns])
    columns = np.asarray(columns)
    if columns.dtype.kind in "OUT":
        return table.columns.get_indexer(columns)
    return every[columns] if len(columns) else every[:0]


def _check_mixtures(inner, labels, sample, transformed):
    """Transformed mixtures of rows must be mixtures of transformed rows."""
    n = n_rows(sample)
    rng = np.random.RandomState(0)
    donors = rng.randint(n, size=(n, labels.max() + 1))
    expected = assemble_rows(transformed, donors, inner.labels)
    actual = inner.transform(assemble_rows(sample, donors, labels))
    if not _same(expected, actual):
        raise NotApplicableError("the steps before the last one do not treat the columns one by one")


def _same(a, b):
    if isinstance(a, pd.DataFrame):
        return all(_same_column(a.iloc[:, j], b.iloc[:, j]) for j in range(a.shape[1]))
    return np.allclose(np.asarray(a, float), np.asarray(b, float), rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)


def _same_column(a, b):
    if pd.api.types.is_numeric_dtype(a.dtype):
        return np.allclose(a.to_numpy(float, na_value=np.nan), b.to_numpy(float, na_value=np.nan), rtol=_TOLERANCE,
                           atol=_TOLERANCE, equal_nan=True)  # fmt: skip
    return a.astype(object).where(a.notna(), None).tolist() == b.astype(object).where(b.notna(), None).tolist()
