"""Compiled kernels for functions of a tree ensemble's output. Importing this file loads numba."""

import math

import numpy as np

from skked._explanations._tree_kernels import compiled, descend, n_levels
from skked._explanations._tree_stream_kernels import count_bits, lowest_bit

__all__ = ["add_all_coalitions", "fail_masks", "leaf_words", "some_coalitions"]

IDENTITY, SIGMOID, SOFTMAX, LOG_ODDS = range(4)
INVERSE_LOG_2, LOG_2_HIGH, LOG_2_LOW = 1.4426950408889634, 6.93147180369123816490e-01, 1.90821492927058770002e-10
SERIES = tuple(1 / math.factorial(term) for term in range(14))
SHIFT, ONE = 1.5 * 2.0**52, 1023 << 52  # the exponent of 1.0, in its place


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
                here, there = masks[nodes.level[node]], masks_at_leaf[leaf]
                for i in range(count):  # not a slice, whose check of shapes would take seconds to compile
                    there[i] = here[i]


@compiled
def exponentiate(values, scratch):
    """Replace numbers up to 0 by their exponentials, to 2e-16 of these; below -708 the smallest stands for all.

    ``exp(v) = 2^k exp(r)`` with k an integer and r at most half of log 2, whose series ends after 14 terms. Unlike
    ``np.exp`` these are plain operations, which a compiler applies to vectors, in a third of the time.
    """
    n = len(values)
    shifted, bits = scratch[:n], scratch[:n].view(np.int64)
    for i in range(n):
        values[i] = max(values[i], -708.0)
        shifted[i] = values[i] * INVERSE_LOG_2 + SHIFT  # rounds: the last bits of the sum are those of k
    for i in range(n):
        k = shifted[i] - SHIFT
        r = (values[i] - k * LOG_2_HIGH) - k * LOG_2_LOW
        series = SERIES[13]
        for term in range(12, -1, -1):
            series = SERIES[term] + series * r
        values[i] = series
    for i in range(n):
        bits[i] = (bits[i] << 52) + ONE
    for i in range(n):
        values[i] *= shifted[i]


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
        one[:n] = -np.inf
        for each in range(n_outputs):
            for i in range(n):
                one[i] = max(one[i], output[each, i])
        two[:n] = 0.0
        for each in range(n_outputs):
            of_class = output[each]
            for i in range(n):
                of_class[i] -= one[i]
            exponentiate(of_class, scratch[2])
            for i in range(n):
                two[i] += of_class[i]
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
def add_indicators(row_fails, background_fails, factor, alive, n_alive, leaves, coefficients):
    """Add the Moebius coefficients of all leaves that a pair of rows keeps alive.

    A coalition reaches a leaf when it holds all groups that fail in the background and none that fail in the row:
    prod_{g in f} s_g prod_{g in m} (1 - s_g) = sum over subsets u of m of (-1)^|u| [f or u is in the coalition].
    """
    for n_fails in range(len(n_alive)):
        for leaf in alive[n_fails, : n_alive[n_fails]]:
            needed, excluded = np.int64(background_fails[leaf]), np.int64(row_fails[leaf])
            output = leaves.output[leaf]
            if output >= 0:
                add_signed(needed, excluded, n_fails, factor * leaves.scale[leaf], coefficients[output])
                continue
            for each in range(len(coefficients)):
                add_signed(needed, excluded, n_fails, factor * leaves.value[leaf, each], coefficients[each])


@compiled
def add_signed(needed, excluded, n_excluded, value, coefficients):
    """Add a value at the needed groups with any even number of the excluded ones, take it off with any odd number."""
    subset = excluded
    for _ in range(1 << n_excluded):
        is_odd = count_bits(np.uint64(subset)) & np.uint64(1)
        coefficients[needed | subset] += -value if is_odd else value
        subset = (subset - 1) & excluded


