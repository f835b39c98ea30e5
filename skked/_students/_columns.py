"""Which encoded columns a student reads, where the budget or the noise does not allow all of them."""

import numpy as np

from skked._students._batches import automatic_batch_size

WIDTH, EPOCHS = 32, 60
"""Hidden units and epochs of the network that finds out."""
CHIMERAS_PER_ROW = 2
"""Chimeras that it sees per row."""
UNITS = 8
"""Hidden units that each layer of a dense student shall have, where columns and layers are counted automatically."""


def n_columns_read(max_features, n_encoded, max_parameters, n_outputs):
    """The number of encoded columns that ``max_features`` means.

    Parameters
    ----------
    max_features : "auto", int, float or None
        A number, a share, None for all, or as many as leave :data:`UNITS` hidden units in the budget.
    n_encoded : int
        Encoded columns, d.
    max_parameters : int or None
        Budget P; None if the widths are given.
    n_outputs : int
        Outputs K: a hidden unit costs d + 1 + K parameters.

    Returns
    -------
    int
    """
    if max_features is None or (max_features == "auto" and max_parameters is None):
        return n_encoded
    if max_features == "auto":
        return min(n_encoded, max(1, (max_parameters - n_outputs) // UNITS - 1 - n_outputs))
    if isinstance(max_features, (int, np.integer)):
        return min(int(max_features), n_encoded)
    return max(1, int(np.ceil(max_features * n_encoded)))


def best_columns(worth, n_columns, labels):
    """The columns of most worth; every superfeature keeps its best one.

    Parameters
    ----------
    worth : array of shape (n_encoded,)
    n_columns : int
        How many to keep; one per superfeature at least.
    labels : int array of shape (n_encoded,)
        Superfeature of each encoded column.

    Returns
    -------
    sorted int array
    """
    order = np.argsort(-worth, kind="stable")
    first = [order[labels[order] == group][0] for group in np.unique(labels)]
    rest = order[~np.isin(order, first)]
    return np.sort(np.concatenate([first, rest[: max(0, n_columns - len(first))]]).astype(np.intp))


def best_by_quota(worth, quota, labels):
    """The columns of most worth in every superfeature, so many of each, sorted within each superfeature."""
    order = np.argsort(-worth, kind="stable")
    return np.concatenate([np.sort(order[labels[order] == group][:size]) for group, size in enumerate(quota)])


def column_worth(material, *, seed, device):
    """What a wide dense student taught by the material makes of each encoded column.

    A column is worth its spread times the size of what its hidden units hand on:
    ``std(x_j) · Σ_h |W_jh| · ‖V_h‖``.

    Parameters
    ----------
    material : Material
    seed : int
    device : str

    Returns
    -------
    array of shape (n_encoded,)
    """
    from skked._torch._train import Architecture, Schedule, train

    rows = material.rows
    n_encoded = rows.Z.shape[1]
    architecture = Architecture([np.arange(n_encoded)], [np.array([WIDTH]), np.array([len(material.base)])], n_encoded)
    (trained,) = train(
        architecture,
        material.base,
        1,
        rows,
        Schedule(EPOCHS, automatic_batch_size(len(rows)), learning_rate_init=0.01, alpha=0.2),
        kind=material.scale.kind,
        distillation_weight=[0.8],
        explanation_weight=[0.0],
        temperature=[1.0],
        explanation_temperature=[1.0],
        seeds=[seed],
        chimeric=material.chimeras(CHIMERAS_PER_ROW),
        chimeras_per_row=CHIMERAS_PER_ROW,
        device=device,
    )
    (first,), (last,) = trained.coefs
    return rows.Z.std(axis=0) * (np.abs(first) @ np.linalg.norm(last, axis=1))
