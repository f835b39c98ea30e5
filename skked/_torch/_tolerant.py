"""The loss of tolerant teachers and its gradient, written out."""

import torch

from skked._torch._losses import divergence, link


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

    def gradient(self, phi, base, batch):
        """Gradient of the summed, weighted loss with respect to the contributions.

        Shape
        -----
        phi : (n_candidates, n_rows, M, K); base : (K,); returns the shape of ``phi``.
        """
        probability = link(base + phi.sum(2), self.kind)
        strict = probability - batch.hard
        if self.kind == "sigmoid":
            tolerant = 2 * torch.sign(2 * probability - 1) * probability * (1 - probability)
        else:
            order = probability.topk(self.top_k, dim=-1).indices
            sign = torch.zeros_like(probability).scatter_(-1, order, -1 / (self.top_k - 1))
            sign.scatter_(-1, order[..., :1], 1.0)
            tolerant = probability * (sign - (sign * probability).sum(-1, keepdim=True))
        gradient = batch.hard_weight * (self.eta * strict + (1 - self.eta) * tolerant)
        return gradient.unsqueeze(2).expand_as(phi)

    def value(self, phi, base, batch):
        """Summed, weighted loss per candidate.

        Shape
        -----
        phi : (n_candidates, n_rows, M, K); base : (K,); returns (n_candidates,).
        """
        score = base + phi.sum(2)
        probability = link(score, self.kind)
        if self.kind == "sigmoid":
            gap = (2 * probability - 1).abs().sum(-1)
        else:
            largest = probability.topk(self.top_k, dim=-1).values
            gap = largest[..., 0] - largest[..., 1:].mean(-1)
        loss = self.eta * divergence(score, batch.hard, self.kind) + (1 - self.eta) * gap
        return (batch.hard_weight[:, 0] * loss).sum(1)
