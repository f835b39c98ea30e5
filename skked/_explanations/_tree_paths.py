"""Which groups a leaf's path asks about: the structure that every tree engine shares."""

import collections

import numpy as np

__all__ = ["Leaves", "Nodes", "find_paths"]

Nodes = collections.namedtuple(
    "Nodes",
    "tree_start feature right code missing missing_left slot level category_start category_stop category_left",
)
Nodes.__doc__ = """Node arrays as the engines read them.

``slot`` is the position of a node's group among the groups of the path to it, in order of first appearance; ``level``
the buffer that holds a node's rows during the walk: a right child takes its parent's buffer, a left child the next.
"""

Leaves = collections.namedtuple("Leaves", "number node tree_start n_groups group_start groups output scale value")
Leaves.__doc__ = """Leaf arrays, leaves in preorder over all trees.

``number`` maps nodes to leaves (-1 elsewhere), ``groups[group_start[l] : group_start[l + 1]]`` are the groups of leaf
``l`` by slot, ``output`` the only output that the leaf has a value for (-1: several, -2: none), ``scale`` that value.
"""


def find_paths(ensemble, labels, n_outputs, walk=None):
    """Slots, levels and leaf groups of an ensemble under a grouping of the input columns.

    Parameters
    ----------
    ensemble : TreeEnsemble
        The trees.
    labels : int array of shape (n_features,)
        Superfeature of each input column.
    n_outputs : int
        Number of leading outputs to explain.
    walk : callable or None, default=None
        The compiled ``_walk``; None runs it in Python.

    Returns
    -------
    nodes : Nodes
    leaves : Leaves
    """
    walk = walk or _walk
    group = np.where(ensemble.feature >= 0, np.asarray(labels)[ensemble.column[ensemble.feature]], -1).astype(np.int32)
    n_nodes, is_leaf = len(group), ensemble.feature < 0
    slot, level, n_groups = np.zeros(n_nodes, np.uint8), np.zeros(n_nodes, np.int32), np.zeros(n_nodes, np.int32)
    start, path = np.zeros(n_nodes, np.int64), np.empty(int(group.max()) + 1, np.int32)
    arrays = ensemble.tree_start, group, ensemble.right, slot, level, n_groups, start
    walk(*arrays, np.empty(0, np.int32), path)
    node = np.flatnonzero(is_leaf)
    group_start = np.concatenate([[0], np.cumsum(n_groups[node])]).astype(np.int64)
    start[node] = group_start[:-1]
    groups = np.empty(group_start[-1], np.int32)
    walk(*arrays, groups, path)
    nodes = Nodes(
        tree_start=ensemble.tree_start,
        feature=ensemble.feature,
        right=_absolute(ensemble),
        code=ensemble.node_code,
        missing=ensemble.code_type.type(ensemble.missing),
        missing_left=ensemble.missing_left,
        slot=slot,
        level=level,
        category_start=ensemble.category_start,
        category_stop=ensemble.category_start + _category_sizes(ensemble),
        category_left=ensemble.category_left,
    )
    return nodes, _leaves(ensemble, node, n_groups, group_start, groups, n_outputs)


def _absolute(ensemble):
    trees = np.repeat(np.arange(ensemble.n_trees), np.diff(ensemble.tree_start))
    return ensemble.tree_start[trees] + ensemble.right


def _category_sizes(ensemble):
    return np.where(ensemble.feature >= 0, ensemble.category_counts[ensemble.feature] + 2, 0)


def _leaves(ensemble, node, n_groups, group_start, groups, n_outputs):
    number = np.full(len(ensemble.feature), -1, np.int64)
    number[node] = np.arange(len(node))
    tree_start = np.searchsorted(node, ensemble.tree_start)
    value = ensemble.value[node]
    if ensemble.output[0] >= 0:
        output = np.repeat(ensemble.output, np.diff(tree_start)).astype(np.int32)
        scale = value[:, 0]
    else:
        value = np.ascontiguousarray(value[:, :n_outputs])
        has_value = value != 0
        n_values, only = np.count_nonzero(has_value, axis=1), has_value.argmax(axis=1)
        output = np.select([n_values == 1, n_values == 0], [only, -2], -1).astype(np.int32)
        scale = np.where(n_values == 1, value[np.arange(len(node)), only], 1.0)
    return Leaves(
        number=number,
        node=node,
        tree_start=tree_start.astype(np.int64),
        n_groups=n_groups[node],
        group_start=group_start,
        groups=groups,
        output=output,
        scale=np.ascontiguousarray(scale),
        value=value,
    )


def _walk(tree_start, group, right, slot, level, n_groups, start, groups, path):
    """Fill ``slot``, ``level`` and ``n_groups``; with room in ``groups``, also list each leaf's groups from ``start``.

    The walk is in preorder, so the first ``n_groups[node]`` entries of ``path`` are the groups above ``node``: the left
    subtree of an ancestor only wrote behind them.
    """
    for tree in range(len(tree_start) - 1):
        first = tree_start[tree]
        level[first] = 0
        n_groups[first] = 0
        for node in range(first, tree_start[tree + 1]):
            known = n_groups[node]
            if group[node] < 0:
                if len(groups):
                    for i in range(known):  # a slice would be copied with a check of shapes, which compiles for seconds
                        groups[start[node] + i] = path[i]
                continue
            position = 0
            while position < known and path[position] != group[node]:
                position += 1
            path[position] = group[node]
            slot[node] = position
            child_known = max(known, position + 1)
            left_child, right_child = node + 1, first + right[node]
            n_groups[left_child] = child_known
            n_groups[right_child] = child_known
            level[left_child] = level[node] + 1
            level[right_child] = level[node]
