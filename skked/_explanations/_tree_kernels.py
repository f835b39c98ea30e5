"""Compiled kernels of the leaf tables. Importing this file loads numba, so it is imported inside functions only."""

import functools

import numba
import numpy as np

from skked._explanations import _tree_paths

__all__ = ["add_leaves", "compiled", "fill_tables", "find_paths"]


def compiled(function):
    """Compile without the GIL, cached on disk where a cache directory is writable."""
    try:
        return numba.njit(function, nogil=True, cache=True)
    except RuntimeError:  # numba found no place for its cache
        return numba.njit(function, nogil=True)


_walk = compiled(_tree_paths._walk)
find_paths = functools.partial(_tree_paths.find_paths, walk=_walk)


@compiled
def split(codes, first, count, node_code, missing, missing_left, directions, bit, here, below):
    """Fail masks of a node's rows for its children: ``below`` becomes the left child's, ``here`` the right child's."""
    zero = np.uint16(0)
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
        directions, np.uint16(1 << nodes.slot[node]), masks[level], masks[level + 1],
    )  # fmt: skip


@compiled
def shapley_table(histogram, n_groups, scale, weights, n_bits, sums, table):
    """Shares of one leaf's groups for every fail mask of a row, from the background's histogram of fail masks."""
    full = (1 << n_groups) - 1
    sums[: full + 1] = 0.0
    for fails in range(full + 1):
        weight = histogram[fails] * scale
        if weight == 0.0:
            continue
        size = n_bits[fails]
        free = full & ~fails
        subset = free
        while True:  # over the supersets of ``fails``
            passes = fails | subset
            n_row_fails = n_groups - n_bits[passes]
            for kind in range(3):
                sums[passes, kind] += weight * weights[size, n_row_fails, kind]
            if subset == 0:
                break
            subset = (subset - 1) & free
    for slot in range(n_groups):
        bit = 1 << slot
        for row_fails in range(full + 1):
            passes = full ^ row_fails
            if passes & bit:
                table[(slot << n_groups) + row_fails] = sums[passes, 0] - sums[passes ^ bit, 1]
            else:
                table[(slot << n_groups) + row_fails] = -sums[passes, 2]


@compiled
def fill_tables(tree_range, codes, row_weight, nodes, leaves, weights, n_bits, max_groups, table_start, tables):
    """Tables of all leaves of a range of trees; ``tables`` begins with the first of them."""
    n = codes.shape[1]
    histogram = np.zeros(1 << max_groups)
    sums = np.empty((1 << max_groups, 3))
    origin = table_start[leaves.tree_start[tree_range[0]]]
    for tree in range(tree_range[0], tree_range[1]):
        masks = np.zeros((n_levels(nodes, tree), n), np.uint16)
        for node in range(nodes.tree_start[tree], nodes.tree_start[tree + 1]):
            leaf = leaves.number[node]
            if leaf < 0:
                descend(codes, 0, n, nodes, node, masks)
                continue
            n_groups = leaves.n_groups[leaf]
            if n_groups == 0 or leaves.output[leaf] == -2:
                continue
            histogram[: 1 << n_groups] = 0.0
            mask = masks[nodes.level[node]]
            for i in range(n):
                histogram[mask[i]] += row_weight[i]
            table = tables[table_start[leaf] - origin : table_start[leaf + 1] - origin]
            shapley_table(histogram, n_groups, leaves.scale[leaf], weights, n_bits, sums, table)


@compiled
def n_levels(nodes, tree):
    """Number of mask buffers that a tree's walk needs."""
    deepest = 0
    for node in range(nodes.tree_start[tree], nodes.tree_start[tree + 1]):
        deepest = max(deepest, nodes.level[node])
    return deepest + 2


@compiled
def add_leaves(tree_range, codes, row_range, block, nodes, leaves, table_start, tables, phi):
    """Add the shares of all leaves of a range of trees to ``phi`` (outputs, groups, rows), for a range of rows."""
    origin = table_start[leaves.tree_start[tree_range[0]]]
    depth = 0
    for tree in range(tree_range[0], tree_range[1]):
        depth = max(depth, n_levels(nodes, tree))
    masks = np.zeros((depth, block), np.uint16)
    for first in range(row_range[0], row_range[1], block):
        count = min(block, row_range[1] - first)
        for tree in range(tree_range[0], tree_range[1]):
            masks[0] = 0
            for node in range(nodes.tree_start[tree], nodes.tree_start[tree + 1]):
                leaf = leaves.number[node]
                if leaf < 0:
                    descend(codes, first, count, nodes, node, masks)
                    continue
                n_groups, output = leaves.n_groups[leaf], leaves.output[leaf]
                mask = masks[nodes.level[node]]
                for slot in range(n_groups if output != -2 else 0):
                    start = table_start[leaf] - origin + (slot << n_groups)
                    share = tables[start : start + (1 << n_groups)]
                    group = leaves.groups[leaves.group_start[leaf] + slot]
                    if output >= 0:
                        total = phi[output, group, first : first + count]
                        for i in range(count):
                            total[i] += share[mask[i]]
                    else:
                        for each in range(phi.shape[0]):
                            value = tables.dtype.type(leaves.value[leaf, each])
                            if value != 0:
                                total = phi[each, group, first : first + count]
                                for i in range(count):
                                    total[i] += value * share[mask[i]]
