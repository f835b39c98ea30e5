"""Compiled walk of row lists through deep trees. Importing this file loads numba."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from skked._explanations._tree_kernels import compiled, n_levels

__all__ = ["stream"]

ROW_BLOCK = 2048  # rows of one list: long lists spread the cost of a node's background, short ones fit the cache


@intrinsic
def lowest_bit(context, word):
    """Position of the lowest set bit of a 64-bit word."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic
def count_bits(context, word):
    """Number of set bits of a 64-bit word."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@compiled
def goes_left(code, node, nodes):
    """Whether a code goes left at a node."""
    if nodes.category_start[node] >= 0:
        return nodes.category_left[nodes.category_start[node] + code]
    if code == nodes.missing:
        return nodes.missing_left[node]
    return code <= nodes.code[node]


@compiled
def split_list(first, count, lists, codes, row, node, nodes, bit, left_sets, right_sets):
    """Split a node's list: the right child's stays in front, the left child's follows it; both without dead rows."""
    index, fails, low, high = lists
    shift = np.uint64(nodes.slot[node])
    end_right, end_left = first, first + count
    for i in range(first, first + count):
        left = np.uint64(goes_left(codes[row + index[i]], node, nodes))
        failed = (fails[i] >> shift) & np.uint64(1)
        fails_left, fails_right = failed | (left ^ np.uint64(1)), failed | left
        passes_left = fails_left - np.uint64(1)  # all bits if the row passes, none if it fails
        passes_right = fails_right - np.uint64(1)
        mask, which, lows, highs = fails[i], index[i], low[i], high[i]
        index[end_left], fails[end_left] = which, mask | (fails_left << shift)
        low[end_left] = lows & (left_sets[0] | passes_left)
        high[end_left] = highs & (left_sets[1] | passes_left)
        end_left += (low[end_left] | high[end_left]) != 0
        index[end_right], fails[end_right] = which, mask | (fails_right << shift)
        low[end_right] = lows & (right_sets[0] | passes_right)
        high[end_right] = highs & (right_sets[1] | passes_right)
        end_right += (low[end_right] | high[end_right]) != 0
    n_right, n_left = end_right - first, end_left - first - count
    if n_right < count:
        for i in range(n_left):
            index[end_right + i] = index[first + count + i]
            fails[end_right + i] = fails[first + count + i]
            low[end_right + i] = low[first + count + i]
            high[end_right + i] = high[first + count + i]
    return n_left, n_right


@compiled
def split_background(fails, background, node, nodes, left_fails, right_fails):
    """Fail masks of the background rows in both children; the sets of those that pass there, two words each."""
    one = np.uint64(1)
    shift = np.uint64(nodes.slot[node])
    left_low = left_high = right_low = right_high = np.uint64(0)
    for b in range(len(background)):
        left = np.uint64(goes_left(background[b], node, nodes))
        failed = (fails[b] >> shift) & one
        in_left, in_right = failed | (left ^ one), failed | left
        mask = fails[b]
        left_fails[b] = mask | (in_left << shift)
        right_fails[b] = mask | (in_right << shift)
        place = np.uint64(b & 63)
        if b < 64:
            left_low |= (in_left ^ one) << place
            right_low |= (in_right ^ one) << place
        else:
            left_high |= (in_left ^ one) << place
            right_high |= (in_right ^ one) << place
    return (left_low, left_high), (right_low, right_high)


@compiled
def add_direct(first, count, lists, row, fails, weight, sizes, leaf, leaves, gain, loss, shares, phi):
    """Sum a leaf's shares over the set of each row in the list."""
    index, row_fails, low, high = lists
    n_groups, output = leaves.n_groups[leaf], leaves.output[leaf]
    groups = leaves.groups[leaves.group_start[leaf] : leaves.group_start[leaf + 1]]
    for i in range(first, first + count):
        mask = row_fails[i]
        m = count_bits(mask)
        shares[:n_groups] = 0.0
        lost = 0.0
        for half in range(2):
            members = low[i] if half == 0 else high[i]
            while members:
                b = 64 * half + np.int64(lowest_bit(members))
                members &= members - np.uint64(1)
                lost += weight[b] * loss[sizes[b], m]
                gained = weight[b] * gain[sizes[b], m]
                failing = fails[b]
                while failing:
                    shares[np.int64(lowest_bit(failing))] += gained
                    failing &= failing - np.uint64(1)
        while mask:
            shares[np.int64(lowest_bit(mask))] -= lost
            mask &= mask - np.uint64(1)
        if output >= 0:
            for slot in range(n_groups):
                phi[output, row + index[i], groups[slot]] += leaves.scale[leaf] * shares[slot]
        else:
            for each in range(phi.shape[0]):
                for slot in range(n_groups):
                    phi[each, row + index[i], groups[slot]] += leaves.value[leaf, each] * shares[slot]


@compiled
def stream(tree, codes, row_range, background, weight, nodes, leaves, gain, loss, phi):
    """Add the values of a range of rows for one tree and at most 128 background rows."""
    n_background, depth = len(weight), n_levels(nodes, tree)
    capacity = ROW_BLOCK * (depth + 1)
    lists = (
        np.empty(capacity, np.int32),  # number of the row in its block
        np.empty(capacity, np.uint64),  # the groups it fails
        np.empty(capacity, np.uint64),  # its set of background rows, the first 64
        np.empty(capacity, np.uint64),  # and the others
    )
    everyone = ~np.uint64(0)
    low_set = everyone if n_background >= 64 else (np.uint64(1) << np.uint64(n_background)) - np.uint64(1)
    high_set = np.uint64(0)
    if n_background > 64:
        high_set = everyone >> np.uint64(128 - n_background)
    # The stack: a node, where its list begins, its length, and the fail masks of the background.
    stack = np.empty((depth + 1, 3), np.int64)
    fails = np.zeros((depth + 2, n_background), np.uint64)
    sizes, shares = np.zeros(n_background, np.int64), np.empty(64)
    for row in range(row_range[0], row_range[1], ROW_BLOCK):
        count = min(ROW_BLOCK, row_range[1] - row)
        for i in range(count):
            lists[0][i], lists[1][i], lists[2][i], lists[3][i] = i, np.uint64(0), low_set, high_set
        fails[0] = np.uint64(0)
        stack[0, 0], stack[0, 1], stack[0, 2] = nodes.tree_start[tree], 0, count
        height = 1
        while height:
            height -= 1
            node, first, count = stack[height]
            leaf = leaves.number[node]
            if leaf >= 0:
                if leaves.output[leaf] != -2:
                    for b in range(n_background):
                        sizes[b] = count_bits(fails[height, b])
                    add_direct(
                        first, count, lists, row, fails[height], weight, sizes, leaf, leaves, gain, loss, shares, phi
                    )
                continue
            feature = nodes.feature[node]
            left_sets, right_sets = split_background(
                fails[height], background[feature], node, nodes, fails[height + 1], fails[height]
            )
            bit = np.uint64(1) << np.uint64(nodes.slot[node])
            n_left, n_right = split_list(
                first, count, lists, codes[feature], row, node, nodes, bit, left_sets, right_sets
            )
            if n_right:
                stack[height, 0], stack[height, 1], stack[height, 2] = nodes.right[node], first, n_right
                height += 1
            elif n_left:
                fails[height] = fails[height + 1]
            if n_left:
                stack[height, 0], stack[height, 1], stack[height, 2] = node + 1, first + n_right, n_left
                height += 1
    return 0
