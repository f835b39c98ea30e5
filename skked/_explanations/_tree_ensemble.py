"""One array layout for every tree ensemble: nodes in preorder, rows as integer codes, splits that compare codes."""

import copy
import dataclasses
from collections.abc import Callable

import numpy as np

__all__ = ["NotExtractable", "Tree", "TreeEnsemble", "preorder", "rank_numbers"]


class NotExtractable(ValueError):
    """The estimator's trees cannot be read exactly; the message says why."""


@dataclasses.dataclass(frozen=True)
class Tree:
    """One tree as its library stores it, renumbered to preorder (the left child of node ``i`` is ``i + 1``).

    Parameters
    ----------
    feature : int array of shape (n_nodes,)
        Column of the encoded matrix that the node asks for; -1 at leaves.
    threshold : float array of shape (n_nodes,)
        A number ``x`` goes left when ``x <= threshold``.
    right : int array of shape (n_nodes,)
        Right child; unused at leaves.
    missing_left : bool array of shape (n_nodes,)
        Whether a missing value goes left.
    value : float array of shape (n_nodes, n_values)
        Leaf values: one number for a tree of one output, otherwise one per output.
    output : int, default=-1
        The output that a one-number tree adds to; -1 for trees with a value per output.
    category_left : dict of {int: bool array of shape (n_categories + 1,)}, default={}
        For each categorical node, whether each category goes left, then whether an unknown one does.
    """

    feature: np.ndarray
    threshold: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    output: int = -1
    category_left: dict = dataclasses.field(default_factory=dict)


def preorder(left, right):
    """Order that lists a tree's nodes depth first, left child first.

    Parameters
    ----------
    left, right : int arrays of shape (n_nodes,)
        Children; -1 at leaves. Node 0 is the root.

    Returns
    -------
    order : int array of shape (n_reachable,)
        Old number of each new node.
    new_right : int array of shape (n_reachable,)
        New number of the right child; -1 at leaves.
    """
    left, right = np.asarray(left, np.int64), np.asarray(right, np.int64)
    inner = np.flatnonzero(left >= 0)
    if np.array_equal(left[inner], inner + 1):  # most builders already write preorder; a walk in Python is slow
        return np.arange(len(left)), right
    order, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        if left[node] >= 0:
            waiting += [right[node], left[node]]
    order = np.asarray(order)
    position = np.full(len(left), -1)
    position[order] = np.arange(len(order))
    return order, np.where(left[order] >= 0, position[right[order]], -1)


def rank_numbers(values, thresholds, missing, codes):
    """Write the number of thresholds below each value, or ``missing`` where the value is missing.

    Parameters
    ----------
    values : float64 array of shape (n,)
    thresholds : float64 array
        In ascending order.
    missing : unsigned int
    codes : unsigned int array of shape (n,)
        The result.
    """
    codes[:] = np.searchsorted(thresholds, values, side="left")
    codes[np.isnan(values)] = missing


