"""Any table as the float32 matrix that a small neural network reads."""

import math

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skked._table._categories import fit_category, look_up
from skked._table._columns import cells_of, column_at, column_kinds, levels_at, matrix_of, numbers_of
from skked._table._rows import column_names
from skked._table._scaling import mean_and_scale, median_and_scale

__all__ = ["TableEncoder"]

_LARGEST_SCORE = 1e6  # no encoded number is beyond arcsinh(1e6) = 14.5
_BLOCK_VALUES = 1 << 16  # values encoded at a time, 512 KiB in float64: they stay in a processor's cache
_MANY_ROWS = 500  # from here on numpy gets several rows as one, with up to ...
_LONG_ROW = 1000  # ... values


class TableEncoder(BaseEstimator):
    """Encode a table of numbers, truth values and categories as a float32 matrix.

    The encoded columns are, in this order: one per numeric column, one missing-indicator per numeric column that had
    missing values in ``fit``, then a block per category column.

    Parameters
    ----------
    max_onehot : int, default=8
        Category columns with at most this many frequent levels are one-hot encoded; others get target codes where
        `codes_target` is given, else one-hot columns for the `max_onehot` heaviest levels.
    min_share : float, default=0.005
        Levels with a smaller share of the weight are pooled into one column ``(other)``.
    max_codes : int, default=4
        Largest number of code columns for one category column.
    smoothing : float, default=10.0
        Number of rows of average weight by which a level's code is drawn towards the mean of all rows.

    Attributes
    ----------
    columns_ : int array of shape (n_encoded,)
        Input column of each encoded column.
    numeric_columns_ : int array of shape (n_numeric,)
        Input columns that are read as numbers; they fill the encoded columns ``0 .. n_numeric - 1``.
    centre_, scale_ : float64 arrays of shape (n_numeric,)
        A value x is scored ``z = (x - centre) * scale``. The scale of a constant column is 0.
    indicators_ : int array of shape (n_indicators,)
        Positions in `numeric_columns_` whose missingness is encoded as 0 or 1.
    category_columns_ : int array of shape (n_categories,)
        Input columns that are read as categories.
    levels_ : list of list of str
        The known levels of each category column.
    tables_ : list of float32 arrays of shape (n_levels + 2, width)
        The encoded block of each level; then that of an unknown level; then that of a missing value.
    feature_names_out_ : list of str of length n_encoded
        Names of the encoded columns.
    n_features_in_ : int
        Number of input columns.

    Notes
    -----
    A number is encoded as ``arcsinh(min(max(z, -1e6), 1e6))``, z computed in float64, a missing one as 0. Its centre is
    the weighted median; one unit of z is the weighted interquartile range over 1.349 (a standard deviation, if normal)
    or, where that is zero, the median distance of the values that differ from the median: a column that is almost
    always 0 is scaled by its typical other value. The inverse hyperbolic sine is the identity near 0 and a logarithm
    far from it: an outlier of 1e9 cannot drown the other rows, and a heavy tail keeps its order, which a bounded
    squeeze would take from it. For a truth value z is the value minus its mean.

    Each category block is centred: a level's one-hot column is 1 minus its share there and minus its share elsewhere,
    so that the zero vector, which stands for a level that ``fit`` had no example of, is the average row. Two levels
    share one column. The target code of a level is the weighted mean of `codes_target` over its rows, drawn towards
    the mean of all rows, rotated to its principal components and scaled to unit spread of the first one.

    Every row is encoded by itself, whatever rows are with it.
    """

    def __init__(self, *, max_onehot=8, min_share=0.005, max_codes=4, smoothing=10.0):
        self.max_onehot = max_onehot
        self.min_share = min_share
        self.max_codes = max_codes
        self.smoothing = smoothing

    def fit(self, X, y=None, sample_weight=None, *, codes_target=None):
        """Learn scales, levels and codes.

        Parameters
        ----------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            A checked table.
        y : ignored
        sample_weight : array of shape (n_samples,), default=None
        codes_target : array of shape (n_samples,) or (n_samples, n_targets), default=None
            What the codes of high-cardinality columns shall tell, such as a teacher's out-of-fold scores.

        Returns
        -------
        self
        """
        weight = np.ones(X.shape[0]) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        names = column_names(X)
        kinds = np.array(column_kinds(X))
        numeric, category = kinds != "category", kinds == "category"
        self.n_features_in_ = X.shape[1]
        self.numeric_columns_, self.category_columns_ = np.flatnonzero(numeric), np.flatnonzero(category)
        self._fit_numbers(X, kinds, weight)
        blocks = [
            fit_category(
                *levels_at(X, j),
                weight,
                codes_target=codes_target,
                max_onehot=self.max_onehot,
                min_share=self.min_share,
                max_codes=self.max_codes,
                smoothing=self.smoothing,
            )
            for j in self.category_columns_
        ]
        self.levels_ = [block.levels for block in blocks]
        self.tables_ = [block.table for block in blocks]
        with_indicator = self.numeric_columns_[self.indicators_]
        widths = [table.shape[1] for table in self.tables_]
        self.columns_ = np.concatenate(
            [self.numeric_columns_, with_indicator, np.repeat(self.category_columns_, widths)]
        ).astype(np.intp)
        self.feature_names_out_ = [
            *(names[j] for j in self.numeric_columns_),
            *(f"{names[j]}_(missing)" for j in with_indicator),
            *(f"{names[j]}_{s}" for j, block in zip(self.category_columns_, blocks, strict=True) for s in block.names),
        ]
        return self

    def transform(self, X, cells=None):
        """Encode the rows of a table.

        Parameters
        ----------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            A checked table with the columns of ``fit``.
        cells : array of shape (n_samples, n_features), default=None
            What ``check_and_read`` gave.

        Returns
        -------
        float32 array of shape (n_samples, n_encoded), C-contiguous

        Raises
        ------
        ValueError
            If a numeric column holds values that are not numbers.
        """
        encoded = np.empty((X.shape[0], len(self.columns_)), dtype=np.float32)
        n_numeric = len(self.numeric_columns_)
        start = n_numeric + len(self.indicators_)
        if cells is None and self.tables_:
            cells = cells_of(X)
        if n_numeric:
            self._encode_numbers(matrix_of(X, self.numeric_columns_, cells), encoded[:, :start])
        for j, levels, table in zip(self.category_columns_, self.levels_, self.tables_, strict=True):
            encoded[:, start : start + table.shape[1]] = look_up(*levels_at(X, j, cells), levels, table)
            start += table.shape[1]
        return encoded

    def get_feature_names_out(self, input_features=None):
        """Names of the encoded columns.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        object array of str of shape (n_encoded,)
        """
        check_is_fitted(self)
        return np.asarray(self.feature_names_out_, dtype=object)

    def _fit_numbers(self, X, kinds, weight):
        self.centre_ = np.zeros(len(self.numeric_columns_))
        self.scale_ = np.zeros(len(self.numeric_columns_))
        indicators = []
        for position, j in enumerate(self.numeric_columns_):
            values = numbers_of(column_at(X, j))
            observed = ~np.isnan(values)
            measure = mean_and_scale if kinds[j] == "boolean" else median_and_scale
            if observed.any():
                self.centre_[position], self.scale_[position] = measure(values[observed], weight[observed])
                if not observed.all():
                    indicators.append(position)
        self.indicators_ = np.array(indicators, dtype=np.intp)

    def _encode_numbers(self, numbers, out):
        """Block by block; several rows at once are one long row to numpy, which is much faster with long rows."""
        n_samples, n_numeric = numbers.shape
        tile = max(1, _LONG_ROW // n_numeric)
        if n_samples < _MANY_ROWS or not numbers.flags.c_contiguous:
            tile = 1
        n_tiled = n_samples - n_samples % tile
        centre, scale = self.centre_, self.scale_
        if n_tiled < n_samples:
            self._encode_block(numbers[n_tiled:], centre, scale, out[n_tiled:])
        if tile > 1:
            centre, scale = np.tile(centre, tile), np.tile(scale, tile)
        step = max(1, _BLOCK_VALUES // (n_numeric * tile)) * tile
        for start in range(0, n_tiled, step):
            block = numbers[start : min(start + step, n_tiled)]
            self._encode_block(block.reshape(-1, tile * n_numeric), centre, scale, out[start : start + len(block)])

    def _encode_block(self, numbers, centre, scale, out):
        n_numeric = len(self.numeric_columns_)
        z = numbers - centre
        z *= scale
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 is infinite, infinite is the largest score
            encoded = z.astype(np.float32)
            low, high = encoded.min(), encoded.max()  # NaN if any is missing: far cheaper than looking at each value
        if not (-_LARGEST_SCORE <= low and high <= _LARGEST_SCORE):
            np.clip(encoded, -_LARGEST_SCORE, _LARGEST_SCORE, out=encoded)
        encoded = np.arcsinh(encoded, out=encoded).reshape(len(out), n_numeric)
        out[:, n_numeric:] = 0.0
        if math.isnan(low):
            missing = np.isnan(encoded)
            encoded[missing] = 0.0
            out[:, n_numeric:] = missing[:, self.indicators_]
        out[:, :n_numeric] = encoded
