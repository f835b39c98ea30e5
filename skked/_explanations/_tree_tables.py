"""Exact group Shapley values of tree ensembles by leaf tables.

A leaf whose path asks about ``p`` groups sees a row ``x`` only through its *fail mask*: the groups of which some
condition on the path is violated. The same holds for a background row ``b``. The coalition ``S`` reaches the leaf when
no group of ``S`` fails in ``x`` and no other group fails in ``b``, so a leaf counts only if no group fails in both. Let
``m`` groups fail in ``x`` and ``f`` in ``b``. A leaf of value ``v`` then gives

    + v (f - 1)! m! / (f + m)!   to each group that fails in b,
    - v f! (m - 1)! / (f + m)!   to each group that fails in x.

Summed over the background these are functions of x's fail mask alone: one table per leaf, built once. A row costs one
comparison per node and one addition per leaf and group on its path, whatever the background and the number of groups.
"""

import concurrent.futures
import math

import numpy as np

__all__ = ["MAX_TABLE_GROUPS", "explain_by_tables", "shapley_weights", "table_sizes"]

MAX_TABLE_GROUPS = 16  # fail masks are 16 bits
ROW_BLOCK = 512  # rows that pass a tree together: their masks and sums stay in the cache
THREAD_BLOCK = 4096  # rows of one task


def shapley_weights(max_groups):
    """Weights of a leaf for a group that fails in the background, and for one that fails in the row.

    Parameters
    ----------
    max_groups : int
        Largest number of groups on a path.

    Returns
    -------
    gain : float array of shape (max_groups + 1, max_groups + 1)
        ``(f - 1)! m! / (f + m)!`` at ``[f, m]``.
    loss : float array of the same shape
        ``f! (m - 1)! / (f + m)!`` at ``[f, m]``.
    """
    gain, loss = np.zeros((2, max_groups + 1, max_groups + 1))
    for f in range(max_groups + 1):
        for m in range(max_groups + 1 - f):
            if f:
                gain[f, m] = 1 / (f * math.comb(f + m, f))
            if m:
                loss[f, m] = 1 / (m * math.comb(f + m, m))
    return gain, loss


def table_sizes(leaves):
    """Entries of each leaf's table; leaves without a value need none."""
    n_groups = np.minimum(leaves.n_groups.astype(np.int64), MAX_TABLE_GROUPS + 1)
    return np.where(leaves.output == -2, 0, n_groups << n_groups)


def explain_by_tables(kernels, nodes, leaves, codes, background_codes, background_weight, phi, *, n_threads, max_bytes):
    """Add the group Shapley values of all rows to ``phi``.

    Parameters
    ----------
    kernels : module
        The compiled or the NumPy kernels.
    nodes, leaves : Nodes, Leaves
        The ensemble's structure under the grouping.
    codes, background_codes : unsigned int arrays of shape (n_encoded, n) and (n_encoded, n_background)
        Coded rows.
    background_weight : float array of shape (n_background,)
        Weights, of sum 1.
    phi : float array of shape (n_outputs, n_groups, n)
        The values; added to in place. Its type is the type of the tables.
    n_threads : int
        Number of threads. The result does not depend on it.
    max_bytes : int
        Bytes that the tables may take.
    """
    start = np.concatenate([[0], np.cumsum(table_sizes(leaves))])
    max_groups = int(leaves.n_groups.max())
    gain, loss = shapley_weights(max_groups)
    shorter = np.zeros_like(gain)
    shorter[:, 1:] = gain[:, :-1]  # the gain of a row that fails one group less
    weights = np.stack([gain, shorter, loss], axis=-1)
    masks = np.arange(1 << max_groups)
    n_bits = sum((masks >> bit) & 1 for bit in range(max_groups)).astype(np.uint8)
    n = codes.shape[1]
    row_ranges = [(first, min(n, first + THREAD_BLOCK)) for first in range(0, n, THREAD_BLOCK)]

    with concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
        for tree_range in _tree_ranges(start[leaves.tree_start], max_bytes // phi.itemsize):
            first, last = start[leaves.tree_start[list(tree_range)]]
            tables = np.empty(last - first, phi.dtype)

            def fill(tree, origin=first, tables=tables):
                span = slice(*(start[leaves.tree_start[[tree, tree + 1]]] - origin))
                kernels.fill_tables(
                    (tree, tree + 1), background_codes, background_weight, nodes, leaves, weights, n_bits, max_groups,
                    start, tables[span],
                )  # fmt: skip

            def add(row_range, tree_range=tree_range, tables=tables):
                kernels.add_leaves(tree_range, codes, row_range, ROW_BLOCK, nodes, leaves, start, tables, phi)

            list(pool.map(fill, range(*tree_range)))
            list(pool.map(add, row_ranges))


def _tree_ranges(tree_table_start, max_entries):
    """Consecutive trees whose tables fit in ``max_entries``, at least one tree each."""
    ranges, first = [], 0
    for tree in range(1, len(tree_table_start)):
        if tree > first + 1 and tree_table_start[tree] - tree_table_start[first] > max_entries:
            ranges.append((first, tree - 1))
            first = tree - 1
    return [*ranges, (first, len(tree_table_start) - 1)]
