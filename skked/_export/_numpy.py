"""Students as one Python file that needs nothing but numpy."""

import ast
import base64
import pprint
import textwrap
from importlib import resources
from pathlib import Path

import numpy as np
from sklearn.base import is_classifier

import skked
from skked._export._files import column_names, fitted_student, one_network
from skked._writing import write_whole

_HEADER = '''"""A {kind} of skked {version}: predicts and explains with numpy alone.

    import {module}
    {module}.{answer}([{example}])
    {module}.contributions([{example}])

Written by skked.export_numpy. Numbers are in base64, little-endian float32, or float64 for CENTRE and SCALE.
"""

import base64

import numpy as np


def _numbers(text, *shape, dtype="<f4"):
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)

'''


def export_numpy(estimator, path):
    """Write a fitted student as a Python file that needs numpy and nothing else.

    The file is a module with the functions ``predict``, ``predict_proba`` (of classifiers), ``score`` and
    ``contributions``, some eighty lines of code that can be read and checked, and the numbers of the model.

    Parameters
    ----------
    estimator : student
        A fitted student, or a Pipeline of nothing but one.
    path : str or Path
        The file, such as ``"student.py"``. If it exists it is replaced, at once and as a whole.

    Raises
    ------
    TypeError
        If `estimator` is not a student, or its labels cannot be written as Python.
    sklearn.exceptions.NotFittedError
        If the student is not fitted.

    See Also
    --------
    export_onnx : For runtimes other than Python, and for Pipelines.
    save : For Python with skked.

    Notes
    -----
    The functions take a list of rows, each a list of values in the order of the columns of ``fit`` or a dict, or
    anything that gives the values of a column by its name, such as a dict of lists or a DataFrame. Missing values are
    None or NaN; unknown levels are welcome. Infinite values are not refused: they are very large ones.
    ``contributions`` has three dimensions, ``(n_rows, n_superfeatures, n_outputs)``, and adds up to ``score`` with
    ``BASE``. Products are in double precision; numbers agree with those of the student to rounding.

    Examples
    --------
    >>> import pathlib, runpy, tempfile
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skked import KEDClassifier, export_numpy
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> student = KEDClassifier(superfeatures=3, max_iter=20, random_state=0).fit(X, y)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "student.py"
    >>> export_numpy(student, path)
    >>> module = runpy.run_path(str(path))
    >>> bool(abs(module["predict_proba"](X) - student.predict_proba(X)).max() < 1e-9)
    True
    """
    student = fitted_student(estimator)
    if student is not estimator and len(estimator.steps) > 1:
        raise TypeError(
            "Expected a student, got a Pipeline with other steps, which numpy alone cannot take. Export its last step "
            "and prepare the rows yourself, or use export_onnx."
        )
    code = resources.files("skked._export").joinpath("_standalone.txt").read_text(encoding="utf-8")
    parts = [_header(student, path), *_model(student), "", code]
    write_whole(path, "\n".join(parts).encode())


def _header(student, path):
    names = column_names(student)
    return _HEADER.format(
        kind=type(student).__name__,
        version=skked.__version__,
        module=Path(path).stem,
        answer="predict_proba" if is_classifier(student) else "predict",
        example="[value of each column]" if len(names) > 1 else "[value]",
    )


def _model(student):
    """Assignments of what the student has learned."""
    encoder, network = student.encoder_, one_network(student)
    tables = zip(encoder.category_columns_.tolist(), encoder.levels_, encoder.tables_, strict=True)
    layers = zip(network.coefs, network.intercepts, strict=True)
    yield f"CLASSES = {_classes(student)}"
    yield f"COLUMNS = {_wrapped(column_names(student))}"
    yield f"SUPERFEATURES = {_wrapped(list(getattr(student, 'superfeature_names_', ['all columns'])))}"
    yield f"BASE = {_array(network.base)}"
    yield f"NUMERIC = {_wrapped(encoder.numeric_columns_.tolist())}"
    yield f"INDICATORS = {_wrapped(encoder.indicators_.tolist())}  # places in NUMERIC that tell whether one is missing"
    yield f"CENTRE = {_array(encoder.centre_, '<f8')}"
    yield f"SCALE = {_array(encoder.scale_, '<f8')}"
    yield "LEVELS = [  # column, its levels, and their codes, then those of an unknown level and of a missing value"
    yield from (f"    ({column}, {_wrapped(levels)}, {_array(table)})," for column, levels, table in tables)
    yield "]"
    yield f"BRANCHES = {_wrapped([columns.tolist() for columns in network.inputs])}  # encoded columns of each"
    yield "WEIGHTS = [  # layers of branches of (coefficients, intercepts)"
    for coefs, intercepts in layers:
        yield "    ["
        yield from (f"        ({_array(c)}, {_array(b)})," for c, b in zip(coefs, intercepts, strict=True))
        yield "    ],"
    yield "]"


def _classes(student):
    if not is_classifier(student):
        return None
    classes = student.classes_.tolist()
    text = _wrapped(classes)
    try:
        same = ast.literal_eval(text) == classes
    except (SyntaxError, ValueError):
        same = False
    if not same:
        raise TypeError(f"Labels of type {type(classes[0]).__name__} cannot be written as Python: {classes[:3]}...")
    return text


def _array(values, dtype="<f4"):
    text = base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode()
    arguments = "".join(f", {length}" for length in np.shape(values)) + ("" if dtype == "<f4" else f", dtype={dtype!r}")
    if len(text) < 80:
        return f'_numbers("{text}"{arguments})'
    return f'_numbers("""\n{textwrap.fill(text, 118)}\n"""{arguments})'


def _wrapped(values):
    """A list as Python, on lines that can be read."""
    return pprint.pformat(values, width=110, compact=True)