@compiled
def sum_over_subsets(coefficients, spare):
    """Turn Moebius coefficients into the values of all coalitions, in place."""
    n_coalitions, half = coefficients.shape[1], coefficients.shape[1] >> 1
    for each in range(len(coefficients)):
        one, two, left = coefficients[each], spare[:n_coalitions], n_coalitions
        while left > 1:  # sums over one group, which becomes the last bit; all have been after as many turns
            low, high = two[:half], two[half:]
            for i in range(half):
                low[i] = one[2 * i]
                high[i] = one[2 * i] + one[2 * i + 1]
            one, two, left = two, one, left >> 1
        for i in range(n_coalitions):
            coefficients[each, i] = one[i]


@compiled
def list_passes(masks, leaves, passes):
    """Sets of leaves at which a row passes each group, (rows, groups, words); leaves without a value are in none."""
    passes[:] = np.uint64(0)
    for row in range(len(masks)):
        for word in range(passes.shape[2]):
            some = masks[row, 64 * word : 64 * word + 64]
            valued = leaves.output[64 * word : 64 * word + 64]
            for group in range(passes.shape[1]):
                members = np.uint64(0)
                for i in range(len(some)):
                    fails = np.uint64(some[i]) >> np.uint64(group) & np.uint64(1)
                    members |= (np.uint64(valued[i] != -2) & ~fails) << np.uint64(i)
                passes[row, group, word] = members


@compiled
def add_all_coalitions(
    row_masks, row_passes, background_masks, background_passes, weight, leaves, base, link, floor, values
):
    """Add to values (rows, outputs, 2**M) of all coalitions: a weighted sum of a link of the ensemble's output."""
    n_outputs, n_classes, n_coalitions = len(base), values.shape[1], values.shape[2]
    n_groups, n_words = row_passes.shape[1:]
    outputs = np.empty((n_classes, n_coalitions))
    scratch = np.empty((3, n_coalitions))
    coefficients = outputs[:n_outputs]
    alive, n_alive = np.empty((n_groups + 1, 64 * n_words), np.int32), np.empty(n_groups + 1, np.int64)
    for row in range(len(row_masks)):
        coefficients[:] = 0.0
        for b in range(len(background_masks)):
            factor = 1.0
            if link == IDENTITY:  # a linear game: one sum over subsets serves the whole background
                factor = weight[b]
            else:
                coefficients[:] = 0.0
            list_alive(row_passes[row], background_passes[b], row_masks[row], alive, n_alive)
            add_indicators(row_masks[row], background_masks[b], factor, alive, n_alive, leaves, coefficients)
            if link != IDENTITY:
                add_base(coefficients, base, 1.0)
                sum_over_subsets(coefficients, scratch[0])
                apply_link(outputs, n_outputs, link, floor, scratch)
                for each in range(n_classes):
                    for i in range(n_coalitions):
                        values[row, each, i] += weight[b] * outputs[each, i]
        if link == IDENTITY:
            add_base(coefficients, base, weight.sum())
            sum_over_subsets(coefficients, scratch[0])
            values[row, :n_outputs] += coefficients


@compiled
def list_alive(row_passes, background_passes, row_fails, alive, n_alive):
    """The leaves that some coalition reaches: at each of their groups the row passes, or the background row.

    They are listed by the number of groups that the row fails, so that work of one length follows another: a processor
    mispredicts lengths that vary.
    """
    n_alive[:] = 0
    for word in range(row_passes.shape[1]):
        members = ~np.uint64(0)
        for group in range(len(row_passes)):
            members &= row_passes[group, word] | background_passes[group, word]
        while members:
            leaf = 64 * word + np.int64(lowest_bit(members))
            members &= members - np.uint64(1)
            n_fails = np.int64(count_bits(np.uint64(row_fails[leaf])))
            alive[n_fails, n_alive[n_fails]] = leaf
            n_alive[n_fails] += 1


@compiled
def add_base(coefficients, base, factor):
    """Add a multiple of the constant, the coefficient of the empty set."""
    for each in range(len(base)):
        coefficients[each, 0] += factor * base[each]


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
    scratch = np.empty((3, block * n_background))
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
        for leaf in range(n_leaves):
            value[leaf] = leaves.value[first + leaf, 0]
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
