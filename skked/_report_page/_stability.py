"""Whether other rows would have given other superfeatures."""

import numpy as np
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import check_random_state

from skked._superfeatures import SuperfeatureClustering, resolve_superfeatures
from skked._table import n_rows, take_rows
from skked._validation import is_whole_number

__all__ = ["stability"]

_FEWEST_ROWS, _MOST_ROWS = 100, 2_000
_MOST_COLUMNS = 200
"""Columns times classes up to which interactions are looked for: they need boosting, which takes its time."""
_SAME = 0.8


def stability(student, X, y, *, n_splits=3, random_state=0):
    """How alike the superfeatures are that two halves of the rows give.

    Parameters
    ----------
    student : fitted student
        Whose superfeatures were found, not given.
    X : table of shape (n_rows, n_columns)
    y : array-like of shape (n_rows,)
    n_splits : int, default=3
        Times that the rows are halved.
    random_state : int, RandomState instance or None, default=0

    Returns
    -------
    float
        Mean adjusted Rand index of the two partitions, into as many superfeatures as the student has: 1 for the same,
        about 0 for what chance would give. NaN where nothing was found, below 100 rows, and where it would take long.
    """
    labels = np.asarray(getattr(student, "superfeature_labels_", []), dtype=int)
    n_groups = len(np.unique(labels))
    clustering = _clustering_of(student, n_groups)
    if clustering is None or not 1 < n_groups < len(labels) or n_rows(X) < _FEWEST_ROWS:
        return np.nan
    n_classes = len(getattr(student, "classes_", [0]))
    rng = check_random_state(random_state)
    try:
        return _mean_likeness(clustering, labels, X, np.asarray(y), n_classes, n_splits, rng)
    except ValueError:  # halves that cannot be clustered, such as those with one class
        return np.nan


def _mean_likeness(clustering, labels, X, y, n_classes, n_splits, rng):
    seed = int(rng.randint(np.iinfo(np.int32).max))

    def found(rows, clustering):
        # With a target, superfeatures are judged too, which takes longer and is of no use here.
        target = None if str(getattr(clustering, "affinity", "")) == "spearman" else y[rows]
        return resolve_superfeatures(clustering, take_rows(X, rows), target, random_state=seed)[0]

    drawn = rng.permutation(n_rows(X))[:_MOST_ROWS]
    if isinstance(clustering, SuperfeatureClustering) and str(clustering.affinity) == "auto":
        clustering = _kind_of(clustering, labels, lambda kind: found(drawn, kind), n_classes)
    alike = []
    for _ in range(n_splits):
        order = rng.permutation(drawn)
        half = len(order) // 2
        alike.append(adjusted_rand_score(found(order[:half], clustering), found(order[half:], clustering)))
    return float(np.mean(alike))


def _kind_of(clustering, labels, found, n_classes):
    """The clusterer by correlation or by interaction, whichever finds superfeatures more like the student's."""
    correlation, interaction = (clone(clustering).set_params(affinity=kind) for kind in ("spearman", "interaction"))
    likeness = adjusted_rand_score(labels, found(correlation))
    if len(labels) * n_classes <= _MOST_COLUMNS:
        is_closer = likeness < 1 and adjusted_rand_score(labels, found(interaction)) > likeness
        return interaction if is_closer else correlation
    if likeness < _SAME:
        raise ValueError("It would take long to look for interactions.")
    return correlation


def _clustering_of(student, n_groups):
    """The clusterer behind a student's superfeatures, set to their number; None if they were given."""
    asked = getattr(student, "superfeatures", None)
    asked = getattr(student, "best_params_", {}).get("superfeatures", asked)
    if (isinstance(asked, str) and asked == "auto") or is_whole_number(asked):
        return SuperfeatureClustering(n_groups)
    if not hasattr(asked, "fit"):
        return None
    clustering = clone(asked)
    return clustering.set_params(n_superfeatures=n_groups) if isinstance(asked, SuperfeatureClustering) else clustering
