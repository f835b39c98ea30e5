"""Compiled kernels of the leaf tables. Importing this file loads numba, so it is imported inside functions only."""

import functools

import numba
import numpy as np

from skked._explanations import _tree_paths
from skked._explanations._tree_lanes import add_lanes
from skked._explanations._tree_tables import LANES, MAX_WIDTH

__all__ = ["COMPILED", "add_leaves", "compiled", "fill_tables", "find_paths", "predict"]

COMPILED = True


def compiled(function):
    """Compile without the GIL, cached on disk where a cache directory is writable."""
    try:
        return numba.njit(function, nogil=True, cache=True)
    except RuntimeError:  # numba found no place for its cache
        return numba.njit(function, nogil=True)


_walk = compiled(_tree_paths._walk)
find_paths = functools.partial(_tree_paths.find_paths, walk=_walk)


def predict(ensemble, codes):
    """``TreeEnsemble.predict_codes``, compiled."""
    prediction = np.tile(ensemble.base, (codes.shape[1], 1))
    _add_predictions(
        codes, ensemble.tree_start, ensemble.feature, ensemble.right, ensemble.node_code, ensemble.code_type.type(
            ensemble.missing), ensemble.missing_left, ensemble.category_start, ensemble.category_left, ensemble.output,
        ensemble.value, prediction,
    )  # fmt: skip
    return prediction


@compiled
def _add_predictions(
    codes, tree_start, feature, right, node_code, missing, missing_left, category_start, category_left, output, value,
    prediction,
):  # fmt: skip
    for tree in range(len(output)):
        first = tree_start[tree]
        for row in range(codes.shape[1]):
            node = first
            while feature[node] >= 0:
                code = codes[feature[node], row]
                if category_start[node] >= 0:
                    left = category_left[category_start[node] + code]
                elif code == missing:
                    left = missing_left[node]
                else:
                    left = code <= node_code[node]
                node = node + 1 if left else first + right[node]
            if output[tree] >= 0:
                prediction[row, output[tree]] += value[node, 0]
            else:
                for each in range(prediction.shape[1]):
                    prediction[row, each] += value[node, each]


@compiled
def split(codes, first, count, node_code, missing, missing_left, directions, bit, here, below):
    """Fail masks of a node's rows for its children: ``below`` becomes the left child's, ``here`` the right child's."""
    zero = here.dtype.type(0)
    if len(directions):
        for i in range(count):
            fails = zero if directions[codes[first + i]] else bit
            below[i] = here[i] | fails
            here[i] |= bit ^ fails
    elif missing_left:
        for i in range(count):
            code = codes[first + i]
            fails = bit if (code > node_code) & (code != missing) else zero
            below[i] = here[i] | fails
            here[i] |= bit ^ fails
    else:  # the code of a missing value is the largest, so it goes right by itself
        for i in range(count):
            fails = bit if codes[first + i] > node_code else zero
            below[i] = here[i] | fails
            here[i] |= bit ^ fails


@compiled
def descend(codes, first, count, nodes, node, masks):
    """Split the rows of an inner node, given the masks of its level."""
    level = nodes.level[node]
    directions = nodes.category_left[0:0]
    if nodes.category_start[node] >= 0:
        directions = nodes.category_left[nodes.category_start[node] : nodes.category_stop[node]]
    split(
        codes[nodes.feature[node]], first, count, nodes.code[node], nodes.missing, nodes.missing_left[node],
        directions, masks.dtype.type(1 << nodes.slot[node]), masks[level], masks[level + 1],
    )  # fmt: skip


@compiled
def list_indicators(n_groups, places, width, indicators):
    """Rows of ones at the places of each mask's groups, and zeros."""
    indicators[:width] = 0
    for slot in range(n_groups):
        half = width << slot  # all masks of the slots before
        for i in range(half):  # a slice would be copied first, in case the two overlapped
            indicators[half + i] = indicators[i]
        for row in range(half, 2 * half, width):
            indicators[row + places[slot]] = 1


@compiled
def shapley_table(histogram, n_groups, scale, gain, loss, n_bits, width, indicators, lost, table):
    """Shares of one leaf's groups for every fail mask of a row, from the background's histogram of fail masks."""
    full = (1 << n_groups) - 1
    table[: (full + 1) * width] = 0
    lost[: full + 1] = 0.0
    for fails in range(full + 1):
        weight = histogram[fails] * scale
        if weight == 0.0:
            continue
        gains, losses = gain[n_bits[fails]], loss[n_bits[fails]]
        free = full & ~fails
        row_fails = free
        while True:  # over the subsets of what the background passes
            size = n_bits[row_fails]
            factor = table.dtype.type(weight * gains[size])
            for lane in range(0, width, LANES):
                add_lanes(table, row_fails * width + lane, indicators, fails * width + lane, factor)
            lost[row_fails] += weight * losses[size]
            if row_fails == 0:
                break
            row_fails = (row_fails - 1) & free
    for row_fails in range(1, full + 1):
        factor = table.dtype.type(-lost[row_fails])
        for lane in range(row_fails * width, (row_fails + 1) * width, LANES):
            add_lanes(table, lane, indicators, lane, factor)


