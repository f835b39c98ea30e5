"""Finding the student that a file is about."""

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

import skked
from skked._students._base import DistilledStudent
from skked._students.explaining_teachers import ExplainingTeacher

ESTIMATORS = [f"{home}.{name}" for name, home in skked._HOME_OF.items() if home.startswith("skked._students.")]
"""Full names of the public estimators."""


def fitted_estimator(estimator):
    """The fitted estimator of skked that an estimator is, or that a Pipeline ends in.

    Parameters
    ----------
    estimator : estimator or Pipeline

    Returns
    -------
    estimator

    Raises
    ------
    TypeError
        If there is none.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    """
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if not {f"{kind.__module__}.{kind.__name__}" for kind in type(last).__mro__} & set(ESTIMATORS):
        raise TypeError(
            f"Expected a student of skked, such as a fitted KEDClassifier, or a Pipeline that ends in one; "
            f"got {type(last).__name__}."
        )
    check_is_fitted(last)
    return last


def fitted_student(estimator):
    """The fitted student of one network that an estimator is, or that a Pipeline ends in.

    Parameters
    ----------
    estimator : student or Pipeline

    Returns
    -------
    DistilledStudent

    Raises
    ------
    TypeError
        If there is no student.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    """
    student = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if not isinstance(student, DistilledStudent):
        advice = ""
        if isinstance(student, ExplainingTeacher) and student.estimator == "network":
            advice = "; its estimator_ is one"
        elif isinstance(student, ExplainingTeacher):
            advice = "; it is made of trees: distil it, or convert its estimator_ with skl2onnx"
        raise TypeError(
            f"Expected a student of skked, such as a fitted KEDClassifier, or a Pipeline that ends in one; "
            f"got {type(student).__name__}{advice}."
        )
    check_is_fitted(student)
    return student


def column_names(student):
    """Names of the columns that a student reads; ``x0, x1, ...`` where it knows none.

    Parameters
    ----------
    student : DistilledStudent

    Returns
    -------
    list of str
    """
    names = getattr(student, "feature_names_in_", None)
    return [f"x{j}" for j in range(student.n_features_in_)] if names is None else [str(name) for name in names]


def one_network(student):
    """The network of a fitted student as a StudentNetwork, whatever it is made of.

    Parameters
    ----------
    student : DistilledStudent

    Returns
    -------
    StudentNetwork
    """
    network = student.network_
    return network.unfolded() if hasattr(network, "unfolded") else network
