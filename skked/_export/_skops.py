"""Students as skops files: numpy arrays and names of types, and no code that runs on loading."""

import copy
import inspect
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

import skked
from skked._export._files import ESTIMATORS, fitted_estimator
from skked._export._plain_reader import NotPlain, read_plain
from skked._validation import optional_import
from skked._writing import write_whole

FORMAT_VERSION = 1
"""Counts up when files of an older version can no longer be read as they are."""
HEADER = "skked.json"
"""Member of the archive with the versions; what else is in the archive is skops's."""
TRUSTED = [
    *ESTIMATORS,
    "skked._forward.StudentNetwork",
    "skked._image_forward.ImageLayout",
    "skked._image_forward.ImageNetwork",
    "skked._students._coded.CodedNetwork",
    "skked._students._tolerance.Tolerance",
    "skked._students.tolerant.TolerantNetwork",
    "skked._table._encoder.TableEncoder",
    "skked._students._additive_boosting.AdditiveBoosting",
    "skked._students._additive_network.AdditiveNetwork",
    "skked._students._untaught.UntaughtAdditiveClassifier",
    "skked._students._untaught.UntaughtAdditiveRegressor",
    "skked._explanations._tree_ensemble.TreeEnsemble",
    "skked._explanations._tree_encodings.as_float64",
    "numpy.dtype",
    "skked._superfeatures.clustering.SuperfeatureClustering",
    "skked._explanations._explainer.GroupShapleyExplainer",
]
"""What a file may hold beside what skops holds to be safe: the public estimators and their parts."""
_DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, RuntimeError)


def save(estimator, path, *, with_teacher=False):
    """Write a fitted student to a file that can be loaded without trusting who made it.

    The file holds arrays, numbers, texts and names of types, in the format of `skops <https://skops.readthedocs.io>`_
    (``pip install 'skked[skops]'``); loading it runs no code from it. Without its teacher a student takes some ten
    kilobytes.

    Parameters
    ----------
    estimator : estimator of skked or Pipeline
        A fitted student or teacher, or a fitted :class:`sklearn.pipeline.Pipeline` that ends in one.
    path : str or Path
        The file. If it exists it is replaced, at once and as a whole; if anything goes wrong it stays as it was.
    with_teacher : bool, default=False
        Save the fitted ``teacher_`` and a frozen `teacher` too.

    Raises
    ------
    ImportError
        If skops is not installed.
    TypeError
        If `estimator` is not a student, or holds what skops cannot store.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    See Also
    --------
    load : Reads the file.
    export_onnx : For runtimes other than Python.

    Notes
    -----
    Predictions of the loaded student equal those of the saved one to the bit. Parameters of ``fit`` that cannot be
    loaded safely, such as functions, caches and unfitted models from packages other than scikit-learn, are saved as
    their defaults, as are a `cv` that lists rows of the table and, unless `with_teacher`, a frozen teacher.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skked import KEDClassifier, load, save
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> student = KEDClassifier(superfeatures=3, max_iter=20, random_state=0).fit(X, y)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "student.skops"
    >>> save(student, path)
    >>> bool((load(path).predict_proba(X) == student.predict_proba(X)).all())
    True
    """
    io_ = _skops()
    student = fitted_estimator(estimator)
    teacher = getattr(student, "teacher_", None) if with_teacher else None
    if with_teacher and teacher is None:
        raise ValueError("with_teacher=True, but the student has no teacher_: it was loaded from a file without one.")
    light = _light(student, io_, keep_teacher=with_teacher)
    document = {"estimator": _with_last_step(estimator, light), "teacher": teacher}
    try:
        content = io_.dumps(document, compression=zipfile.ZIP_DEFLATED)
    except Exception as error:  # skops lets through what the object's own __reduce__ raises
        raise TypeError(f"skops cannot store this {type(estimator).__name__}: {error}") from error
    write_whole(path, _with_header(content))


