"""From what the teacher says, in scores per class or target units, to what the student's outputs are trained on."""

import numpy as np

from skked._torch._train import TrainingSet


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

    def labels(self, hard):
        """Labels in link space, or standardised targets."""
        return (hard - self.shift) / self.scale


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
        hard=np.zeros_like(soft) if hard is None else scale.labels(hard),
        soft=soft,
        phi=None if lesson.phi is None else scale.differences(lesson.phi),
        weight=weight,
        hard_weight=np.zeros(n_samples) if hard is None else weight,
        phi_weight=weight * lesson.explained,
    )
