"""Exact group Shapley values of tree ensembles by leaf tables.

A leaf whose path asks about ``p`` groups sees a row ``x`` only through its *fail mask*: the groups of which some
condition on the path is violated. The same holds for a background row ``b``. The coalition ``S`` reaches the leaf when
no group of ``S`` fails in ``x`` and no other group fails in ``b``, so a leaf counts only if no group fails in both. Let
``m`` groups fail in ``x`` and ``f`` in ``b``. A leaf of value ``v`` then gives

    + v (f - 1)! m! / (f + m)!   to each group that fails in b,
    - v f! (m - 1)! / (f + m)!   to each group that fails in x.

Summed over the background these are functions of x's fail mask alone: one table per leaf, built once. A row costs one
comparison per node and, for up to 16 groups, one or two vector additions per leaf, whatever the background.

Both weights are integrals over the chance t with which groups join: ``(f - 1)! m! / (f + m)!`` is that of
``t^(f-1) (1 - t)^m`` over (0, 1), which few Gauss-Legendre points give exactly. At each point the background's fail
masks F contribute ``d(m) = (1 - t)^|m| sum of t^|f| over the f apart from m``, a product over groups, so that all
m are found in p passes. A table then is

    share of g at mask m = c(m) - e(m with g),  c = sum over points of w d / t,  e = sum of w d / (t (1 - t)),

whether g fails in x or not.
"""

import functools
import math

import numpy as np

__all__ = [
    "LANES",
    "LeafTables",
    "aligned_empty",
    "quadrature",
    "shapley_weights",
    "table_sizes",
    "table_width",
    "zero_sums",
]

ROW_BLOCK = 1024  # rows that pass a tree together: their masks and sums stay in the cache
CACHED_BYTES = 2**20  # tables that are read while they are still in the cache
TASK_TREES = 64  # trees whose tables are built by one task
LANES = 8  # groups whose shares are added by one vector instruction
MAX_WIDTH = 16  # groups of a path, and places of a row: more zeros would cost more than the additions they save


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


