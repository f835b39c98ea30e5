"""Compiled kernels for functions of a tree ensemble's output. Importing this file loads numba."""

import numpy as np

from skked._explanations._tree_kernels import compiled, descend, n_levels
from skked._explanations._tree_stream_kernels import count_bits, lowest_bit

__all__ = ["all_coalitions", "fail_masks", "leaf_words", "some_coalitions"]

IDENTITY, SIGMOID, SOFTMAX, LOG_ODDS = range(4)


@compiled
def fail_masks(codes, first, count, nodes, leaves, masks_at_leaf):
    """Fail masks of coded rows at all leaves (leaves, rows); the bits are those of ``nodes.slot``."""
    for tree in range(len(nodes.tree_start) - 1):
        masks = np.zeros((n_levels(nodes, tree), count), masks_at_leaf.dtype)
        for node in range(nodes.tree_start[tree], nodes.tree_start[tree + 1]):
            leaf = leaves.number[node]
            if leaf < 0:
                descend(codes, first, count, nodes, node, masks)
            else:
                masks_at_leaf[leaf] = masks[nodes.level[node]]


@compiled
def apply_link(output, n_outputs, link, floor, scratch):
    """Replace outputs (classes, n), of which the first ``n_outputs`` are given, by a link of them."""
    n = output.shape[1]
    one, two = scratch[0], scratch[1]
    if link == SIGMOID:
        for i in range(n):
            output[1, i] = 1.0 / (1.0 + np.exp(-output[0, i]))
            output[0, i] = 1.0 - output[1, i]
    elif link == SOFTMAX:
        one[:n] = output[0]
        for each in range(1, n_outputs):
            for i in range(n):
                one[i] = max(one[i], output[each, i])
        two[:n] = 0.0
        for each in range(n_outputs):
            for i in range(n):
                output[each, i] = np.exp(output[each, i] - one[i])
                two[i] += output[each, i]
        for i in range(n):
            two[i] = 1.0 / two[i]
        for each in range(n_outputs):
            for i in range(n):
                output[each, i] *= two[i]
    elif link == LOG_ODDS:  # centred log probabilities; the last class is what the others leave
        n_classes = n_outputs + 1
        output[n_outputs] = 1.0
        one[:n] = 0.0
        for each in range(n_classes):
            for i in range(n):
                if each < n_outputs:
                    output[n_outputs, i] -= output[each, i]
                output[each, i] = np.log((1.0 - floor) * max(output[each, i], 0.0) + floor / n_classes)
                one[i] += output[each, i]
        for each in range(n_classes):
            for i in range(n):
                output[each, i] -= one[i] / n_classes


@compiled
def add_indicator(row_fails, background_fails, weight, leaf, leaves, coefficients):
    """Add the Moebius coefficients of one leaf for one pair of rows.

    A coalition reaches the leaf when it holds all groups that fail in the background and none that fail in the row:
    prod_{g in f} s_g prod_{g in m} (1 - s_g) = sum over subsets u of m of (-1)^|u| [f or u is in the coalition].
    """
    output = leaves.output[leaf]
    subset = row_fails
    while True:
        sign = -weight if count_bits(np.uint64(subset)) & np.uint64(1) else weight
        place = np.int64(background_fails | subset)
        if output >= 0:
            coefficients[output, place] += sign * leaves.scale[leaf]
        else:
            for each in range(len(coefficients)):
                coefficients[each, place] += sign * leaves.value[leaf, each]
        if subset == 0:
            break
        subset = (subset - 1) & row_fails


@compiled
def sum_over_subsets(coefficients):
    """Turn Moebius coefficients into the values of all coalitions, in place."""
    for each in range(len(coefficients)):
        values, half = coefficients[each], 1
        while half < len(values):
            for start in range(0, len(values), 2 * half):
                for i in range(start, start + half):
                    values[i + half] += values[i]
            half *= 2


@compiled
def all_coalitions(row_masks, background_masks, weight, leaves, base, link, floor, values):
    """Values (rows, outputs, 2**M) of all coalitions: means over the background of a link of the ensemble's output."""
    n_leaves = row_masks.shape[1]
    n_outputs, n_classes, n_coalitions = len(base), values.shape[1], values.shape[2]
    outputs = np.empty((n_classes, n_coalitions))
    scratch = np.empty((2, n_coalitions))
    coefficients = outputs[:n_outputs]
    for row in range(len(row_masks)):
        coefficients[:] = 0.0
        values[row] = 0.0
        for b in range(len(background_masks)):
            factor = 1.0
            if link == IDENTITY:  # a linear game: one sum over subsets serves the whole background
                factor = weight[b]
            else:
                coefficients[:] = 0.0
            for leaf in range(n_leaves):
                m, f = row_masks[row, leaf], background_masks[b, leaf]
                if (m & f) == 0 and leaves.output[leaf] != -2:
                    add_indicator(m, f, factor, leaf, leaves, coefficients)
            if link != IDENTITY:
                add_base(coefficients, base)
                sum_over_subsets(coefficients)
                apply_link(outputs, n_outputs, link, floor, scratch)
                for each in range(n_classes):
                    for i in range(n_coalitions):
                        values[row, each, i] += weight[b] * outputs[each, i]
        if link == IDENTITY:
            add_base(coefficients, base)
            sum_over_subsets(coefficients)
            values[row, :n_outputs] = coefficients


