"""The student as numpy arrays: its forward pass, its explanation, and its size."""

import itertools

import numpy as np


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
    dense_width = max(1, (max_parameters - n_outputs) // dense_cost)
    budget = min(max_parameters, dense_width * dense_cost + n_outputs)
    left = max(budget, smallest) - n_outputs * len(inputs)
    widths = np.full(len(inputs), left // int(unit_cost.sum()))
    left -= int(widths @ unit_cost)
    for branch in np.arange(len(inputs)):
        if unit_cost[branch] <= left:
            widths[branch] += 1
            left -= int(unit_cost[branch])
    return widths


class StudentNetwork:
    """A student's weights and its forward pass.

    ``z(x) = base + Σ_i φ_i(x)``, with ``φ_i`` read from the outputs of small ReLU networks, the *branches*. An
    additive student has one branch per superfeature; a dense one has a single branch that reads all columns and
    gives the contributions of all superfeatures, its *explanation heads*.

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
    def n_parameters(self):
        """int: weights and biases of all branches."""
        return sum(array.size for layers in (self.coefs, self.intercepts) for layer in layers for array in layer)

    def _fuse(self):
        """Lay the branches of a layer side by side, so that one matrix product serves them all.

        Weights are float32, products float64: then a row's score does not depend on the rows beside it.
        """
        n_inputs = max(int(columns.max()) for columns in self.inputs) + 1
        rows = self.inputs
        fused = []
        for coefs, intercepts in zip(self.coefs, self.intercepts, strict=True):
            widths = np.cumsum([0] + [coef.shape[1] for coef in coefs])
            matrix = np.zeros((n_inputs, widths[-1]))
            for columns, coef, start, stop in zip(rows, coefs, widths[:-1], widths[1:], strict=True):
                matrix[columns, start:stop] = coef
            fused.append((matrix, np.concatenate(intercepts).astype(np.float64)))
            rows = [np.arange(start, stop) for start, stop in itertools.pairwise(widths)]
            n_inputs = widths[-1]
        self._hidden, (self._heads, self._head_bias) = fused[:-1], fused[-1]
        by_superfeature = self._heads.reshape(-1, self.n_superfeatures, self.n_outputs)
        self._score = np.ascontiguousarray(by_superfeature.sum(axis=1))
        self._score_bias = self.base + self._head_bias.reshape(self.n_superfeatures, self.n_outputs).sum(axis=0)

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
        hidden = Z.astype(np.float64)
        for matrix, bias in self._hidden:
            hidden = hidden @ matrix
            hidden += bias
            np.maximum(hidden, 0, out=hidden)
        return hidden

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
        return self.hidden(Z) @ self._score + self._score_bias

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
        phi = self.hidden(Z) @ self._heads + self._head_bias
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


def _centre_last(array, n_outputs):
    by_output = array.reshape(*array.shape[:-1], -1, n_outputs)
    return (by_output - by_output.mean(axis=-1, keepdims=True)).reshape(array.shape).astype(np.float32)
