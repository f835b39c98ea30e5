"""A student as an ONNX graph, node by node."""

import itertools

import numpy as np
from sklearn.base import is_classifier

from skked._validation import optional_import

OPSET = 17
"""Version of ONNX's operators: the oldest that has what we need, so that the oldest runtimes read the file."""
LABEL_OPSET = 3
"""The same for ``ai.onnx.ml``, from which the look-up of category levels comes."""
_LARGEST_SCORE = 1e6  # as in TableEncoder


class StudentGraph:
    """Nodes and constants that compute what a student computes.

    Parameters
    ----------
    student : DistilledStudent
        Fitted.
    missing : str
        What stands for a missing value in inputs of texts.
    prefix : str
        Start of the names of all nodes and constants, for graphs with other parts.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
    constants : list of onnx.TensorProto
    """

    def __init__(self, student, *, missing="", prefix=""):
        self._onnx = optional_import("onnx", extra="onnx", purpose="Exporting to ONNX")
        self._student = student
        self._missing = missing
        self._prefix = prefix
        self.nodes = []
        self.constants = []

    # what a student is made of ----------------------------------------------------------------------------------

    def encode(self, numbers, texts):
        """Encoded rows.

        Parameters
        ----------
        numbers : str or None
            Name of a tensor of shape (n, n_numeric), float or double.
        texts : list of str
            Names of tensors of texts of shape (n, 1), one per category column.

        Returns
        -------
        str
            Name of a float tensor of shape (n, n_encoded).
        """
        encoder = self._student.encoder_
        blocks = [] if numbers is None else self._encode_numbers(numbers)
        blocks += [
            self._encode_texts(*column)
            for column in zip(texts, encoder.category_columns_, encoder.levels_, encoder.tables_, strict=True)
        ]
        return blocks[0] if len(blocks) == 1 else self.add("Concat", *blocks, axis=1)

    def contribute(self, encoded):
        """Contributions and score of encoded rows.

        Parameters
        ----------
        encoded : str
            Name of a float tensor of shape (n, n_encoded).

        Returns
        -------
        phi : str
            Name of a float tensor of shape (n, n_superfeatures, n_outputs).
        score : str
            Name of a float tensor of shape (n, n_outputs).
        """
        network = self._student.network_
        hidden = encoded
        branch_of_row = np.zeros(len(self._student.encoder_.columns_), dtype=np.int32)
        for branch, columns in enumerate(network.inputs):
            branch_of_row[columns] = branch
        rows = network.inputs
        for layer, (coefs, intercepts) in enumerate(zip(network.coefs, network.intercepts, strict=True)):
            widths = [len(bias) for bias in intercepts]
            branch_of_column = np.repeat(np.arange(len(widths), dtype=np.int32), widths)
            weights = self._blocks(rows, coefs, branch_of_row, branch_of_column)
            hidden = self.add("Gemm", hidden, weights, self.constant(np.concatenate(intercepts), "bias"))
            if layer < len(network.coefs) - 1:
                hidden = self.add("Relu", hidden)
            ends = np.cumsum([0, *widths])
            rows = [np.arange(start, stop) for start, stop in itertools.pairwise(ends)]
            branch_of_row = branch_of_column
        shape = np.array([-1, network.n_superfeatures, network.n_outputs], dtype=np.int64)
        phi = self.add("Reshape", hidden, self.constant(shape, "phi_shape"))
        total = self.add(
            "ReduceSum", phi, self.constant(np.array([1], dtype=np.int64), "over_superfeatures"), keepdims=0
        )
        return phi, self.add("Add", total, self.constant(network.base.astype(np.float32), "base_score"))

    def conclude(self, phi, score, names):
        """The outputs, under given names, in the order of :func:`output_shapes`.

        Parameters
        ----------
        phi, score : str
            As given by :meth:`contribute`.
        names : list of str
            Names of the outputs.
        """
        if is_classifier(self._student):
            label, probabilities, *explanation = names
            if self._student.network_.n_outputs == 1:  # scores of two classes: 0 and z
                score = self.add("Pad", score, self.constant(np.array([0, 1, 0, 0], dtype=np.int64), "one_before"))
            self.add("Softmax", score, output=probabilities, axis=1)
            best = self.add("ArgMax", score, axis=1, keepdims=0)
            self.add("Gather", self.constant(onnx_classes(self._student), "classes"), best, output=label)
        else:
            prediction, *explanation = names
            self.add("Identity", score, output=prediction)
        if explanation:
            contributions, base = explanation
            if self._student.network_.n_outputs == 1:
                self.add("Squeeze", phi, self.constant(np.array([2], dtype=np.int64), "last"), output=contributions)
            else:
                self.add("Identity", phi, output=contributions)
            self.add("Identity", self.constant(self._student.network_.base.astype(np.float32), "base"), output=base)

    # the parts of encoding --------------------------------------------------------------------------------------

    def _encode_numbers(self, numbers):
        """The difference to the centre is in double precision: of 2,000,000,123.4 a float keeps the millions."""
        encoder = self._student.encoder_
        numbers = self.add("Cast", numbers, to=self._onnx.TensorProto.DOUBLE)
        missing = self.add("IsNaN", numbers)
        centre = self.constant(encoder.centre_, "centre")
        z = self.add("Sub", self.add("Where", missing, centre, numbers), centre)
        z = self.add("Mul", z, self.constant(encoder.scale_, "scale"))
        limits = [self.constant(np.array(limit), f"limit{limit:+.0e}") for limit in (-_LARGEST_SCORE, _LARGEST_SCORE)]
        z = self.add("Cast", self.add("Clip", z, *limits), to=self._onnx.TensorProto.FLOAT)
        blocks = [self.add("Asinh", z)]
        if len(encoder.indicators_):
            indicators = self.constant(np.asarray(encoder.indicators_, dtype=np.int64), "indicators")
            some = self.add("Gather", missing, indicators, axis=1)
            blocks.append(self.add("Cast", some, to=self._onnx.TensorProto.FLOAT))
        return blocks

    def _encode_texts(self, text, column, levels, table):
        positions = [*range(len(levels)), len(levels) + 1]  # an unknown level is in between
        position = self.add(
            "LabelEncoder",
            text,
            domain="ai.onnx.ml",
            keys_strings=[*levels, self._missing],
            values_int64s=positions,
            default_int64=len(levels),
        )
        row = self.add("Gather", self.constant(table, f"levels_of_column_{column}"), position, axis=0)  # (n, 1, width)
        return self.add("Squeeze", row, self.constant(np.array([1], dtype=np.int64), "middle"))

    # the parts of the network -----------------------------------------------------------------------------------

    def _blocks(self, rows, coefs, branch_of_row, branch_of_column):
        """The weights of all branches of a layer as one matrix.

        It is mostly zeros, so the file holds the other values only, and the nodes that put them into their places;
        runtimes run those once, when they load the file.
        """
        matrix = np.zeros((len(branch_of_row), len(branch_of_column)), dtype=np.float32)
        for branch, (columns, coef) in enumerate(zip(rows, coefs, strict=True)):
            matrix[np.ix_(columns, branch_of_column == branch)] = coef
        if len(coefs) == 1:
            return self.constant(matrix, "weights")
        inside = branch_of_row[:, None] == branch_of_column
        mask = self.add(
            "Equal", self.constant(branch_of_row[:, None], "branches"), self.constant(branch_of_column, "branches")
        )
        places = self.add("Transpose", self.add("NonZero", mask), perm=[1, 0])
        zeros = self.add("Cast", mask, to=self._onnx.TensorProto.FLOAT)  # of the right shape; ones are overwritten
        return self.add("ScatterND", zeros, places, self.constant(matrix[inside], "weights"))

    # the graph's own book-keeping -------------------------------------------------------------------------------

    def add(self, kind, *inputs, output=None, domain="", **attributes):
        """Append a node; its output's name comes back."""
        name = f"{self._prefix}{kind}{len(self.nodes)}"
        output = output or name
        node = self._onnx.helper.make_node(kind, list(inputs), [output], name=name, domain=domain, **attributes)
        self.nodes.append(node)
        return output

    def constant(self, value, name):
        """Store an array in the file; its name comes back."""
        name = f"{self._prefix}{name}{len(self.constants)}"
        self.constants.append(self._onnx.numpy_helper.from_array(_storable(value), name))
        return name


