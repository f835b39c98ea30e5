"""A student as a torch module, for losses that are differentiated automatically."""

import torch

from skked._torch._losses import divergence, link
from skked._torch._train import Trained, _initialise, _Parameters, branches_of


class StudentModule(torch.nn.Module):
    """ReLU branches side by side, with the first weights that every other student gets from the same seed.

    Parameters
    ----------
    architecture : Architecture
        Sizes of the branches.
    base : array, shape (K,)
        Score of a row that says nothing; fixed.
    n_superfeatures : int
        M.
    seed : int
        Seed of the first weights.
    initial : (coefs, intercepts), optional
        Weights to start from instead.
    device : torch.device

    Shape
    -----
    Z : (n, n_inputs); returns contributions, (n, M, K).
    """

    def __init__(self, architecture, base, n_superfeatures, *, seed, device, initial=None):
        super().__init__()
        flat = _Parameters(architecture, 1, device)
        trainable, _ = _initialise(flat, architecture, [seed], initial)
        # Products with ones and zeros keep the branches apart: what is outside the blocks is zero and stays so.
        self.masks = [mask[0].T for mask in flat.views(trainable)[0]]
        self.coefs = torch.nn.ParameterList([coef[0].T.clone() for coef in flat.coefs])
        self.intercepts = torch.nn.ParameterList([intercept[0, :, 0].clone() for intercept in flat.intercepts])
        self.base = torch.as_tensor(base, dtype=torch.float32, device=device)
        self.architecture = architecture
        self.shape = (n_superfeatures, len(self.base))

    def hidden(self, Z):
        """Last hidden layer, shape (n, n_hidden)."""
        for coef, mask, intercept in zip(self.coefs[:-1], self.masks[:-1], self.intercepts[:-1], strict=True):
            Z = torch.relu(Z @ (coef * mask) + intercept)
        return Z

    def heads(self, hidden):
        """Contributions, shape (n, M, K), from the last hidden layer."""
        phi = hidden @ (self.coefs[-1] * self.masks[-1]) + self.intercepts[-1]
        return phi.view(len(phi), *self.shape)

    def forward(self, Z):
        """Contributions, shape (n, M, K)."""
        return self.heads(self.hidden(Z))

    def score(self, phi):
        """Score, shape (n, K), from the contributions."""
        return self.base + phi.sum(dim=1)

    def trained(self, curves):
        """The weights as numpy arrays, branch by branch.

        Parameters
        ----------
        curves : (list of float, list of float)
            Losses per epoch of the rows trained on, and of those held out.

        Returns
        -------
        Trained
        """
        coefs = [coef.detach().cpu().numpy() for coef in self.coefs]
        intercepts = [intercept.detach().cpu().numpy() for intercept in self.intercepts]
        return Trained(*branches_of(self.architecture, coefs, intercepts), *curves)


def taught_loss(score, batch, *, kind, distillation_weight, explanation_weight, temperature):
    """``(1−λ)·CE(y, z) + λ(1−μ)T²·KL(z_t/T ‖ z/T)`` per row, row weights included.

    Parameters
    ----------
    score : tensor, shape (n, K)
        Scores z of the student.
    batch : TrainingSet
        Of tensors.
    kind : {"softmax", "sigmoid"}
    distillation_weight, explanation_weight, temperature : float
        λ, μ and T.

    Returns
    -------
    tensor, shape (n,)
    """
    hard = divergence(score, batch.hard, kind) * batch.hard_weight[:, 0]
    soft = divergence(score / temperature, link(batch.soft / temperature, kind), kind) * batch.weight[:, 0]
    return (1 - distillation_weight) * hard + distillation_weight * (1 - explanation_weight) * temperature**2 * soft
