"""Networks as plain arrays, and their games with the first layer cached."""

import functools
import importlib.util
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag
from scipy.special import erf, expit, softmax

from skked._explanations._errors import NotApplicableError
from skked._forward import StudentNetwork

__all__ = ["Network", "NetworkValues", "device_of", "network_of"]

# Rows of hidden units that stay in the second-level cache between layers.
_HIDDEN_ROWS = 512
# Explained rows that share the sums of the background while these are in the cache.
_ROWS = 8
# Agreement of the network that was read with the teacher, which may compute in float32.
_SAME = 1e-5


def _relu(h):
    np.maximum(h, 0, out=h)


def _gelu(h):
    h *= (0.5 * (1 + erf(h / np.sqrt(2)))).astype(h.dtype)


def _gelu_by_tanh(h):
    h *= 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))


def _silu(h):
    h *= expit(h)


def _leaky_relu(h, negative_slope):
    np.maximum(h, negative_slope * h, out=h)


def _tanh(h):
    np.tanh(h, out=h)


def _logistic(h):
    expit(h, out=h)


def _identity(h):
    pass


_IN_PLACE = {
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "tanh": _tanh,
    "logistic": _logistic,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_by_tanh": _gelu_by_tanh,
    "identity": _identity,
}


class Activation(NamedTuple):
    """An activation of hidden units by its name, the same for numpy and torch."""

    name: str
    options: dict = {}

    def __call__(self, h):
        """Work in place."""
        _IN_PLACE[self.name](h, **self.options)


_RELU = Activation("relu")


@dataclass(frozen=True)
class Network:
    """A fully connected network.

    Attributes
    ----------
    weights : list of float arrays of shape (n_in, n_out)
    biases : list of float arrays of shape (n_out,)
    activations : list of Activation
        One for each hidden layer.
    output : {"identity", "logistic", "softmax"}
        What makes the last layer's outputs the answers of the teacher.
    """

    weights: list
    biases: list
    activations: list
    output: str = "identity"

    def __call__(self, rows):
        """Outputs of the last layer before `output`, float64, shape (n_rows, n_outputs)."""
        h = np.asarray(rows, dtype=np.float64)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = h @ weight + bias
            if layer < len(self.activations):
                self.activations[layer](h)
        return h

    def answers(self, outputs):
        """Answers of the teacher: probabilities of two columns or more, or the outputs themselves."""
        if self.output == "softmax":
            return softmax(outputs, axis=-1)
        if self.output == "logistic":
            p = expit(outputs)
            return np.concatenate([1 - p, p], axis=-1) if p.shape[-1] == 1 else p
        return outputs


def network_of(estimator):
    """The network inside a fitted estimator or torch module.

    Parameters
    ----------
    estimator : object
        ``MLPClassifier``, ``MLPRegressor``, a torch ``Sequential`` of linear layers and activations, or the network of
        a student of this package.

    Returns
    -------
    Network or None
    """
    if type(estimator).__name__ in ("MLPClassifier", "MLPRegressor") and hasattr(estimator, "coefs_"):
        hidden = [Activation(estimator.activation)] * (len(estimator.coefs_) - 1)
        return Network(list(estimator.coefs_), list(estimator.intercepts_), hidden, estimator.out_activation_)
    if isinstance(estimator, StudentNetwork):
        return _network_of_student(estimator)
    if type(estimator).__module__.startswith("torch.nn") and hasattr(estimator, "children"):
        return _network_of_torch(estimator)
    return None


def _network_of_student(student):
    """The branches of each layer as one block matrix; the last layer sums their contributions."""
    n_inputs = 1 + max(int(columns.max()) for columns in student.inputs)
    first = np.zeros((n_inputs, sum(coef.shape[1] for coef in student.coefs[0])))
    start = 0
    for columns, coef in zip(student.inputs, student.coefs[0], strict=True):
        first[columns, start : start + coef.shape[1]] = coef
        start += coef.shape[1]
    weights = [first, *(block_diag(*(coef.astype(np.float64) for coef in layer)) for layer in student.coefs[1:])]
    biases = [np.concatenate(layer).astype(np.float64) for layer in student.intercepts]
    by_superfeature = (student.n_superfeatures, student.n_outputs)
    weights[-1] = weights[-1].reshape(-1, *by_superfeature).sum(axis=1)
    biases[-1] = biases[-1].reshape(by_superfeature).sum(axis=0) + student.base
    return Network(weights, biases, [_RELU] * (len(weights) - 1))


