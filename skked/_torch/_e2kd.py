"""The loss of e2KD, and the training of a student by it: explanations that point in the teacher's direction."""

import torch

from skked._torch._autograd import fit_by_autograd, held_out_mean
from skked._torch._device import in_portions, resolve_device
from skked._torch._module import StudentModule, taught_loss

ZERO = 1e-15
"""Explanations shorter than this have no direction."""


def cosine_gap(teacher, student):
    """``1 − cos`` of the angle between two explanations; 0, with no gradient, where either has no direction.

    Shape
    -----
    teacher, student : (n, E); returns (n,).
    """
    squares = [(explanation**2).sum(-1) for explanation in (teacher, student)]
    directed = (squares[0] > ZERO**2) & (squares[1] > ZERO**2)
    # The root of zero has no derivative, and the zero of torch.where does not stop what is not a number.
    length_t, length_s = (torch.where(directed, square, 1.0).sqrt() for square in squares)
    return torch.where(directed, 1 - (teacher * student).sum(-1) / (length_t * length_s), 0.0)


def of_class(explanation, kind, best):
    """Explanations of one class per row, of the scores centred over the classes.

    Shape
    -----
    explanation : (n, E, K); best : (n,), the class; returns (n, E).
    """
    if kind == "sigmoid":  # those of either class are half the explanation of the log-odds, up to the sign
        return explanation[..., 0]
    centred = explanation - explanation.mean(-1, keepdim=True)
    return centred.gather(-1, best.view(-1, 1, 1).expand(-1, explanation.shape[1], 1))[..., 0]


def contributions_of(module, Z, phi, best, kind):
    """The student's contributions to the class that the teacher chose, shape (n, M)."""
    return of_class(phi, kind, best)


class InputGradient:
    """The student's gradient times input for the class that the teacher chose; the gradient's own is taken later.

    A number x is encoded as ``z = arcsinh(u)`` with ``u = (x - centre) * scale``, so that
    ``(x - centre)·∂s/∂x = ∂s/∂z · u / sqrt(1 + u²) = ∂s/∂z · tanh(z)``.

    Parameters
    ----------
    columns : int array, shape (E,)
        Encoded columns of the numbers that are explained.
    """

    def __init__(self, columns):
        self.columns = torch.as_tensor(columns)

    def __call__(self, module, Z, phi, best, kind):
        """Explanations of shape (n, E)."""
        score = of_class(module.score(phi)[:, None], kind, best)
        (gradient,) = torch.autograd.grad(score.sum(), Z, create_graph=True)
        return gradient[:, self.columns] * torch.tanh(Z[:, self.columns])


class E2KDLoss:
    """``(1−λ)·CE(y, z) + λ·[T²·KL(z_t/T ‖ z/T) + μ·(1 − cos(E_t, E_s))]`` per row; E explains the teacher's class.

    Rows without a label drop the first term, rows without an explanation the last.

    Parameters
    ----------
    kind : {"softmax", "sigmoid"}
        The link.
    distillation_weight, explanation_weight, temperature : float
        λ, μ and T.
    explain : callable
        ``contributions_of`` or the like.
    """

    def __init__(self, kind, *, distillation_weight, explanation_weight, temperature, explain):
        self.kind = kind
        self.distillation_weight = distillation_weight
        self.explanation_weight = explanation_weight
        self.temperature = temperature
        self.explain = explain

    def __call__(self, module, batch):
        """Loss of every row, row weights included, shape (n,)."""
        Z = batch.Z.requires_grad_(True)
        phi = module(Z)
        loss = taught_loss(
            module.score(phi),
            batch,
            kind=self.kind,
            distillation_weight=self.distillation_weight,
            explanation_weight=0.0,
            temperature=self.temperature,
        )
        best = batch.soft.argmax(1)
        gap = cosine_gap(of_class(batch.phi, self.kind, best), self.explain(module, Z, phi, best, self.kind))
        return loss + self.distillation_weight * self.explanation_weight * batch.phi_weight[:, 0] * gap


def train_e2kd(
    architecture, base, n_superfeatures, rows, schedule, loss, *, seed, validation=None, initial=None, device="auto"
):
    """Train a student by the loss of e2KD.

    Parameters
    ----------
    architecture : Architecture
        Sizes of the branches.
    base : array, shape (K,)
        The score of a row that says nothing; fixed.
    n_superfeatures : int
        M.
    rows, validation : TrainingSet
        Rows of an epoch, with the teacher's explanations, frozen; rows that choose the best epoch, or None.
    schedule : Schedule
        Epochs, batch, learning rate, weight decay.
    loss : E2KDLoss
    seed : int
        Seed of the first weights and of the order of the rows.
    initial : (coefs, intercepts), optional
        Weights to start from.
    device : str
        A torch device or "auto".

    Returns
    -------
    Trained

    Warns
    -----
    UserWarning
        If the GPU has not enough memory; see :func:`skked._torch._device.in_portions`.
    """

    def run(device, n_portions):
        module = StudentModule(architecture, base, n_superfeatures, seed=seed, initial=initial, device=device)
        learnt = rows.to_tensors(device)
        held_out = None if validation is None else validation.to_tensors(device)

        def held_out_loss():
            return held_out_mean(lambda some: loss(module, held_out.take(some)), held_out.weight, n_portions)

        curves = fit_by_autograd(
            list(module.parameters()),
            lambda index: loss(module, learnt.take(index)).mean(),
            len(learnt),
            schedule,
            seed=seed,
            held_out_loss=None if held_out is None else held_out_loss,
            n_portions=n_portions,
        )
        return module.trained(curves)

    return in_portions(run, resolve_device(device), most=schedule.batch_size)
