"""The reference: shap's own explainers on the game of superfeatures, through their public interface."""

import warnings

import numpy as np

from skked._explanations._blocks import Jobs
from skked._table import n_rows, take_rows

__all__ = ["ShapEngine"]

_MOST_EXACT_PLAYERS = 12


class ShapEngine:
    """``shap.ExactExplainer``, or ``shap.PermutationExplainer`` for more than 12 superfeatures or a given budget.

    The explained function is lifted: shap sees one 0/1 feature for each superfeature and no row but zeros and ones.

    Parameters
    ----------
    values : MaskedRows
        The game.
    n_coalitions : "auto" or int
        Evaluations of shap's permutation explainer for each row; with "auto", ten permutations.
    seed : int
    jobs : Jobs
    """

    name = "shap"

    def __init__(self, values, n_coalitions, seed, jobs=None):
        self.values = values
        self.seed = seed
        self.jobs = jobs or Jobs()
        self.base = values.base
        self.is_exact = n_coalitions == "auto" and values.n_superfeatures <= _MOST_EXACT_PLAYERS
        per_permutation = 2 * values.n_superfeatures + 1
        self.max_evals = max(per_permutation, 10 * per_permutation if n_coalitions == "auto" else n_coalitions)

    def budget(self, n_samples):
        """Model rows that `n_samples` rows cost at most; shap repeats no coalition."""
        coalitions = 1 << self.values.n_superfeatures if self.is_exact else self.max_evals
        return self.values.n_background * (1 + n_samples * coalitions)

    def explain(self, rows):
        """Contributions, None, model rows, and the engine's name."""
        blocks = self.jobs.over_blocks(self._explain_row, rows, 1, np.arange(n_rows(rows)))
        phi = np.array([values for values, _ in blocks])
        n_coalitions = sum(evaluated for _, evaluated in blocks)
        return phi, None, self.values.n_background * (1 + n_coalitions), self.name

    def _explain_row(self, rows, index):
        shap = import_shap()
        evaluated = 0

        def lifted(coalitions):
            nonlocal evaluated
            evaluated += len(coalitions)
            return self.values(take_rows(rows, slice(0, 1)), np.asarray(coalitions) > 0.5)[0]

        ones, zeros = np.ones((1, self.values.n_superfeatures)), np.zeros((1, self.values.n_superfeatures))
        masker = shap.maskers.Independent(zeros)
        if self.is_exact:
            explanation = shap.ExactExplainer(lifted, masker)(ones, silent=True)
        else:
            explainer = shap.PermutationExplainer(lifted, masker, seed=self.seed + int(index[0]))
            explanation = explainer(ones, max_evals=self.max_evals, silent=True)
        return explanation.values[0].reshape(self.values.n_superfeatures, -1), evaluated


def import_shap():
    """Import shap without the deprecation warnings that its imports raise in other libraries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap
    return shap