def _network_of_torch(module):
    weights, biases, activations, output = [], [], [], "identity"
    for layer in _leaves_of(module):
        name = type(layer).__name__
        if name == "Linear" and output == "identity":
            if len(activations) < len(weights):
                activations.append(Activation("identity"))
            weights.append(layer.weight.detach().cpu().numpy().astype(np.float64).T)
            bias = np.zeros(len(layer.weight)) if layer.bias is None else layer.bias.detach().cpu().numpy()
            biases.append(bias.astype(np.float64))
        elif name in _TORCH_ACTIVATIONS and len(activations) == len(weights) - 1:
            activations.append(_TORCH_ACTIVATIONS[name](layer))
        elif name == "Softmax" and len(activations) == len(weights) - 1 and layer.dim in (1, -1):
            output = "softmax"
        elif name not in ("Dropout", "AlphaDropout", "Identity"):
            return None
    if not weights or len(activations) == len(weights):
        return None
    return Network(weights, biases, activations, output)


def _leaves_of(module):
    children = list(module.children())
    return [leaf for child in children for leaf in _leaves_of(child)] if children else [module]


_TORCH_ACTIVATIONS = {
    "ReLU": lambda layer: _RELU,
    "Tanh": lambda layer: Activation("tanh"),
    "Sigmoid": lambda layer: Activation("logistic"),
    "SiLU": lambda layer: Activation("silu"),
    "GELU": lambda layer: Activation("gelu" if layer.approximate == "none" else "gelu_by_tanh"),
    "LeakyReLU": lambda layer: Activation("leaky_relu", {"negative_slope": layer.negative_slope}),
}


@functools.lru_cache(maxsize=1)
def _compiled_relu():
    """The kernel that adds and cuts off in one pass, where numba is installed."""
    if importlib.util.find_spec("numba") is None:
        return None
    from skked._explanations._network_kernels import add_relu

    return add_relu


def device_of(device):
    """Name of the device that a ``device`` parameter means; the CPU where there is no torch.

    Raises
    ------
    ValueError
        If torch knows no such device or it is not there.
    """
    if device == "cpu" or (device == "auto" and importlib.util.find_spec("torch") is None):
        return "cpu"
    from skked._torch._device import resolve_device

    return str(resolve_device(device))