@compiled
def count_masks(masks, row_weight, histogram):
    """Histogram of fail masks, left in the first column.

    Most rows of a leaf share a mask, and adding to one number again and again waits for the last addition each time;
    four columns in turn do not wait.
    """
    histogram[:] = 0.0
    n = len(masks)
    for i in range(0, n - 3, 4):
        histogram[masks[i], 0] += row_weight[i]
        histogram[masks[i + 1], 1] += row_weight[i + 1]
        histogram[masks[i + 2], 2] += row_weight[i + 2]
        histogram[masks[i + 3], 3] += row_weight[i + 3]
    for i in range(n - n % 4, n):
        histogram[masks[i], 0] += row_weight[i]
    for mask in range(len(histogram)):
        histogram[mask, 0] += histogram[mask, 1] + (histogram[mask, 2] + histogram[mask, 3])


@compiled
def n_levels(nodes, tree):
    """Number of mask buffers that a tree's walk needs."""
    deepest = 0
    for node in range(nodes.tree_start[tree], nodes.tree_start[tree + 1]):
        deepest = max(deepest, nodes.level[node])
    return deepest + 2


@compiled
def fill_tables(tree, codes, row_weight, nodes, leaves, gain, loss, n_bits, table_start, origin, width, tables):
    """Tables of all leaves of a tree, from the coded background; entry ``origin`` is the first of ``tables``."""
    n = codes.shape[1]
    histogram, lost = np.zeros((len(n_bits), 4)), np.empty(len(n_bits))
    indicators = np.empty(len(n_bits) * MAX_WIDTH, tables.dtype)
    scratch = np.empty(0 if width else len(indicators), tables.dtype)
    masks = np.zeros((n_levels(nodes, tree), n), np.uint16)
    in_order = np.arange(MAX_WIDTH, dtype=np.int32)
    for node in range(nodes.tree_start[tree], nodes.tree_start[tree + 1]):
        leaf = leaves.number[node]
        if leaf < 0:
            descend(codes, 0, n, nodes, node, masks)
        elif table_start[leaf + 1] > table_start[leaf]:
            n_groups = leaves.n_groups[leaf]
            count_masks(masks[nodes.level[node]], row_weight, histogram[: 1 << n_groups])
            table = tables[table_start[leaf] - origin : table_start[leaf + 1] - origin]
            by_mask, row, places = table, width, in_order
            if width:
                places = leaves.groups[leaves.group_start[leaf] : leaves.group_start[leaf + 1]]
            else:
                by_mask, row = scratch, LANES if n_groups <= LANES else MAX_WIDTH
            list_indicators(n_groups, places, row, indicators)
            shapley_table(
                histogram[:, 0], n_groups, leaves.scale[leaf], gain, loss, n_bits, row, indicators, lost, by_mask
            )
            if not width:
                for slot in range(n_groups):
                    for mask in range(1 << n_groups):
                        table[(slot << n_groups) + mask] = scratch[mask * row + slot]


@compiled
def add_leaves(trees, codes, rows, block, nodes, leaves, table_start, origin, width, tables, phi):
    """Add the shares of all leaves of ``trees`` to ``phi``, for a range of rows.

    It is (outputs, rows, width), or (outputs, groups, rows) if the width is 0.
    """
    for tree in trees:  # outside, so that a tree's tables stay in the cache
        masks = np.empty((n_levels(nodes, tree), block), np.uint16)
        for first in range(rows[0], rows[1], block):
            count = min(block, rows[1] - first)
            masks[0] = 0
            for node in range(nodes.tree_start[tree], nodes.tree_start[tree + 1]):
                leaf = leaves.number[node]
                if leaf < 0:
                    descend(codes, first, count, nodes, node, masks)
                elif table_start[leaf + 1] > table_start[leaf]:
                    table = tables[table_start[leaf] - origin : table_start[leaf + 1] - origin]
                    groups = leaves.groups[leaves.group_start[leaf] : leaves.group_start[leaf + 1]]
                    mask = masks[nodes.level[node], :count]
                    add_leaf(table, mask, groups, width, leaves.output[leaf], leaves.value[leaf], first, phi)


@compiled
def add_leaf(table, masks, groups, width, output, value, first, phi):
    """Look up the shares of one leaf and add them to the sums of the rows from ``first``."""
    if output >= 0:
        add_shares(table, masks, groups, width, table.dtype.type(1), output, first, phi)
        return
    for each in range(len(value)):
        if value[each] != 0:
            add_shares(table, masks, groups, width, table.dtype.type(value[each]), each, first, phi)


@compiled
def add_shares(table, masks, groups, width, factor, output, first, phi):
    """Add a multiple of the shares to one output's sums."""
    if width:
        flat, start = phi.ravel(), (output * phi.shape[1] + first) * width
        for lane in range(0, width, LANES):
            for i in range(len(masks)):
                add_lanes(flat, start + i * width + lane, table, np.int64(masks[i]) * width + lane, factor)
        return
    for slot in range(len(groups)):
        share = table[slot << len(groups) : (slot + 1) << len(groups)]
        sums = phi[output, groups[slot], first : first + len(masks)]
        for i in range(len(masks)):
            sums[i] += factor * share[masks[i]]
