"""From whatever the user calls superfeatures to labels and names."""

import numpy as np
from sklearn.base import clone

from skked._superfeatures.clustering import SuperfeatureClustering, check_count
from skked._superfeatures.columns import encode_columns, standardised
from skked._superfeatures.names import superfeature_names
from skked._table import column_names, labels_of_groups
from skked._validation import is_whole_number

__all__ = ["resolve_superfeatures"]


def resolve_superfeatures(
    superfeatures, X, y=None, *, teacher=None, sample_weight=None, random_state=None, n_jobs=None
):
    """Find the superfeature of every column.

    Parameters
    ----------
    superfeatures : "auto", int, array-like of shape (n_columns,), dict, or clusterer
        How many superfeatures to look for (``"auto"`` chooses); the label of every column, of any hashable kind;
        ``{name: [columns]}`` by name or position, a partition of the columns; a `SuperfeatureClustering`; or any
        clusterer of features with ``labels_``, such as :class:`sklearn.cluster.FeatureAgglomeration`, which is
        fitted on the standardised columns with categories as codes. Clusterers are cloned.
    X : ndarray or DataFrame of shape (n_rows, n_columns)
        The table.
    y : array-like of shape (n_rows,), optional
        Target.
    teacher : callable or fitted estimator, optional
        As in `SuperfeatureClustering.fit`.
    sample_weight : array-like of shape (n_rows,), optional
        Weights of the rows.
    random_state : int, RandomState instance or None, default=None
        For ``"auto"``, int, and clusterers whose own ``random_state`` is None.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    labels : int ndarray of shape (n_columns,)
        0 to M - 1, by first appearance (in the order of the keys for a dict).
    names : list of str
        M different names.
    clustering : fitted clusterer or None
        None where the superfeatures were given.

    Raises
    ------
    TypeError
        If ``superfeatures`` is none of the above.
    ValueError
        If it does not describe a partition of the columns of X.

    Examples
    --------
    >>> import numpy as np
    >>> from skked._superfeatures import resolve_superfeatures
    >>> X = np.random.RandomState(0).normal(size=(20, 3))
    >>> resolve_superfeatures({"size": ["x0", "x2"], "age": ["x1"]}, X)
    (array([0, 1, 0]), ['size', 'age'], None)
    """
    given = given_superfeatures(superfeatures, X)
    if given is not None:
        return *given, None
    if not hasattr(superfeatures, "fit"):
        superfeatures = SuperfeatureClustering(superfeatures, n_jobs=n_jobs)
    clustering = clone(superfeatures)
    if random_state is not None and clustering.get_params().get("random_state", 0) is None:
        clustering.set_params(random_state=random_state)
    if isinstance(clustering, SuperfeatureClustering):
        clustering.fit(X, y, sample_weight=sample_weight, teacher=teacher)
        return clustering.labels_, list(clustering.superfeatures_), clustering
    clustering.fit(standardised(encode_columns(X)))
    labels = _from_labels(_labels_of(clustering), X.shape[1])
    return labels, superfeature_names(column_names(X), labels), clustering


def given_superfeatures(superfeatures, X):
    """Labels and names of superfeatures that are given column by column.

    Parameters
    ----------
    superfeatures, X
        As in `resolve_superfeatures`.

    Returns
    -------
    (labels, names) or None
        None where they have to be found: for ``"auto"``, a number, or a clusterer.

    Raises
    ------
    TypeError, ValueError
        As `resolve_superfeatures`.
    """
    if isinstance(superfeatures, dict):
        return labels_of_groups(superfeatures, column_names(X)), [str(name) for name in superfeatures]
    if is_whole_number(superfeatures):
        check_count(superfeatures, X.shape[1], name="superfeatures")
        return None
    if (isinstance(superfeatures, str) and superfeatures == "auto") or _is_clusterer(superfeatures):
        return None
    if isinstance(superfeatures, (str, type)):
        raise _unknown(superfeatures)
    labels = _from_labels(superfeatures, X.shape[1])
    return labels, superfeature_names(column_names(X), labels)


def _is_clusterer(superfeatures):
    return hasattr(superfeatures, "fit") and not isinstance(superfeatures, type)


def _unknown(superfeatures):
    return TypeError(
        'Expected superfeatures to be "auto", a number, one label per column, {name: [columns]}, or a clusterer of '
        f"features such as SuperfeatureClustering(), got {superfeatures!r}."
    )


def _labels_of(clustering):
    if hasattr(clustering, "labels_"):
        return clustering.labels_
    raise TypeError(
        f"Expected a clusterer of features with labels_, but {type(clustering).__name__} has none after fit. "
        "Use SuperfeatureClustering() or sklearn.cluster.FeatureAgglomeration()."
    )


def _from_labels(labels, n_columns):
    try:
        labels = list(labels)
    except TypeError:
        raise _unknown(labels) from None
    if len(labels) != n_columns:
        raise ValueError(
            f"Expected one superfeature label per column ({n_columns}), got {len(labels)}. "
            "Give an array of shape (n_columns,)."
        )
    if any(label is None or label != label for label in labels if np.ndim(label) == 0):
        raise ValueError(f"Expected a superfeature label for every column, got {labels}: some are missing.")
    number = {}
    try:
        return np.array([number.setdefault(label, len(number)) for label in labels], dtype=np.intp)
    except TypeError:
        raise _unknown(labels) from None
