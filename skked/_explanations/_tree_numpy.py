"""The leaf tables without a compiler: the same functions as the compiled kernels, one NumPy call per node or leaf."""

import numpy as np

from skked._explanations._tree_ensemble import TreeEnsemble, rank_numbers
from skked._explanations._tree_paths import find_paths

__all__ = ["COMPILED", "add_leaves", "fill_tables", "find_paths", "predict", "rank_numbers"]

COMPILED = False


predict = TreeEnsemble.predict_codes


def _fail_masks(tree, codes, nodes):
    """Yield each leaf of a tree with the fail masks of all rows there."""
    masks = {nodes.tree_start[tree]: np.zeros(codes.shape[1], np.uint16)}
    for node in range(nodes.tree_start[tree], nodes.tree_start[tree + 1]):
        here = masks.pop(node)
        if nodes.feature[node] < 0:
            yield node, here
            continue
        code = codes[nodes.feature[node]]
        if nodes.category_start[node] >= 0:
            fails_left = ~nodes.category_left[nodes.category_start[node] : nodes.category_stop[node]][code]
        elif nodes.missing_left[node]:
            fails_left = (code > nodes.code[node]) & (code != nodes.missing)
        else:
            fails_left = code > nodes.code[node]
        bit = np.uint16(1 << nodes.slot[node])
        masks[node + 1] = here | fails_left * bit
        masks[nodes.right[node]] = here | ~fails_left * bit


def fill_tables(trees, codes, row_weight, nodes, leaves, points, table_start, origin, width, tables):
    """Tables of all leaves of some trees, from the coded background; entry ``origin`` is the first of ``tables``."""
    for tree in trees:
        histograms = {}
        for leaf, masks in _leaf_masks(tree, codes, nodes, leaves, table_start):
            n_groups = int(leaves.n_groups[leaf])
            histogram = np.bincount(masks, row_weight * leaves.scale[leaf], 1 << n_groups)
            histograms.setdefault(n_groups, []).append((leaf, histogram))
        for n_groups, of_leaves in histograms.items():
            filled = _tables_of(np.stack([histogram for _, histogram in of_leaves]), n_groups, points[n_groups])
            for (leaf, _), table in zip(of_leaves, filled, strict=True):
                place = tables[table_start[leaf] - origin : table_start[leaf + 1] - origin]
                if width:
                    place[:] = 0
                    place.reshape(-1, width)[:, _groups_of(leaf, leaves)] = table
                else:
                    place[:] = table.T.ravel()


def _tables_of(histograms, n_groups, points):
    """Shares (leaf, row's fail mask, group) from the background's histograms of fail masks (leaf, mask)."""
    kept, taken = np.zeros((2, *histograms.shape))
    for t, of_kept, of_taken in points[: (n_groups + 1) // 2]:
        terms = histograms
        for _ in range(n_groups):  # sums over one group, which becomes the last bit; all have been after as many turns
            passes, fails = terms[:, ::2], terms[:, 1::2]
            terms = np.concatenate([passes + t * fails, (1 - t) * passes], axis=1)
        kept += of_kept * terms
        taken += of_taken * terms
    with_group = np.arange(histograms.shape[1])[:, None] | 1 << np.arange(n_groups)
    return kept[:, :, None] - taken[:, with_group]


def _groups_of(leaf, leaves):
    return leaves.groups[leaves.group_start[leaf] : leaves.group_start[leaf + 1]]


def _leaf_masks(tree, codes, nodes, leaves, table_start):
    """Leaves of a tree that have a table, with their fail masks."""
    for node, masks in _fail_masks(tree, codes, nodes):
        leaf = leaves.number[node]
        if table_start[leaf + 1] > table_start[leaf]:
            yield leaf, masks


def add_leaves(trees, codes, rows, block, nodes, leaves, table_start, origin, width, tables, phi):
    """Add the shares of all leaves of ``trees`` to ``phi``, for a range of rows.

    It is (outputs, rows, width), or (outputs, groups, rows) if the width is 0.
    """
    rows = slice(*rows)
    for tree in trees:
        for leaf, masks in _leaf_masks(tree, codes[:, rows], nodes, leaves, table_start):
            table = tables[table_start[leaf] - origin : table_start[leaf + 1] - origin]
            if width:
                shares, total = table.reshape(-1, width)[masks], phi[:, rows]
            else:
                groups = _groups_of(leaf, leaves)
                shares, total = table.reshape(len(groups), -1)[:, masks], phi[:, groups, rows]
            output = leaves.output[leaf]
            if output >= 0:
                total[output] += shares
            else:
                total += leaves.value[leaf][:, None, None] * shares
            if not width:  # chosen groups are a copy
                phi[:, groups, rows] = total
