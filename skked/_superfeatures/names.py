"""Names for superfeatures that a reader of an explanation understands."""

import numpy as np

__all__ = ["superfeature_names"]

_EDGE = " _-.:/0123456789"


def superfeature_names(column_names, labels, affinity=None):
    """Name each group of columns.

    A single column keeps its name; columns that begin or end with the same words, which no other column does, get
    these (``BILL_AMT1`` to ``BILL_AMT6`` become ``BILL_AMT``); other groups are named after their
    most central column and the number of the rest (``age + 3``).

    Parameters
    ----------
    column_names : sequence of str
        Names of the columns.
    labels : int ndarray of shape (n_columns,)
        Group of each column, 0 to M - 1.
    affinity : ndarray of shape (n_columns, n_columns), optional
        Decides which column is central; the first one without it.

    Returns
    -------
    list of str
        M different names.

    Examples
    --------
    >>> from skked._superfeatures.names import superfeature_names
    >>> superfeature_names(["BILL_AMT1", "BILL_AMT2", "age", "sex"], [0, 0, 1, 1])
    ['BILL_AMT', 'age + 1']
    """
    column_names = [str(name) for name in column_names]
    labels = np.asarray(labels)
    names = []
    for group in range(labels.max() + 1):
        name = _name(column_names, np.flatnonzero(labels == group), affinity)
        names.append(_unique(name, names))
    return names


def _name(column_names, inside, affinity):
    if len(inside) == 1:
        return column_names[inside[0]]
    inner = [column_names[column] for column in inside]
    outer = [name for column, name in enumerate(column_names) if column not in set(inside)]
    shared = _shared_part(inner, outer)
    if shared:
        return shared
    central = inside[0] if affinity is None else inside[affinity[np.ix_(inside, inside)].sum(axis=1).argmax()]
    return f"{column_names[central]} + {len(inside) - 1}"


def _shared_part(inner, outer):
    """Whole words at the beginning or the end of all inner names and of no outer one; empty if there are none."""
    beginning = _common_beginning(inner)
    end = _common_beginning([name[::-1] for name in inner])[::-1]
    for part, sharing, cut in ((beginning, str.startswith, len(beginning)), (end, str.endswith, -len(end))):
        short = part.strip(_EDGE)
        whole = cut and all(_is_word_boundary(name[:cut], name[cut:]) for name in inner)
        if whole and len(short) >= 3 and short not in inner and not any(sharing(name, part) for name in outer):
            return short
    return ""


def _is_word_boundary(left, right):
    """Whether words meet here: at an underscore, a digit, a change of case as in ``totalRooms``, or an end."""
    if not left or not right or not (left[-1].isalpha() and right[0].isalpha()):
        return True
    return left[-1].islower() and right[0].isupper()


def _common_beginning(names):
    first, last = min(names), max(names)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]


def _unique(name, taken):
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name} ({number})"
    return candidate
