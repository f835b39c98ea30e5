"""Which columns a model combines: swap interactions of any black box."""

import numpy as np

__all__ = ["column_effects", "swap_interactions"]

_CELLS_PER_CALL = 2**22
_MIN_PAIRS, _MAX_PAIRS, _EFFECT_PAIRS = 40, 200, 16


def swap_interactions(scores, assemble, n_rows, n_columns, *, max_evaluations=100_000, random_state):
    """Measure how far a model is from additive in every pair of columns.

    For random pairs of rows ``x`` and ``x'``::

        I[i, j] = mean | f(x_i', x_j') - f(x_i', x_j) - f(x_i, x_j') + f(x) |,

    where ``f(x_i', x_j)`` is the score of row ``x`` with its column i taken from ``x'``. The mean also runs over the
    outputs. A pair of columns costs one row of the model, so for wide tables each pair of rows first tells which
    columns move the score at all, and only those that move it most are combined, as many as the budget allows: a
    column without effect cannot interact, and an interaction is bounded by the effects of its two columns.

    Parameters
    ----------
    scores : callable
        Table of k rows -> array of shape (k,) or (k, n_outputs).
    assemble : callable
        ``assemble(donors)``, with donors an int array (k, n_columns), returns the table whose cell (r, c) is the
        cell (donors[r, c], c) of the pool of rows.
    n_rows : int
        Rows in the pool, at least 2.
    n_columns : int
        Columns of the table.
    max_evaluations : int, default=100_000
        Budget: rows that the model is asked for in all.
    random_state : numpy.random.RandomState
        Chooses the pairs of rows.

    Returns
    -------
    ndarray of shape (n_columns, n_columns)
        Symmetric, in units of the score, zero diagonal.
    """
    n_all_pairs = n_columns * (n_columns - 1) // 2
    at_least = min(_MIN_PAIRS, 1 + max_evaluations // (4 * n_columns))
    n_pairs = int(np.clip(max_evaluations // (2 * n_columns + n_all_pairs + 2), at_least, _MAX_PAIRS))
    here, there = _row_pairs(n_rows, n_pairs, random_state)

    forward, base = _single_swaps(scores, assemble, here, there, n_columns)
    backward, _ = _single_swaps(scores, assemble, there, here, n_columns)
    strength = np.maximum(np.abs(forward).mean(axis=2), np.abs(backward).mean(axis=2))
    pair, first, second = _strongest_pairs(strength, max_evaluations - 2 * n_pairs * (n_columns + 1))

    total = np.zeros((n_columns, n_columns))
    for part in _chunks(len(pair), n_columns):
        p, i, j = pair[part], first[part], second[part]
        donors = np.repeat(here[p, None], n_columns, axis=1)
        donors[np.arange(len(p)), i] = there[p]
        donors[np.arange(len(p)), j] = there[p]
        both = _two_dimensional(scores(assemble(donors))) - base[p]
        np.add.at(total, (i, j), np.abs(both - forward[p, i] - forward[p, j]).mean(axis=1))
    return (total + total.T) / n_pairs


def column_effects(scores, assemble, n_rows, n_columns, *, random_state):
    """Measure how far each column moves a model's score.

    Parameters
    ----------
    scores, assemble, n_rows, n_columns, random_state
        As in `swap_interactions`.

    Returns
    -------
    ndarray of shape (n_columns,)
        Mean absolute change of the score when a column is taken from another row, over 16 pairs of rows.
    """
    here, there = _row_pairs(n_rows, _EFFECT_PAIRS, random_state)
    return np.abs(_single_swaps(scores, assemble, here, there, n_columns)[0]).mean(axis=(0, 2))


def _row_pairs(n_rows, n_pairs, random_state):
    here = random_state.randint(n_rows, size=n_pairs)
    return here, (here + random_state.randint(1, n_rows, size=n_pairs)) % n_rows


def _single_swaps(scores, assemble, here, there, n_columns):
    """Effect of taking one column from the other row: (n_pairs, n_columns, n_outputs); and the scores themselves."""
    n_pairs = len(here)
    base = _two_dimensional(scores(assemble(np.repeat(here[:, None], n_columns, axis=1))))
    effects = np.empty((n_pairs, n_columns, base.shape[1]))
    flat = effects.reshape(n_pairs * n_columns, -1)
    for part in _chunks(n_pairs * n_columns, n_columns):
        pair, column = np.divmod(np.arange(part.start, part.stop), n_columns)
        donors = np.repeat(here[pair, None], n_columns, axis=1)
        donors[np.arange(len(pair)), column] = there[pair]
        flat[part] = _two_dimensional(scores(assemble(donors))) - base[pair]
    return effects, base


def _strongest_pairs(strength, budget):
    """Pairs of the columns that move the score most, for every pair of rows."""
    n_pairs, n_columns = strength.shape
    width = int((1 + np.sqrt(1 + 8 * max(budget // n_pairs, 1))) / 2)
    order = np.argsort(-strength, axis=1, kind="stable")[:, : min(width, n_columns)]
    active = np.take_along_axis(strength, order, axis=1) > 0
    left, right = np.triu_indices(order.shape[1], 1)
    pair, which = np.nonzero(active[:, left] & active[:, right])
    return pair, order[pair, left[which]], order[pair, right[which]]


def _chunks(n_rows, n_columns):
    size = max(1, _CELLS_PER_CALL // n_columns)
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def _two_dimensional(scores):
    scores = np.asarray(scores, dtype=np.float64)
    return scores.reshape(len(scores), -1)
