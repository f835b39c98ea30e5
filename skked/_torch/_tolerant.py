"""The loss of tolerant teachers and its gradient, written out."""

import torch

from skked._torch._losses import divergence, link, rows_last


class TolerantLoss:
    """``-η·ln f_y + (1-η)·[f_a1 - (1/(K-1))·Σ_{k=2..K} f_ak]`` per row, f_ak the k-th largest probability.

    Stands in for :class:`~skked._torch._losses.DistillationLoss`: one loss for all candidates, from the labels alone.
    With ``g`` the coefficients of the bracket (1, then -1/(K-1), 0 beyond K), the gradient of the score z_j is
    ``η(f_j - y_j) + (1-η)·f_j·(g_j - Σ_c g_c f_c)``.

    Parameters
    ----------
    kind : {"softmax", "sigmoid"}
        The link; "sigmoid" is one log-odds for two classes, and K = 2.
    eta : float
        η, weight of the cross-entropy.
    top_k : int
        K, classes in the gap.
    """

    def __init__(self, kind, *, eta, top_k):
        self.kind, self.eta, self.top_k = kind, eta, top_k

    def prepared(self, rows, base, n_superfeatures):
        """What the gradient needs of some batches: tensors whose first axis counts the batches.

        Shape
        -----
        rows : TrainingSet of (n_batches, 1 or n_candidates, n_rows, ...).
        """
        return [rows_last(rows.hard), rows_last(rows.hard_weight)]

    def gradient(self, phi, base, hard, hard_weight):
        """Gradient of the summed, weighted loss with respect to the contributions.

        Shape
        -----
        phi : (n_candidates, M, K, n_rows); base : (K, 1); the rest one batch of ``prepared``; returns the shape of
        ``phi``.
        """
        probability = link(base + phi.sum(1), self.kind, -2)
        strict = probability - hard
        if self.kind == "sigmoid":
            tolerant = 2 * torch.sign(2 * probability - 1) * probability * (1 - probability)
        else:
            order = probability.topk(self.top_k, dim=1).indices
            sign = torch.zeros_like(probability).scatter_(1, order, -1 / (self.top_k - 1))
            sign.scatter_(1, order[:, :1], 1.0)
            tolerant = probability * (sign - (sign * probability).sum(1, keepdim=True))
        gradient = hard_weight * (self.eta * strict + (1 - self.eta) * tolerant)
        return gradient.unsqueeze(1).expand_as(phi)

    def value(self, phi, base, rows):
        """Summed, weighted loss per candidate.

        Shape
        -----
        phi : (n_candidates, M, K, n_rows); base : (K, 1); rows : TrainingSet of (n_rows, ...), with a leading axis of
        1 or n_candidates or without; returns (n_candidates,).
        """
        score = base + phi.sum(1)
        probability = link(score, self.kind, -2)
        if self.kind == "sigmoid":
            gap = (2 * probability - 1).abs().sum(1)
        else:
            largest = probability.topk(self.top_k, dim=1).values
            gap = largest[:, 0] - largest[:, 1:].mean(1)
        loss = self.eta * divergence(score, rows_last(rows.hard), self.kind, -2) + (1 - self.eta) * gap
        return (rows_last(rows.hard_weight)[..., 0, :] * loss).sum(1)
