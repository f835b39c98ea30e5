"""Which student a plot is about, and which of its outputs."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skked._table import as_table


def student_and_rows(estimator, X=None):
    """The last step of a Pipeline, and rows as it sees them.

    Parameters
    ----------
    estimator : fitted estimator or Pipeline
    X : array-like or DataFrame of shape (n_samples, n_features), default=None

    Returns
    -------
    student : estimator
    rows : DataFrame or ndarray, or None without X
    """
    check_is_fitted(estimator)
    if isinstance(estimator, Pipeline):
        X = X if X is None or len(estimator) == 1 else estimator[:-1].transform(X)
        estimator = estimator.steps[-1][1]
    return estimator, None if X is None else as_table(X)


def explaining(student):
    """Refuse an estimator without contributions.

    Parameters
    ----------
    student : fitted estimator

    Returns
    -------
    estimator

    Raises
    ------
    TypeError
        If it does not explain itself.
    """
    if not (hasattr(student, "contributions") and hasattr(student, "superfeature_names_")):
        raise TypeError(
            f"Expected a fitted estimator with contributions and superfeature_names_, such as a KEDClassifier, got "
            f"{type(student).__name__}. Pass a GroupExplanation to from_explanation for other models."
        )
    return student


def class_index(classes, target_class):
    """Position of a class.

    Parameters
    ----------
    classes : array-like
    target_class : label

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there is no such class.
    """
    found = [position for position, label in enumerate(classes) if label == target_class]
    if not found:
        raise ValueError(f"Expected target_class to be one of {list(classes)}, got {target_class!r}.")
    return found[0]


def for_one_output(phi, base, classes, target_class):
    """Contributions to one score per row, and what that score is called.

    Parameters
    ----------
    phi : ndarray of shape (n_samples, n_superfeatures) or (n_samples, n_superfeatures, n_classes)
    base : float or ndarray of shape (n_classes,)
    classes : array-like or None
        None for a regressor.
    target_class : label or None
        None is the second of two classes, and the class of the highest score of each row for more.

    Returns
    -------
    phi : ndarray of shape (n_samples, n_superfeatures)
    base : ndarray of shape (n_samples,)
    label : str
    """
    if classes is None:
        if target_class is not None:
            raise ValueError(f"A regressor has no classes, but got target_class={target_class!r}. Leave it out.")
        return phi, np.full(len(phi), float(np.squeeze(base))), "prediction"
    if phi.ndim == 2:
        chosen = 1 if target_class is None else class_index(classes, target_class)
        sign = 1.0 if chosen == 1 else -1.0
        label = f"log-odds of {classes[chosen]}, in nats"
        return sign * phi, np.full(len(phi), sign * float(np.squeeze(base))), label
    rows = np.arange(len(phi))
    if target_class is None:
        chosen, name = (np.asarray(base) + phi.sum(axis=1)).argmax(axis=1), "the predicted class"
    else:
        chosen = np.full(len(phi), class_index(classes, target_class))
        name = str(target_class)
    return phi[rows, :, chosen], np.asarray(base)[chosen], f"score of {name}, in nats"
