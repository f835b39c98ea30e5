"""Exact group Shapley values of deep trees, whose leaf tables would be too large.

One depth-first walk per tree carries the *list* of rows that can still count: for each row the groups that it fails so
far, and the set of background rows that fail none of these. A row whose set is empty reaches no leaf below in any
coalition and leaves the list; deep in a tree few rows are left. At a leaf the shares are summed directly over the few
background rows of each set, or over a table where many rows arrive.
"""

import numpy as np

from skked._explanations._tree_tables import shapley_weights

__all__ = ["MAX_STREAM_GROUPS", "RowStream"]

MAX_STREAM_GROUPS = 64  # fail masks are 64 bits
SET_SIZE = 128  # background rows of one walk: two words of 64 bits


class RowStream:
    """The walk through some of an ensemble's trees for one background.

    Parameters
    ----------
    nodes, leaves : Nodes, Leaves
        The ensemble's structure under a grouping.
    trees : int array
        The trees that are explained this way; no path of theirs has more than 64 groups.
    codes : unsigned int array of shape (n_encoded, n_background)
        The coded background.
    weight : float array of shape (n_background,)
        Its weights, of sum 1.
    compiled : bool
        Whether to use the compiled kernel.
    """

    def __init__(self, nodes, leaves, trees, codes, weight, *, compiled):
        self.nodes, self.leaves, self.trees = nodes, leaves, trees
        used = weight > 0
        self.codes, self.weight = np.ascontiguousarray(codes[:, used]), weight[used]
        self.weights = shapley_weights(int(leaves.n_groups.max()))
        self.compiled = compiled

    def add(self, codes, phi, row_ranges, run):
        """Add the values of coded rows to ``phi``; the arguments are those of ``LeafTables.add``."""
        sets = range(0, len(self.weight), SET_SIZE)
        if self.compiled:
            from skked._explanations._tree_stream_kernels import stream
        else:
            stream = _stream_rows

        def add(rows):
            for tree in self.trees:
                for first in sets:
                    chosen = slice(first, first + SET_SIZE)
                    stream(
                        tree, codes, rows, self.codes[:, chosen], self.weight[chosen], self.nodes, self.leaves,
                        *self.weights, phi,
                    )  # fmt: skip

        run(add, row_ranges)


def _stream_rows(tree, codes, row_range, background, weight, nodes, leaves, gain, loss, phi):
    """One tree without a compiler: the lists are arrays, the sets a matrix (rows, background rows)."""
    n_background = background.shape[1]
    rows = np.arange(*row_range)
    start = nodes.tree_start[tree]
    nothing = np.zeros(len(rows), np.uint64), np.zeros(n_background, np.uint64)
    waiting = [(start, rows, *nothing, np.ones((len(rows), n_background), bool))]
    while waiting:
        node, rows, fails, background_fails, alive = waiting.pop()
        if nodes.feature[node] < 0:
            leaf = leaves.number[node]
            if leaves.output[leaf] != -2:
                _add_direct(leaf, rows, fails, background_fails, alive * weight, leaves, gain, loss, phi)
            continue
        left = _goes_left(node, codes[nodes.feature[node]][rows], nodes)
        background_left = _goes_left(node, background[nodes.feature[node]], nodes)
        bit = np.uint64(1) << np.uint64(nodes.slot[node])
        for child, stays, background_stays in (
            (nodes.right[node], ~left, ~background_left),
            (node + 1, left, background_left),
        ):
            child_fails = fails | ~stays * bit
            child_background_fails = background_fails | ~background_stays * bit
            both = ((child_fails & bit) > 0)[:, None] & ((child_background_fails & bit) > 0)
            child_alive = alive & ~both
            kept = child_alive.any(axis=1)
            if kept.any():
                waiting.append((child, rows[kept], child_fails[kept], child_background_fails, child_alive[kept]))


def _goes_left(node, code, nodes):
    if nodes.category_start[node] >= 0:
        return nodes.category_left[nodes.category_start[node] : nodes.category_stop[node]][code]
    missing = code == nodes.missing
    return np.where(missing, nodes.missing_left[node], code <= nodes.code[node])


def _add_direct(leaf, rows, fails, background_fails, weight, leaves, gain, loss, phi):
    """Shares of one leaf, summed over the sets; ``weight`` is 0 outside a row's set."""
    slots = np.arange(leaves.n_groups[leaf], dtype=np.uint64)
    in_row, in_background = ((each[:, None] >> slots) & np.uint64(1) for each in (fails, background_fails))
    m, f = in_row.sum(axis=1).astype(int)[:, None], in_background.sum(axis=1).astype(int)[None, :]
    shares = (weight * gain[f, m]) @ in_background
    shares -= in_row * (weight * loss[f, m]).sum(axis=1)[:, None]
    groups = leaves.groups[leaves.group_start[leaf] : leaves.group_start[leaf + 1]]
    output, value = leaves.output[leaf], leaves.value[leaf]
    for group, share in zip(groups, shares.T, strict=True):
        if output >= 0:
            phi[output, rows, group] += leaves.scale[leaf] * share
        else:
            phi[:, rows, group] += value[:, None] * share