@dataclasses.dataclass
class TreeEnsemble:
    """A sum of trees over coded rows.

    Parameters
    ----------
    trees : list of Tree
        The trees.
    base : float array of shape (n_outputs,)
        What is added to the sum of the trees.
    space : {"margin", "probability", "prediction"}
        What the sum means. Binary boosters have one margin, the positive class's log-odds in nats.
    column : int array of shape (n_encoded,)
        Input column of each encoded feature.
    encode : callable
        The estimator's own encoding, table -> float array of shape (n, n_encoded), of the precision it compares with.
    response : callable
        The estimator's public output in the same space, table -> array of shape (n,) or (n, n_outputs).
    rounding : float, default=1e-9
        Largest difference to ``response``, relative to its size, that counts as rounding.
    category_counts : int array of shape (n_encoded,) or None, default=None
        Number of category codes of each categorical feature; 0 for numeric ones.

    Attributes
    ----------
    n_outputs : int
        Length of ``base``.
    n_trees : int
        Number of trees.
    tree_start : int array of shape (n_trees + 1,)
        First node of each tree in the concatenated node arrays ``feature, right, missing_left, node_code, value``.
    output : int array of shape (n_trees,)
        Output that each tree adds to; -1 for trees with a value per output.
    node_code : int array of shape (n_nodes,)
        Rank of the threshold among the thresholds of its feature: a row goes left when its code is at most this.
    category_start : int array of shape (n_nodes,)
        Where a categorical node's table of directions starts in ``category_left``; -1 for other nodes.

    Notes
    -----
    A number ``x`` is coded as the number of thresholds of its feature that are smaller than ``x``, so
    ``x <= threshold[j]`` is ``code(x) <= j`` without any rounding. A category keeps its number ``c < K``; unknown
    categories are coded ``K`` and missing ones ``K + 1``. A missing number has the code ``missing``, the largest of
    the code type.
    """

    trees: dataclasses.InitVar[list]
    base: np.ndarray
    space: str
    column: np.ndarray
    encode: Callable
    response: Callable
    rounding: float = 1e-9
    category_counts: np.ndarray | None = None

    def __post_init__(self, trees):
        self.base = np.atleast_1d(np.asarray(self.base, np.float64))
        self.n_outputs, self.n_trees = len(self.base), len(trees)
        self.column = np.asarray(self.column, np.int64)
        self.tree_start = np.concatenate([[0], np.cumsum([len(tree.feature) for tree in trees])]).astype(np.int64)
        self.output = np.asarray([tree.output for tree in trees], np.int32)
        self.feature = np.concatenate([tree.feature for tree in trees]).astype(np.int32)
        self.threshold = np.concatenate([tree.threshold for tree in trees]).astype(np.float64)
        self.right = np.concatenate([tree.right for tree in trees]).astype(np.int32)
        self.missing_left = np.concatenate([tree.missing_left for tree in trees]).astype(np.bool_)
        self.value = np.ascontiguousarray(np.concatenate([tree.value for tree in trees]), np.float64)
        if self.category_counts is None:
            self.category_counts = np.zeros(len(self.column), np.int64)
        self._tabulate_categories(trees)
        self._rank_thresholds()

    def _tabulate_categories(self, trees):
        self.category_start = np.full(len(self.feature), -1, np.int64)
        tables, start = [np.zeros(0, np.bool_)], 0
        for first, tree in zip(self.tree_start, trees, strict=False):
            for node, directions in tree.category_left.items():
                self.category_start[first + node] = start
                tables.append(np.append(directions, tree.missing_left[node]).astype(np.bool_))
                start += len(tables[-1])
        self.category_left = np.concatenate(tables)

    def _rank_thresholds(self):
        self.thresholds_of = [np.zeros(0)] * len(self.column)
        self.node_code = np.zeros(len(self.feature), np.int64)
        numeric = (self.feature >= 0) & (self.category_start < 0)
        order = np.flatnonzero(numeric)
        order = order[np.argsort(self.feature[order], kind="stable")]
        features, first = np.unique(self.feature[order], return_index=True)
        for feature, nodes in zip(features, np.split(order, first)[1:], strict=True):
            self.thresholds_of[feature], self.node_code[nodes] = np.unique(self.threshold[nodes], return_inverse=True)
        largest = max(max(map(len, self.thresholds_of)), int(self.category_counts.max()) + 2)
        self.code_type = np.dtype(np.uint16 if largest < 65535 else np.uint32)
        self.missing = np.iinfo(self.code_type).max
        self.node_code = self.node_code.astype(self.code_type)

    def with_outputs(self, output, n_outputs):
        """The same trees, adding to other outputs, without the constant ``base``.

        Parameters
        ----------
        output : int array of shape (n_trees,)
            Output that each tree adds to; the trees must have one value per leaf.
        n_outputs : int
            Number of outputs.

        Returns
        -------
        ensemble : TreeEnsemble
            Shares its arrays with this one.
        """
        other = copy.copy(self)
        other.output, other.n_outputs = np.asarray(output, np.int32), int(n_outputs)
        other.base = np.zeros(other.n_outputs)
        return other

    def code(self, X, rank=rank_numbers):
        """Code the rows of a table.

        Parameters
        ----------
        X : table of shape (n, n_features)
            Rows as the estimator itself sees them.
        rank : callable, default=rank_numbers
            Counts the thresholds below each number.

        Returns
        -------
        codes : unsigned int array of shape (n_encoded, n)
            The codes, one row per encoded feature.
        """
        encoded = self.encode(X)
        codes = np.zeros((len(self.column), len(encoded)), self.code_type)
        for feature, (thresholds, n_categories) in enumerate(
            zip(self.thresholds_of, self.category_counts, strict=True)
        ):
            if not n_categories and not len(thresholds):
                continue
            values = np.ascontiguousarray(encoded[:, feature], np.float64)
            if n_categories:
                missing = np.isnan(values)
                known = (values > -1) & (values < n_categories)
                codes[feature] = n_categories
                codes[feature, known] = values[known]
                codes[feature, missing] = n_categories + 1
            else:
                rank(values, thresholds, self.code_type.type(self.missing), codes[feature])
        return codes

    def predict_codes(self, codes, block=65536):
        """Sum of the trees plus ``base`` for coded rows.

        Parameters
        ----------
        codes : unsigned int array of shape (n_encoded, n)
            From ``code``.
        block : int, default=65536
            Number of (row, tree) pairs walked together.

        Returns
        -------
        prediction : float array of shape (n, n_outputs)
            The ensemble's output in its own space.
        """
        n = codes.shape[1]
        prediction = np.tile(self.base, (n, 1))
        step = max(1, block // max(1, self.n_trees))
        for start in range(0, n, step):
            rows = slice(start, min(n, start + step))
            value = self.value[self._leaves(codes[:, rows])]  # (rows, trees, values)
            if self.value.shape[1] > 1 or self.output[0] < 0:
                prediction[rows] += value.sum(axis=1)
            else:
                for output in range(self.n_outputs):
                    prediction[rows, output] += value[:, self.output == output, 0].sum(axis=1)
        return prediction

    def _leaves(self, codes):
        """Node in which each row ends in each tree, int array of shape (n, n_trees)."""
        n = codes.shape[1]
        first = self.tree_start[:-1]
        node = np.tile(first, (n, 1))
        rows, trees = np.nonzero(self.feature[node] >= 0)
        while len(rows):
            here = node[rows, trees]
            left = self.goes_left(here, codes[self.feature[here], rows])
            there = np.where(left, here + 1, first[trees] + self.right[here])
            node[rows, trees] = there
            inner = self.feature[there] >= 0
            rows, trees = rows[inner], trees[inner]
        return node

    def goes_left(self, node, code):
        """Whether rows with these codes go left at these nodes, bool array."""
        start = self.category_start[node]
        numeric = np.where(code == self.missing, self.missing_left[node], code <= self.node_code[node])
        if not len(self.category_left):
            return numeric
        entry = np.where(start >= 0, start + code.astype(np.int64), 0)
        return np.where(start >= 0, self.category_left[entry], numeric)
