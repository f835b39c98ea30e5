"""Exact group Shapley values of tree ensembles: the one entry to the tree engines."""

import concurrent.futures
import functools
import importlib.util

import numpy as np

from skked._explanations import _tree_links, _tree_numpy, _tree_stream, _tree_tables
from skked._explanations._tree_ensemble import NotExtractable, TreeEnsemble
from skked._explanations._tree_extract import read_trees, verify

__all__ = [
    "NotExtractable",
    "TreeEnsemble",
    "TreeGame",
    "extract_trees",
    "predict_trees",
    "tree_shapley",
    "why_not_extractable",
]

TASK_ROWS = 4096  # rows of one task; sums never depend on how tasks are spread over threads


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


def predict_trees(ensemble, X, *, compiled=None):
    """Sum the trees of an ensemble.

    Parameters
    ----------
    ensemble : TreeEnsemble
        The trees.
    X : table of shape (n, n_features)
        Rows as the estimator itself sees them.
    compiled : bool or None, default=None
        Whether to use the compiled kernels; None uses them where numba is installed.

    Returns
    -------
    prediction : float64 array of shape (n, n_outputs)
        Its output, in its own space.
    """
    kernels = _kernels(compiled)
    return kernels.predict(ensemble, ensemble.code(X, kernels.rank_numbers))


def _read(estimator, X):
    try:
        ensemble = read_trees(estimator)
    except (AttributeError, KeyError, IndexError, TypeError) as error:  # another version keeps its trees elsewhere
        raise NotExtractable(f"{type(estimator).__name__} has another inside than expected: {error!r}.") from error
    if X is not None:
        verify(ensemble, X, _tree_numpy)
    return ensemble


