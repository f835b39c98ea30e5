"""The distillation loss and its gradient, written out.

Every term compares the link of a score with a target, so its gradient is a difference; no automatic differentiation
is needed. ``link`` is the softmax (three or more classes), the sigmoid (two classes, one score: the log-odds) or the
identity (regression, where every temperature is 1 and the terms are halves of squared errors).
"""

import math

import torch


def link(score, kind):
    """Softmax, sigmoid or identity over the last axis."""
    if kind == "softmax":
        return torch.softmax(score, dim=-1)
    if kind == "sigmoid":
        return torch.sigmoid(score)
    return score


def divergence(score, target, kind):
    """``KL(target ‖ link(score))`` per row in nats, or half the squared error; ``target`` is in link space.

    Shape
    -----
    score, target : (..., K); returns (...,).
    """
    if kind == "softmax":
        cross = -(target * torch.log_softmax(score, dim=-1)).sum(-1)
        return cross + torch.xlogy(target, target).sum(-1)
    if kind == "sigmoid":
        cross = torch.nn.functional.softplus(score) - target * score
        negative_entropy = torch.xlogy(target, target) + torch.xlogy(1 - target, 1 - target)
        return (cross + negative_entropy).sum(-1)
    return 0.5 * ((score - target) ** 2).sum(-1)


class DistillationLoss:
    """``(1−λ)·D(y, z) + λ(1−μ)T²·D(z_t/T, z/T) + (λμτ²/M)·Σ_i D((b+φ_i^t)/τ, (b+φ_i)/τ)`` per row and candidate.

    ``D`` is the Kullback-Leibler divergence of the link's distributions (half the squared error for the identity).
    Rows without a label drop the first term, rows without an explanation the third.

    Parameters
    ----------
    kind : {"softmax", "sigmoid", "identity"}
        The link.
    distillation_weight, explanation_weight, temperature, explanation_temperature : tensor, shape (n_candidates,)
        λ, μ, T and τ of every candidate.
    """

    def __init__(self, kind, *, distillation_weight, explanation_weight, temperature, explanation_temperature):
        self.kind = kind
        per_row = (-1, 1, 1)
        self.hard = (1 - distillation_weight).view(per_row)
        self.soft = (distillation_weight * (1 - explanation_weight)).view(per_row)
        self.explained = (distillation_weight * explanation_weight).view(-1, 1, 1, 1)
        self.temperature = temperature.view(per_row)
        self.explanation_temperature = explanation_temperature.view(-1, 1, 1, 1)
        self.use_explanations = bool((self.explained > 0).any())

    def gradient(self, phi, base, batch):
        """Gradient of the summed, weighted loss with respect to the student's contributions.

        Shape
        -----
        phi : (n_candidates, n_rows, M, K); base : (K,); returns the shape of ``phi``.
        """
        score = base + phi.sum(2)
        difference = self.hard * batch.hard_weight * (link(score, self.kind) - batch.hard)
        student = link(score / self.temperature, self.kind)
        teacher = link(batch.soft / self.temperature, self.kind)
        difference = difference + self.soft * self.temperature * batch.weight * (student - teacher)
        gradient = difference.unsqueeze(2).expand_as(phi)
        if self.use_explanations:
            tau = self.explanation_temperature
            student = link((base + phi) / tau, self.kind)
            teacher = link((base + batch.phi) / tau, self.kind)
            factor = self.explained * tau / phi.shape[2] * batch.phi_weight.unsqueeze(-1)
            gradient = gradient + factor * (student - teacher)
        return gradient

    def value(self, phi, base, batch):
        """Summed, weighted loss per candidate.

        Shape
        -----
        phi : (n_candidates, n_rows, M, K); base : (K,); returns (n_candidates,).
        """
        score = base + phi.sum(2)
        loss = self.hard[..., 0] * batch.hard_weight[..., 0] * divergence(score, batch.hard, self.kind)
        teacher = link(batch.soft / self.temperature, self.kind)
        soft = divergence(score / self.temperature, teacher, self.kind)
        loss = loss + (self.soft * self.temperature**2)[..., 0] * batch.weight[..., 0] * soft
        if self.use_explanations:
            tau = self.explanation_temperature
            teacher = link((base + batch.phi) / tau, self.kind)
            explained = divergence((base + phi) / tau, teacher, self.kind).mean(2)
            loss = loss + (self.explained * tau**2)[..., 0, 0] * batch.phi_weight[..., 0] * explained
        return loss.sum(1)


def cosine_decay(step, n_steps, *, warm_up=0.05):
    """Learning-rate factor: a short linear rise, then half a cosine down to zero."""
    rise = max(1, int(warm_up * n_steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, n_steps - rise)))
