"""The leaf tables without a compiler: the same functions as the compiled kernels, one NumPy call per node or leaf."""

import functools

import numpy as np

from skked._explanations._tree_ensemble import TreeEnsemble
from skked._explanations._tree_paths import find_paths
from skked._explanations._tree_tables import shapley_weights

__all__ = ["COMPILED", "add_leaves", "fill_tables", "find_paths", "predict"]

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


@functools.lru_cache(maxsize=32)
def _shares_of_masks(n_groups):
    """Matrix from a histogram of background fail masks to all shares, shape (2**p, p * 2**p)."""
    gain, loss = shapley_weights(n_groups)
    masks = np.arange(1 << n_groups)
    in_mask = (masks[:, None] >> np.arange(n_groups)) & 1  # (mask, slot)
    size = in_mask.sum(axis=1)
    f, m = size[:, None], size[None, :]
    apart = (masks[:, None] & masks[None, :]) == 0
    f, m = np.where(apart, f, 0), np.where(apart, m, 0)
    shares = in_mask[:, :, None] * gain[f, m][:, None, :] - in_mask.T[None] * loss[f, m][:, None, :]
    return shares.reshape(len(masks), -1)


def fill_tables(tree, codes, row_weight, nodes, leaves, gain, loss, n_bits, table_start, origin, width, tables):
    """Tables of all leaves of a tree, from the coded background; entry ``origin`` is the first of ``tables``."""
    histograms = {}
    for leaf, masks in _leaf_masks(tree, codes, nodes, leaves, table_start):
        n_groups = int(leaves.n_groups[leaf])
        histogram = np.bincount(masks, row_weight * leaves.scale[leaf], 1 << n_groups)
        histograms.setdefault(n_groups, []).append((leaf, histogram))
    for n_groups, of_leaves in histograms.items():
        filled = _tables_of(np.stack([histogram for _, histogram in of_leaves]), n_groups, gain, loss)
        for (leaf, _), table in zip(of_leaves, filled, strict=True):
            place = tables[table_start[leaf] - origin : table_start[leaf + 1] - origin]
            if width:
                place[:] = 0
                place.reshape(-1, width)[:, _groups_of(leaf, leaves)] = table.reshape(n_groups, -1).T
            else:
                place[:] = table


def _groups_of(leaf, leaves):
    return leaves.groups[leaves.group_start[leaf] : leaves.group_start[leaf + 1]]


def _leaf_masks(tree, codes, nodes, leaves, table_start):
    """Leaves of a tree that have a table, with their fail masks."""
    for node, masks in _fail_masks(tree, codes, nodes):
        leaf = leaves.number[node]
        if table_start[leaf + 1] > table_start[leaf]:
            yield leaf, masks


def _tables_of(histograms, n_groups, gain, loss):
    if n_groups <= 8:  # one matrix product for all leaves; its matrix has p * 4**p entries
        return histograms @ _shares_of_masks(n_groups)
    return np.stack([_table_by_subsets(histogram, n_groups, gain, loss) for histogram in histograms])


def _table_by_subsets(histogram, n_groups, gain, loss):
    """Shares (group, row's fail mask) of one leaf, one pass per background fail mask that occurs."""
    masks = np.arange(1 << n_groups)
    in_mask = (masks >> np.arange(n_groups)[:, None]) & 1
    size = in_mask.sum(axis=0)
    table, lost = np.zeros((n_groups, len(masks))), np.zeros(len(masks))
    for fails in np.flatnonzero(histogram):
        row_fails = masks[(masks & fails) == 0]
        gained = histogram[fails] * gain[size[fails], size[row_fails]]
        table[np.ix_(np.flatnonzero(in_mask[:, fails]), row_fails)] += gained
        lost[row_fails] += histogram[fails] * loss[size[fails], size[row_fails]]
    return (table - in_mask * lost).ravel()


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
