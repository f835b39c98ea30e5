"""From an affinity between columns to a tree, and from the tree to exactly M groups of bounded size."""

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

__all__ = ["LINKAGES", "cut_tree", "first_appearance", "group_columns", "size_limit", "tree_from_labels"]

_SQUARED = ("ward", "centroid", "median")
_UPDATES = {
    "single": lambda dik, djk, dij, si, sj, sk: np.minimum(dik, djk),
    "complete": lambda dik, djk, dij, si, sj, sk: np.maximum(dik, djk),
    "average": lambda dik, djk, dij, si, sj, sk: (si * dik + sj * djk) / (si + sj),
    "weighted": lambda dik, djk, dij, si, sj, sk: (dik + djk) / 2,
    "ward": lambda dik, djk, dij, si, sj, sk: ((si + sk) * dik + (sj + sk) * djk - sk * dij) / (si + sj + sk),
    "centroid": lambda dik, djk, dij, si, sj, sk: (si * dik + sj * djk) / (si + sj) - si * sj * dij / (si + sj) ** 2,
    "median": lambda dik, djk, dij, si, sj, sk: (dik + djk) / 2 - dij / 4,
    "summed": lambda dik, djk, dij, si, sj, sk: (np.sqrt(si) * dik + np.sqrt(sj) * djk) / np.sqrt(si + sj),
}
LINKAGES = tuple(_UPDATES)
# An oversized group is meant, not an accident of the linkage, if it is this dense inside (relative to the closest
# pair) and this many times denser inside than outwards.
_DENSE, _DENSER = 0.3, 4.0


def group_columns(affinity, n_groups, *, linkage="average", max_size=None):
    """Cluster columns hierarchically and cut the tree into exactly ``n_groups``.

    Parameters
    ----------
    affinity : ndarray of shape (n_columns, n_columns)
        Symmetric, non-negative; larger means closer.
    n_groups : int
        Number of groups, 1 to n_columns.
    linkage : str, default="average"
        One of scipy's methods, or ``"summed"``: merge the pair of groups with the largest summed affinity divided
        by the square root of the product of their sizes.
    max_size : int, optional
        Largest number of columns in a group, at least ``n_columns / n_groups``. By default 60 % of the columns; with
        scipy's methods a group may be larger if its columns are clearly closer to each other than to the rest.

    Returns
    -------
    labels : int ndarray of shape (n_columns,)
        Group of each column, numbered by first appearance.
    tree : ndarray of shape (n_columns - 1, 4)
        scipy's linkage matrix with rising heights; undoing its last ``n_groups - 1`` merges gives ``labels``.
    """
    n_columns = len(affinity)
    if n_columns == 1:
        return np.zeros(1, dtype=np.intp), np.empty((0, 4))
    distance = _distance(affinity, linkage)
    tree = _free_tree(distance, linkage)
    labels = cut_tree(tree, n_groups)
    limit = size_limit(n_columns, n_groups, 0.6) if max_size is None else max_size
    largest = np.bincount(labels).argmax()
    fits = (labels == largest).sum() <= limit
    if fits or (max_size is None and linkage != "summed" and _cohesive(affinity, labels == largest)):
        return labels, tree
    labels = _capped_labels(distance, linkage, n_groups, limit)
    return labels, tree_from_labels(affinity, labels, linkage=linkage)


