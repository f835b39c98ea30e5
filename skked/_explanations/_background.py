"""Rows that stand for "unknown": a few weighted medoids of the training table."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin

from skked._table import TableEncoder, n_rows, take_rows

__all__ = ["medoids"]

_ROWS_FOR_CLUSTERING = 10_000


def medoids(X, n_medoids, rng, sample_weight=None):
    """Real rows that represent a table, each with the weight of the rows it stands for.

    The table is encoded and clustered by k-means; a medoid is the row nearest to a centre. Being real rows, medoids
    hold valid categories and no averages. Beyond 10,000 rows a random 10,000 are clustered.

    Parameters
    ----------
    X : table of shape (n_samples, n_features)
    n_medoids : int
    rng : numpy.random.RandomState
    sample_weight : float array of shape (n_samples,), optional

    Returns
    -------
    rows : table of shape (n, n_features)
        At most `n_medoids` rows; all of them where there are not more.
    weight : float64 array of shape (n,)
        Sums to one.
    """
    n = n_rows(X)
    weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    index = np.flatnonzero(weight > 0)
    if len(index) > _ROWS_FOR_CLUSTERING:
        index = np.sort(rng.choice(index, _ROWS_FOR_CLUSTERING, replace=False))
    if len(index) > n_medoids:
        index, weight = _nearest_to_centres(take_rows(X, index), n_medoids, rng, index, weight[index])
    else:
        weight = weight[index]
    return take_rows(X, index), weight / weight.sum()


def _nearest_to_centres(X, n_medoids, rng, index, weight):
    encoded = TableEncoder().fit(X).transform(X)
    n_distinct = len(np.unique(encoded, axis=0))
    # Lloyd's step from k-means++ seeds converges well enough for a background within 20 steps.
    clusters = KMeans(min(n_medoids, n_distinct), n_init=1, max_iter=20, random_state=rng.randint(2**31 - 1))
    label = clusters.fit(encoded, sample_weight=weight).labels_
    nearest = pairwise_distances_argmin(clusters.cluster_centers_, encoded)
    mass = np.bincount(label, weights=weight, minlength=len(nearest))
    # Two centres may share their nearest row, whose weight is then the sum.
    chosen, slot = np.unique(nearest, return_inverse=True)
    return index[chosen], np.bincount(slot, weights=mass)
