"""Games of functions of a tree ensemble's output: probabilities of boosters, log-odds of forests.

A link is not linear, so the values of coalitions are needed; but no tree is walked per coalition. For one row and one
background row every leaf is the product of indicators of groups, so it adds a few Moebius coefficients; one sum over
subsets then gives the ensemble's output for all 2**M coalitions at once. Beyond about 12 groups, chosen coalitions are
evaluated on sets of leaves: two ANDs find the leaf that a mixed row reaches.

Three games are offered, by name:

``"probability"`` (boosters)
    ``v(S) = E_b softmax(margin(x_S, b_rest))``, for binary boosters the two probabilities.
``"log_odds"`` (forests)
    ``v(S) = clr((1 - floor) p(S) + floor / C)`` with ``p(S) = E_b f(x_S, b_rest)``: the log-odds of the mean.
``"mean_log_odds"`` (forests)
    ``v(S) = E_b clr((1 - floor) f(x_S, b_rest) + floor / C)``: the mean of the log-odds, another game.

Here ``clr`` is the logarithm centred over the classes. Forests give probabilities of exactly 0 and 1; ``floor`` smooths
them. The default, ``floor = a C / (T + a C)`` with ``a = 1/2``, is the smoothed vote ``(T p + a) / (T + a C)`` of the T
trees.
"""

import math

import numpy as np

__all__ = ["LINKS", "MAX_ENUMERATED_GROUPS", "coalition_link_values", "default_floor", "link_shapley", "shapley_matrix"]

LINKS = "probability", "log_odds", "mean_log_odds"
MAX_ENUMERATED_GROUPS = 16  # masks of 16 bits; above 12 the exponentials of 2**M coalitions are the cost
COALITION_BLOCK = 32  # coalitions that share the sets of the background


def default_floor(ensemble):
    """Floor of the smoothed vote of ``T`` trees for ``C`` classes, ``C / 2 / (T + C / 2)``."""
    half = ensemble.n_outputs / 2
    return half / (ensemble.n_trees + half)


def shapley_matrix(n_groups):
    """Matrix (M, 2**M) from the values of all coalitions, ordered by their bits, to Shapley values."""
    coalition = np.arange(1 << n_groups)
    member = (coalition >> np.arange(n_groups)[:, None]) & 1  # (group, coalition)
    size = member.sum(axis=0)
    weight = np.array([1 / (n_groups * math.comb(n_groups - 1, s)) for s in range(n_groups)])
    return np.where(member == 1, weight[size - 1], -weight[np.minimum(size, n_groups - 1)])


