"""Attributions of trees to single columns, by shap's own TreeExplainer."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skked._explanations._explainer import GroupShapleyExplainer
from skked._explanations._explanation import GroupExplanation
from skked._explanations._shap import import_shap
from skked._table import check_table

__all__ = ["TreeShapExplainer"]

_SAME = 1e-3


class TreeShapExplainer(GroupShapleyExplainer):
    """Explain the margins of boosted trees as ``shap.TreeExplainer`` does: what is unknown follows the trees' own rows.

    It stands in for a :class:`GroupShapleyExplainer` whose superfeatures are single columns. Its values are those of
    another game: unknown columns are averaged over along the paths of each tree, not over a background.
    """

    def fit(self, teacher, X):
        """Prepare to explain.

        Parameters
        ----------
        teacher : TeacherScores
            Of gradient boosting; forests have no margins.
        X : table of n rows

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If shap cannot explain this teacher's scores.
        """
        self._rows_of(X, reset=True)
        if teacher.response != "margin":
            raise self._refusal(teacher, "its scores are not sums over trees")
        try:
            self._trees = import_shap().TreeExplainer(teacher.estimator)
        except Exception as error:  # shap raises its own kinds for what it does not know
            raise self._refusal(teacher, f"shap says: {error}") from error
        self._teacher = teacher
        self.base_ = teacher.from_raw(np.atleast_1d(self._trees.expected_value)[None])[0]
        self.engine_ = "tree"
        return self

    def budget(self, n_samples):
        """Model rows that an explanation evaluates: none."""
        return 0

    def explain(self, rows):
        """Explain rows; see :meth:`GroupShapleyExplainer.explain`."""
        check_is_fitted(self)
        rows = self._rows_of(rows, reset=False)
        values = np.asarray(self._trees.shap_values(rows), dtype=np.float64)
        phi = self._teacher.from_raw(values if values.ndim == 3 else values[..., None], constant=False)
        scores = self._teacher(rows)
        if not np.allclose(self.base_ + phi.sum(axis=1), scores, atol=_SAME * max(1.0, np.abs(scores).max())):
            raise self._refusal(self._teacher, "what it gives does not sum to the scores")
        names = [str(j) for j in range(phi.shape[1])]
        return GroupExplanation(
            phi, self.base_.copy(), None, "tree", 0, "margin", names, [str(c) for c in self._teacher.classes_]
        )

    def _rows_of(self, X, *, reset):
        return check_table(self, X, reset=reset)

    def _refusal(self, teacher, reason):
        return ValueError(
            f'explainer="tree_shap" cannot explain {teacher.name}: {reason}. Use gradient boosting on a table of '
            'numbers, or explainer="shapley".'
        )
