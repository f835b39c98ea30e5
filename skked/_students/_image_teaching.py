"""What the teacher of an image student hands over: scores, contributions and hidden maps."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skked._progress import without_callbacks
from skked._students._feasible import check_teacher
from skked._teachers import cross_fit_teacher

WIDER = 8
"""Parameters of a teacher of the student's own form, in those of the student, unless the user gives a teacher."""


@dataclass(frozen=True)
class ImageTeaching:
    """A fitted teacher, and what it says about the training rows; None where it is not asked.

    Attributes
    ----------
    estimator : classifier or None
    scores : array of shape (n, C) or None
        In the link space.
    base : array of shape (K,) or None
        Score from which the contributions count, in units of the student's outputs.
    phi : array of shape (n, M, K) or None
    features : array of shape (n, M, maps, positions) or None
    """

    estimator: object = None
    scores: np.ndarray | None = None
    base: np.ndarray | None = None
    phi: np.ndarray | None = None
    features: np.ndarray | None = None


def teach_images(student, problem, images, seed):
    """Fit the teacher and ask it about the training rows.

    Parameters
    ----------
    student : KEDImageClassifier
        With valid parameters.
    problem : Problem
    images : array of shape (n, height, width, channels)
    seed : int

    Returns
    -------
    ImageTeaching
    """
    if student.distillation_weight == 0:
        return ImageTeaching()
    shape = images.shape[1:]
    teacher, explains = image_teacher(student, shape, problem.cv)
    student._say(f"fitting {type(teacher).__name__} on {len(problem):,} distinct rows")
    fitted = cross_fit_teacher(
        teacher,
        problem.X,
        problem.y,
        task="classification",
        classes=problem.classes,
        sample_weight=problem.weight,
        cv=None if is_image_student(teacher, student) else problem.cv,
        n_jobs=student.n_jobs,
        random_state=seed,
    )
    if not explains:
        return ImageTeaching(fitted.full.estimator, fitted.scores)
    network = fitted.full.estimator.network_
    _check_network(student, fitted.full.estimator, shape)
    features = None
    if student.hint is not None:
        features = network.features(images).astype(np.float32)
        features = features.reshape(*features.shape[:2], -1, features.shape[-1]).swapaxes(2, 3)
    return ImageTeaching(fitted.full.estimator, fitted.scores, network.base, network.contributions(images), features)


def image_teacher(student, image_shape, cv):
    """The teacher to fit, and whether its contributions and maps are asked for.

    A teacher that must explain itself is of the student's own form, wider, with as many superfeatures. If the user
    gives a teacher of another kind, such a network is taught its soft targets first, and explains them.

    Parameters
    ----------
    student : KEDImageClassifier
    image_shape : tuple (height, width, channels)
    cv : what cross-fitting takes

    Returns
    -------
    classifier, bool
    """
    explains = student.explanation_weight > 0 or student.hint is not None
    teacher = student.teacher
    check_teacher(teacher, "classification", type(student).__name__)
    if teacher is None:
        return _wide(student, image_shape, cv, teacher=None, distillation_weight=0.0), explains
    if not is_image_student(teacher, student):
        return (_wide(student, image_shape, cv, teacher=teacher), True) if explains else (teacher, False)
    if not isinstance(teacher, FrozenEstimator):
        same = {"n_superfeatures": student.n_superfeatures} if explains else {}
        teacher = clone(teacher).set_params(image_shape=image_shape, **same)
    return teacher, explains


def is_image_student(teacher, student):
    """Whether a teacher, frozen or not, is of the student's own form."""
    inner = teacher.estimator if isinstance(teacher, FrozenEstimator) else teacher
    return isinstance(inner, type(student))


def _wide(student, image_shape, cv, **parameters):
    """A network of the student's form that learns no explanations; row weights reach it through ``fit``."""
    return without_callbacks(clone(student)).set_params(
        image_shape=image_shape,
        cv=cv,
        explanation_weight=0.0,
        hint=None,
        max_parameters=WIDER * student.max_parameters,
        class_weight=None,
        random_state=None,
        **parameters,
    )


def _check_network(student, teacher, image_shape):
    """A frozen teacher must fit the student; that it knows the same classes was checked before."""
    layout, wanted = teacher.network_.layout, student.n_superfeatures
    if layout.n_superfeatures != wanted:
        raise ValueError(
            f"Expected a teacher with n_superfeatures={wanted}, as the student has, got {layout.n_superfeatures}. "
            "Set the same for both; without explanations and hints it does not matter."
        )
    if tuple(teacher.image_shape_) != tuple(image_shape):
        raise ValueError(
            f"Expected a teacher of images of shape {tuple(image_shape)}, got one of {teacher.image_shape_}."
        )
