"""Exact group Shapley values of tree ensembles: the one entry to the tree engines."""

import importlib.util

import numpy as np

from skked._explanations import _tree_tables
from skked._explanations._tree_ensemble import NotExtractable, TreeEnsemble
from skked._explanations._tree_extract import read_trees, verify

__all__ = ["NotExtractable", "TreeEnsemble", "extract_trees", "tree_shapley", "why_not_extractable"]


def extract_trees(estimator, X=None):
    """Read the trees of a fitted estimator.

    Parameters
    ----------
    estimator : object
        A fitted estimator: scikit-learn's decision trees, forests, extra trees and gradient boosting (both kinds),
        LightGBM's or XGBoost's.
    X : table of shape (n, n_features) or None, default=None
        Rows as the estimator sees them, to check the trees read against its public output at once. ``tree_shapley``
        repeats this check on its background.

    Returns
    -------
    ensemble : TreeEnsemble or None
        The trees; None if they cannot be read exactly. ``why_not_extractable`` then says why.
    """
    try:
        return _read(estimator, X)
    except NotExtractable:
        return None


def why_not_extractable(estimator, X=None):
    """Say why ``extract_trees`` returns None; the empty string if it does not.

    Parameters
    ----------
    estimator, X
        As for ``extract_trees``.

    Returns
    -------
    reason : str
        The reason, a sentence.
    """
    try:
        _read(estimator, X)
    except NotExtractable as reason:
        return str(reason)
    return ""


def _read(estimator, X):
    try:
        ensemble = read_trees(estimator)
    except (AttributeError, KeyError, IndexError, TypeError) as error:  # another version keeps its trees elsewhere
        raise NotExtractable(f"{type(estimator).__name__} has another inside than expected: {error!r}.") from error
    if X is not None:
        verify(ensemble, X)
    return ensemble


def tree_shapley(
    ensemble,
    labels,
    X,
    background,
    background_weight=None,
    *,
    dtype=np.float64,
    n_threads=1,
    max_bytes=2**28,
    compiled=None,
):
    """Exact interventional Shapley values of groups of features, for all rows and outputs of a tree ensemble.

    The game of a row ``x`` is ``v(S) = E_b f(x_S, b_rest)``, the players are the groups, and ``f`` is the ensemble's
    output in ``ensemble.space``.

    Parameters
    ----------
    ensemble : TreeEnsemble
        From ``extract_trees``.
    labels : int array of shape (n_features,)
        Superfeature of each input column, 0..M-1.
    X : table of shape (n, n_features)
        Rows to explain, as the estimator itself sees them.
    background : table of shape (n_background, n_features)
        Rows that stand for "unknown".
    background_weight : float array of shape (n_background,) or None, default=None
        Their weights; equal ones by default.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Type of tables and sums.
    n_threads : int, default=1
        Number of threads. The result is the same to the bit for any number.
    max_bytes : int, default=2**28
        Bytes of working memory beside the result.
    compiled : bool or None, default=None
        Whether to use the compiled kernels; None uses them where numba is installed.

    Returns
    -------
    phi : float64 array of shape (n, M, C)
        Shapley values.
    base : float64 array of shape (C,)
        Mean output over the background; ``base + phi.sum(axis=1)`` is the ensemble's output.

    Raises
    ------
    NotExtractable
        If the trees disagree with the estimator's public output on the background.
    """
    verify(ensemble, background)
    labels = np.asarray(labels)
    weight = _normalised(background_weight, len(background))
    background_codes = ensemble.code(background)
    base = weight @ ensemble.predict_codes(background_codes)
    kernels = _kernels(compiled)
    # Class probabilities sum to 1, so their values sum to 0 over the classes: the last class is the rest.
    n_outputs = ensemble.n_outputs - (ensemble.space == "probability")
    nodes, leaves = kernels.find_paths(ensemble, labels, n_outputs)
    n_groups = int(labels.max()) + 1
    phi = np.empty((len(X), n_groups, ensemble.n_outputs))
    n_block = max(512, max_bytes // 2 // (np.dtype(dtype).itemsize * n_groups * n_outputs + 1))
    for first in range(0, len(X), n_block):
        rows = slice(first, min(len(X), first + n_block))
        codes = ensemble.code(X.iloc[rows] if hasattr(X, "iloc") else X[rows])
        block = np.zeros((n_outputs, n_groups, codes.shape[1]), dtype)
        _tree_tables.explain_by_tables(
            kernels, nodes, leaves, codes, background_codes, weight, block,
            n_threads=n_threads, max_bytes=max_bytes // 2,
        )  # fmt: skip
        phi[rows, :, :n_outputs] = block.transpose(2, 1, 0)
    if n_outputs < ensemble.n_outputs:
        phi[:, :, -1] = -phi[:, :, :-1].sum(axis=2)
    return phi, base


def _normalised(weight, n):
    if weight is None:
        return np.full(n, 1 / n)
    weight = np.asarray(weight, np.float64)
    return weight / weight.sum()


def _kernels(compiled):
    if compiled is None:
        compiled = importlib.util.find_spec("numba") is not None
    if compiled:
        from skked._explanations import _tree_kernels

        return _tree_kernels
    from skked._explanations import _tree_numpy

    return _tree_numpy
