"""Communities of an interaction graph by Louvain's method, made exactly M."""

import numpy as np

from skked._superfeatures.linkage import first_appearance

__all__ = ["louvain_communities", "modularity"]

_GAIN = 1e-12
_MAX_TO_MERGE_ALL = 200


def louvain_communities(affinity, n_groups, *, random_state, max_size=None):
    """Find exactly ``n_groups`` communities of large modularity.

    Louvain's method [1]_ (move single columns while modularity rises, then merge each community into a node, and
    again) finds as many communities as the graph has. If these are more than wanted, the two whose union costs the
    least modularity are merged; if fewer, the community whose best bisection (by the leading eigenvector of its
    modularity matrix [2]_) costs the least is split; single columns then move once more, never emptying a community.
    The same is tried from a single community and, up to 200 columns, from single columns; the best result is kept. So
    there is always an answer, and no resolution to search for.

    Parameters
    ----------
    affinity : ndarray of shape (n_columns, n_columns)
        Non-negative symmetric edge weights; the diagonal is ignored.
    n_groups : int
        Number of communities, 1 to n_columns.
    random_state : numpy.random.RandomState
        Order of the moves.
    max_size : int, optional
        Largest number of columns in a community, at least ``n_columns / n_groups``.

    Returns
    -------
    int ndarray of shape (n_columns,)
        Labels by first appearance.

    Notes
    -----
    Modularity is ``Q = sum_g [ W_gg / 2m - (k_g / 2m)^2 ]``, with ``W_gg`` the weight inside community g counted in
    both directions, ``k_g`` the sum of its degrees and ``2m`` the total weight.

    References
    ----------
    .. [1] V. Blondel, J.-L. Guillaume, R. Lambiotte, E. Lefebvre, "Fast unfolding of communities in large networks"
       (2008). https://doi.org/10.1088/1742-5468/2008/10/P10008
    .. [2] M. Newman, "Modularity and community structure in networks" (2006).
       https://doi.org/10.1073/pnas.0601602103
    """
    benefit = _benefit(affinity)
    limit = len(benefit) if max_size is None else max_size
    starts = [_louvain(benefit, random_state, limit), np.zeros(len(benefit), dtype=np.intp)]
    if len(benefit) <= _MAX_TO_MERGE_ALL:
        starts.append(np.arange(len(benefit)))
    found = [_exactly(benefit, start, n_groups, random_state, limit) for start in starts]
    within_limit = [labels for labels in found if np.bincount(labels).max() <= limit]
    return max(within_limit, key=lambda labels: np.trace(_summed(benefit, labels)))


def _exactly(benefit, labels, n_groups, random_state, limit):
    while labels.max() + 1 > n_groups:
        labels = _merge_cheapest(benefit, labels, limit)
    while labels.max() + 1 < n_groups:
        labels = _split_cheapest(benefit, labels)
    return first_appearance(_move(benefit, labels, random_state, limit, keep_groups=True))


def modularity(affinity, labels):
    """Modularity of a partition, -1/2 to 1."""
    same = np.equal.outer(labels, labels)
    benefit = _benefit(affinity)
    return float(benefit[same].sum() + _self_benefit(affinity).sum())


def _benefit(affinity):
    """Modularity gained by each pair of columns in one community (both directions); zero diagonal."""
    weight = np.array(affinity, dtype=np.float64)
    np.fill_diagonal(weight, 0.0)
    total = weight.sum()
    if total <= 0:
        return np.zeros_like(weight)
    degree = weight.sum(axis=0) / total
    benefit = weight / total - np.outer(degree, degree)
    np.fill_diagonal(benefit, 0.0)
    return benefit


def _self_benefit(affinity):
    weight = np.array(affinity, dtype=np.float64)
    np.fill_diagonal(weight, 0.0)
    return -((weight.sum(axis=0) / max(weight.sum(), np.finfo(float).tiny)) ** 2)


def _louvain(benefit, random_state, limit):
    labels = np.arange(len(benefit))
    while True:
        nodes = _summed(benefit, labels)
        sizes = np.bincount(labels)
        moved = first_appearance(_move(nodes, np.arange(len(nodes)), random_state, limit, sizes=sizes))
        if moved.max() + 1 == len(nodes):
            return labels
        labels = moved[labels]


def _summed(benefit, labels):
    """Benefit between communities: (n_groups, n_groups)."""
    indicator = np.eye(labels.max() + 1)[labels]
    return indicator.T @ benefit @ indicator


def _move(benefit, labels, random_state, limit, *, sizes=None, keep_groups=False):
    """Move single nodes to the community where they add most, until no move helps."""
    labels = labels.copy()
    n_groups = labels.max() + 1
    node_size = np.ones(len(labels)) if sizes is None else sizes
    size = np.bincount(labels, weights=node_size, minlength=n_groups)
    count = np.bincount(labels, minlength=n_groups)
    toward = benefit - np.diag(np.diag(benefit))
    toward = toward @ np.eye(n_groups)[labels]  # benefit of node with each community, itself left out
    improved = True
    while improved:
        improved = False
        for node in random_state.permutation(len(labels)):
            here = labels[node]
            if keep_groups and count[here] == 1:
                continue
            gain = toward[node] - toward[node, here]
            gain[(size + node_size[node] > limit) & (np.arange(n_groups) != here)] = -np.inf
            there = gain.argmax()
            if gain[there] <= _GAIN:
                continue
            labels[node] = there
            size[here] -= node_size[node]
            size[there] += node_size[node]
            count[here] -= 1
            count[there] += 1
            others = benefit[:, node].copy()
            others[node] = 0.0
            toward[:, here] -= others
            toward[:, there] += others
            improved = True
    return labels


def _merge_cheapest(benefit, labels, limit):
    between = _summed(benefit, labels)
    sizes = np.bincount(labels)
    fits = np.add.outer(sizes, sizes) <= limit
    np.fill_diagonal(fits, False)
    if not fits.any():
        return _dissolve_smallest(benefit, labels, limit)
    first, second = np.unravel_index(np.where(fits, between, -np.inf).argmax(), between.shape)
    return first_appearance(np.where(labels == second, first, labels))


def _dissolve_smallest(benefit, labels, limit):
    """Spread the smallest community over the others where no two fit together under the limit."""
    labels = labels.copy()
    sizes = np.bincount(labels)
    smallest = sizes.argmin()
    for column in np.flatnonzero(labels == smallest):
        gain = np.bincount(labels, weights=benefit[column], minlength=len(sizes))
        gain[(sizes >= limit) | (np.arange(len(sizes)) == smallest)] = -np.inf
        labels[column] = gain.argmax()
        sizes[labels[column]] += 1
    return first_appearance(labels)


def _split_cheapest(benefit, labels):
    best, best_cut = None, np.inf
    for group in range(labels.max() + 1):
        inside = np.flatnonzero(labels == group)
        if len(inside) < 2:
            continue
        part = _bisection(benefit[np.ix_(inside, inside)])
        cut = benefit[np.ix_(inside[part], inside[~part])].sum()
        if cut < best_cut:
            best, best_cut = inside[part], cut
    labels = labels.copy()
    labels[best] = labels.max() + 1
    return labels


def _bisection(benefit):
    leading = np.linalg.eigh(benefit)[1][:, -1]
    part = leading > np.median(leading) if (leading > 0).all() or (leading <= 0).all() else leading > 0
    if part.all() or not part.any():
        part = np.arange(len(part)) < (len(part) + 1) // 2
    return part
