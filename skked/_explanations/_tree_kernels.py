"""Compiled kernels of the leaf tables. Importing this file loads numba, so it is imported inside functions only."""

import functools

import numba
import numpy as np

from skked._explanations import _tree_paths
from skked._explanations._tree_lanes import add_lanes, sum_lanes
from skked._explanations._tree_tables import LANES

__all__ = ["COMPILED", "add_leaves", "compiled", "fill_tables", "find_paths", "predict", "rank_numbers"]

COMPILED = True
CODE_BLOCK = 1024  # numbers that are ranked together: they stay in the cache
TOGETHER = 4  # leaves whose shares are added at once


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
def rank_numbers(values, thresholds, missing, codes):
    """``_tree_ensemble.rank_numbers``, compiled: a binary search of many values at once, without branches."""
    n_steps = 0
    while 1 << n_steps <= len(thresholds):
        n_steps += 1
    padded = np.empty(1 << n_steps)
    for i in range(len(padded)):  # a slice would be copied with a check of shapes, which takes seconds to compile
        padded[i] = thresholds[i] if i < len(thresholds) else np.inf
    for first in range(0, len(values), CODE_BLOCK):
        here, code = values[first : first + CODE_BLOCK], codes[first : first + CODE_BLOCK]
        code[:] = 0
        for step in range(n_steps - 1, -1, -1):
            middle = padded[(1 << step) - 1 :]
            for i in range(len(here)):  # a shift where a product would become a branch, half of them mispredicted
                code[i] += codes.dtype.type(np.uint64(middle[np.uint64(code[i])] < here[i]) << np.uint64(step))
        for i in range(len(here)):
            if here[i] != here[i]:
                code[i] = missing


@compiled
def split(codes, node_code, missing, missing_left, directions, bit, here, below):
    """Fail masks of a node's rows for its children: ``below`` becomes the left child's, ``here`` the right child's.

    Every array begins with the first row: a compiler makes vectors of places counted from 0 only.
    """
    zero = here.dtype.type(0)
    if len(directions):
        for i in range(len(codes)):
            fails, mask = zero if directions[codes[i]] else bit, here[i]
            below[i] = mask | fails
            here[i] = mask | (bit ^ fails)
    elif missing_left:
        for i in range(len(codes)):
            fails, mask = bit if (codes[i] > node_code) & (codes[i] != missing) else zero, here[i]
            below[i] = mask | fails
            here[i] = mask | (bit ^ fails)
    else:  # the code of a missing value is the largest, so it goes right by itself
        for i in range(len(codes)):
            fails, mask = bit if codes[i] > node_code else zero, here[i]
            below[i] = mask | fails
            here[i] = mask | (bit ^ fails)


@compiled
def descend(codes, first, count, nodes, node, masks):
    """Split the rows of an inner node, given the masks of its level."""
    level = nodes.level[node]
    directions = nodes.category_left[0:0]
    if nodes.category_start[node] >= 0:
        directions = nodes.category_left[nodes.category_start[node] : nodes.category_stop[node]]
    split(
        codes[nodes.feature[node], first : first + count], nodes.code[node], nodes.missing, nodes.missing_left[node],
        directions, masks.dtype.type(1 << nodes.slot[node]), masks[level], masks[level + 1],
    )  # fmt: skip