def size_limit(n_columns, n_groups, share):
    """Number of columns that a share stands for, never too few for ``n_groups`` groups to hold all columns."""
    return max(-(-n_columns // n_groups), int(np.ceil(share * n_columns)))


def tree_from_labels(affinity, labels, *, linkage="average"):
    """Build the linkage matrix that merges inside the given groups first, and the groups afterwards.

    Parameters
    ----------
    affinity : ndarray of shape (n_columns, n_columns)
        Symmetric, non-negative.
    labels : int ndarray of shape (n_columns,)
        The groups.
    linkage : str, default="average"
        As in `group_columns`.

    Returns
    -------
    ndarray of shape (n_columns - 1, 4)
        scipy's linkage matrix with rising heights.
    """
    merging = _Merging(_distance(affinity, linkage), linkage)
    group = np.asarray(labels)
    merging.run(1, lambda slot: group == group[slot])
    merging.run(1, lambda slot: np.ones(len(group), dtype=bool))
    return merging.tree()


def cut_tree(tree, n_groups):
    """Undo the last merges of a linkage matrix until there are ``n_groups`` groups.

    Parameters
    ----------
    tree : ndarray of shape (n_columns - 1, 4)
        scipy's linkage matrix.
    n_groups : int
        Number of groups.

    Returns
    -------
    int ndarray of shape (n_columns,)
        Labels by first appearance.
    """
    n_columns = len(tree) + 1
    label = np.arange(n_columns)
    members = {column: [column] for column in range(n_columns)}
    for step, (left, right) in enumerate(tree[: n_columns - n_groups, :2].astype(int)):
        members[n_columns + step] = members.pop(left) + members.pop(right)
    for group, columns in enumerate(members.values()):
        label[columns] = group
    return first_appearance(label)


def first_appearance(labels):
    """Renumber labels 0, 1, 2, ... in the order in which they first appear."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.intp)
    place[np.argsort(first)] = np.arange(len(first))
    return place[inverse.ravel()]


def _distance(affinity, linkage):
    """Distances whose smallest is merged first: 1 - affinity, or its negative where affinities are summed."""
    largest = max(affinity[~np.eye(len(affinity), dtype=bool)].max(), 1.0)
    distance = -affinity if linkage == "summed" else 1.0 - affinity / largest
    np.fill_diagonal(distance, 0.0)
    return distance


def _free_tree(distance, linkage):
    if linkage != "summed":
        tree = hierarchy.linkage(squareform(distance, checks=False), linkage)
        tree[:, 2] = np.maximum.accumulate(tree[:, 2])
        return tree
    merging = _Merging(distance, linkage)
    merging.run(1, lambda slot: np.ones(len(distance), dtype=bool))
    return merging.tree()


def _cohesive(affinity, inside):
    within = affinity[np.ix_(inside, inside)][~np.eye(inside.sum(), dtype=bool)]
    outwards = affinity[np.ix_(inside, ~inside)]
    return within.mean() >= max(_DENSE * within.max(), _DENSER * (outwards.mean() if outwards.size else 0.0))


def _capped_labels(distance, linkage, n_groups, limit):
    merging = _Merging(distance, linkage)
    merging.run(n_groups, lambda slot: merging.sizes + merging.sizes[slot] <= limit)
    labels = merging.labels()
    while labels.max() + 1 > n_groups:
        labels = _dissolve_smallest(distance, labels, limit)
    return labels


def _dissolve_smallest(distance, labels, limit):
    """Give the columns of the smallest group to the nearest groups with room.

    Merging under a size limit can get stuck (three groups of two, limit three, two groups wanted). As long as
    ``n_groups * limit`` columns fit, the other groups have room for all columns of the smallest.
    """
    sizes = np.bincount(labels)
    smallest = sizes.argmin()
    kept = np.flatnonzero(np.arange(len(sizes)) != smallest)
    labels = labels.copy()
    for column in np.flatnonzero(labels == smallest):
        mean = np.array([distance[column, labels == group].mean() for group in kept])
        mean[sizes[kept] >= limit] = np.inf
        labels[column] = kept[mean.argmin()]
        sizes[labels[column]] += 1
    return first_appearance(labels)


class _Merging:
    """Greedy agglomeration by Lance and Williams' updates, where some merges may be forbidden.

    Slot i holds a group; merging (i, j) leaves the union in i and empties j. The nearest allowed partner of every
    slot is remembered, so a merge costs a few rows rather than the whole matrix.
    """

    def __init__(self, distance, linkage):
        self.squared = linkage in _SQUARED
        self.update = _UPDATES[linkage]
        self.distance = distance**2 if self.squared else distance.copy()
        np.fill_diagonal(self.distance, np.inf)
        n_columns = len(distance)
        self.sizes = np.ones(n_columns)
        self.node = np.arange(n_columns)
        self.alive = np.ones(n_columns, dtype=bool)
        self.slot_of = np.arange(n_columns)
        self.rows = []

    def run(self, n_groups, allowed):
        """Merge the nearest allowed pair until ``n_groups`` are left or nothing is allowed."""
        nearest = np.full(len(self.alive), -1)
        reach = np.full(len(self.alive), np.inf)

        def look(slot):
            row = np.where(allowed(slot) & self.alive, self.distance[slot], np.inf)
            nearest[slot], reach[slot] = row.argmin(), row.min()

        for slot in np.flatnonzero(self.alive):
            look(slot)
        while self.alive.sum() > n_groups:
            i = reach.argmin()
            if reach[i] == np.inf:
                return
            i, j = sorted((i, nearest[i]))
            self._merge(i, j)
            reach[j] = np.inf
            look(i)
            others = self.alive & (np.arange(len(self.alive)) != i)
            closer = others & allowed(i) & (self.distance[i] < reach)
            nearest[closer], reach[closer] = i, self.distance[i, closer]
            for slot in np.flatnonzero(others & ~closer & ((nearest == i) | (nearest == j))):
                look(slot)

    def _merge(self, i, j):
        si, sj = self.sizes[i], self.sizes[j]
        self.rows.append((self.node[i], self.node[j], self.distance[i, j], si + sj))
        others = np.flatnonzero(self.alive)
        others = others[(others != i) & (others != j)]
        row = self.update(
            self.distance[i, others], self.distance[j, others], self.distance[i, j], si, sj, self.sizes[others]
        )
        self.distance[i, others] = self.distance[others, i] = row
        self.alive[j] = False
        self.sizes[i] = si + sj
        self.node[i] = len(self.node) + len(self.rows) - 1
        self.slot_of[self.slot_of == j] = i

    def labels(self):
        return first_appearance(self.slot_of)

    def tree(self):
        tree = np.array(self.rows, dtype=np.float64)
        tree[:, :2].sort(axis=1)
        height = np.sqrt(np.maximum(tree[:, 2], 0.0)) if self.squared else tree[:, 2] - min(tree[:, 2].min(), 0.0)
        tree[:, 2] = np.maximum.accumulate(height)
        return tree
