"""From what users call superfeatures to labels and names."""

from collections.abc import Mapping

import numpy as np

from skked._table import column_names, labels_of_groups

__all__ = ["labels_and_names"]

_NAMES_IN_TEXT = 2


def labels_and_names(superfeatures, X):
    """Labels of the columns of a table, and names of its superfeatures.

    Parameters
    ----------
    superfeatures : array-like of int of shape (n_features,), dict of name to columns, list of lists of columns, or \
            object with ``labels_``
        Columns are positions or names.
    X : table of shape (n_samples, n_features)

    Returns
    -------
    labels : int array of shape (n_features,)
    names : list of str

    Raises
    ------
    ValueError
        If the superfeatures are no partition of the columns.
    """
    names = column_names(X)
    if isinstance(superfeatures, (str, type)) or not (hasattr(superfeatures, "__len__") or _has_labels(superfeatures)):
        fitted = " (fit the clusterer first)" if hasattr(superfeatures, "fit") else ""
        raise TypeError(
            "Expected superfeatures as one label per column, {name: columns}, lists of columns or a fitted clusterer "
            f"with labels_, got {superfeatures!r}{fitted}."
        )
    if isinstance(superfeatures, Mapping):
        return labels_of_groups(superfeatures, names), [str(name) for name in superfeatures]
    if _has_labels(superfeatures):
        labels = _checked_labels(superfeatures.labels_, len(names))
        given = getattr(superfeatures, "superfeatures_", None)
        return labels, list(given) if isinstance(given, Mapping) else _names_of(labels, names)
    if len(superfeatures) and all(isinstance(group, (list, tuple, np.ndarray)) for group in superfeatures):
        labels = labels_of_groups(dict(enumerate(superfeatures)), names)
    else:
        labels = _checked_labels(superfeatures, len(names))
    return labels, _names_of(labels, names)


def _has_labels(superfeatures):
    return hasattr(superfeatures, "labels_") and not isinstance(superfeatures, type)


def _checked_labels(labels, n_features):
    array = np.asarray(labels)
    if array.shape != (n_features,) or array.dtype.kind not in "iu":
        raise ValueError(
            f"Expected superfeature labels as {n_features} integers, one per column of X, got an array of shape "
            f"{array.shape} and dtype {array.dtype}. Groups may also be given as {{name: columns}}."
        )
    n_groups = int(array.max()) + 1
    absent = np.setdiff1d(np.arange(n_groups), array)
    if array.min() < 0 or len(absent):
        without = f" without {absent.tolist()}" if len(absent) else ""
        raise ValueError(
            f"Expected superfeature labels 0, 1, ..., M - 1, each used at least once, got values from {array.min()} to "
            f"{array.max()}{without}. Renumber them with np.unique(labels, return_inverse=True)[1]."
        )
    return array.astype(np.intp)


def _names_of(labels, names):
    """The columns' names, of long groups the first two and how many more."""
    texts = []
    for g in range(labels.max() + 1):
        members = [names[j] for j in np.flatnonzero(labels == g)]
        more = f" +{len(members) - _NAMES_IN_TEXT}" if len(members) > _NAMES_IN_TEXT else ""
        texts.append(", ".join(members[:_NAMES_IN_TEXT]) + more)
    return texts
