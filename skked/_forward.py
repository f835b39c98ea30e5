"""The student as numpy arrays: its forward pass, its explanation, and its size."""

import itertools
import math

import numpy as np

BLOCK_ROWS = 1024
"""Rows at a time: their hidden units stay in a processor's cache."""
FEW_ROWS = 64
"""Up to here one product with a matrix full of zeros is faster than one small product per branch."""
MANY_ROWS = 10_000
"""From here on products are in single precision, which halves the time and leaves six digits."""
MANY_BLOCK_ROWS = 512
"""Rows at a time there."""


def solve_widths(max_parameters, inputs_per_branch, n_outputs):
    """Width of the hidden layer of every branch that spends a parameter budget.

    A branch with ``d_i`` inputs, ``w_i`` hidden units and ``K`` outputs has ``w_i (d_i + 1 + K) + K`` parameters.
    The budget is first rounded to what a *dense* student with one branch can spend, so that students with and
    without branches compare at equal size; the branches then get equal widths, and what is left goes, one unit at a
    time, to the branches in the order of their numbers.

    Parameters
    ----------
    max_parameters : int
        The budget.
    inputs_per_branch : array-like of int, shape (n_branches,)
        Encoded columns that each branch reads.
    n_outputs : int
        Outputs of each branch, ``K``.

    Returns
    -------
    ndarray of int, shape (n_branches,)
        Hidden units of each branch, each at least 1.

    Raises
    ------
    ValueError
        If the budget does not pay for one hidden unit per branch.
    """
    inputs = np.asarray(inputs_per_branch)
    unit_cost = inputs + 1 + n_outputs
    smallest = int(unit_cost.sum() + n_outputs * len(inputs))
    if max_parameters < smallest:
        raise ValueError(
            f"max_parameters={max_parameters} is too small: the smallest student for this table, with {len(inputs)} "
            f"superfeature(s), {int(inputs.sum())} encoded column(s) and {n_outputs} output(s), has {smallest} "
            f"parameters. Raise max_parameters to at least {smallest}."
        )
    dense_cost = int(inputs.sum()) + 1 + n_outputs
    dense_width = (max_parameters - n_outputs) // dense_cost
    budget = dense_width * dense_cost + n_outputs
    left = max(budget, smallest) - n_outputs * len(inputs)
    widths = np.full(len(inputs), left // int(unit_cost.sum()))
    left -= int(widths @ unit_cost)
    for branch in np.arange(len(inputs)):
        if unit_cost[branch] <= left:
            widths[branch] += 1
            left -= int(unit_cost[branch])
    return widths


def solve_two_widths(max_parameters, n_inputs, n_outputs):
    """Widths of two hidden layers of a dense student that spend a parameter budget.

    With ``d`` inputs, ``K`` outputs and widths ``w`` and ``v`` it has ``w (d + 1) + v (w + 1) + K (v + 1)`` parameters.
    The first layer is as wide as a budget for equal widths allows, the second takes what is left.

    Parameters
    ----------
    max_parameters : int
        The budget.
    n_inputs : int
        Encoded columns, ``d``.
    n_outputs : int
        Outputs, ``K``.

    Returns
    -------
    first, second : int
        Hidden units of the layers, 0 where the budget does not pay for one in each.
    """
    left, cost = max_parameters - n_outputs, n_inputs + 2 + n_outputs
    first = (math.isqrt(cost**2 + 4 * max(left, 0)) - cost) // 2
    return first, (left - first * (n_inputs + 1)) // (first + 1 + n_outputs) if first else 0


class StudentNetwork:
    """A student's weights and its forward pass.

    ``z(x) = base + Σ_i φ_i(x)``, with ``φ_i`` read from the outputs of small ReLU networks, the *branches*. An
    additive student has one branch per superfeature; a dense one has a single branch that reads all columns and
    gives the contributions of all superfeatures, its *explanation heads*.

    Weights are float32. Products are in double precision, so that a row's score does not depend on the rows beside it,
    in tables of fewer than ``MANY_ROWS`` rows; in larger ones they are in single precision, and scores differ by about
    1e-6 of the largest contribution. The contributions add up to the score in double precision in both.

    Parameters
    ----------
    inputs : list of int arrays
        Encoded columns that each branch reads.
    coefs : list (layers) of list (branches) of float32 arrays, shape (n_in, n_out)
        Weights.
    intercepts : list (layers) of list (branches) of float32 arrays, shape (n_out,)
        Biases.
    base : float32 array, shape (n_outputs,)
        Score of a row that says nothing.
    n_superfeatures : int
        Number of contributions, M.
    """

    def __init__(self, inputs, coefs, intercepts, base, n_superfeatures):
        self.inputs = inputs
        self.coefs = coefs
        self.intercepts = intercepts
        self.base = base
        self.n_superfeatures = n_superfeatures
        self._fuse()

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state):
        vars(self).update(state)
        self._fuse()

    @property
    def n_outputs(self):
        """int: outputs of the score, K."""
        return len(self.base)

    @property
    def is_additive(self):
        """bool: whether each superfeature has a branch of its own; its contributions are then exact Shapley values."""
        return len(self.inputs) == self.n_superfeatures

    @property
    def n_parameters(self):
        """int: weights and biases that a score needs; the heads of a branch count as their sum."""
        everything = sum(array.size for layers in (self.coefs, self.intercepts) for layer in layers for array in layer)
        n_hidden = sum(len(coef) + 1 for coef in self.coefs[-1])
        heads = sum(array.size for layers in (self.coefs, self.intercepts) for array in layers[-1])
        return everything - heads + n_hidden * self.n_outputs

    def _fuse(self):
        """Lay out the weights for the forward pass: for few rows all branches as one, for more each by itself."""
        coefs, intercepts = zip(*self.coefs, strict=True), zip(*self.intercepts, strict=True)
        self._whole = self._joined()
        self._branches = [
            _Branch(*branch, self.n_outputs) for branch in zip(self.inputs, coefs, intercepts, strict=True)
        ]
        self._many = _ManyRows(self._branches)

    def _joined(self):
        """All branches side by side as one, with zeros between them, so that one product serves them all."""
        n_inputs = max(int(columns.max()) for columns in self.inputs) + 1
        rows = self.inputs
        matrices = []
        for coefs in self.coefs:
            ends = np.cumsum([0] + [coef.shape[1] for coef in coefs])
            matrix = np.zeros((n_inputs, ends[-1]))
            for columns, coef, start, stop in zip(rows, coefs, ends[:-1], ends[1:], strict=True):
                matrix[columns, start:stop] = coef
            matrices.append(matrix)
            rows = [np.arange(start, stop) for start, stop in itertools.pairwise(ends)]
            n_inputs = ends[-1]
        intercepts = [np.concatenate(layer) for layer in self.intercepts]
        return _Branch(np.arange(len(matrices[0])), matrices, intercepts, self.n_outputs)

    def _blocks(self, Z):
        """Blocks of encoded rows with a column of ones, and the branches to read them."""
        branches = [self._whole] if len(Z) <= FEW_ROWS else self._branches
        for start in range(0, len(Z), BLOCK_ROWS):
            block = Z[start : start + BLOCK_ROWS]
            rows = np.ones((len(block), block.shape[1] + 1))
            rows[:, :-1] = block
            yield slice(start, start + BLOCK_ROWS), rows, branches

    def hidden(self, Z):
        """Last hidden layer of encoded rows.

        Parameters
        ----------
        Z : float32 array, shape (n_samples, n_encoded)
            Encoded rows.

        Returns
        -------
        ndarray, shape (n_samples, n_hidden)
        """
        if len(Z) >= MANY_ROWS:
            return self._many.read(Z, None)
        parts = [
            np.hstack([branch.hidden(rows)[:, :-1] for branch in branches]) for _, rows, branches in self._blocks(Z)
        ]
        return np.concatenate(parts)

    def score(self, Z):
        """Score of encoded rows.

        Parameters
        ----------
        Z : float32 array, shape (n_samples, n_encoded)
            Encoded rows.

        Returns
        -------
        ndarray, shape (n_samples, n_outputs)
            ``z = base + Σ_i φ_i``.
        """
        score = np.empty((len(Z), self.n_outputs))
        score[:] = self.base
        if len(Z) >= MANY_ROWS:
            return self._many.add_scores(Z, score)
        for where, rows, branches in self._blocks(Z):
            for branch in branches:
                score[where] += branch.hidden(rows) @ branch.score
        return score

    def contributions(self, Z):
        """Contributions of the superfeatures to the score of encoded rows.

        Parameters
        ----------
        Z : float32 array, shape (n_samples, n_encoded)
            Encoded rows.

        Returns
        -------
        ndarray, shape (n_samples, n_superfeatures, n_outputs)
            ``φ``.
        """
        if len(Z) >= MANY_ROWS:
            phi = self._many.read(Z, self._many.heads)
            return phi.reshape(len(Z), self.n_superfeatures, self.n_outputs)
        phi = np.empty((len(Z), self.n_superfeatures * self.n_outputs))
        for where, rows, branches in self._blocks(Z):
            start = 0
            for branch in branches:
                stop = start + branch.heads.shape[1]
                phi[where, start:stop] = branch.hidden(rows) @ branch.heads
                start = stop
        return phi.reshape(len(Z), self.n_superfeatures, self.n_outputs)

    def centred(self, Z, weight, *, over_outputs):
        """The same student with contributions that average to zero over given rows.

        For an additive student these are exactly its Shapley values against these rows as background; the score
        does not change.

        Parameters
        ----------
        Z : float32 array, shape (n_samples, n_encoded)
            Encoded background rows.
        weight : array, shape (n_samples,)
            Their weights.
        over_outputs : bool
            Also make every contribution sum to zero over the outputs (scores of three or more classes).

        Returns
        -------
        StudentNetwork
        """
        coefs = [list(layer) for layer in self.coefs]
        intercepts = [list(layer) for layer in self.intercepts]
        if over_outputs:
            coefs[-1] = [_centre_last(coef, self.n_outputs) for coef in coefs[-1]]
            intercepts[-1] = [_centre_last(bias, self.n_outputs) for bias in intercepts[-1]]
        base = self.base - self.base.mean() if over_outputs else self.base
        student = StudentNetwork(self.inputs, coefs, intercepts, base, self.n_superfeatures)
        mean = np.average(student.contributions(Z).astype(np.float64), axis=0, weights=weight)
        starts = np.cumsum([0] + [len(bias) for bias in intercepts[-1]])
        flat = mean.ravel()
        intercepts[-1] = [
            (bias - flat[start : start + len(bias)]).astype(np.float32)
            for bias, start in zip(intercepts[-1], starts[:-1], strict=True)
        ]
        base = (base + mean.sum(axis=0)).astype(np.float32)
        return StudentNetwork(self.inputs, coefs, intercepts, base, self.n_superfeatures)

    def rescaled(self, scale, shift):
        """The same student in other target units: ``scale * z + shift``."""
        last_coefs = [(coef * scale).astype(np.float32) for coef in self.coefs[-1]]
        last_intercepts = [(bias * scale).astype(np.float32) for bias in self.intercepts[-1]]
        base = (self.base * scale + shift).astype(np.float32)
        return StudentNetwork(
            self.inputs,
            [*self.coefs[:-1], last_coefs],
            [*self.intercepts[:-1], last_intercepts],
            base,
            self.n_superfeatures,
        )