@compiled
def shapley_table(histogram, n_groups, scale, points, places, width, terms, table):
    """Shares of one leaf's groups for every fail mask of a row, from the background's histogram of fail masks.

    With a width, a mask's shares lie at the ``places`` of its row; without, each group has a row of masks.
    """
    n_masks, half = 1 << n_groups, 1 << n_groups >> 1
    kept, taken, one, two = terms[0], terms[1], terms[2], terms[3]
    kept[:n_masks] = 0.0
    taken[:n_masks] = 0.0
    for point in range((n_groups + 1) // 2):
        t, of_kept, of_taken = points[point, 0], points[point, 1] * scale, points[point, 2] * scale
        for mask in range(n_masks):
            one[mask] = histogram[mask]
        for _ in range(n_groups):  # sums over one group, which becomes the last bit; all have been after as many turns
            low, high = two[:half], two[half:n_masks]
            for i in range(half):
                passes, fails = one[2 * i], one[2 * i + 1]
                low[i] = passes + t * fails
                high[i] = (1.0 - t) * passes
            one, two = two, one
        for mask in range(n_masks):
            kept[mask] += of_kept * one[mask]
            taken[mask] += of_taken * one[mask]
    table[:] = 0
    for slot in range(n_groups):
        first, step = (places[slot], width) if width else (slot << n_groups, 1)
        for mask in range(n_masks):
            table[first + mask * step] = kept[mask] - taken[mask | 1 << slot]


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
def fill_tables(trees, codes, row_weight, nodes, leaves, points, table_start, origin, width, tables):
    """Tables of all leaves of some trees, from the coded background; entry ``origin`` is the first of ``tables``."""
    first, n, most_masks = np.int64(0), codes.shape[1], 1 << (len(points) - 1)  # a literal 0 would compile anew
    histogram, terms = np.zeros((most_masks, 4)), np.empty((4, most_masks))
    for tree in trees:
        masks = np.zeros((n_levels(nodes, tree), n), np.uint16)
        for node in range(nodes.tree_start[tree], nodes.tree_start[tree + 1]):
            leaf = leaves.number[node]
            if leaf < 0:
                descend(codes, first, n, nodes, node, masks)
            elif table_start[leaf + 1] > table_start[leaf]:
                n_groups = leaves.n_groups[leaf]
                count_masks(masks[nodes.level[node]], row_weight, histogram[: 1 << n_groups])
                groups = leaves.groups[leaves.group_start[leaf] : leaves.group_start[leaf + 1]]
                table = tables[table_start[leaf] - origin : table_start[leaf + 1] - origin]
                shapley_table(
                    histogram[:, 0], n_groups, leaves.scale[leaf], points[n_groups], groups, width, terms, table
                )


@compiled
def add_leaves(trees, codes, rows, block, nodes, leaves, table_start, origin, width, tables, phi):
    """Add the shares of all leaves of ``trees`` to ``phi``, for a range of rows.

    It is (outputs, rows, width), or (outputs, groups, rows) if the width is 0. Leaves of one output wait until there
    are a few of them, so that the sums are read and written once for all; none waits longer than its tree.
    """
    n_outputs = len(phi) if width else 0
    waiting = np.empty((n_outputs, TOGETHER, block), np.uint16)
    place, n_waiting = np.empty((n_outputs, TOGETHER), np.int64), np.zeros(n_outputs, np.int64)
    for tree in trees:  # outside, so that a tree's tables stay in the cache
        masks = np.empty((n_levels(nodes, tree), block), np.uint16)
        for first in range(rows[0], rows[1], block):
            count = min(block, rows[1] - first)
            masks[0] = 0
            for node in range(nodes.tree_start[tree], nodes.tree_start[tree + 1]):
                leaf = leaves.number[node]
                if leaf < 0:
                    descend(codes, first, count, nodes, node, masks)
                    continue
                start, output = table_start[leaf] - origin, np.int64(leaves.output[leaf])
                stop = table_start[leaf + 1] - origin
                if start == stop:
                    continue
                mask = masks[nodes.level[node], :count]
                if not width or output < 0:
                    groups = leaves.groups[leaves.group_start[leaf] : leaves.group_start[leaf + 1]]
                    add_leaf(tables[start:stop], mask, groups, width, output, leaves.value[leaf], first, phi)
                    continue
                which = n_waiting[output]
                place[output, which] = start
                for i in range(count):
                    waiting[output, which, i] = mask[i]
                n_waiting[output] += 1
                if n_waiting[output] == TOGETHER:
                    add_together(output, waiting, n_waiting, place, tables, width, phi, first, count)
            for each in range(n_outputs):
                if n_waiting[each]:
                    add_together(each, waiting, n_waiting, place, tables, width, phi, first, count)


@compiled
def add_together(output, waiting, n_waiting, place, tables, width, phi, first, count):
    """Add the shares of the leaves of an output that wait, whose tables begin at ``place``; then none waits."""
    flat, masks, n_leaves, begin = phi[output, first:].ravel(), waiting[output], n_waiting[output], place[output]
    n_waiting[output] = 0
    for lane in range(0, width, LANES):
        one, two, three, four = begin[0] + lane, begin[1] + lane, begin[2] + lane, begin[3] + lane
        if n_leaves == TOGETHER:
            for i in range(count):
                a, b = one + np.int64(masks[0, i]) * width, two + np.int64(masks[1, i]) * width
                c, d = three + np.int64(masks[2, i]) * width, four + np.int64(masks[3, i]) * width
                sum_lanes(flat, i * width + lane, tables, (a, b, c, d))
            continue
        if n_leaves >= 2:
            for i in range(count):
                a, b = one + np.int64(masks[0, i]) * width, two + np.int64(masks[1, i]) * width
                sum_lanes(flat, i * width + lane, tables, (a, b))
        if n_leaves != 2:
            last = n_leaves - 1
            for i in range(count):
                sum_lanes(flat, i * width + lane, tables, (begin[last] + lane + np.int64(masks[last, i]) * width,))


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
