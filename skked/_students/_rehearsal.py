"""Which of two networks learns more from many rows: both learn some of them for a while, and are judged by others."""

from dataclasses import replace

import numpy as np

from skked._forward import StudentNetwork
from skked._progress import steps

ROWS = 20_000
"""Rows that take part at most, one in five to judge by."""
EPOCHS = 30
CLEARLY = 1.64
"""Standard errors by which the loss must be lower."""


def learns_more(student, one, other, material, schedule, seed):
    """Whether one network says the labels of held-out rows clearly better than another after a short training.

    Parameters
    ----------
    student : DistilledStudent
        Trains both.
    one, other : (Architecture, int)
        Two networks, and the number of contributions that each gives.
    material : Material
    schedule : Schedule
        Of the whole training.
    seed : int

    Returns
    -------
    bool
        Whether the loss of `one` is lower by more than :data:`CLEARLY` standard errors.
    """
    import torch

    from skked._torch._losses import divergence

    order = np.random.RandomState(seed).permutation(len(material.real))[:ROWS]
    judged, taught = (material.real.take(np.sort(rows)) for rows in np.split(order, [len(order) // 5]))
    part = replace(material, real=taught, unlabelled=None, chimeric=None, validation=None)
    epochs, batch_size = min(EPOCHS, schedule.max_iter), student._batch_size(len(taught))
    schedule = replace(schedule, max_iter=epochs, batch_size=batch_size)
    losses = []
    for architecture, n_superfeatures in steps([other, one], 2):
        trained = student._fit_network(architecture, n_superfeatures, part, schedule, seed)
        network = StudentNetwork(architecture.inputs, trained.coefs, trained.intercepts, material.base, n_superfeatures)
        score, labels = torch.as_tensor(network.score(judged.Z)), torch.as_tensor(judged.hard)
        losses.append(divergence(score, labels, material.scale.kind).numpy())
    gain = losses[0] - losses[1]
    share = judged.hard_weight / judged.hard_weight.sum()
    mean = share @ gain
    return bool(mean > CLEARLY * np.sqrt(share**2 @ (gain - mean) ** 2))
