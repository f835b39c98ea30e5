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

    def decisions(self, scores):
        """The labels that the teacher would give: its most probable class, or its prediction.

        Shape
        -----
        scores : (n, C) in link space of the teacher; returns (n, K).
        """
        if self.kind == "identity":
            return self.scores(scores)
        index = scores.argmax(axis=1)
        return index[:, None].astype(float) if self.kind == "sigmoid" else np.eye(scores.shape[1])[index]


def training_set(lesson, encoder, scale, *, weight=None, hard=None, trust_teacher=False):
    """What the student learns from a lesson.

    Parameters
    ----------
    lesson : Lesson
    encoder : TableEncoder
    scale : TargetScale
    weight : array of shape (n,), optional
        Row weights; 1 by default.
    hard : array of shape (n, K), optional
        True labels in link space.
    trust_teacher : bool, default=False
        Without true labels, take the teacher's decisions for them; otherwise these rows have none.

    Returns
    -------
    TrainingSet
    """
    n_samples = len(lesson.scores)
    weight = np.ones(n_samples) if weight is None else weight
    has_labels = hard is not None or trust_teacher
    return TrainingSet(
        Z=encoder.transform(lesson.X),
        hard=scale.decisions(lesson.scores) if hard is None else scale.labels(hard),
        soft=scale.scores(lesson.scores),
        phi=None if lesson.phi is None else scale.differences(lesson.phi),
        weight=weight,
        hard_weight=weight if has_labels else np.zeros(n_samples),
        phi_weight=weight * lesson.explained,
    )