def link_shapley(game, X, link, floor=None):
    """Exact Shapley values of a link game, for at most 16 groups.

    Parameters
    ----------
    game : TreeGame
        The ensemble, its grouping and its background.
    X : table of shape (n, n_features)
        Rows to explain.
    link : {"probability", "log_odds", "mean_log_odds"}
        The game.
    floor : float or None, default=None
        Smoothing of log-odds; None takes ``default_floor``.

    Returns
    -------
    phi : float64 array of shape (n, M, C)
        Shapley values; binary boosters have C = 2.
    base : float64 array of shape (C,)
        Value of the empty coalition.

    Raises
    ------
    ValueError
        If the ensemble has no such game, or too many groups.
    """
    if game.n_groups > MAX_ENUMERATED_GROUPS:
        raise ValueError(
            f"Expected at most {MAX_ENUMERATED_GROUPS} groups for the exact {link} game, got {game.n_groups}. "
            "Evaluate chosen coalitions instead."
        )
    from skked._explanations import _tree_link_kernels as kernels

    link_number, n_classes, floor, finish = _resolve(game.ensemble, link, floor)
    n_leaves, n_coalitions = len(game.leaves.node), 1 << game.n_groups
    n_words = -(-n_leaves // 64)

    def masks_of(codes):
        masks = _masks(game, codes, np.uint16, kernels).T.copy()
        passes = np.empty((len(masks), game.n_groups, n_words), np.uint64)
        kernels.list_passes(masks, game.leaves, passes)
        return masks, passes

    mask_bytes = 4 * n_leaves + 8 * n_words * game.n_groups
    backgrounds = _Parts(masks_of, game.codes, game.weight, max(1, game.max_bytes // 4 // mask_bytes))
    matrix = shapley_matrix(game.n_groups)
    phi = np.empty((len(X), game.n_groups, n_classes))
    base = np.empty(n_classes)

    def explain(block):
        rows, codes = block
        masks, passes = masks_of(codes)
        values = np.zeros((len(masks), n_classes, n_coalitions))
        for of_background, weight in backgrounds:
            kernels.add_all_coalitions(
                masks, passes, *of_background, weight, game.leaves, game.ensemble.base[: game.n_explained], link_number,
                floor, values,
            )  # fmt: skip
        values = finish(values)
        phi[rows] = np.moveaxis(values @ matrix.T, 1, 2)
        if rows.start == 0:
            base[:] = values[0, :, 0]

    game.run_blocks(explain, X, mask_bytes + 16 * n_coalitions * n_classes, multiple=8)
    return phi, base


class _Parts:
    """What is made of a coded background, with its weights, part by part; a single part is made once."""

    def __init__(self, make, codes, weight, size):
        self.make, self.codes, self.weight = make, codes, weight
        self.parts = [slice(first, first + size) for first in range(0, len(weight), size)]
        self.only = make(codes) if len(self.parts) == 1 else None

    def __iter__(self):
        for part in self.parts:
            yield self.only or self.make(np.ascontiguousarray(self.codes[:, part])), self.weight[part]


def coalition_link_values(game, X, coalitions, link, floor=None):
    """Values of chosen coalitions in a link game.

    Parameters
    ----------
    game, X, link, floor
        As for ``link_shapley``; ``link`` may also be None for the ensemble's own output.
    coalitions : bool array of shape (n_coalitions, M)
        Which groups come from the explained row.

    Returns
    -------
    values : float64 array of shape (n, n_coalitions, C)
        The values.
    """
    from skked._explanations import _tree_link_kernels as kernels

    link_number, n_classes, floor, finish = _resolve(game.ensemble, link, floor)
    coalitions = np.ascontiguousarray(coalitions, np.bool_)
    n_words = -(-np.diff(game.leaves.tree_start) // 64)
    word_start = np.concatenate([[0], np.cumsum(n_words)]).astype(np.int64)

    def words_of(codes):
        words = np.empty((word_start[-1], game.n_groups, codes.shape[1]), np.uint64)
        kernels.leaf_words(_masks(game, codes, np.uint64, kernels), game.leaves, word_start, words)
        return words

    background = words_of(game.codes)
    values = np.empty((len(X), len(coalitions), n_classes))
    sums_bytes = 8 * n_classes * COALITION_BLOCK * len(game.weight)
    row_bytes = 8 * (word_start[-1] * game.n_groups + len(game.leaves.node) + n_classes * len(coalitions)) + sums_bytes

    def evaluate(block):
        rows, codes = block
        block_values = np.zeros((codes.shape[1], n_classes, len(coalitions)))
        kernels.some_coalitions(
            words_of(codes), background, word_start, game.weight, coalitions, game.leaves,
            game.ensemble.base[: game.n_explained], link_number, floor, COALITION_BLOCK, block_values,
        )  # fmt: skip
        values[rows] = np.moveaxis(finish(block_values), 1, 2)

    game.run_blocks(evaluate, X, row_bytes, multiple=8)
    return values


def _masks(game, codes, dtype, kernels):
    """Fail masks over all groups, (leaves, rows); bit g is group g."""
    group = game.labels[game.ensemble.column[game.ensemble.feature]].astype(np.uint8)  # of leaves nobody asks
    masks = np.empty((len(game.leaves.node), codes.shape[1]), dtype)
    kernels.fail_masks(codes, 0, codes.shape[1], game.nodes._replace(slot=group), game.leaves, masks)
    return masks


def _resolve(ensemble, link, floor):
    """Number of the inner link, classes of the result, floor, and what is done after the mean over the background."""
    floor = default_floor(ensemble) if floor is None else floor
    n_outputs = ensemble.n_outputs
    if link is None:
        return 0, n_outputs, floor, (_with_last_class if ensemble.space == "probability" else _same)
    if link == "probability" and ensemble.space == "margin":
        return (1, 2, floor, _same) if n_outputs == 1 else (2, n_outputs, floor, _same)
    if link == "log_odds" and ensemble.space == "probability":
        return 0, n_outputs, floor, lambda values: _centred_log(_with_last_class(values), floor)
    if link == "mean_log_odds" and ensemble.space == "probability":
        return 3, n_outputs, floor, _same
    raise ValueError(f"Expected a link game of {ensemble.space}s, one of {LINKS}, got {link!r}.")


def _same(values):
    return values


def _with_last_class(values):
    """Fill the last class (second axis) with what the others leave of a probability."""
    values[:, -1] = 1 - values[:, :-1].sum(axis=1)
    return values


def _centred_log(values, floor):
    logs = np.log((1 - floor) * np.maximum(values, 0) + floor / values.shape[1])
    return logs - logs.mean(axis=1, keepdims=True)
