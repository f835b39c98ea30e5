"""One design of sampled coalitions for all rows, grown until the standard errors are small."""

import numpy as np

from skked._explanations._blocks import Jobs
from skked._explanations._coalitions import n_all_pairs
from skked._explanations._design import nested_design
from skked._explanations._gaussian_process import fit_process
from skked._explanations._refinement import refined
from skked._table import n_rows, take_rows

__all__ = ["Sampling"]

_PILOT_ROWS = 32
_FIRST_PAIRS = 31
_MOST_PAIRS = 1023
_GROWTH = 1.5
_ROWS_PER_BLOCK = 256
# Where there are enough rows to pay for it, every other pilot row is evaluated at so many more pairs, or half as many
# again.
_ENOUGH_ROWS, _MORE_PAIRS, _MORE_GROWTH = 128, 96, 1.5


class Sampling:
    """Estimated Shapley values with standard errors.

    The design and the Gaussian process are settled on a few pilot rows; all other rows reuse them, so they cost one
    matrix product beyond the teacher's scores. Of 128 rows or more, 16 are evaluated at more coalitions, which
    corrects the values and calibrates the standard errors.

    Parameters
    ----------
    values : MaskedRows or NetworkValues
        The game.
    n_coalitions : "auto" or int
        Size of the design, the empty and the full coalition counted.
    tolerance : float
        With ``"auto"``, the design grows until the median standard error of the pilot rows is below this share of the
        root mean square of their values.
    seed : int
    max_bytes : int
    jobs : Jobs
    """

    name = "sampling"

    def __init__(self, values, n_coalitions, tolerance, seed, max_bytes, jobs=None):
        self.values = values
        self.n_coalitions = n_coalitions
        self.tolerance = tolerance
        self.seed = seed
        self.jobs = jobs or Jobs()
        self.base = values.base
        if n_coalitions == "auto":
            self.first_pairs = max(_FIRST_PAIRS, values.n_superfeatures)
            self.most_pairs = max(_MOST_PAIRS, self.first_pairs)
        else:
            self.first_pairs = self.most_pairs = max(1, n_coalitions // 2 - 1)
        row_bytes = 32 * (self.most_pairs + 1) * len(self.base)
        self.rows_per_block = int(np.clip(max_bytes // row_bytes, 1, _ROWS_PER_BLOCK))

    def budget(self, n_samples):
        """Model rows that `n_samples` rows cost at most."""
        return self._spent(n_samples, self.most_pairs)

    def explain(self, rows):
        """Contributions, standard errors, model rows spent, and the engine's name."""
        rng = np.random.RandomState(self.seed)
        n = n_rows(rows)
        pilot = np.sort(rng.choice(n, min(n, _PILOT_ROWS), replace=False))
        rest = np.setdiff1d(np.arange(n), pilot)
        process, sizes, odd = self.jobs.once(self._settle, take_rows(rows, pilot))
        if n >= _ENOUGH_ROWS:
            process = self.jobs.once(self._refined, process, sizes, odd[::2], take_rows(rows, pilot[::2]))
        design = self._design(sizes)
        phi = np.empty((n, self.values.n_superfeatures, len(self.base)))
        standard_error = np.empty_like(phi)
        phi[pilot], standard_error[pilot] = process.values(odd), process.standard_errors(odd)
        if len(rest):
            blocks = self.jobs.over_blocks(
                self._explain_block, take_rows(rows, rest), self.rows_per_block, shared=(process, design)
            )
            phi[rest] = np.concatenate([values for values, _ in blocks])
            standard_error[rest] = np.concatenate([errors for _, errors in blocks])
        return phi, standard_error, self._spent(n, len(design)), self.name

    def _settle(self, rows):
        """Grow the design on pilot rows; its process, the sizes it had, and the pilot's odd values."""
        odd = (self.values.full(rows) - self.base)[:, None] / 2
        sizes, start, n_pairs = (), None, self.first_pairs
        while True:
            sizes = (*sizes, n_pairs)
            design = self._design(sizes)
            odd = np.concatenate([odd, self._odd_values(rows, design[odd.shape[1] - 1 :])], axis=1)
            process = fit_process(design, odd, start)
            if n_pairs >= self.most_pairs or self._is_accurate(process, odd):
                return process, sizes, odd
            start, n_pairs = process.theta, min(int(np.ceil(_GROWTH * n_pairs)), self.most_pairs)

    def _design(self, sizes):
        return nested_design(self.values.n_superfeatures, sizes, self.seed)

    def _refined(self, process, sizes, odd, rows):
        """The process after some rows were evaluated at more coalitions."""
        known = odd.shape[1] - 1
        larger = self._design((*sizes, self._more_pairs(known)))
        if len(larger) == known:
            return process
        return refined(process, larger, np.concatenate([odd, self._odd_values(rows, larger[known:])], axis=1))

    def _more_pairs(self, n_pairs):
        """Pairs of the larger design, where all there are is the most."""
        wanted = max(n_pairs + _MORE_PAIRS, int(_MORE_GROWTH * n_pairs))
        return min(wanted, n_all_pairs(self.values.n_superfeatures))

    def _is_accurate(self, process, odd):
        size = np.sqrt(np.mean(process.values(odd) ** 2))
        return np.median(process.standard_errors(odd)) <= self.tolerance * size

    def _odd_values(self, rows, design):
        values = self.values(rows, np.concatenate([design, ~design]))
        return (values[:, : len(design)] - values[:, len(design) :]) / 2

    def _explain_block(self, process, design, rows):
        full = (self.values.full(rows) - self.base)[:, None] / 2
        odd = np.concatenate([full, self._odd_values(rows, design)], axis=1)
        return process.values(odd), process.standard_errors(odd)

    def _spent(self, n_samples, n_pairs):
        pairs = n_samples * n_pairs
        if n_samples >= _ENOUGH_ROWS:
            pairs += _PILOT_ROWS // 2 * (self._more_pairs(n_pairs) - n_pairs)
        return self.values.n_background + n_samples + 2 * pairs * self.values.n_background
