"""Students as ONNX files, for runtimes without Python."""

import json

from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

import skked
from skked._export._files import column_names, fitted_student
from skked._export._graph import LABEL_OPSET, OPSET, StudentGraph, output_shapes, output_types
from skked._export._skl2onnx import register_onnx_converters
from skked._validation import optional_import
from skked._writing import write_whole

IR_VERSION = 8  # the one that came with the operators of OPSET


def export_onnx(estimator, path, *, X=None, missing=""):
    """Write a fitted student as an ONNX file that reads raw columns and explains its predictions.

    Parameters
    ----------
    estimator : student or Pipeline
        A fitted student, or a fitted :class:`sklearn.pipeline.Pipeline` that ends in one. The steps before the student
        are converted by skl2onnx, which must know them.
    path : str or Path
        The file. If it exists it is replaced, at once and as a whole.
    X : DataFrame of shape (n_samples, n_features), default=None
        Rows as a Pipeline reads them, from which skl2onnx takes names and types of the inputs. None: all are numbers.
        A student alone knows its inputs.
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
    has category columns is one tensor per column of shape (n, 1) under the name of the column, with an underscore added
    where it is the name of an output: double, or texts.
    Levels that are no texts are written as texts, whole numbers without decimal point; unknown levels are welcome.

    *Outputs* of a classifier are ``label`` (n,), ``probabilities`` (n, n_classes), ``contributions``
    (n, n_superfeatures), with three or more classes (n, n_superfeatures, n_classes), and ``base`` (n_outputs,); of a
    regressor ``prediction`` (n, 1), ``contributions`` and ``base``. Students without explanations have no
    contributions. Labels are integers or texts.

    A Pipeline reads one tensor ``X`` too, or one of shape (n, 1) per column of `X`, its numbers as float.

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
    if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
        model = _pipeline_model(estimator, X)
    else:
        _check_missing(student, missing)
        model = _student_model(student, missing, onnx)
    onnx.helper.set_model_props(model, _metadata(student, missing))
    onnx.checker.check_model(model)
    write_whole(path, model.SerializeToString())


def _student_model(student, missing, onnx):
    graph = StudentGraph(student, missing=missing)
    numbers, texts, inputs = _inputs(student, graph, onnx)
    graph.answer(graph.encode(numbers, texts), list(output_shapes(student)))
    return onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, type(student).__name__, inputs, _outputs(student, onnx), graph.constants),
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
    taken = output_shapes(student)
    names = [f"{name}_" if name in taken else name for name in column_names(student)]
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
                f"missing={missing!r} is a level of column {column_names(student)[j]!r}. "
                "Choose a text that is in no column, such as missing='?'."
            )


def _outputs(student, onnx):
    types = output_types(student)
    return [
        onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, types[name].upper()), shape)
        for name, shape in output_shapes(student).items()
    ]


def _pipeline_model(pipeline, X):
    """What skl2onnx makes of a Pipeline; in single precision, as some of its operators know no other."""
    register_onnx_converters()
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    if X is None:
        return to_onnx(pipeline, initial_types=[("X", FloatTensorType([None, pipeline.n_features_in_]))])
    doubles = [name for name, dtype in X.dtypes.items() if dtype == "float64"]
    return to_onnx(pipeline, X[:1].astype(dict.fromkeys(doubles, "float32")))


def _metadata(student, missing):
    said = {"skked": skked.__version__, "missing": missing}
    if is_classifier(student):
        said["classes"] = json.dumps(student.classes_.tolist(), default=str)
    if hasattr(student, "superfeature_names_"):
        said["superfeatures"] = json.dumps(student.superfeature_names_)
    return said
