"""Chimeric sets: new rows whose superfeatures come from different rows of a table."""

import numbers

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_random_state

from skked._table import as_table, assemble_rows, check_labels, check_weight, n_rows
from skked._validation import Interval, validate_params

__all__ = ["make_chimeric_set"]

_MOST_ROUNDS = 50
_FEWEST_DRAWS = 1000


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "superfeature_labels": ["array-like"],
        "n_samples": [Interval(numbers.Integral, 1, None, closed="left")],
        "swap": [Interval(numbers.Real, 0, 1, closed="right")],
        "y": ["array-like", None],
        "within_class": ["boolean"],
        "sample_weight": ["array-like", None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_chimeric_set(
    X,
    superfeature_labels,
    n_samples,
    *,
    swap=0.3,
    y=None,
    within_class=False,
    sample_weight=None,
    random_state=None,
):
    """Make new rows that take the columns of each superfeature from different rows.

    A chimera is plausible in every part, for each superfeature holds values that were observed together, and new as a
    whole. Labelled by the teacher, chimeras teach a student where rows are scarce.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n_rows, n_features)
        The table the parts come from.
    superfeature_labels : int array-like of shape (n_features,)
        Superfeature of each column, 0 to M - 1, as in ``FeatureAgglomeration.labels_``; M is at least 2.
    n_samples : int
        Number of chimeras.
    swap : float in (0, 1], default=0.3
        Expected share of superfeatures that come from other rows than the base row. Below 1 each chimera is a base
        row with at least one superfeature swapped, so that it stays close to the data. At 1 there is no base row:
        all M donors are drawn independently.
    y : array-like of shape (n_rows,), default=None
        Classes of the rows; used if `within_class`.
    within_class : bool, default=False
        Take all parts of a chimera from rows of one class.
    sample_weight : array-like of shape (n_rows,), default=None
        Rows are drawn in proportion to their weight; None means equally, and rows of weight zero are never used.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the draws. An int gives the same chimeras at every call.

    Returns
    -------
    X_chimeric : ndarray or DataFrame of shape (n_samples, n_features)
        Same kind, columns and dtypes as `X`.
    donors : int array of shape (n_samples, M)
        ``X_chimeric[r, columns of g] == X[donors[r, g], columns of g]`` for each superfeature g.

    Raises
    ------
    ValueError
        If there are fewer than two superfeatures or two usable rows (within a class, if `within_class`), if the
        labels do not match the columns, or if `y` is missing though `within_class`.

    See Also
    --------
    SuperfeatureClustering : Finds superfeature labels.
    KEDClassifier : Makes and labels chimeric sets by itself, see its parameter `chimeric`.

    Notes
    -----
    With superfeatures :math:`S_1, \\dots, S_M`, a chimera with donors :math:`(i_1, \\dots, i_M)` is

    .. math:: x' = (x_{i_1, S_1}, \\dots, x_{i_M, S_M}).

    For ``swap`` :math:`= s < 1`, superfeature g is swapped with probability s, given that at least one is; a swapped
    one comes from a row other than the base row. Donors are never all the same row, which would be a row of `X`
    again. (Two rows may still be equal in value where rows of `X` share values.)

    Chimeras have distinct donors as long as there are enough to be found: up to ``n_rows**M - n_rows`` exist. When
    fifty rounds of drawing have not found `n_samples` distinct ones, or a round of at least 1,000 draws finds
    nothing new, the set is filled with repeated draws, so that it always has `n_samples` rows.

    References
    ----------
    .. [1] Chowdhury, Liang, Tizghadam, Albanese, "Improving Knowledge Distillation with Teacher's Explanation",
       2023, `arXiv:2310.02572 <https://arxiv.org/abs/2310.02572>`_. Full recombination (``swap=1``) is theirs,
       partial recombination is an extension.

    Examples
    --------
    >>> import numpy as np
    >>> from skked import make_chimeric_set
    >>> X = np.array([[1, 1, 1], [2, 2, 2], [3, 3, 3]])
    >>> X_chimeric, donors = make_chimeric_set(X, [0, 0, 1], 4, swap=1.0, random_state=0)
    >>> X_chimeric.shape, donors.shape
    ((4, 3), (4, 2))
    >>> bool((X_chimeric[:, 0] == X_chimeric[:, 1]).all())  # columns of one superfeature stay together
    True
    >>> bool((X_chimeric[:, 1] == X_chimeric[:, 2]).any())  # and the superfeatures come from different rows
    False
    """
    table = _as_rows(X)
    labels = _check_labels(superfeature_labels, table.shape[1])
    pool = _DonorPool(n_rows(table), _check_classes(y, within_class, n_rows(table)), sample_weight)
    donors = _draw_distinct(pool, n_samples, labels.max() + 1, swap, check_random_state(random_state))
    return assemble_rows(table, donors, labels), donors


class _DonorPool:
    """Rows laid out on a line, class after class, each as long as its weight: a uniform point on it draws a row."""

    def __init__(self, n, classes, sample_weight):
        weight = check_weight(sample_weight, n)
        usable = weight > 0
        counts = np.bincount(classes[usable], minlength=classes.max() + 1)
        usable &= counts[classes] > 1
        if not usable.any():
            raise ValueError(
                "A chimera needs two rows with positive weight"
                + (", in one class since within_class=True" if classes.max() > 0 else "")
                + f"; among the {n} rows given there are none."
            )
        kept = np.flatnonzero(usable)
        self.rows = kept[np.argsort(classes[kept], kind="stable")]
        self.end = np.cumsum(weight[self.rows])
        self.start = self.end - weight[self.rows]
        self.start[1:] = self.end[:-1]
        _, self.class_of = np.unique(classes[self.rows], return_inverse=True)
        last = np.append(np.flatnonzero(np.diff(self.class_of)), len(self.rows) - 1)
        first = np.append(0, last[:-1] + 1)
        self.first, self.last = first, last

    def draw(self, rng, size):
        """Positions on the line, by weight."""
        return self._at(rng.uniform(0, self.end[-1], size), 0, len(self.rows) - 1)

    def draw_mates(self, rng, base, n_mates, *, others_only):
        """For each base position, `n_mates` positions of its class, by weight; not the base itself if `others_only`."""
        first, last = self.first[self.class_of[base]][:, None], self.last[self.class_of[base]][:, None]
        start, end = self.start[first], self.end[last]
        base = base[:, None]
        gap = self.end[base] - self.start[base] if others_only else np.zeros((len(base), 1))
        point = start + rng.uniform(size=(len(base), n_mates)) * (end - start - gap)
        point = np.where(point >= self.start[base], point + gap, point)
        mates = self._at(point, first, last)
        if others_only:  # a point that rounding put on the edge of the base
            mates = np.where(mates == base, np.where(base == last, base - 1, base + 1), mates)
        return mates

    def _at(self, point, first, last):
        return np.clip(np.searchsorted(self.end, point, side="right"), first, last)


def _draw_distinct(pool, n_samples, n_superfeatures, swap, rng):
    """Donors of shape (n_samples, n_superfeatures), distinct where enough are found."""
    found = np.empty((0, n_superfeatures), dtype=np.intp)
    for _ in range(_MOST_ROUNDS):
        missing = n_samples - len(found)
        draws = _draw_donors(pool, missing + missing // 8 + _FEWEST_DRAWS, n_superfeatures, swap, rng)
        merged = np.concatenate([found, draws])
        _, first = np.unique(_keys(merged), return_index=True)
        merged = merged[np.sort(first)]
        exhausted = len(merged) == len(found)
        found = merged[:n_samples]
        if len(found) == n_samples:
            return found
        if exhausted:
            break
    while len(found) < n_samples:
        missing = n_samples - len(found)
        found = np.concatenate([found, _draw_donors(pool, missing, n_superfeatures, swap, rng)])
    return found


def _draw_donors(pool, size, n_superfeatures, swap, rng):
    """Up to `size` donors, none of them a row of the table."""
    base = pool.draw(rng, size)
    if swap == 1.0:
        donors = pool.draw_mates(rng, base, n_superfeatures, others_only=False)
    else:
        swapped = _swapped(size, n_superfeatures, swap, rng)
        donors = np.where(swapped, pool.draw_mates(rng, base, n_superfeatures, others_only=True), base[:, None])
    return pool.rows[donors[(donors != donors[:, :1]).any(axis=1)]]


def _swapped(size, n_superfeatures, swap, rng):
    """Which superfeatures to swap: each with probability `swap`, given that at least one is."""
    # The first swapped one has a truncated geometric distribution; after it all are independent again.
    u = rng.uniform(size=size) * (1 - (1 - swap) ** n_superfeatures)
    first = np.minimum(np.floor(np.log1p(-u) / np.log1p(-swap)).astype(np.intp), n_superfeatures - 1)
    swapped = rng.uniform(size=(size, n_superfeatures)) < swap
    swapped &= np.arange(n_superfeatures) > first[:, None]
    swapped[np.arange(size), first] = True
    return swapped


def _keys(donors):
    """A 64-bit hash per tuple of donors; two that collide (one pair in 1e19) would count as the same."""
    return pd.util.hash_pandas_object(pd.DataFrame(donors), index=False).to_numpy()


def _as_rows(X):
    if sparse.issparse(X):
        raise TypeError("Sparse data was passed, but dense data is required. Use X.toarray() to convert it.")
    table = as_table(X)
    try:
        table = table if isinstance(table, pd.DataFrame) else np.asarray(table)
    except ValueError as error:
        raise ValueError("Expected a table whose rows all have the same number of values.") from error
    if table.ndim != 2 or n_rows(table) == 0:
        raise ValueError(f"Expected a table with two dimensions and at least one row, got shape {table.shape}.")
    return table


def _check_labels(superfeature_labels, n_features):
    labels = np.asarray(superfeature_labels)
    if labels.shape != (n_features,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"Expected superfeature_labels to hold one integer for each of the {n_features} columns, "
            f"got shape {labels.shape} and dtype {labels.dtype}."
        )
    present = np.unique(labels)
    if not np.array_equal(present, np.arange(len(present))):
        raise ValueError(
            f"Expected superfeature_labels to use every number from 0 to M - 1, got {present}. "
            "Renumber them with numpy.unique(labels, return_inverse=True)[1]."
        )
    if len(present) < 2:
        raise ValueError("A chimera needs at least two superfeatures, but all columns have the label 0.")
    return labels


def _check_classes(y, within_class, n):
    if not within_class:
        return np.zeros(n, dtype=np.intp)
    if y is None:
        raise ValueError("within_class=True needs the classes of the rows: pass y.")
    y = np.asarray(y)
    if y.shape != (n,):
        raise ValueError(f"Expected y of shape ({n},), one class per row of X, got {y.shape}.")
    return np.unique(check_labels(y), return_inverse=True)[1]