def output_shapes(student):
    """Names and shapes of a graph's outputs; a length of None is free.

    Parameters
    ----------
    student : DistilledStudent

    Returns
    -------
    dict of str to list
    """
    n_outputs, n_groups = student.network_.n_outputs, student.network_.n_superfeatures
    shapes = {"prediction": [None, 1]}
    if is_classifier(student):
        shapes = {"label": [None], "probabilities": [None, max(2, n_outputs)]}
    if hasattr(student, "explanation_base_"):
        shapes["contributions"] = [None, n_groups] if n_outputs == 1 else [None, n_groups, n_outputs]
        shapes["base"] = [n_outputs]
    return shapes


def output_types(student):
    """Names and types of a graph's outputs.

    Parameters
    ----------
    student : DistilledStudent

    Returns
    -------
    dict of str to {"float", "int64", "string"}
    """
    types = dict.fromkeys(output_shapes(student), "float")
    if "label" in types:
        types["label"] = "string" if onnx_classes(student).dtype == object else "int64"
    return types


def onnx_classes(student):
    """The classes of a classifier as integers or texts, the two kinds of label that ONNX has.

    Parameters
    ----------
    student : StudentClassifier

    Returns
    -------
    ndarray of shape (n_classes,), of int64 or object
    """
    classes = student.classes_
    if classes.dtype.kind in "biu":
        return classes.astype(np.int64)
    if classes.dtype.kind == "f" and (classes == classes.astype(np.int64)).all():
        return classes.astype(np.int64)
    return np.array([str(label) for label in classes], dtype=object)


def _storable(value):
    return value if value.dtype == object else np.ascontiguousarray(value)
