"""From tables to the matrix of values that a library compares with the thresholds of its trees."""

import numpy as np

__all__ = ["as_float32", "as_float64", "call", "encode_frame"]


def as_float64(X):
    return np.asarray(X, np.float64)


def as_float32(X):
    return np.asarray(X, np.float32)  # these libraries round their input to float32


def call(estimator, method, X, **keywords):
    return getattr(estimator, method)(X, **keywords)


def encode_frame(X, categories):
    """Matrix of a data frame, its categorical columns replaced by codes; missing ones by nan."""
    if not hasattr(X, "iloc"):
        return np.array(X, np.float64)
    encoded, known = np.empty(X.shape), iter(categories)
    for column in range(X.shape[1]):
        values = X.iloc[:, column]
        if hasattr(values, "cat"):
            values = values.cat.set_categories(next(known, values.cat.categories)).cat.codes.to_numpy(np.float64)
            encoded[:, column] = np.where(values < 0, np.nan, values)
        else:
            encoded[:, column] = values.to_numpy(np.float64, na_value=np.nan)
    return encoded
