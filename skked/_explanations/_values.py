"""Values of coalitions for any score function, in bounded memory."""

import numpy as np
import pandas as pd

from skked._table import assemble_rows, n_rows, stack_rows

__all__ = ["MaskedRows", "TransformedRows", "table_row_bytes"]

_MAX_BLOCK = 1 << 16
_COPIES_IN_TEACHER = 4


class MaskedRows:
    """The game ``v(S) = E_b f(x_S, b_rest)`` by assembling rows from an explained row and the background.

    Parameters
    ----------
    score : callable
        Rows to float64 scores of shape (n_rows, n_outputs).
    labels : int array of shape (n_features,)
        Superfeature of each column.
    n_superfeatures : int
    background : table
    background_weight : float64 array of shape (n_background,)
        Weights that sum to one.
    max_bytes : int
        Bound for the assembled rows of one call of `score` with the copies the teacher is expected to make.
    """

    def __init__(self, score, labels, n_superfeatures, background, background_weight, max_bytes):
        self.score = score
        self.labels = labels
        self.background = background
        self.background_weight = background_weight
        self.n_superfeatures = n_superfeatures
        self.base = background_weight @ score(background)
        row_bytes = _COPIES_IN_TEACHER * table_row_bytes(background) + 8 * (self.n_superfeatures + 2 * len(self.base))
        self.block = int(np.clip(max_bytes // row_bytes, 1, _MAX_BLOCK))

    def prepare(self, rows):
        """Rows as they are assembled."""
        return rows

    @property
    def n_background(self):
        """int: background rows, which is what one value of one coalition costs."""
        return len(self.background_weight)

    def full(self, rows):
        """Value of the full coalition: the score itself, shape (n_rows, n_outputs)."""
        return self.score(self.prepare(rows))

    def __call__(self, rows, coalitions):
        """Values of coalitions.

        Parameters
        ----------
        rows : table of shape (n_rows, n_features)
        coalitions : bool array of shape (n_coalitions, n_superfeatures)

        Returns
        -------
        float64 array of shape (n_rows, n_coalitions, n_outputs)
        """
        rows = self.prepare(rows)
        n, m, nb = n_rows(rows), len(coalitions), self.n_background
        pool = stack_rows(rows, self.background)
        values = np.zeros((n * m, len(self.base)))
        pairs_per_call, background_per_call = max(1, self.block // nb), min(nb, self.block)
        for start in range(0, n * m, pairs_per_call):
            pairs = np.arange(start, min(start + pairs_per_call, n * m))
            for first in range(0, nb, background_per_call):
                b = np.arange(first, min(first + background_per_call, nb))
                donors = np.where(coalitions[pairs % m, None, :], (pairs // m)[:, None, None], n + b[None, :, None])
                assembled = assemble_rows(pool, donors.reshape(-1, self.n_superfeatures), self.labels)
                scores = self.score(assembled).reshape(len(pairs), len(b), -1)
                values[pairs] += np.einsum("pbc,b->pc", scores, self.background_weight[b])
        return values.reshape(n, m, -1)


class TransformedRows(MaskedRows):
    """The same game after a pipeline's column-wise steps, which then see every row once instead of all mixtures.

    Parameters
    ----------
    inner : InnerEstimator
        The last estimator and its labels.
    score : callable
        Transformed rows to scores.
    n_superfeatures, background, background_weight, max_bytes
        As for MaskedRows; the background as given.
    """

    def __init__(self, inner, score, n_superfeatures, background, background_weight, max_bytes):
        self.inner = inner
        super().__init__(score, inner.labels, n_superfeatures, self.prepare(background), background_weight, max_bytes)

    def prepare(self, rows):
        """Rows as they are assembled: transformed."""
        return self.inner.transform(rows)


def table_row_bytes(X):
    """Bytes that one row of a table takes; texts count as pointers, which is how rows are assembled."""
    if isinstance(X, pd.DataFrame):
        return int(np.ceil(X.memory_usage(index=False).sum() / max(n_rows(X), 1)))
    return X.shape[1] * X.dtype.itemsize
