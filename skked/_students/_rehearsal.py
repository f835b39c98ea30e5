"""Which of two networks learns more: both learn a part of the rows for a while, and are judged by the others."""

from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np

from skked._forward import StudentNetwork
from skked._progress import steps
from skked._students._base import MANY

PARTS, ROWS, BATCHES = 5, 20_000, 20
"""Parts of the rows, rows that take part at most, and batches of an epoch at least."""


@dataclass(frozen=True)
class Terms:
    """How long both learn, how many parts judge in turn, and by how many standard errors the loss must be lower."""

    epochs: int
    n_judges: int
    clearly: float


FEW, MANY_ROWS = Terms(60, PARTS, 2.5), Terms(30, 1, 1.64)


def learns_more(student, one, other, problem, teaching, material, seed):
    """Whether one network says the labels of rows that it did not see clearly better than another.

    Where the user gave folds, these judge: groups of rows that the cross-fitting keeps together stay together.

    Parameters
    ----------
    student : ExplainingStudent
        With whose settings both train, without chimeras.
    one, other : (Architecture, int)
        Two networks, and the number of contributions that each gives.
    problem : Problem
    teaching : CrossFit
    material : Material
        Of all rows.
    seed : int

    Returns
    -------
    bool
        Whether the loss of `one` is lower by more standard errors than noise brings about.
    """
    terms = MANY_ROWS if len(problem) >= MANY else FEW
    order = np.random.RandomState(seed).permutation(len(problem))[:ROWS]
    rows = np.sort(order)
    if teaching.in_sample or isinstance(student.cv, Integral):
        part = np.empty(len(problem), dtype=int)
        part[order] = np.minimum(np.arange(len(order)) // (len(order) // PARTS), PARTS - 1)
    else:
        part = np.where(teaching.fold_of_row < 0, -1, teaching.fold_of_row % PARTS)
    part, real = part[rows], material.real.take(rows)
    judges = [part == number for number in np.unique(part[part >= 0])[: terms.n_judges]]
    losses = [
        _losses(student, *network, problem, material, real, judges, terms.epochs, seed)
        for network in steps([other, one], 2)
    ]
    share = np.concatenate([real.hard_weight[judging] for judging in judges])
    share, gain = share / share.sum(), losses[0] - losses[1]
    mean = share @ gain
    return bool(mean > terms.clearly * np.sqrt(share**2 @ (gain - mean) ** 2))


def _losses(student, architecture, n_superfeatures, problem, material, real, judges, epochs, seed):
    """Losses of the rows that judge, said by networks that trained on the others, side by side."""
    import torch

    from skked._torch._losses import divergence
    from skked._torch._train import Part, train

    kind, n = material.scale.kind, len(judges)
    weights = student._loss_weights(kind)
    weights["explanation_weight"] = min(1.0, weights["explanation_weight"])  # E2KD's may be larger
    parts = [Part(np.flatnonzero(~judging), np.arange(0)) for judging in judges]
    n_rows = min(len(part.real) for part in parts)
    schedule = student._schedule(problem, n_rows)
    trained = train(
        architecture,
        material.base,
        n_superfeatures,
        real,
        replace(
            schedule,
            max_iter=min(epochs, schedule.max_iter),
            batch_size=min(schedule.batch_size, -(-n_rows // BATCHES)),
        ),
        kind=kind,
        **{name: [value] * n for name, value in weights.items()},
        seeds=[seed] * n,
        parts=parts,
        device=student.device,
    )
    losses = []
    for judging, own in zip(judges, trained, strict=True):
        network = StudentNetwork(architecture.inputs, own.coefs, own.intercepts, material.base, n_superfeatures)
        score = torch.as_tensor(network.score(real.Z[judging]))
        losses.append(divergence(score, torch.as_tensor(real.hard[judging]), kind).numpy())
    return np.concatenate(losses)
