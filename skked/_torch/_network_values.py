"""Values of coalitions of a network on a torch device."""

from functools import partial

import numpy as np
import torch
from torch.nn.functional import gelu, leaky_relu, silu

__all__ = ["mean_answers"]

# Tensors of hidden units at a time: two in float64 for the sums of the background, a few in float32.
_BYTES_PER_UNIT = 32

_ACTIVATIONS = {
    "identity": lambda h: h,
    "relu": torch.relu,
    "leaky_relu": leaky_relu,
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "silu": silu,
    "gelu": gelu,
    "gelu_by_tanh": partial(gelu, approximate="tanh"),
}


def mean_answers(network, parts, background_parts, background_weight, member, *, output, max_bytes, device):
    """Mean answers of a network over the background, for coalitions of superfeatures of explained rows.

    Parameters
    ----------
    network : Network
    parts : float array of shape (n_rows, n_superfeatures, n_hidden)
        First-layer contributions of the superfeatures of the explained rows.
    background_parts : float array of shape (n_background, n_superfeatures, n_hidden)
        Those of the background.
    background_weight : float array of shape (n_background,)
    member : bool array of shape (n_coalitions, n_superfeatures)
    output : {"identity", "logistic", "softmax"}
        What is made of the last layer's outputs before the mean.
    max_bytes : int
        Bound for the tensors.
    device : str
        A torch device.

    Returns
    -------
    float64 array of shape (n_rows, n_coalitions, n_answers)
        Computed in float32 beyond the first layer.

    Raises
    ------
    MemoryError
        If the device has too little.
    """
    widest = max(weight.shape[1] for weight in network.weights)
    block = max(1, max_bytes // (_BYTES_PER_UNIT * len(background_parts) * widest))
    at_once = _Layers(network, background_parts, background_weight, output, device)
    try:
        chunks = [at_once(parts, member[start : start + block]) for start in range(0, len(member), block)]
    except torch.cuda.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    return np.concatenate(chunks, axis=1)


class _Layers:
    """A network's tensors, and those of the background."""

    def __init__(self, network, background_parts, background_weight, output, device):
        on_device = partial(torch.as_tensor, device=device)
        self.first, *biases = (on_device(bias, dtype=torch.float32) for bias in network.biases)
        weights = [on_device(weight, dtype=torch.float32) for weight in network.weights[1:]]
        activations = [partial(_ACTIVATIONS[name], **options) for name, options in network.activations]
        self.layers = list(zip(activations, weights, biases, strict=True))
        self.parts = on_device(background_parts, dtype=torch.float64)
        self.weight = on_device(background_weight, dtype=torch.float32)
        self.output = output

    def __call__(self, parts, member):
        """Mean answers, (n_rows, n_coalitions, n_answers)."""
        member = torch.as_tensor(member, dtype=torch.float64, device=self.parts.device)
        of_background = torch.einsum("sg,bgh->sbh", 1 - member, self.parts).float()
        of_rows = (member @ torch.as_tensor(part, device=member.device) for part in parts)
        return torch.stack([self._mean(of_background, of_row.float()) for of_row in of_rows]).double().cpu().numpy()

    def _mean(self, of_background, of_row):
        h = of_background + (of_row + self.first)[:, None]
        for activation, weight, bias in self.layers:
            h = activation(h) @ weight + bias
        return torch.einsum("sbc,b->sc", self._answers(h), self.weight)

    def _answers(self, outputs):
        if self.output == "softmax":
            return torch.softmax(outputs, dim=-1)
        if self.output == "logistic":
            p = torch.sigmoid(outputs)
            return torch.cat([1 - p, p], dim=-1) if p.shape[-1] == 1 else p
        return outputs
