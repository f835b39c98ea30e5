"""A student as an ONNX graph, node by node."""

import itertools

import numpy as np
from sklearn.base import is_classifier

from skked._export._files import one_network
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
        Start of the names of all nodes and constants, so that they are not those of a column.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
    constants : list of onnx.TensorProto
    """

    def __init__(self, student, *, missing="", prefix="skked/"):
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

    def answer(self, encoded, names):
        """Nodes from encoded rows to the outputs.

        Parameters
        ----------
        encoded : str
            Name of a float tensor of shape (n, n_encoded).
        names : list of str
            Names of the outputs, in the order of :func:`output_shapes`.
        """
        network = one_network(self._student)
        output = dict(zip(output_shapes(self._student), names, strict=True))
        phi = self._contribute(encoded, output.get("contributions"))
        base = self.constant(network.base.astype(np.float32), "base")
        score = self.add("Add", self.add("ReduceSum", phi, self.integers([1], "axis"), keepdims=0), base)
        if "base" in output:
            self.add("Identity", base, output=output["base"])
        if "prediction" in output:
            self.add("Identity", score, output=output["prediction"])
        else:
            self._classify(score, output["label"], output["probabilities"])

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
            some = self.add("Gather", missing, self.integers(encoder.indicators_, "indicators"), axis=1)
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
        return self.add("Squeeze", row, self.integers([1], "middle"))

    # the parts of the network -----------------------------------------------------------------------------------

    def _contribute(self, encoded, name):
        """Contributions, of shape (n, n_superfeatures, n_outputs); one output has its axis in between, for the sum."""
        network = one_network(self._student)
        inputs = [network.inputs] + [None] * (len(network.coefs) - 1)
        *hidden_layers, heads = zip(network.coefs, network.intercepts, inputs, strict=True)
        hidden = encoded
        for layer in hidden_layers:
            hidden = self.add("Relu", self._product(hidden, *layer))
        if network.n_outputs == 1:
            phi = self._product(hidden, *heads, output=name)
            return self.add("Unsqueeze", phi, self.integers([2], "last_axis"))
        shape = self.integers([-1, network.n_superfeatures, network.n_outputs], "shape")
        return self.add("Reshape", self._product(hidden, *heads), shape, output=name)

    def _product(self, rows, coefs, intercepts, inputs, output=None):
        """One layer of all branches; `inputs` says which columns each reads, None that they lie side by side."""
        bias = self.constant(np.concatenate(intercepts), "bias")
        if len(coefs) == 1:
            if inputs is not None and not np.array_equal(inputs[0], np.arange(self._n_encoded)):
                rows = self.add("Gather", rows, self.integers(inputs[0], "columns"), axis=1)
            return self.add("Gemm", rows, self.constant(coefs[0], "weights"), bias, output=output)
        if inputs is None:
            outputs = _side_by_side([coef.shape[1] for coef in coefs])
            weights = self._blocks([coef.T for coef in coefs], outputs, sum(map(len, outputs)))
            return self.add("Gemm", rows, weights, bias, output=output, transB=1)
        return self.add("Gemm", rows, self._blocks(coefs, inputs, self._n_encoded), bias, output=output)

    @property
    def _n_encoded(self):
        return len(self._student.encoder_.columns_)

    def _blocks(self, blocks, rows, n_rows):
        """The matrix that has a block per branch, side by side, each in its own rows, and zeros between them.

        The file holds no zeros, but the values row by row, and where the row's values start and stop: column c of row
        r holds value ``offset[r] + c`` if ``start[r] <= c < stop[r]``. Runtimes compute it once, when they load the
        file.
        """
        start, stop = np.zeros((2, n_rows, 1), dtype=np.int32)  # rows that no block has stay empty
        matrix = [np.empty(0, dtype=np.float32)] * n_rows
        for own_rows, columns, block in zip(rows, _side_by_side([b.shape[1] for b in blocks]), blocks, strict=True):
            start[own_rows], stop[own_rows] = columns[0], columns[-1] + 1
            for row, values in zip(own_rows, block, strict=True):
                matrix[row] = values
        offset = 1 + np.cumsum(np.concatenate([[[0]], (stop - start)[:-1]]), axis=0) - start
        zero, one, width = (self.constant(np.int32(number), "number") for number in (0, 1, stop.max()))
        columns = self.add("Range", zero, width, one)
        inside = self.add(
            "And",
            self.add("GreaterOrEqual", columns, self.constant(start, "start")),
            self.add("Less", columns, self.constant(stop, "stop")),
        )
        place = self.add("Add", columns, self.constant(offset.astype(np.int32), "offset"))
        place = self.add("Where", inside, place, zero)
        return self.add("Gather", self.constant(np.concatenate([[np.float32(0)], *matrix]), "weights"), place)

    def _classify(self, score, label, probabilities):
        if self._student.network_.n_outputs == 1:
            score = self.add("Pad", score, self.integers([0, 1, 0, 0], "one_before"))  # scores of two classes: 0 and z
        self.add("Softmax", score, output=probabilities, axis=1)
        best = self.add("ArgMax", score, axis=1, keepdims=0)
        self.add("Gather", self.constant(onnx_classes(self._student), "classes"), best, output=label)

    # the graph's own book-keeping -------------------------------------------------------------------------------

    def add(self, kind, *inputs, output=None, domain="", **attributes):
        """Append a node; its output's name comes back."""
        name = f"{self._prefix}{kind}{len(self.nodes)}"
        output = output or name
        node = self._onnx.helper.make_node(kind, list(inputs), [output], name=name, domain=domain, **attributes)
        self.nodes.append(node)
        return output

    def integers(self, values, name):
        """Store whole numbers, such as axes and shapes."""
        return self.constant(np.array(values, dtype=np.int64), name)

    def constant(self, value, name):
        """Store an array in the file; its name comes back."""
        name = f"{self._prefix}{name}{len(self.constants)}"
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(value, order="C"), name))
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


def _side_by_side(widths):
    """Positions of blocks of given widths, one after the other."""
    return [np.arange(start, stop) for start, stop in itertools.pairwise(np.cumsum([0, *widths]))]
