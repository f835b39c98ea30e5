"""A student that says a code of the teacher's explanation, and the decoder that makes contributions of it."""

import numpy as np
from scipy.linalg import block_diag

from skked._forward import StudentNetwork


class CodedNetwork:
    """A dense student, the network that says the code, and the decoder, with the interface of a StudentNetwork.

    Parameters
    ----------
    student : StudentNetwork
        Reads encoded rows, or those and the code.
    explainer : StudentNetwork or None
        From encoded rows to the code that the student reads.
    head : list of two float32 arrays, or None
        Weights (n_hidden, n_code) and biases from the student's last hidden layer to the code, without explainer.
    decoder : StudentNetwork
        From the code to contributions.
    """

    def __init__(self, student, explainer, head, decoder):
        self.student = student
        self.explainer = explainer
        self.head = head
        self.decoder = decoder

    @property
    def base(self):
        """float32 array, shape (n_outputs,): score of a row that says nothing."""
        return self.student.base

    @property
    def n_outputs(self):
        """int: outputs of the score, K."""
        return self.student.n_outputs

    @property
    def n_superfeatures(self):
        """int: number of contributions, M."""
        return self.decoder.n_superfeatures

    @property
    def n_parameters(self):
        """int: weights and biases that a score needs."""
        return self.student.n_parameters + (0 if self.explainer is None else self.explainer.n_parameters)

    @property
    def n_explanation_parameters(self):
        """int: weights and biases that contributions need on top."""
        layers = [*self.decoder.coefs, *self.decoder.intercepts, self.head or []]
        return sum(array.size for layer in layers for array in layer)

    def _read(self, Z):
        """What the student reads of encoded rows."""
        return Z if self.explainer is None else np.hstack([Z, self.explainer.score(Z)])

    def hidden(self, Z):
        """Last hidden layer of encoded rows, shape (n_samples, n_hidden)."""
        return self.student.hidden(self._read(Z))

    def score(self, Z):
        """Score of encoded rows, shape (n_samples, n_outputs)."""
        return self.student.score(self._read(Z))

    def code(self, Z):
        """Code of encoded rows, shape (n_samples, n_code)."""
        if self.explainer is not None:
            return self.explainer.score(Z)
        return self.hidden(Z) @ self.head[0] + self.head[1]

    def contributions(self, Z):
        """Decoded contributions, shape (n_samples, n_superfeatures, n_outputs).

        What they miss of the score is shared equally among the superfeatures, so that ``base + φ.sum(axis=1)`` is the
        score.
        """
        phi = self.decoder.contributions(self.code(Z))
        if self.n_outputs > 1:
            phi -= phi.mean(axis=2, keepdims=True)
        missing = self.score(Z) - self.base - phi.sum(axis=1)
        return phi + missing[:, None, :] / self.n_superfeatures

    def centred(self, Z, weight, *, over_outputs):
        """The same with a score whose mean over given rows is the base; see :meth:`StudentNetwork.centred`."""
        student = self.student.centred(self._read(Z), weight, over_outputs=over_outputs)
        return CodedNetwork(student, self.explainer, self.head, self.decoder)

    def unfolded(self):
        """The same scores and contributions as one StudentNetwork, for other formats.

        Units that are only passed on carry numbers from layer to layer; a ReLU unit for each sign of those that may be
        negative. The network is larger than this one, but of the usual kind.
        """
        n_inputs = max(int(columns.max()) for columns in self.student.inputs) + 1
        decode, shift = self.decoder.coefs[0][0], self.decoder.intercepts[0][0]
        if self.explainer is None:
            matrix, bias = self.head
            layers = self._hidden_layers(0)
            width = layers[-1][0].shape[1]
            layers.append(
                (np.hstack([np.eye(width), matrix @ decode]), np.append(np.zeros(width), bias @ decode + shift))
            )
        else:
            layers = self._with_explainer(decode, shift)
        tail, own = self._heads()
        coefs, intercepts = zip(*layers, (tail, own), strict=True)
        inputs = [np.arange(n_inputs if self.explainer is None else n_inputs - self.explainer.n_outputs)]
        return StudentNetwork(
            inputs,
            [[np.float32(coef)] for coef in coefs],
            [[np.float32(intercept)] for intercept in intercepts],
            self.base,
            self.n_superfeatures,
        )

    def _hidden_layers(self, start):
        """Weights and biases of the student's hidden layers, the first of which reads every encoded column."""
        layers = [
            (coefs[0], intercepts[0])
            for coefs, intercepts in zip(self.student.coefs[:-1], self.student.intercepts[:-1], strict=True)
        ]
        layers[0] = (_spread(layers[0][0], self.student.inputs[0]), layers[0][1])
        return layers[start:]

    def _with_explainer(self, decode, shift):
        n_code = self.explainer.n_outputs
        read = _spread(self.explainer.coefs[0][0], self.explainer.inputs[0])
        (first, first_bias), *others = self._hidden_layers(0)
        n_inputs = len(first) - n_code
        read = np.vstack([read, np.zeros((n_inputs - len(read), read.shape[1]))])
        say, say_bias = self.explainer.coefs[1][0], self.explainer.intercepts[1][0] + self.explainer.base
        of_rows, of_code = first[:n_inputs], first[n_inputs:]
        width = len(decode[0])
        layers = [
            (
                np.hstack([np.eye(n_inputs), -np.eye(n_inputs), read]),
                np.append(np.zeros(2 * n_inputs), self.explainer.intercepts[0][0]),
            ),
            (
                np.vstack(
                    [
                        np.hstack([of_rows, np.zeros((n_inputs, width))]),
                        np.hstack([-of_rows, np.zeros((n_inputs, width))]),
                        np.hstack([say @ of_code, say @ decode]),
                    ]
                ),
                np.append(first_bias + say_bias @ of_code, say_bias @ decode + shift),
            ),
        ]
        layers += [(block_diag(coef, np.eye(width)), np.append(bias, np.zeros(width))) for coef, bias in others]
        return layers

    def _heads(self):
        """Last layer from the student's and the decoder's hidden units to contributions that sum to the score."""
        shape = (self.n_superfeatures, self.n_outputs)
        rows = [
            np.vstack([network.coefs[-1][0], network.intercepts[-1][0]]) for network in (self.student, self.decoder)
        ]
        score = np.repeat(rows[0][:, None, :] / shape[0], shape[0], axis=1)
        phi = rows[1].reshape(-1, *shape)
        if self.n_outputs > 1:
            phi = phi - phi.mean(axis=2, keepdims=True)
        phi = phi - phi.mean(axis=1, keepdims=True)
        score, phi = (each.reshape(len(each), -1) for each in (score, phi))
        return np.vstack([score[:-1], phi[:-1]]), score[-1] + phi[-1]


def _spread(coef, columns):
    """A layer's weights with a row for every column up to the last one it reads."""
    matrix = np.zeros((int(columns.max()) + 1, coef.shape[1]), dtype=coef.dtype)
    matrix[columns] = coef
    return matrix
