"""Networks that nobody teaches: the template of the students with the labels in the teacher's place."""

from types import SimpleNamespace

import numpy as np

from skked._students._lessons import IN_SAMPLE, Curriculum, Lesson
from skked._students.kd import KDClassifier
from skked._students.ked import KEDClassifier, KEDRegressor
from skked._teachers import CrossFit


class Untaught:
    """Put before a student's class: it learns from the labels alone, and asks no teacher.

    Category columns with many levels are coded by the labels of their rows, where a student takes its teacher's
    scores out of fold.
    """

    def _teach(self, problem, memory, seed):
        """The labels, as if somebody had said them."""
        scores = problem.hard
        if problem.classes is not None and scores.shape[1] == 1:
            scores = np.hstack([1 - scores, scores])
        nobody = SimpleNamespace(estimator=None)
        return CrossFit(scores=scores, fold_of_row=np.full(len(problem), IN_SAMPLE), full=nobody)

    def _curriculum(self, problem, teaching, labels, memory, seed):
        """The training rows without explanations; the base is the share of each class, or the mean."""
        mean = np.average(teaching.scores, axis=0, weights=problem.weight)
        base = mean if problem.classes is None else np.log(mean) - np.log(mean).mean()
        lesson = Lesson(problem.X, teaching.scores, None, np.zeros(len(problem), dtype=bool))
        return Curriculum(lesson, None, None, base)

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
