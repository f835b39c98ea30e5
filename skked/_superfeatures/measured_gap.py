"""The additive gap of one partition of the columns, for who does not look for another."""

import numpy as np

from skked._superfeatures.columns import encode_columns
from skked._superfeatures.gap import AdditiveGap
from skked._table import n_rows, take_rows

__all__ = ["measure_additive_gap"]

_MAX_ROWS = 4_500
_MIN_ROWS = 100


def measure_additive_gap(labels, X, y, *, is_classifier, sample_weight, random_state):
    """Loss on held-out rows of boosting whose trees use one superfeature each, minus that of ordinary boosting.

    Parameters
    ----------
    labels : int ndarray of shape (n_columns,)
        Superfeature of every column.
    X : ndarray or DataFrame of shape (n_rows, n_columns)
        The table; at most 4,500 rows of it are used.
    y : ndarray of shape (n_rows,)
        Class codes 0 to n_classes - 1, or numbers.
    is_classifier : bool
        Kind of task.
    sample_weight : ndarray of shape (n_rows,)
        Positive weights.
    random_state : numpy.random.RandomState
        Chooses the rows to use and those to hold out.

    Returns
    -------
    float
        Log-loss in nats, or squared error over the variance of the target (``1 - R2``). Positive where the
        superfeatures cost something; NaN with fewer than 100 rows, a constant target or a single column.
    """
    rows = np.arange(n_rows(X))
    if len(rows) > _MAX_ROWS:
        rows = np.sort(random_state.choice(rows, _MAX_ROWS, replace=False))
    target = y[rows]
    if len(rows) < _MIN_ROWS or len(labels) < 2 or (target == target[0]).all():
        return np.nan
    if is_classifier:
        target = np.unique(target, return_inverse=True)[1]
    judge = AdditiveGap(
        encode_columns(take_rows(X, rows)),
        target,
        is_classifier=is_classifier,
        sample_weight=sample_weight[rows],
        random_state=random_state,
    )
    gap, _ = judge.mean(judge.differences(labels))
    return gap