@functools.lru_cache(maxsize=64)
def quadrature(max_groups):
    """Points at which tables are summed, for each number of groups.

    Parameters
    ----------
    max_groups : int
        Largest number of groups on a path.

    Returns
    -------
    points : float array of shape (max_groups + 1, n_points, 3)
        For p groups, the first ``(p + 1) // 2`` rows hold t, w / t and w / (t (1 - t)); zeros follow.
    """
    points = np.zeros((max_groups + 1, (max_groups + 1) // 2, 3))
    for n_groups in range(1, max_groups + 1):
        place, weight = np.polynomial.legendre.leggauss((n_groups + 1) // 2)
        t, w = (place + 1) / 2, weight / 2
        points[n_groups, : len(t)] = np.stack([t, w / t, w / (t * (1 - t))], axis=1)
    return points


def table_width(n_groups):
    """Length of the rows of leaf tables.

    Parameters
    ----------
    n_groups : int
        Players of the game, M.

    Returns
    -------
    width : int
        M, rounded up to whole vectors; 0 for many players, whose tables have a row for each group on the leaf's path
        instead of one for each fail mask.
    """
    width = -(-n_groups // LANES) * LANES
    return width if width <= MAX_WIDTH else 0


def table_sizes(leaves, width=0):
    """Entries of each leaf's table, int array of shape (n_leaves,); leaves without a value need none.

    Parameters
    ----------
    leaves : Leaves
        The leaves.
    width : int, default=0
        From ``table_width``.
    """
    n_groups = np.minimum(leaves.n_groups.astype(np.int64), 48)  # more would overflow, and is too many anyway
    return np.where(leaves.output == -2, 0, (width or n_groups) << n_groups)


def aligned_empty(shape, dtype):
    """An array that starts on a line of the cache, so that vectors of eight do not straddle two lines."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(n_bytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + n_bytes].view(dtype).reshape(shape)


def zero_sums(n_outputs, n, n_groups, dtype):
    """Sums of shares, of shape (n_outputs, n, width or M): a row's, or with many players a group's, lie together."""
    width = table_width(n_groups)
    sums = aligned_empty((n_outputs, n, width) if width else (n_outputs, n_groups, n), dtype)
    sums[:] = 0
    return sums if width else sums.transpose(0, 2, 1)


class LeafTables:
    """The leaf tables of some of an ensemble's trees for one background.

    Parameters
    ----------
    kernels : module
        The compiled or the NumPy kernels.
    nodes, leaves : Nodes, Leaves
        The ensemble's structure under a grouping.
    trees : int array
        The trees that are explained this way; no path of theirs has more than 16 groups.
    width : int
        Length of the tables' rows, from ``table_width``.
    codes : unsigned int array of shape (n_encoded, n_background)
        The coded background.
    weight : float array of shape (n_background,)
        Its weights, of sum 1.
    max_bytes : int
        Bytes that the tables may take. They are kept from the second call of ``add`` on; if they need more, they are
        built again for each call.
    """

    def __init__(self, kernels, nodes, leaves, trees, width, codes, weight, *, max_bytes):
        self.kernels, self.nodes, self.leaves = kernels, nodes, leaves
        self.width, self.codes, self.weight = width, codes, weight
        sizes = np.where(_leaves_of(leaves, trees), table_sizes(leaves, width), 0)
        self.start = np.concatenate([[0], np.cumsum(sizes)])
        self.points = quadrature(int(leaves.n_groups[sizes > 0].max(initial=0)))
        of_trees = trees, self.start[leaves.tree_start]
        self.blocks = _blocks(*of_trees, max_bytes // 8)
        self.small_blocks = _blocks(*of_trees, min(max_bytes, CACHED_BYTES) // 8)
        self._was_called, self._kept = False, None

    def add(self, codes, phi, row_ranges, run):
        """Add the values of coded rows to ``phi``.

        Parameters
        ----------
        codes : unsigned int array of shape (n_encoded, n)
            The rows.
        phi : float array of shape (n_outputs, n, width), or (n_outputs, n, M) if the width is 0
            The sums, from ``zero_sums``; its type is the type of the tables.
        row_ranges : list of (int, int)
            Ranges of rows that may run at the same time.
        run : callable
            Maps a function over a list, in any order or at once.
        """
        sums = phi if self.width else phi.transpose(0, 2, 1)
        for trees, tables in self._tables(phi.dtype, len(row_ranges) > 1, run):
            origin = self.start[self.leaves.tree_start[trees[0]]]

            def add(rows, trees=trees, tables=tables, origin=origin):
                self.kernels.add_leaves(
                    trees, codes, rows, ROW_BLOCK, self.nodes, self.leaves, self.start, origin, self.width, tables, sums
                )

            run(add, row_ranges)

    def _tables(self, dtype, for_many_rows, run):
        """Blocks of trees and their tables.

        A few rows, once, are done sooner with few tables at a time that never leave the cache.
        """
        keeps = self._was_called and len(self.blocks) == 1
        self._was_called = True
        if not keeps:
            for trees in self.blocks if for_many_rows else self.small_blocks:
                yield trees, self._fill(trees, dtype, run)
            return
        if self._kept is None or self._kept.dtype != dtype:
            self._kept = self._fill(self.blocks[0], dtype, run)
        yield self.blocks[0], self._kept

    def _fill(self, trees, dtype, run):
        start = self.start[self.leaves.tree_start]
        origin = start[trees[0]]
        tables = aligned_empty((start[trees[-1] + 1] - origin,), dtype)

        def fill(some):
            self.kernels.fill_tables(
                some, self.codes, self.weight, self.nodes, self.leaves, self.points, self.start, origin, self.width,
                tables,
            )  # fmt: skip

        run(fill, [trees[first : first + TASK_TREES] for first in range(0, len(trees), TASK_TREES)])
        return tables


def _leaves_of(leaves, trees):
    """Whether each leaf belongs to one of ``trees``."""
    chosen = np.zeros(len(leaves.tree_start) - 1, bool)
    chosen[trees] = True
    return np.repeat(chosen, np.diff(leaves.tree_start))


def _blocks(trees, start, max_entries):
    """Split ``trees`` into runs whose tables have at most ``max_entries`` entries, at least one tree each."""
    blocks, block = [], []
    for tree in trees:
        if block and start[tree + 1] - start[block[0]] > max_entries:
            blocks.append(np.asarray(block))
            block = []
        block.append(tree)
    return [*blocks, np.asarray(block)] if block else []
