"""One category column: a table that maps each level to a few numbers."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

__all__ = ["CategoryBlock", "fit_category", "look_up"]

_LARGEST_POOL = 0.1  # a column most of whose rows would be pooled, such as a name, needs codes
_FEWEST_ROWS = 3  # a level with fewer rows of average weight says nothing of its own
_ROUNDING = 1e-9  # spreads below this, relative to the target's, are rounding errors
_SMALLEST_SPREAD = 0.1  # components with less spread than this, relative to the first, are not worth an input


@dataclass(frozen=True)
class CategoryBlock:
    """What a category column becomes.

    Attributes
    ----------
    levels : list of str
        Known levels, sorted.
    table : float32 array of shape (n_levels + 2, width)
        Row of each level, of an unknown level, of a missing value.
    names : list of str of length width
        What each encoded column stands for.
    """

    levels: list
    table: np.ndarray
    names: list


def fit_category(codes, levels, weight, *, codes_target, max_onehot, min_share, max_codes, smoothing):
    """Choose between one-hot columns and target codes for one category column, and learn them.

    Parameters
    ----------
    codes : int array of shape (n_samples,)
        Position of each row's level in `levels`, -1 where missing.
    levels : list of str
        May hold levels without rows, or the same text twice.
    weight : float64 array of shape (n_samples,)
    codes_target : array of shape (n_samples,) or (n_samples, n_targets), or None
    max_onehot, min_share, max_codes, smoothing
        As in :class:`TableEncoder`.

    Returns
    -------
    CategoryBlock
    """
    codes, levels = _sorted_levels(codes, levels)
    share = np.bincount(codes, weights=weight, minlength=len(levels) + 1) / weight.sum()
    frequent = np.flatnonzero(share[:-1] >= min_share)
    pooled_share = share[:-1].sum() - share[frequent].sum()
    if len(levels) <= 2 or (len(frequent) <= max_onehot and pooled_share <= _LARGEST_POOL):
        return _onehot(levels, share, frequent)
    if codes_target is None:
        heaviest = np.argsort(-share[:-1], kind="stable")[:max_onehot]
        return _onehot(levels, share, np.sort(heaviest))
    return _target_codes(levels, codes, weight, codes_target, max_codes=max_codes, smoothing=smoothing)


def look_up(codes, levels, known_levels, table):
    """The encoded block of each row.

    Parameters
    ----------
    codes : int array of shape (n_samples,)
    levels : list of str
        As given by ``levels_of``.
    known_levels : list of str
    table : float32 array of shape (n_known + 2, width)

    Returns
    -------
    float32 array of shape (n_samples, width)
    """
    n_known = len(known_levels)
    rows = [_find(level, known_levels) for level in levels]
    return table[np.array([*rows, n_known + 1])[codes]]  # code -1, missing, is the last one


def _find(level, known_levels):
    """Position of a level in the sorted known ones, their number if it is unknown."""
    position = bisect_left(known_levels, level)
    found = position < len(known_levels) and known_levels[position] == level
    return position if found else len(known_levels)


def _sorted_levels(codes, levels):
    """Levels that have rows, sorted, each text once; missing becomes the code after the last level."""
    used = np.zeros(len(levels) + 1, dtype=bool)
    used[codes] = True
    texts = sorted({level for level, has_rows in zip(levels, used[:-1], strict=True) if has_rows})
    position = {text: k for k, text in enumerate(texts)}
    return np.array([*(position.get(level, -1) for level in levels), len(texts)])[codes], texts


def _onehot(levels, share, kept):
    """Centred one-hot columns: one per kept level, one for all others, one for missing values."""
    n_kept, n_levels = len(kept), len(levels)
    pooled = n_kept < n_levels
    was_missing = share[-1] > 0
    shares = share[kept]
    names = [levels[k] for k in kept]
    if pooled:
        shares = np.append(shares, share[:-1].sum() - shares.sum())
        names.append("(other)")
    if was_missing:
        shares = np.append(shares, share[-1])
        names.append("(missing)")
    rows = np.eye(len(shares)) - shares
    average = np.zeros((1, len(shares)))
    unknown = rows[n_kept : n_kept + 1] if pooled else average
    missing = rows[-1:] if was_missing else average
    table = np.concatenate([rows[:n_kept], unknown, missing])
    width = 1 if len(shares) == 2 else len(shares)  # of two columns each tells the other
    return CategoryBlock(names[:n_kept], np.ascontiguousarray(table[:, :width], dtype=np.float32), names[:width])


def _target_codes(levels, codes, weight, codes_target, *, max_codes, smoothing):
    """Principal components of the shrunken mean target of each level; the lightest levels count as one."""
    row = weight.mean()
    mass = np.bincount(codes, weights=weight, minlength=len(levels) + 1)
    known = np.flatnonzero(mass[:-1] >= _FEWEST_ROWS * row)
    n_known = len(known)
    position = np.full(len(levels) + 1, n_known)  # n_known: the lightest levels; n_known + 1: missing
    position[known], position[-1] = np.arange(n_known), n_known + 1
    codes = position[codes]

    target = np.asarray(codes_target, dtype=np.float64).reshape(len(codes), -1)
    target = target - np.average(target, axis=0, weights=weight)
    mass = np.bincount(codes, weights=weight, minlength=n_known + 2)
    total = np.column_stack([np.bincount(codes, weights=weight * column, minlength=n_known + 2) for column in target.T])
    means = total / np.maximum(mass + smoothing * row, np.finfo(np.float64).tiny)[:, None]
    means -= np.average(means, axis=0, weights=mass)
    means[mass == 0] = 0.0
    noise = _ROUNDING * np.sqrt(np.average(target**2, axis=0, weights=weight).max())
    table = _principal_components(means, mass, max_codes, noise)
    names = [f"(code {k})" for k in range(table.shape[1])]
    return CategoryBlock([levels[k] for k in known], np.ascontiguousarray(table, dtype=np.float32), names)


def _principal_components(means, mass, max_codes, noise):
    """Scores on the leading components, in units of the spread of the first; one column of zeros if all is noise."""
    covariance = (means * mass[:, None]).T @ means / mass.sum()
    variance, directions = np.linalg.eigh(covariance)
    spread = np.sqrt(np.maximum(variance[::-1], 0.0))
    directions = directions[:, ::-1]
    directions = directions * np.where(directions[-1] < 0, -1.0, 1.0)
    if spread[0] <= noise:
        return np.zeros((len(means), 1))
    kept = min(max_codes, int(np.sum(spread >= _SMALLEST_SPREAD * spread[0])))
    return means @ directions[:, :kept] / spread[0]