class _Branch:
    """One network of a student, in double precision; one more unit per layer, always 1, carries the biases."""

    def __init__(self, columns, coefs, intercepts, n_outputs):
        self.columns = np.append(columns, -1)
        self.layers = [_with_unit(coef, bias) for coef, bias in zip(coefs[:-1], intercepts[:-1], strict=True)]
        self.heads = np.vstack([coefs[-1], intercepts[-1]]).astype(np.float64)
        self.score = np.ascontiguousarray(self.heads.reshape(len(self.heads), -1, n_outputs).sum(axis=1))

    def hidden(self, rows):
        """Last hidden layer of rows that end in a 1, and a 1."""
        hidden = rows.take(self.columns, axis=1)
        for matrix in self.layers:
            hidden = hidden @ matrix
            np.maximum(hidden, np.zeros(hidden.shape), out=hidden)  # an array of zeros is faster than the number
        return hidden


class _ManyRows:
    """Branches in single precision, for blocks of rows that lie as columns.

    So the products of a branch write long rows, however narrow it is, into memory that is used again and again. Every
    block has the same shape, the last one filled up: then a row does not depend on the rows beside it here either.
    """

    def __init__(self, branches):
        self.order = np.concatenate([branch.columns for branch in branches])
        self.starts = np.cumsum([0] + [len(branch.columns) for branch in branches])
        self.layers = [[_turned(matrix) for matrix in branch.layers] for branch in branches]
        self.heads = [_turned(branch.heads) for branch in branches]
        self.scores = [_turned(branch.score) for branch in branches]

    def hidden(self, Z):
        """Rows of a block, number of a branch, and its last hidden layer and a 1, of shape (units, block)."""
        depths = [max(map(len, depth)) for depth in zip(*self.layers, strict=True)]
        buffers = [np.empty((n_units, MANY_BLOCK_ROWS), dtype=np.float32) for n_units in depths]
        zeros = np.zeros((max(depths), MANY_BLOCK_ROWS), dtype=np.float32)
        rows = np.ones((Z.shape[1] + 1, MANY_BLOCK_ROWS), dtype=np.float32)
        inputs = np.empty((len(self.order), MANY_BLOCK_ROWS), dtype=np.float32)
        for start in range(0, len(Z), MANY_BLOCK_ROWS):
            block = Z[start : start + MANY_BLOCK_ROWS]
            rows[:-1, : len(block)] = block.T
            rows.take(self.order, axis=0, mode="wrap", out=inputs)
            for branch, layers in enumerate(self.layers):
                hidden = inputs[self.starts[branch] : self.starts[branch + 1]]
                for matrix, buffer in zip(layers, buffers, strict=True):
                    hidden = np.matmul(matrix, hidden, out=buffer[: len(matrix)])
                    np.maximum(hidden, zeros[: len(matrix)], out=hidden)
                yield slice(start, start + len(block)), branch, hidden

    def add_scores(self, Z, score):
        """Add what all branches say to the score, in double precision."""
        for rows, branch, hidden in self.hidden(Z):
            score[rows] += (self.scores[branch] @ hidden)[:, : rows.stop - rows.start].T
        return score

    def read(self, Z, heads):
        """Outputs of the branches side by side; their hidden units where there are no heads."""
        widths = [len(layers[-1]) - 1 for layers in self.layers] if heads is None else [len(head) for head in heads]
        starts = np.cumsum([0, *widths])
        out = np.empty((len(Z), starts[-1]))
        for rows, branch, hidden in self.hidden(Z):
            values = hidden[:-1] if heads is None else heads[branch] @ hidden
            out[rows, starts[branch] : starts[branch + 1]] = values[:, : rows.stop - rows.start].T
        return out


def _turned(matrix):
    return np.ascontiguousarray(matrix.T, dtype=np.float32)


def _with_unit(coef, intercept):
    matrix = np.zeros((coef.shape[0] + 1, coef.shape[1] + 1))
    matrix[:-1, :-1] = coef
    matrix[-1, :-1] = intercept
    matrix[-1, -1] = 1.0
    return matrix


def _centre_last(array, n_outputs):
    by_output = array.reshape(*array.shape[:-1], -1, n_outputs)
    return (by_output - by_output.mean(axis=-1, keepdims=True)).reshape(array.shape).astype(np.float32)