@compiled
def add_base(coefficients, base):
    """Add the constant, the coefficient of the empty set."""
    for each in range(len(base)):
        coefficients[each, 0] += base[each]


@compiled
def leaf_words(masks, leaves, word_start, words):
    """Sets of leaves whose conditions on a group a row meets, (words, groups, rows).

    Leaf ``l`` of a tree is bit ``l % 64`` of the tree's word ``l // 64``; ``word_start`` is each tree's first word.
    """
    words[:] = np.uint64(0)
    for tree in range(len(word_start) - 1):
        for leaf in range(leaves.tree_start[tree], leaves.tree_start[tree + 1]):
            number = leaf - leaves.tree_start[tree]
            word, bit = word_start[tree] + number // 64, np.uint64(1) << np.uint64(number % 64)
            for row in range(masks.shape[1]):
                mask = masks[leaf, row]
                for group in range(words.shape[1]):
                    if not (mask >> np.uint64(group)) & np.uint64(1):
                        words[word, group, row] |= bit


@compiled
def some_coalitions(
    row_words, background_words, word_start, weight, coalitions, leaves, base, link, floor, block, values
):
    """Values (rows, outputs, coalitions) of chosen coalitions, from sets of leaves.

    The one leaf that a mixed row reaches is in all sets of the row for the groups of the coalition, and in all sets of
    the background row for the others.
    """
    n_background, n_outputs, everyone = len(weight), len(base), ~np.uint64(0)
    widest = 0
    for tree in range(len(word_start) - 1):
        widest = max(widest, word_start[tree + 1] - word_start[tree])
    n_groups = coalitions.shape[1]
    n_classes = values.shape[1]
    sums = np.empty((row_words.shape[2], n_classes, block * n_background))
    scratch = np.empty((2, block * n_background))
    from_background = np.empty((widest, block, n_background), np.uint64)
    from_row = np.empty((widest, block), np.uint64)
    for start in range(0, len(coalitions), block):
        count = min(block, len(coalitions) - start)
        for row in range(len(sums)):
            for each in range(n_outputs):
                sums[row, each] = base[each]
        for tree in range(len(word_start) - 1):
            n_words = word_start[tree + 1] - word_start[tree]
            for word in range(n_words):
                for s in range(count):
                    members = from_background[word, s]
                    members[:] = everyone
                    for group in range(n_groups):
                        if not coalitions[start + s, group]:
                            other = background_words[word_start[tree] + word, group]
                            for b in range(n_background):
                                members[b] &= other[b]
            for row in range(row_words.shape[2]):
                for word in range(n_words):
                    for s in range(count):
                        members_of_row = everyone
                        for group in range(n_groups):
                            if coalitions[start + s, group]:
                                members_of_row &= row_words[word_start[tree] + word, group, row]
                        from_row[word, s] = members_of_row
                first = leaves.tree_start[tree]
                add_reached(from_row, from_background, count, n_words, first, leaves, sums[row])
        for row in range(len(sums)):
            used = sums[row, :, : count * n_background]
            apply_link(used, n_outputs, link, floor, scratch)
            for each in range(n_classes):
                for s in range(count):
                    total = 0.0
                    for b in range(n_background):
                        total += weight[b] * used[each, s * n_background + b]
                    values[row, each, start + s] = total


@compiled
def add_reached(from_row, from_background, count, n_words, first, leaves, sums):
    """Add the value of the one leaf in both sets, for each coalition and background row."""
    n_background = from_background.shape[2]
    if n_words == 1 and leaves.value.shape[1] == 1:  # most boosters
        value = np.zeros(64)
        n_leaves = min(64, len(leaves.value) - first)
        value[:n_leaves] = leaves.value[first : first + n_leaves, 0]
        total = sums[max(leaves.output[first], 0)]
        for s in range(count):
            members, others = from_row[0, s], from_background[0, s]
            sums_of_coalition = total[s * n_background : (s + 1) * n_background]
            for b in range(n_background):
                sums_of_coalition[b] += value[lowest_bit(members & others[b]) & np.uint64(63)]
        return
    for s in range(count):
        for b in range(n_background):
            leaf = first
            for word in range(n_words):
                both = from_row[word, s] & from_background[word, s, b]
                if both:
                    leaf = first + 64 * word + np.int64(lowest_bit(both))
                    break
            if leaves.value.shape[1] == 1:
                sums[max(leaves.output[first], 0), s * n_background + b] += leaves.value[leaf, 0]
            else:
                for each in range(leaves.value.shape[1]):
                    sums[each, s * n_background + b] += leaves.value[leaf, each]
