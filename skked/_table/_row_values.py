"""What comes with the rows of a table: one weight, or one label, for each of them."""

import numpy as np
import pandas as pd

__all__ = ["check_labels", "check_weight"]


def check_weight(weight, n, *, name="sample_weight", of="row of X"):
    """Weights as float64.

    Parameters
    ----------
    weight : array-like of shape (n,) or None
        None means 1 for every row.
    n : int
        Number of rows.
    name, of : str
        What they are called and what each belongs to, for messages.

    Returns
    -------
    float64 array of shape (n,)

    Raises
    ------
    TypeError
        If the weights are not numbers.
    ValueError
        If there is not one for each row, one is negative or not finite, all are zero, or their sum overflows.
    """
    if weight is None:
        return np.ones(n)
    try:
        weight = np.asarray(weight)
        given = weight
        if weight.dtype.kind not in "biufO":
            raise TypeError("not numbers")
        weight = weight.astype(np.float64)
    except (TypeError, ValueError) as error:
        kind = getattr(weight, "dtype", type(weight).__name__)
        raise TypeError(f"Expected {name} to hold one number per {of}, got values of type {kind}.") from error
    if weight.shape != (n,):
        raise ValueError(f"Expected {name} of shape ({n},), one weight per {of}, got shape {given.shape}.")
    if not np.isfinite(weight).all() or weight.min() < 0:
        raise ValueError(
            f"Expected finite {name} values of at least zero, got values from {weight.min()} to {weight.max()}; clip "
            "negative weights to zero and replace what is missing."
        )
    if not weight.any():
        raise ValueError(f"Every {name} is zero: give at least one row a positive weight.")
    if weight.max() > np.finfo(np.float64).max / n:
        raise ValueError(f"The sum of {name} overflows: their scale is free, so divide them by {weight.max():.3g}.")
    return weight


def check_labels(y, *, name="y"):
    """Class labels of one kind, none of them missing.

    Parameters
    ----------
    y : array of shape (n_samples,)
    name : str
        What they are called, for messages.

    Returns
    -------
    array of shape (n_samples,)
        `y` itself.

    Raises
    ------
    ValueError
        If labels are missing or infinite.
    TypeError
        If labels of several types cannot be told in order.
    """
    if pd.isna(y).any() or (y.dtype.kind == "f" and np.isinf(y).any()):
        raise ValueError(f"Input {name} contains NaN, None or infinity. Drop the rows without a label.")
    if y.dtype == object:
        kinds = sorted({_kind(value) for value in y})
        if len(kinds) > 1:
            raise TypeError(
                f"Expected the labels in {name} to be of one type, got {' and '.join(kinds)}. Convert them, such as "
                f"with [str(label) for label in {name}]."
            )
    return y


def _kind(value):
    return "number" if isinstance(value, (bool, int, float, np.number, np.bool_)) else type(value).__name__