class NetworkValues:
    """The game ``v(S) = E_b f(x_S, b_rest)`` of a network, without assembling rows.

    The first layer is linear, so its outputs for a mixture of rows are sums of the contributions of superfeatures.
    Those of the background are summed once for each coalition, those of an explained row once for each row and
    coalition. Hidden layers are evaluated in float32.

    Parameters
    ----------
    problem : Problem
    inner : InnerEstimator
    network : Network
        The network of `inner`.

    Raises
    ------
    NotApplicableError
        If the network does not give the explained scores.
    """

    def __init__(self, problem, inner, network):
        self.network = network
        self.score = problem.score
        self.inner = inner
        self.n_superfeatures = problem.n_superfeatures
        self.max_bytes = problem.max_bytes
        background, self.background_weight = problem.few_rows
        scores = self.score(background)
        found = self._from_outputs(network(inner.transform(background)))
        if found.shape != scores.shape or not np.allclose(found, scores, rtol=_SAME, atol=_SAME * np.abs(scores).max()):
            raise NotApplicableError("the network that was read does not give the explained scores")
        self.base = self.background_weight @ scores
        self.device = device_of(problem.device)
        self.weight_of_rows = self.background_weight.astype(np.float32)
        self.background_parts = self._parts(background)
        self.layers = [
            (weight.astype(np.float32), bias.astype(np.float32))
            for weight, bias in zip(network.weights[1:], network.biases[1:], strict=True)
        ]

    @property
    def n_background(self):
        """int: background rows, which is what one value of one coalition costs."""
        return len(self.background_weight)

    def full(self, rows):
        """Value of the full coalition: the score itself, shape (n_rows, n_outputs)."""
        return self.score(rows)

    def __call__(self, rows, coalitions):
        """Values of coalitions, float64 array of shape (n_rows, n_coalitions, n_outputs)."""
        parts = self._parts(rows)
        if self.device != "cpu" and (self.is_affine or self.score.response == "probability"):
            try:
                return self._on_device(parts, coalitions)
            except MemoryError:
                warnings.warn(
                    f"{self.device} has not enough memory for {self.max_bytes:,} bytes of coalitions; their values are "
                    "computed on the CPU. Lower max_bytes to avoid it.",
                    stacklevel=2,
                )
        coalition_bytes = 4 * self.n_background * (self.background_parts.shape[2] + 4 * _ROWS * len(self.base))
        block = max(1, self.max_bytes // (4 * coalition_bytes))
        values = np.empty((len(parts), len(coalitions), len(self.base)))
        for start in range(0, len(coalitions), block):
            member = coalitions[start : start + block].astype(np.float64)
            of_background = self._background_sums(member)
            for first in range(0, len(parts), _ROWS):
                of_rows = (member @ parts[first : first + _ROWS] + self.network.biases[0]).astype(np.float32)
                values[first : first + _ROWS, start : start + block] = self._mean_scores(of_background, of_rows)
        return values

    def _parts(self, rows):
        """First-layer contributions of superfeatures: (n_rows, n_superfeatures, n_hidden), float64."""
        rows = np.asarray(self.inner.transform(rows), dtype=np.float64)
        weight = self.network.weights[0]
        parts = np.zeros((len(rows), self.n_superfeatures, weight.shape[1]))
        for g in np.unique(self.inner.labels):
            columns = self.inner.labels == g
            parts[:, g] = rows[:, columns] @ weight[columns]
        return parts

    def _on_device(self, parts, coalitions):
        from skked._torch._network_values import mean_answers

        means = mean_answers(
            self.network,
            parts,
            self.background_parts,
            self.background_weight,
            coalitions,
            output="identity" if self.is_affine else self.network.output,
            max_bytes=self.max_bytes,
            device=self.device,
        )
        return self._from_outputs(means) if self.is_affine else self.score.from_raw(means)

    def _background_sums(self, member):
        n, _, n_hidden = self.background_parts.shape
        sums = np.empty((len(member), n, n_hidden), dtype=np.float32)
        for b in range(n):
            sums[:, b] = (1 - member) @ self.background_parts[b]
        return sums

    def _mean_scores(self, of_background, of_rows):
        """Mean scores over the background, (rows, coalitions, outputs)."""
        n_coalitions, n, n_hidden = of_background.shape
        shape, n_outputs = of_rows.shape[:2], self.network.biases[-1].shape[0]
        if self.is_affine:
            outputs = np.empty((*shape, n_outputs))
        else:  # the values of an output lie together: a softmax is five times as fast as over short rows
            outputs = np.moveaxis(np.empty((n_outputs, *shape, n), np.float32), 0, -1)
        step = max(1, _HIDDEN_ROWS // n)
        spare = np.empty((step * n, n_hidden), np.float32)
        for start in range(0, n_coalitions, step):  # outside, so that the sums of the background stay in the cache
            chunk = slice(start, start + step)
            for row, of_row in enumerate(of_rows):
                outputs[row, chunk] = self._upper_layers(of_background[chunk], of_row[chunk], spare)
        if self.is_affine:
            return self._from_outputs(outputs)
        return np.einsum("rsbc,b->rsc", self._from_outputs(outputs), self.background_weight)

    @property
    def is_affine(self):
        """bool: whether scores are affine in the last layer's outputs, so that they may follow the mean."""
        return self.score.response == "margin" or (
            self.score.response == "prediction" and self.network.output == "identity"
        )

    def _from_outputs(self, outputs):
        """Outputs of the last layer, shape (..., n_outputs), to scores."""
        return self.score.from_raw(outputs if self.score.response == "margin" else self.network.answers(outputs))

    def _upper_layers(self, of_background, shift, spare):
        """Outputs of the network, (coalitions, background rows, outputs), from the two summands of its first layer.

        Of scores that are affine in the outputs only their mean over the background, (coalitions, outputs).
        """
        by_coalition = of_background.shape[:2]
        h = of_background.reshape(-1, of_background.shape[2])
        into, last = spare[: len(h)], len(self.layers) - 1
        for layer, (activation, (weight, bias)) in enumerate(zip(self.network.activations, self.layers, strict=True)):
            self._activate(activation, h, shift, into)
            if layer == last and self.is_affine:
                mean = self.weight_of_rows @ into.reshape(*by_coalition, -1)
                return mean @ self.network.weights[-1] + self.network.biases[-1]
            h = into = into @ weight
            shift = bias[None]
        outputs = (h.reshape(len(shift), -1, h.shape[1]) + shift[:, None]).reshape(*by_coalition, -1)
        return self.weight_of_rows @ outputs if self.is_affine else outputs

    def _activate(self, activation, h, shift, into):
        """Write the activation of ``h + shift``, whose rows serve as many rows of ``h`` as there are to each."""
        add_relu = _compiled_relu() if activation == _RELU else None
        if add_relu is not None:
            add_relu(h, shift, into)
            return
        np.add(h.reshape(len(shift), -1, h.shape[1]), shift[:, None], out=into.reshape(len(shift), -1, h.shape[1]))
        activation(into)
