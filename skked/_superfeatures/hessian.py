"""Interactions of ReLU networks in closed form."""

import sys

import numpy as np
from scipy.special import softmax
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

__all__ = ["hessian_interactions", "relu_layers"]

_MAX_ROWS = 1_000
_AFFINE_TOLERANCE = 1e-6


def hessian_interactions(network, rows):
    """Mean absolute second derivatives of a classifier network, per pair of columns.

    For logits ``z(x)`` that are linear around x, as those of a ReLU network are almost everywhere, the Hessian of
    ``sum_c log p_c(x)`` needs first derivatives ``J = dz/dx`` only::

        H(x) = -C J^T (diag p - p p^T) J.

    Absolute values are averaged over rows, so that opposite signs do not cancel (the mean of signed Hessians lets
    them), with every column in units of its standard deviation. The entry of two columns is zero if, under p, their
    effects on the logits are uncorrelated over the classes: as they are when the classes are all combinations of one
    property that depends on the first column and one that depends on the second. Two columns whose effects on the
    same logits add up have a Hessian all the same; swap interactions tell these apart.

    Parameters
    ----------
    network : fitted estimator or torch module
        ``MLPClassifier`` with ``activation="relu"``, a Pipeline of affine steps (scalers, PCA) that ends with one, or
        a ``torch.nn.Sequential`` of Linear and ReLU (Dropout, Identity and a final Softmax are passed over).
    rows : ndarray of shape (n_rows, n_columns)
        Numeric rows; those with missing cells are left out. At most 1,000 are used.

    Returns
    -------
    ndarray of shape (n_columns, n_columns)
        Symmetric, zero diagonal.

    Raises
    ------
    TypeError
        If the network is of another kind.
    ValueError
        If it reads another number of columns, or no row is complete.
    """
    layers = relu_layers(network, rows.shape[1])
    rows = rows[~np.isnan(rows).any(axis=1)]
    if len(rows) == 0:
        raise ValueError('affinity="hessian" needs rows without missing cells; use affinity="interaction".')
    scale = rows.std(axis=0)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _MAX_ROWS)).astype(int)]
    total = np.zeros((rows.shape[1],) * 2)
    for row in rows:
        logits, jacobian = _logits_and_jacobian(layers, row)
        p = softmax(logits)
        curvature = (np.diag(p) - np.outer(p, p)) * len(p)
        total += np.abs(jacobian.T @ curvature @ jacobian)
    interactions = total / len(rows) * np.outer(scale, scale)
    np.fill_diagonal(interactions, 0.0)
    return interactions


def relu_layers(network, n_columns):
    """Weights of a ReLU classifier network.

    Parameters
    ----------
    network : fitted estimator or torch module
        As in `hessian_interactions`.
    n_columns : int
        Columns of its input.

    Returns
    -------
    list of (weight, bias)
        Arrays of shape (n_in, n_out) and (n_out,); all but the last are followed by a ReLU, the last gives at least
        two logits.
    """
    if isinstance(network, Pipeline):
        layers = relu_layers(network.steps[-1][1], None)
        layers = _after_affine(network[:-1], n_columns, layers) if len(network.steps) > 1 else layers
    elif isinstance(network, MLPClassifier):
        layers = _mlp_layers(network)
    elif "torch" in sys.modules and isinstance(network, sys.modules["torch"].nn.Sequential):
        layers = _torch_layers(network)
    else:
        raise _refusal(type(network).__name__)
    if n_columns is not None and len(layers[0][0]) != n_columns:
        raise ValueError(f"The network reads {len(layers[0][0])} columns, but X has {n_columns}.")
    return layers


def _refusal(what):
    return TypeError(
        'affinity="hessian" needs a ReLU classifier network (MLPClassifier, a Pipeline of scalers before it, or '
        f'torch.nn.Sequential of Linear and ReLU), got {what}. Use affinity="interaction" for any other model.'
    )


def _mlp_layers(network):
    if (
        network.activation != "relu"
        or network.out_activation_ not in ("softmax", "logistic")
        or _several_labels(network)
    ):
        raise _refusal(f"{network} with output {network.out_activation_!r}")
    return _two_logits(list(zip(network.coefs_, network.intercepts_, strict=True)))


def _several_labels(network):
    return network.out_activation_ == "logistic" and network.n_outputs_ > 1


def _torch_layers(network):
    layers, last_was_linear = [], False
    for module in network:
        kind = type(module).__name__
        if kind == "Linear" and not last_was_linear:
            weight = module.weight.detach().cpu().numpy().T.astype(np.float64)
            bias = np.zeros(weight.shape[1]) if module.bias is None else module.bias.detach().cpu().numpy()
            layers.append((weight, bias.astype(np.float64)))
            last_was_linear = True
        elif kind == "ReLU" and last_was_linear:
            last_was_linear = False
        elif kind not in ("Dropout", "Identity", "Softmax", "LogSoftmax", "Flatten"):
            raise _refusal(f"a Sequential with {module}")
    if not layers or not last_was_linear:
        raise _refusal("a Sequential that does not end with Linear")
    return _two_logits(layers)


def _two_logits(layers):
    """Write a single logit as two."""
    weight, bias = layers[-1]
    if weight.shape[1] == 1:
        layers[-1] = np.hstack([np.zeros_like(weight), weight]), np.append(0.0, bias)
    return layers


def _after_affine(steps, n_columns, layers):
    """Fold affine steps of a Pipeline into the first layer."""
    probe = np.vstack([np.zeros(n_columns), np.eye(n_columns)])
    image = np.asarray(steps.transform(probe), dtype=np.float64)
    matrix, offset = image[1:] - image[0], image[0]
    check = np.linspace(-1.0, 2.0, 5 * n_columns).reshape(5, n_columns)
    got = np.asarray(steps.transform(check), dtype=np.float64)
    if not np.allclose(
        got, check @ matrix + offset, rtol=_AFFINE_TOLERANCE, atol=_AFFINE_TOLERANCE * np.abs(image).max()
    ):
        raise _refusal("a Pipeline with a step that is not affine")
    weight, bias = layers[0]
    return [(matrix @ weight, offset @ weight + bias), *layers[1:]]


def _logits_and_jacobian(layers, row):
    value, jacobian = row, None
    for number, (weight, bias) in enumerate(layers):
        value = value @ weight + bias
        jacobian = weight.T if jacobian is None else weight.T @ jacobian
        if number < len(layers) - 1:
            active = value > 0
            value, jacobian = value * active, jacobian * active[:, None]
    return value, jacobian
