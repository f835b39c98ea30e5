"""Explanation heads for a dense student that was trained without them."""

from dataclasses import replace

import numpy as np

from skked._forward import StudentNetwork

RIDGE = 1e-3
"""Ridge on the read-out, as a share of the hidden units' mean square."""


def read_out(trained, architecture, material):
    """Heads that read the teacher's contributions from the hidden units by least squares; the score stays as it is.

    With hidden units ``h`` and a constant 1, the score's weights ``W`` and ``M`` superfeatures, the heads are
    ``H_i = W/M + D_i`` with ``D = argmin Σ w ‖h D_i − (φ_i^t − z^t/M)‖² + ridge ‖D‖²`` less its mean over ``i``, so
    that ``Σ_i H_i = W``.

    Parameters
    ----------
    trained : Trained
        A student of one branch and one head.
    architecture : Architecture
    material : Material
        With contributions of the teacher.

    Returns
    -------
    Trained
        With M heads.
    """
    rows = material.rows
    n_superfeatures, n_outputs = rows.phi.shape[1:]
    network = StudentNetwork(architecture.inputs, trained.coefs, trained.intercepts, material.base, 1)
    hidden = np.column_stack([network.hidden(rows.Z), np.ones(len(rows))])
    root = np.sqrt(rows.phi_weight)[:, None]
    apart = rows.phi - rows.phi.mean(axis=1, keepdims=True)
    gram = (root * hidden).T @ (root * hidden)
    gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram)
    read = np.linalg.solve(gram, (root * hidden).T @ (root * apart.reshape(len(rows), -1)))
    read = read.reshape(len(gram), n_superfeatures, n_outputs)
    whole = np.vstack([trained.coefs[-1][0], trained.intercepts[-1][0]])[:, None]
    heads = (
        (whole / n_superfeatures + read - read.mean(axis=1, keepdims=True)).reshape(len(gram), -1).astype(np.float32)
    )
    return replace(
        trained,
        coefs=[*trained.coefs[:-1], [heads[:-1]]],
        intercepts=[*trained.intercepts[:-1], [heads[-1]]],
    )
