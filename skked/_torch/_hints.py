"""Hints: what a student's hidden maps have in common with its teacher's, in three published ways.

Every hint is given per image and branch, is zero where both agree, and does not depend on the number of maps or
positions. The published losses average over everything and are then multiplied by factors of hundreds; the scale here
is ours, so that one weight suits all three.

Shape
-----
student : (n, M, maps, positions); teacher : (n, M, teacher's maps, positions); all return (n, M).
"""

import torch


def fitnet_hint(student, teacher, projection):
    """Mean squared error of the teacher's maps, predicted from the student's by a learned linear map.

    Shape
    -----
    projection : (M, maps, teacher's maps).
    """
    projected = torch.einsum("nmfp,mfg->nmgp", student, projection)
    return ((projected - teacher) ** 2).mean(dim=(2, 3))


def attention_hint(student, teacher):
    """Squared distance of the attention maps: squares summed over the maps, then brought to length one."""
    return ((_attention(student) - _attention(teacher)) ** 2).sum(-1)


def similarity_hint(student, teacher):
    """Squared distance of the rows of both Gram matrices of the batch, each row brought to length one."""
    return ((_similarity(student) - _similarity(teacher)) ** 2).sum(-1).T


def _attention(maps):
    return torch.nn.functional.normalize((maps**2).sum(2), dim=-1)


def _similarity(maps):
    flat = maps.flatten(2).transpose(0, 1)  # (M, n, maps * positions)
    return torch.nn.functional.normalize(flat @ flat.transpose(1, 2), dim=-1)
