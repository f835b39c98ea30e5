"""Students as ONNX files, for runtimes without Python."""

import json

import numpy as np
from sklearn.base import is_classifier

import skked
from skked._export._files import fitted_student, write_whole
from skked._export._graph import LABEL_OPSET, OPSET, StudentGraph, onnx_classes, output_names
from skked._validation import optional_import

IR_VERSION = 8  # the one that came with the operators of OPSET


def export_onnx(estimator, path, *, missing=""):
    """Write a fitted student as an ONNX file that reads raw columns and explains its predictions.

    Parameters
    ----------
    estimator : student or Pipeline
        A fitted student, or a fitted :class:`sklearn.pipeline.Pipeline` that ends in one. The steps before the student
        are converted by skl2onnx, which must know them.
    path : str or Path
        The file. If it exists it is replaced, at once and as a whole.
    missing : str, default=""
        The text that stands for a missing value in columns of texts; ONNX has no other way to say so. In columns of
        numbers it is NaN.

    Raises
    ------
    ImportError
        If onnx is not installed, or, for a Pipeline, skl2onnx.
    TypeError
        If `estimator` is not a student or a Pipeline that ends in one.
    ValueError
        If `missing` is a level of a column.
    sklearn.exceptions.NotFittedError
        If the student is not fitted.

    See Also
    --------
    save : For Python, to the bit.

    Notes
    -----
    *Inputs.* A table of numbers and truth values is one tensor ``X`` of shape (n, n_features), double. A table that
    has category columns is one tensor per column of shape (n, 1) under the name of the column: double, or texts.
    Levels that are no texts are written as texts, whole numbers without decimal point; unknown levels are welcome.

    *Outputs* of a classifier are ``label`` (n,), ``probabilities`` (n, n_classes), ``contributions``
    (n, n_superfeatures), with three or more classes (n, n_superfeatures, n_classes), and ``base`` (n_outputs,); of a
    regressor ``prediction`` (n, 1), ``contributions`` and ``base``. Students without explanations have no
    contributions. Labels are integers or texts.

    *Metadata* of the model: ``skked`` (version), ``classes``, ``superfeatures`` (names), ``missing``, the lists as
    JSON.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skked import KEDClassifier, export_onnx
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> student = KEDClassifier(superfeatures=3, max_iter=20, random_state=0).fit(X, y)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "student.onnx"
    >>> export_onnx(student, path)
    >>> path.stat().st_size < 16_000
    True
    """
    onnx = optional_import("onnx", extra="onnx", purpose="Exporting to ONNX")
    student = fitted_student(estimator)
    _check_missing(student, missing)
    model = _student_model(student, missing, onnx)
    onnx.helper.set_model_props(model, _metadata(student, missing))
    onnx.checker.check_model(model)
    write_whole(path, model.SerializeToString())


def _student_model(student, missing, onnx):
    graph = StudentGraph(student, missing=missing)
    numbers, texts, inputs = _inputs(student, graph, onnx)
    names = output_names(student)
    graph.conclude(*graph.contribute(graph.encode(numbers, texts)), names)
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes, type(student).__name__, inputs, _outputs(student, names, onnx), graph.constants
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid("ai.onnx.ml", LABEL_OPSET)],
        ir_version=IR_VERSION,
        producer_name="skked",
        producer_version=skked.__version__,
    )


def _inputs(student, graph, onnx):
    """Names of the matrix of numbers and of the columns of texts, and the graph's inputs."""
    encoder = student.encoder_
    double, text = onnx.TensorProto.DOUBLE, onnx.TensorProto.STRING
    if not len(encoder.category_columns_):
        return "X", [], [onnx.helper.make_tensor_value_info("X", double, [None, student.n_features_in_])]
    names = _column_names(student)
    inputs = [
        onnx.helper.make_tensor_value_info(name, text if j in encoder.category_columns_ else double, [None, 1])
        for j, name in enumerate(names)
    ]
    numeric = [names[j] for j in encoder.numeric_columns_]
    numbers = graph.add("Concat", *numeric, axis=1) if numeric else None
    return numbers, [names[j] for j in encoder.category_columns_], inputs


def _check_missing(student, missing):
    encoder = student.encoder_
    for j, levels in zip(encoder.category_columns_, encoder.levels_, strict=True):
        if missing in levels:
            raise ValueError(
                f"missing={missing!r} is a level of column {_column_names(student)[j]!r}. "
                "Choose a text that is in no column, such as missing='?'."
            )


def _column_names(student):
    names = getattr(student, "feature_names_in_", None)
    return [f"x{j}" for j in range(student.n_features_in_)] if names is None else [str(name) for name in names]


def _outputs(student, names, onnx):
    n_outputs, n_groups = student.network_.n_outputs, student.network_.n_superfeatures
    label = onnx.TensorProto.STRING
    if is_classifier(student) and onnx_classes(student).dtype != object:
        label = onnx.TensorProto.INT64
    shapes = {
        "label": [None],
        "probabilities": [None, max(2, n_outputs)],
        "prediction": [None, 1],
        "contributions": [None, n_groups] if n_outputs == 1 else [None, n_groups, n_outputs],
        "base": [n_outputs],
    }
    return [
        onnx.helper.make_tensor_value_info(name, label if name == "label" else onnx.TensorProto.FLOAT, shapes[name])
        for name in names
    ]


def _metadata(student, missing):
    said = {"skked": skked.__version__, "missing": missing}
    if is_classifier(student):
        said["classes"] = json.dumps(
            [label.item() if isinstance(label, np.generic) else label for label in student.classes_]
        )
    if hasattr(student, "superfeature_names_"):
        said["superfeatures"] = json.dumps(student.superfeature_names_)
    return said
