"""From what the teacher says, in scores per class or target units, to what the student's outputs are trained on."""

from dataclasses import dataclass, replace

import numpy as np

from skked._teachers._scores import centred
from skked._torch._train import TrainingSet, stacked

LOST = 0.1
"""A student of less than this share of its teacher's variance has not learnt: its hidden units are silent."""


class TargetScale:
    """The student's outputs: one log-odds for two classes, one score per class for more, a standardised target.

    Attributes
    ----------
    kind : {"softmax", "sigmoid", "identity"}
        The link of the outputs.
    scale, shift : float
        ``target = scale * output + shift``.
    """

    def __init__(self, problem):
        self.scale, self.shift = 1.0, 0.0
        if problem.classes is not None:
            self.kind = "sigmoid" if len(problem.classes) == 2 else "softmax"
            return
        self.kind = "identity"
        self.shift = float(np.average(problem.hard[:, 0], weights=problem.weight))
        spread = np.sqrt(np.average((problem.hard[:, 0] - self.shift) ** 2, weights=problem.weight))
        self.scale = float(spread) or 1.0

    def differences(self, values):
        """Contributions, shape (..., C), in units of the outputs, shape (..., K)."""
        if self.kind == "sigmoid":
            return values[..., 1:] - values[..., :1]
        return values / self.scale

    def scores(self, values):
        """Scores, shape (..., C), in units of the outputs, shape (..., K)."""
        return self.differences(values - self.shift)

    def outputs(self, values):
        """Labels in link space, targets, or a network's scores in units of the target, in units of the outputs."""
        return (values - self.shift) / self.scale


def training_set(lesson, encoder, scale, *, weight=None, hard=None):
    """What the student learns from a lesson.

    Parameters
    ----------
    lesson : Lesson
    encoder : TableEncoder
    scale : TargetScale
    weight : array of shape (n,), optional
        Row weights; 1 by default.
    hard : array of shape (n, K), optional
        True labels in link space; rows without them learn from the teacher alone.

    Returns
    -------
    TrainingSet
    """
    n_samples, soft = len(lesson), scale.scores(lesson.scores)
    weight = np.ones(n_samples) if weight is None else weight
    return TrainingSet(
        Z=encoder.transform(lesson.X),
        hard=np.zeros_like(soft) if hard is None else scale.outputs(hard),
        soft=soft,
        phi=None if lesson.phi is None else scale.differences(lesson.phi),
        weight=weight,
        hard_weight=np.zeros(n_samples) if hard is None else weight,
        phi_weight=weight * lesson.explained,
    )


@dataclass(frozen=True)
class Material:
    """All that a student is trained on, in units of its outputs.

    Attributes
    ----------
    scale : TargetScale
    base : array of shape (K,)
        Score of a row that says nothing.
    columns : int array of shape (n_encoded,)
        Input column of each encoded column; numbers come first.
    real, unlabelled, chimeric, validation : TrainingSet
        Rows of the table; rows without labels, chimeras and rows that choose the best epoch, or None.
    """

    scale: TargetScale
    base: np.ndarray
    columns: np.ndarray
    real: TrainingSet
    unlabelled: TrainingSet | None
    chimeric: TrainingSet | None
    validation: TrainingSet | None = None

    @property
    def rows(self):
        """TrainingSet: every row that an epoch sees once."""
        return stacked(self.real, self.unlabelled)

    def chimeras(self, most_per_row):
        """The chimeras, which together weigh as much as the rows; of more than `most_per_row` not all in one epoch."""
        if self.chimeric is None:
            return None
        per_row = min(len(self.chimeric) / len(self.rows), most_per_row)
        return replace(self.chimeric, **_weights(len(self.chimeric), min(1.0, 1 / per_row), self.chimeric.phi_weight))

    def with_validation(self, real, validation):
        """The same with some rows held out."""
        return replace(self, real=real, validation=validation)

    def advised(self, committee):
        """The same with the mean score of a committee, networks in units of the target, in place of the teacher's."""

        def heard(rows):
            if rows is None:
                return None
            score = np.mean([network.score(rows.Z) for network in committee], axis=0)
            return replace(rows, soft=self.scale.outputs(score))

        rows = {name: heard(getattr(self, name)) for name in ("real", "unlabelled", "chimeric", "validation")}
        return replace(self, **rows)

    def is_lost_on(self, network):
        """Whether a network, in units of the target, says nearly the same of all rows, where the teacher does not."""
        score = self.scale.outputs(network.score(self.real.Z))
        return _spread(score, self.real.weight) < LOST * _spread(self.real.soft, self.real.weight)


def _spread(scores, weight):
    """Variance of scores over the rows; a number that is added to the scores of all classes does not count."""
    if scores.shape[1] > 1:
        scores = centred(scores)
    mean = np.average(scores, axis=0, weights=weight)
    return np.average(((scores - mean) ** 2).sum(axis=1), weights=weight)


def _weights(n_samples, weight, explained):
    weight = np.full(n_samples, weight)
    return {"weight": weight, "phi_weight": weight * explained}


def material_of(problem, curriculum, encoder):
    """The material of a problem.

    Parameters
    ----------
    problem : Problem
    curriculum : Curriculum
    encoder : TableEncoder

    Returns
    -------
    Material
    """
    scale = TargetScale(problem)

    def taught(lesson):
        return None if lesson is None else training_set(lesson, encoder, scale)

    return Material(
        scale,
        scale.scores(curriculum.base),
        encoder.columns_,
        training_set(curriculum.real, encoder, scale, weight=problem.weight, hard=problem.hard),
        taught(curriculum.unlabelled),
        taught(curriculum.chimeric),
    )
