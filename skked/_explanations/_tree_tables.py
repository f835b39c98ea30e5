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

import math

import numpy as np

__all__ = ["LeafTables", "shapley_weights", "table_sizes"]

ROW_BLOCK = 1024  # rows that pass a tree together: their masks and sums stay in the cache


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
    """Entries of each leaf's table, int array of shape (n_leaves,); leaves without a value need none.

    Parameters
    ----------
    leaves : Leaves
        The leaves.
    """
    n_groups = np.minimum(leaves.n_groups.astype(np.int64), 48)  # more would overflow, and is too many anyway
    return np.where(leaves.output == -2, 0, n_groups << n_groups)


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
    codes : unsigned int array of shape (n_encoded, n_background)
        The coded background.
    weight : float array of shape (n_background,)
        Its weights, of sum 1.
    max_bytes : int
        Bytes that the tables may take. If they need more they are built again for each call of ``add``.
    """

    def __init__(self, kernels, nodes, leaves, trees, codes, weight, *, max_bytes):
        self.kernels, self.nodes, self.leaves = kernels, nodes, leaves
        self.codes, self.weight = codes, weight
        sizes = np.where(_leaves_of(leaves, trees), table_sizes(leaves), 0)
        self.start = np.concatenate([[0], np.cumsum(sizes)])
        max_groups = int(leaves.n_groups[sizes > 0].max(initial=0))
        gain, loss = shapley_weights(max_groups)
        shorter = np.zeros_like(gain)
        shorter[:, 1:] = gain[:, :-1]  # the gain when the row fails one group less
        self.weights = np.stack([gain, shorter, loss], axis=-1)
        masks = np.arange(1 << max_groups)
        self.n_bits = np.sum([(masks >> bit) & 1 for bit in range(max_groups + 1)], axis=0).astype(np.uint8)
        self.blocks = _blocks(trees, self.start[leaves.tree_start], max_bytes // 8)
        self._kept = None

    def add(self, codes, phi, row_ranges, run):
        """Add the values of coded rows to ``phi``.

        Parameters
        ----------
        codes : unsigned int array of shape (n_encoded, n)
            The rows.
        phi : float array of shape (n_outputs, n_groups, n)
            The sums; its type is the type of the tables.
        row_ranges : list of (int, int)
            Ranges of rows that may run at the same time.
        run : callable
            Maps a function over a list, in any order or at once.
        """
        for number, trees in enumerate(self.blocks):
            if self._kept is not None and self._kept[0] == (number, phi.dtype):
                tables = self._kept[1]
            else:
                tables = self._fill(trees, phi.dtype, run)
                self._kept = (number, phi.dtype), tables
            origin = self.start[self.leaves.tree_start[trees[0]]]

            def add(rows, trees=trees, tables=tables, origin=origin):
                self.kernels.add_leaves(
                    trees, codes, rows, ROW_BLOCK, self.nodes, self.leaves, self.start, origin, tables, phi
                )

            run(add, row_ranges)

    def _fill(self, trees, dtype, run):
        start = self.start[self.leaves.tree_start]
        origin = start[trees[0]]
        tables = np.empty(start[trees[-1] + 1] - origin, dtype)

        def fill(tree):
            self.kernels.fill_tables(
                tree, self.codes, self.weight, self.nodes, self.leaves, self.weights, self.n_bits,
                self.start, origin, tables,
            )  # fmt: skip

        run(fill, trees)
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