class TreeGame:
    """The game of a tree ensemble for one grouping and one background: ``v(S) = E_b f(x_S, b_rest)``.

    Parameters
    ----------
    ensemble : TreeEnsemble
        From ``extract_trees``.
    labels : int array of shape (n_features,)
        Superfeature of each input column, 0..M-1.
    background : table of shape (n_background, n_features)
        Rows that stand for "unknown".
    background_weight : float array of shape (n_background,) or None, default=None
        Their weights; equal ones by default.
    n_threads : int, default=1
        Number of threads. All results are the same to the bit for any number.
    max_bytes : int, default=2**28
        Bytes of working memory beside the results.
    compiled : bool or None, default=None
        Whether to use the compiled kernels; None uses them where numba is installed.
    max_tree_entries : int, default=2**20
        Trees whose leaf tables would have more entries are walked with lists of rows instead.

    Attributes
    ----------
    base : float64 array of shape (C,)
        Mean of the ensemble's output over the background.
    n_groups : int
        Number of players, M.

    Raises
    ------
    NotExtractable
        If the trees disagree with the estimator's public output on the background.
    """

    def __init__(
        self,
        ensemble,
        labels,
        background,
        background_weight=None,
        *,
        n_threads=1,
        max_bytes=2**28,
        compiled=None,
        max_tree_entries=2**20,
    ):
        self.kernels = _kernels(compiled)
        verify(ensemble, background, self.kernels)
        self.ensemble, self.labels = ensemble, np.asarray(labels)
        self.n_groups = int(self.labels.max()) + 1
        self.n_threads, self.max_bytes, self.max_tree_entries = n_threads, max_bytes, max_tree_entries
        self.codes = self._code(background)
        self.weight = _normalised(background_weight, self.codes.shape[1])
        self.base = self.weight @ self.kernels.predict(ensemble, self.codes)
        # Class probabilities sum to 1, so their values sum to 0 over the classes: the last class is the rest.
        self.n_explained = ensemble.n_outputs - (ensemble.space == "probability")
        self.nodes, self.leaves = self.kernels.find_paths(ensemble, self.labels, self.n_explained)
        longest = int(self.leaves.n_groups.max())
        if longest > _tree_stream.MAX_STREAM_GROUPS:
            raise NotExtractable(
                f"a path asks about {longest} groups; at most {_tree_stream.MAX_STREAM_GROUPS} are supported."
            )

    @property
    def _width(self):
        return _tree_tables.table_width(self.n_groups)

    @functools.cached_property
    def _engines(self):
        shared = self.kernels, self.nodes, self.leaves
        entries = np.add.reduceat(_tree_tables.table_sizes(self.leaves, self._width), self.leaves.tree_start[:-1])
        shallow = entries <= self.max_tree_entries
        engines = []
        if shallow.any():
            trees, memory = np.flatnonzero(shallow), self.max_bytes // 2
            background = self.codes, self.weight
            engines.append(_tree_tables.LeafTables(*shared, trees, self._width, *background, max_bytes=memory))
        if not shallow.all():
            trees, compiled = np.flatnonzero(~shallow), self.kernels.COMPILED
            stream = _tree_stream.RowStream(*shared[1:], trees, self.codes, self.weight, compiled=compiled)
            engines.append(stream)
        return engines

    def shapley(self, X, *, dtype=np.float64):
        """Exact Shapley values of the groups in the ensemble's own space.

        Parameters
        ----------
        X : table of shape (n, n_features)
            Rows to explain, as the estimator itself sees them.
        dtype : {numpy.float64, numpy.float32}, default=numpy.float64
            Type of tables and sums.

        Returns
        -------
        phi : float64 array of shape (n, M, C)
            The values; ``base + phi.sum(axis=1)`` is the ensemble's output.
        """
        n_outputs = self.n_explained
        phi = np.empty((len(X), self.n_groups, self.ensemble.n_outputs))
        width = self._width or self.n_groups
        row_bytes = np.dtype(dtype).itemsize * width * n_outputs + self.codes.itemsize * len(self.codes)
        for rows, codes in self._coded_blocks(X, row_bytes):
            n = codes.shape[1]
            sums = _tree_tables.zero_sums(n_outputs, n, self.n_groups, dtype)
            ranges = [(first, min(n, first + TASK_ROWS)) for first in range(0, n, TASK_ROWS)]
            for engine in self._engines:
                engine.add(codes, sums, ranges, self._run)
            phi[rows, :, :n_outputs] = sums[:, :, : self.n_groups].transpose(1, 2, 0)
        if n_outputs < self.ensemble.n_outputs:
            phi[:, :, -1] = -phi[:, :, :-1].sum(axis=2)
        return phi

    def link_shapley(self, X, link, floor=None):
        """Exact Shapley values of a function of the output; see ``skked._explanations._tree_links.link_shapley``."""
        return _tree_links.link_shapley(self, X, link, floor)

    def coalition_values(self, X, coalitions, link=None, floor=None):
        """Values of chosen coalitions; see ``skked._explanations._tree_links.coalition_link_values``."""
        return _tree_links.coalition_link_values(self, X, coalitions, link, floor)

    def run_blocks(self, function, X, row_bytes, multiple):
        """Call a function on blocks (slice of rows, their codes), ``n_threads`` at a time.

        Parameters
        ----------
        function : callable
            Called with each block.
        X : table of shape (n, n_features)
            All rows.
        row_bytes : int
            Bytes that one row needs while its block is at work.
        multiple : int
            Block lengths are multiples of this.
        """
        fitting = self.max_bytes // 2 // row_bytes // self.n_threads
        step = max(1, min(TASK_ROWS, fitting) // multiple) * multiple

        def work(rows):
            function((rows, self._code(_rows_of(X, rows))))

        self._run(work, _slices(len(X), step))

    def _code(self, X):
        return self.ensemble.code(X, self.kernels.rank_numbers)

    def _coded_blocks(self, X, row_bytes):
        """Blocks of whole tasks that fit in half the memory: (slice of rows, their codes)."""
        step = max(1, self.max_bytes // 2 // row_bytes // TASK_ROWS) * TASK_ROWS
        for rows in _slices(len(X), step):
            yield rows, self._code(_rows_of(X, rows))

    def _run(self, function, items):
        if self.n_threads == 1 or len(items) < 2:
            for item in items:
                function(item)
            return
        with concurrent.futures.ThreadPoolExecutor(self.n_threads) as pool:
            list(pool.map(function, items))


def tree_shapley(ensemble, labels, X, background, background_weight=None, *, dtype=np.float64, **settings):
    """Exact interventional Shapley values of groups of features, for all rows and outputs of a tree ensemble.

    Parameters
    ----------
    ensemble, labels, background, background_weight
        As for ``TreeGame``.
    X, dtype
        As for ``TreeGame.shapley``.
    **settings
        ``n_threads``, ``max_bytes``, ``compiled`` and ``max_tree_entries`` of ``TreeGame``.

    Returns
    -------
    phi : float64 array of shape (n, M, C)
        Shapley values.
    base : float64 array of shape (C,)
        Mean output over the background; ``base + phi.sum(axis=1)`` is the ensemble's output.
    """
    game = TreeGame(ensemble, labels, background, background_weight, **settings)
    return game.shapley(X, dtype=dtype), game.base


def _slices(n, step):
    return [slice(first, min(n, first + step)) for first in range(0, n, step)]


def _rows_of(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


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
    return _tree_numpy
