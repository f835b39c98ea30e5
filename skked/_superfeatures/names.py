"""Names for superfeatures that a reader of an explanation understands."""

import re
from itertools import pairwise

import numpy as np

__all__ = ["superfeature_names"]

_EDGE = " _-.:/=0123456789"
_SHORT = 36
"""Letters up to which a name lists all columns of its group."""
_WORD = re.compile(r"[^\W\d_]+")
_CASES = re.compile(r"(?<=[a-z])(?=[A-Z])")


def superfeature_names(column_names, labels, affinity=None):
    """Name each group of columns.

    A single column keeps its name. Otherwise a group gets the first of these that it has:

    1. the words with which all its columns begin or end, or which they all have, and no other column
       (``BILL_AMT1`` to ``BILL_AMT6`` become ``BILL_AMT``);
    2. all its columns, if that is short: two of them (``age & sex``), or numbers of one word (``x1–4, x7``);
    3. its most central column and the number of the others (``age + 3 more``), or the longest run of numbers
       (``x1–9 + 3 more``).

    The names do not depend on the order of the columns.

    Parameters
    ----------
    column_names : sequence of str
        Names of the columns.
    labels : int ndarray of shape (n_columns,)
        Group of each column, 0 to M - 1.
    affinity : ndarray of shape (n_columns, n_columns), optional
        Decides which column is central; the first one in the alphabet without it.

    Returns
    -------
    list of str
        M different names.

    Examples
    --------
    >>> from skked._superfeatures.names import superfeature_names
    >>> superfeature_names(["BILL_AMT1", "BILL_AMT2", "age", "sex", "x1", "x2", "x3"], [0, 0, 1, 1, 2, 2, 2])
    ['BILL_AMT', 'age & sex', 'x1–3']
    """
    column_names = [str(name) for name in column_names]
    labels = np.asarray(labels)
    groups = [np.flatnonzero(labels == group) for group in range(labels.max() + 1)]
    wanted = [_name(column_names, inside, affinity) for inside in groups]
    first = [min(column_names[column] for column in inside) for inside in groups]
    names = dict.fromkeys(range(len(groups)), "")
    for group in sorted(names, key=lambda group: (len(groups[group]) > 1, _natural(first[group]))):
        names[group] = _unique(wanted[group], set(names.values()))
    return list(names.values())


def _name(column_names, inside, affinity):
    if len(inside) == 1:
        return column_names[inside[0]]
    inner = [column_names[column] for column in inside]
    chosen = set(inside)
    outer = [name for column, name in enumerate(column_names) if column not in chosen]
    shared = _shared_part(inner, outer) or _shared_words(inner, outer)
    if shared:
        return shared
    runs = _runs(inner)
    for listed in (runs and f"{', '.join(text for text, _ in runs)}", " & ".join(sorted(inner, key=_natural))):
        if listed and len(listed) <= _SHORT and (runs or len(inner) == 2):
            return listed
    longest, length = max(runs, key=lambda run: run[1], default=("", 0))
    if length >= max(3, len(inner) / 3):
        return _and_more(longest, len(inner) - length)
    return _and_more(_central(inner, inside, affinity), len(inner) - 1)


def _central(inner, inside, affinity):
    """The column with the largest affinity to the others; equals, up to rounding, by their names."""
    closeness = np.zeros(len(inside)) if affinity is None else affinity[np.ix_(inside, inside)].sum(axis=1)
    return min(zip(-np.round(closeness, 6), map(_natural, inner), inner, strict=True))[2]


def _and_more(name, n_others):
    return f"{name} + {n_others} more" if n_others else name


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


def _shared_words(inner, outer):
    """Words that stand somewhere in all inner names and in no outer one; empty if there are none."""
    shared = set.intersection(*map(_words, inner)) - set().union(*map(_words, outer))
    name = " ".join(word for word in _WORD.findall(_CASES.sub(" ", min(inner))) if word.lower() in shared)
    return name if len(name) >= 3 and name not in inner else ""


def _words(name):
    return {word.lower() for word in _WORD.findall(_CASES.sub(" ", name))}


def _runs(names):
    """Runs of numbers behind one word, in words, and their lengths; none if the names are of another kind."""
    parts = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
    if not all(parts) or len({part[1] for part in parts}) > 1:
        return []
    digits = sorted((part[2] for part in parts), key=lambda number: (int(number), number))
    starts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(digits)) if int(b) != int(a) + 1), len(digits)]
    runs = [digits[start:stop] for start, stop in pairwise(starts)]
    word = parts[0][1]
    return [(f"{word}{run[0]}" + (f"–{run[-1]}" if len(run) > 1 else ""), len(run)) for run in runs]


def _natural(name):
    """What sorts names with their numbers as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)], name


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
