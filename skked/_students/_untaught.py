"""Networks that nobody teaches: the template of the students with the labels in the teacher's place."""

from types import SimpleNamespace

import numpy as np

from skked._students._lessons import IN_SAMPLE, Curriculum, Lesson
from skked._students.kd import KDClassifier
from skked._students.ked import KEDClassifier, KEDRegressor
from skked._teachers import CrossFit

_SURE = 4.0  # nats above the other classes


class Untaught:
    """Put before a student's class: it learns from the labels alone, and asks no teacher.

    Category columns with many levels are coded by the labels of their rows, where a student takes its teacher's
    scores out of fold.
    """

    def _teach(self, problem, memory, seed):
        """The labels, as if somebody had said them and been rather sure."""
        scores = problem.hard
        if problem.classes is not None:
            scores = np.hstack([1 - scores, scores]) if scores.shape[1] == 1 else scores
            scores = _SURE * (scores - scores.mean(axis=1, keepdims=True))
        nobody = SimpleNamespace(estimator=None)
        return CrossFit(scores=scores, fold_of_row=np.full(len(problem), IN_SAMPLE), full=nobody)

    def _curriculum(self, problem, teaching, labels, memory, seed):
        """The training rows without explanations; the base is the share of each class, or the mean."""
        base = np.average(problem.hard, axis=0, weights=problem.weight)
        if problem.classes is not None:
            share = base if len(base) > 1 else np.array([1 - base[0], base[0]])
            base = np.log(share) - np.log(share).mean()
        lesson = Lesson(problem.X, teaching.scores, None, np.zeros(len(problem), dtype=bool))
        return Curriculum(lesson, None, None, base)

    def _n_read(self, n_encoded, n_outputs):
        """All columns: nobody says which ones matter."""
        return n_encoded

    def _n_chimeric(self, n_samples):
        return 0

    def _explainer(self, seed):
        return None

    def _store(self, problem, teaching, grouping, encoder, network, trained):
        super()._store(problem, teaching, grouping, encoder, network, trained)
        del self.teacher_


class UntaughtNetwork(Untaught, KDClassifier):
    """A dense classifier network; ``distillation_weight`` must be 0."""


class UntaughtAdditiveClassifier(Untaught, KEDClassifier):
    """A classifier network that is additive over superfeatures; ``distillation_weight`` must be 0."""


class UntaughtAdditiveRegressor(Untaught, KEDRegressor):
    """A regressor network that is additive over superfeatures; ``distillation_weight`` must be 0."""
