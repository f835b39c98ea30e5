"""The distillation loss and its gradient, written out.

Every term compares the link of a score with a target, so its gradient is a difference; no automatic differentiation
is needed. ``link`` is the softmax (three or more classes), the sigmoid (two classes, one score: the log-odds) or the
identity (regression, where every temperature is 1 and the terms are halves of squared errors).
"""

import math

import torch


def link(score, kind, axis=-1):
    """Softmax over an axis, sigmoid or identity."""
    if kind == "softmax":
        return torch.softmax(score, axis)
    if kind == "sigmoid":
        return torch.sigmoid(score)
    return score


def divergence(score, target, kind, axis=-1):
    """``KL(target ‖ link(score))`` per row in nats, or half the squared error; ``target`` is in link space.

    Shape
    -----
    score, target : with the K outputs along ``axis``, which the result lacks.
    """
    if kind == "softmax":
        cross = -(target * torch.log_softmax(score, axis)).sum(axis)
        return cross + torch.xlogy(target, target).sum(axis)
    if kind == "sigmoid":
        cross = torch.nn.functional.softplus(score) - target * score
        negative_entropy = torch.xlogy(target, target) + torch.xlogy(1 - target, 1 - target)
        return (cross + negative_entropy).sum(axis)
    return 0.5 * ((score - target) ** 2).sum(axis)


class DistillationLoss:
    """``(1−λ)·D(y, z) + λ(1−μ)T²·D(z_t/T, z/T) + (λμτ²/M)·Σ_i D((b+φ_i^t)/τ, (b+φ_i)/τ)`` per row and candidate.

    ``D`` is the Kullback-Leibler divergence of the link's distributions (half the squared error for the identity).
    Rows without a label drop the first term, rows without an explanation the third.

    The gradient is ``(1−λ)·(link(z) − y) + λ(1−μ)T·(link(z/T) − link(z_t/T))`` for every ``φ_i``, and for each its
    own ``(λμτ/M)·(link((b+φ_i)/τ) − link((b+φ_i^t)/τ))``. What does not depend on the student is prepared before
    the steps that need it. Rows lie along the last axis: then all arithmetic runs over long vectors.

    Parameters
    ----------
    kind : {"softmax", "sigmoid", "identity"}
        The link.
    distillation_weight, explanation_weight, temperature, explanation_temperature : tensor, shape (n_candidates,)
        λ, μ, T and τ of every candidate.
    """

    def __init__(self, kind, *, distillation_weight, explanation_weight, temperature, explanation_temperature):
        self.kind = kind
        self.hard = _per_candidate(1 - distillation_weight)
        self.soft = _per_candidate(distillation_weight * (1 - explanation_weight))
        self.explained = _per_candidate(distillation_weight * explanation_weight)
        self.temperature = _per_candidate(temperature)
        self.explanation_temperature = _per_candidate(explanation_temperature)
        self.one_temperature = bool((temperature == 1).all())
        self.use_explanations = bool((self.explained > 0).any())

    def prepared(self, rows, base, n_superfeatures):
        """What the gradient needs of some batches: tensors whose first axis counts the batches.

        Shape
        -----
        rows : TrainingSet of (n_batches, 1 or n_candidates, n_rows, ...); base : (K, 1).
        """
        labels = self.hard * rows_last(rows.hard_weight)
        teaching = self.soft * self.temperature * rows_last(rows.weight)
        teacher = link(rows_last(rows.soft) / self.temperature, self.kind, -2)
        prepared = [labels * rows_last(rows.hard) + teaching * teacher]
        prepared += [labels + teaching] if self.one_temperature else [labels, teaching]
        if self.use_explanations:
            tau = self.explanation_temperature[:, None]
            teacher = link((base + contributions_rows_last(rows.phi)) / tau, self.kind, -2)
            factor = self.explained[:, None] * tau / n_superfeatures * rows_last(rows.phi_weight).unsqueeze(-3)
            prepared += [factor, factor * teacher]
        return prepared

    def gradient(self, phi, base, target, *factors):
        """Gradient of the summed, weighted loss with respect to the student's contributions.

        Shape
        -----
        phi : (n_candidates, M, K, n_rows); base : (K, 1); the rest one batch of ``prepared``; returns the shape of
        ``phi``.
        """
        score = phi.sum(1).add_(base)
        if self.one_temperature:
            force, *factors = factors
            gradient = (link(score, self.kind, -2) * force).sub_(target)
        else:
            labels, teaching, *factors = factors
            gradient = (link(score, self.kind, -2) * labels).sub_(target)
            gradient.addcmul_(link(score.div_(self.temperature), self.kind, -2), teaching)
        gradient = gradient.unsqueeze(1)
        if not self.use_explanations:
            return gradient.expand_as(phi)
        factor, teacher = factors
        student = link((phi + base).div_(self.explanation_temperature[:, None]), self.kind, -2)
        return (student * factor).sub_(teacher).add_(gradient)

    def value(self, phi, base, rows):
        """Summed, weighted loss per candidate.

        Shape
        -----
        phi : (n_candidates, M, K, n_rows); base : (K, 1); rows : TrainingSet of (n_rows, ...), with a leading axis of
        1 or n_candidates or without; returns (n_candidates,).
        """
        score = phi.sum(1) + base
        loss = (self.hard * rows_last(rows.hard_weight))[..., 0, :] * divergence(
            score, rows_last(rows.hard), self.kind, -2
        )
        teacher = link(rows_last(rows.soft) / self.temperature, self.kind, -2)
        soft = divergence(score / self.temperature, teacher, self.kind, -2)
        loss = loss + (self.soft * self.temperature**2 * rows_last(rows.weight))[..., 0, :] * soft
        if self.use_explanations:
            tau = self.explanation_temperature
            teacher = link((base + contributions_rows_last(rows.phi)) / tau[:, None], self.kind, -2)
            explained = divergence((base + phi) / tau[:, None], teacher, self.kind, -2).mean(1)
            loss = loss + (self.explained * tau**2 * rows_last(rows.phi_weight))[..., 0, :] * explained
        return loss.sum(1)


def rows_last(values):
    """(..., n_rows, K) as (..., K, n_rows); row weights are a column, K = 1."""
    return values.transpose(-1, -2)


def contributions_rows_last(phi):
    """(..., n_rows, M, K) as (..., M, K, n_rows)."""
    return phi.movedim(-3, -1)


def _per_candidate(values):
    """One value if all candidates have the same."""
    if (values == values[0]).all():
        values = values[:1]
    return values.view(-1, 1, 1)


def cosine_decay(step, n_steps, *, warm_up=0.05):
    """Learning-rate factor: a short linear rise, then half a cosine down to zero."""
    rise = max(1, int(warm_up * n_steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / (n_steps - rise)))
