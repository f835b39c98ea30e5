"""What students have in common that learn explanations by superfeatures, by single columns or by gradients."""

from dataclasses import replace

import numpy as np

from skked._explanations import InputGradients
from skked._students._base import Grouping
from skked._students._explaining import ExplainingStudent
from skked._students._lessons import IN_SAMPLE, MODEL_ROWS
from skked._table import column_names, n_rows, take_rows
from skked._validation import StrOptions


class AttributedStudent(ExplainingStudent):
    """A student that is told the teacher's explanations in one of several kinds."""

    _parameter_constraints: dict = {
        **ExplainingStudent._parameter_constraints,
        "explanation": [StrOptions({"superfeatures", "columns", "gradient"})],
    }

    def _temperatures(self):
        return self.temperature, 1.0

    def _explainer(self, seed):
        return None if self.explanation == "gradient" else super()._explainer(seed)

    def _superfeatures(self, problem, teaching, memory, seed):
        if not self._by_column():
            return super()._superfeatures(problem, teaching, memory, seed)
        return Grouping(np.arange(self.n_features_in_), [str(name) for name in column_names(problem.X)])

    def _by_column(self):
        """Whether every column is a superfeature of its own."""
        return self.explanation == "columns"

    def _curriculum(self, problem, teaching, labels, memory, seed):
        curriculum = super()._curriculum(problem, teaching, labels, memory, seed)
        if self.explanation != "gradient" or self._explanation_weight() * self.distillation_weight == 0:
            return curriculum
        gradients = InputGradients(problem.X, problem.weight)
        gradients.check(teaching.full, problem.X)
        return memory.cache(with_gradients)(curriculum, teaching, gradients, self.n_explanations)


def with_gradients(curriculum, teaching, gradients, n_explanations):
    """The same lessons, explained by gradient times input.

    A training row is explained by the teacher of its fold, as everywhere; other rows by the teacher of all rows.

    Parameters
    ----------
    curriculum : Curriculum
        Without contributions.
    teaching : CrossFit
    gradients : InputGradients
    n_explanations : int or "auto"
        Training rows to explain at most; "auto" is what :data:`MODEL_ROWS` evaluations by the teachers allow.

    Returns
    -------
    Curriculum
        Its ``phi`` has one entry per input column, shape (n, n_features, C), NaN where there is no derivative.
    """
    n_samples = len(curriculum.real)
    if n_explanations == "auto":
        n_explanations = MODEL_ROWS // gradients.budget
    share = min(1.0, n_explanations / n_samples)

    def explained(lesson, fold_of_row):
        phi = np.zeros((len(lesson), lesson.X.shape[1], lesson.scores.shape[1]), dtype=np.float32)
        phi[:, np.setdiff1d(np.arange(phi.shape[1]), gradients.columns)] = np.nan
        known = np.zeros(len(lesson), dtype=bool)
        for fold in np.unique(fold_of_row):
            rows = np.flatnonzero(fold_of_row == fold)
            rows = rows[: int(np.ceil(share * len(rows)))]
            scores = teaching.full if fold == IN_SAMPLE else teaching.fold_scores[fold]
            phi[rows] = gradients(scores, take_rows(lesson.X, rows))
            known[rows] = True
        return replace(lesson, phi=phi, explained=known)

    def in_sample(lesson):
        return None if lesson is None else explained(lesson, np.full(n_rows(lesson.X), IN_SAMPLE))

    return replace(
        curriculum,
        real=explained(curriculum.real, teaching.fold_of_row),
        chimeric=in_sample(curriculum.chimeric),
        unlabelled=in_sample(curriculum.unlabelled),
    )