def load(path, *, trusted=()):
    """Read a student from a file of :func:`save`, without running any code from it.

    Only types of skked, and the types of numpy, scipy and scikit-learn that skops holds to be safe, are made; a file
    that names another one is refused before it is made. Neither torch nor shap is needed, nor skops for a student
    by itself. A teacher made of trees needs ``trusted=["sklearn.tree._tree.Tree"]``, since skops
    does not hold scikit-learn's trees to be safe; an explaining teacher needs what ``load`` names when it refuses.

    Parameters
    ----------
    path : str or Path
        The file.
    trusted : list of str, default=()
        Full names of further types that you vouch for, such as the class of a teacher from another package. Names
        are given by the error message of a refused file; read them before you trust them.

    Returns
    -------
    estimator of skked or Pipeline
        What was saved.

    Raises
    ------
    ImportError
        If the file holds more than a student, and skops is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, not one of :func:`save`, of a newer format, or holds types that are not trusted.

    See Also
    --------
    save : Writes the file.
    """
    content = Path(path).read_bytes()
    _check_archive(content, path)
    try:
        try:
            document = read_plain(content, set(TRUSTED))
        except NotPlain:
            document = _read_with_skops(content, path, [*TRUSTED, *trusted])
        student = fitted_estimator(document["estimator"])
    except (_Refused, ImportError):
        raise
    except Exception as error:  # the archive is whole, so this is what a stranger wrote into it
        raise ValueError(f"{path} cannot be read as a student ({type(error).__name__}: {error}).") from error
    _fill_in(student)
    for holder in (student, document["estimator"]):
        if hasattr(holder, "memory"):
            holder.memory = None  # a cache is read by unpickling
    if document["teacher"] is not None:
        student.teacher_ = document["teacher"]
    return document["estimator"]


class _Refused(ValueError):
    """The file holds types that are not trusted."""


def _read_with_skops(content, path, trusted):
    """What the file holds, once it is known to hold trusted types only."""
    io_ = _skops()
    untrusted = sorted(set(io_.get_untrusted_types(data=content)) - set(trusted))
    if untrusted:
        raise _Refused(
            f"{path} is refused: it holds types that are not trusted: {', '.join(untrusted)}. Loading them could run "
            "code of whoever made the file. If you know what they are and trust the file, name them in `trusted`."
        )
    return io_.loads(content, trusted=trusted)


def _fill_in(student):
    """Give a student of an earlier version the parameters that it did not have, as they are by default."""
    for name, parameter in inspect.signature(type(student)).parameters.items():
        if not hasattr(student, name):
            setattr(student, name, parameter.default)


def _skops():
    return optional_import("skops.io", extra="skops", purpose="Saving and loading students")


def _light(student, io_, *, keep_teacher):
    """The student with those parameters only that anybody can load."""
    light = copy.copy(student)
    for name, parameter in inspect.signature(type(student)).parameters.items():
        value = getattr(student, name)
        if name == "teacher" and value is not None and not keep_teacher:
            value = _unfitted(value)
        kept = name == "teacher" and keep_teacher
        of_the_table = name == "memory" or (name == "cv" and isinstance(value, list | tuple))
        if of_the_table or not (kept or _is_portable(value, io_)):
            value = parameter.default
        setattr(light, name, value)
    return light


def _unfitted(teacher):
    """A clone of a teacher; None for a frozen one, whose clone is as fitted, and as large, as itself."""
    return None if isinstance(teacher, FrozenEstimator) else clone(teacher)


def _is_portable(value, io_):
    try:
        return not set(io_.get_untrusted_types(data=io_.dumps(value))) - set(TRUSTED)
    except Exception:  # whatever keeps skops from storing it
        return False


def _with_last_step(estimator, student):
    if not isinstance(estimator, Pipeline):
        return student
    pipeline = copy.copy(estimator)
    pipeline.steps = [*estimator.steps[:-1], (estimator.steps[-1][0], student)]
    pipeline.memory = None
    return pipeline


def _with_header(content):
    archive = io.BytesIO(content)
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as members:
        members.writestr(HEADER, json.dumps({"format_version": FORMAT_VERSION, "skked": skked.__version__}))
    return archive.getvalue()


def _check_archive(content, path):
    """Refuse what is not whole, not ours, or newer than we are."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            damaged = members.testzip()
            header = json.loads(members.read(HEADER)) if HEADER in members.namelist() else None
    except _DAMAGES as error:
        raise ValueError(f"{path} is damaged or not a file of skked.save: {error}") from error
    if damaged is not None:
        raise ValueError(f"{path} is damaged: its part {damaged!r} is not what was written. Copy or save it again.")
    if header is None:
        raise ValueError(f"{path} is not a file of skked.save: it has no {HEADER!r}.")
    header = header if isinstance(header, dict) else {}
    version = header.get("format_version")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}, written by skked {header.get('skked', 'of unknown version')}; "
            f"skked {skked.__version__} reads version {FORMAT_VERSION}. Install the skked that wrote it."
        )
