"""Which group every column belongs to, from groups that users write down."""

from numbers import Integral

import numpy as np

from skked._validation import is_whole_number

__all__ = ["labels_of_groups"]


def labels_of_groups(groups, names):
    """Labels of the columns, in the order of the groups.

    Parameters
    ----------
    groups : dict
        Columns of each group, by name or position; a column alone needs no list.
    names : list of str
        Names of the columns.

    Returns
    -------
    int array of shape (n_columns,)

    Raises
    ------
    TypeError
        If a group is no collection of columns.
    ValueError
        If the groups are no partition of the columns.
    """
    if len({str(group) for group in groups}) < len(groups):
        raise ValueError(f"Expected superfeatures with distinct names, got {list(groups)}.")
    labels = np.full(len(names), -1, dtype=np.intp)
    overlapping, unknown = [], []
    for group, columns in enumerate(groups.values()):
        if isinstance(columns, (str, Integral)):
            columns = [columns]
        if not np.iterable(columns):
            raise TypeError(f"Expected superfeatures as lists of columns, got {columns!r} in place of one.")
        for column in columns:
            position = _position(column, names)
            if position is None:
                unknown.append(column)
            elif labels[position] >= 0:
                overlapping.append(names[position])
            else:
                labels[position] = group
    missing = [name for name, label in zip(names, labels, strict=True) if label < 0]
    empty = [name for group, name in enumerate(groups) if not (labels == group).any()]
    faults = {
        "name columns that X does not have": unknown,
        "hold a column more than once": overlapping,
        "leave out columns": missing,
        "have no column": empty if not (unknown or overlapping) else [],
    }
    faults = [f"{what}: {_listed(columns)}" for what, columns in faults.items() if columns]
    if faults:
        raise ValueError(
            "Expected superfeatures to put each column of X into exactly one group, but they "
            + ", and ".join(faults)
            + f". X has the columns {_listed(names)}. Add or take out columns, so that each is named once."
        )
    return labels


def _position(column, names):
    if is_whole_number(column):
        return int(column) % len(names) if -len(names) <= column < len(names) else None
    return names.index(str(column)) if str(column) in names else None


def _listed(columns, most=10):
    shown = ", ".join(repr(column) for column in columns[:most])
    return shown if len(columns) <= most else f"{shown} and {len(columns) - most} more"
