"""scikit-learn's parameter validation, imported in this one place, and what else every entry needs when it fails."""

import contextlib
import importlib
import warnings
from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import (  # the only private scikit-learn import of the package
    HasMethods,
    Hidden,
    Interval,
    InvalidParameterError,
    RealNotInt,
    StrOptions,
    validate_params,
)

__all__ = [
    "HasMethods",
    "Hidden",
    "Interval",
    "InvalidParameterError",
    "RealNotInt",
    "StrOptions",
    "all_or_nothing",
    "is_whole_number",
    "optional_import",
    "split_pairs",
    "validate_params",
]


@contextlib.contextmanager
def all_or_nothing(estimator):
    """Leave the estimator as it was if the block is left by an exception, Ctrl-C included; warnings filters always.

    Parameters
    ----------
    estimator : estimator instance
    """
    before = dict(vars(estimator))
    try:
        # scikit-learn's boosting bins in threads, whose own catch_warnings may leave a copy of the filters behind.
        with warnings.catch_warnings():
            yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def is_whole_number(value):
    """Whether a value is an integer, Python's or numpy's, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))


def split_pairs(cv, X, y):
    """The (train, test) pairs of a splitter, which has X and y alone to go by; anything else as it is."""
    if not hasattr(cv, "get_n_splits"):
        return cv
    try:
        return list(cv.split(X, y))
    except ValueError as error:
        raise ValueError(
            f"Expected cv to split the rows by X and y alone, but {cv!r} says: {error} Where rows belong together, "
            "pass the pairs of row numbers themselves, such as cv=list(GroupKFold(5).split(X, groups=groups))."
        ) from error


def optional_import(module, *, extra, purpose):
    """Import ``module``, or say which extra of skked brings it.

    Parameters
    ----------
    module : str
        Name of the module, such as ``"onnx"``.
    extra : str
        The extra of skked that installs it.
    purpose : str
        What needs it, for the message.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        If the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {module.split('.')[0]!r}, which is not installed. "
            f"Install it with: pip install 'skked[{extra}]'."
        ) from error
