"""What can be known to fail before a teacher is fitted, which may take hours."""

from types import SimpleNamespace

import numpy as np
from sklearn.base import is_classifier, is_regressor

from skked._superfeatures import given_superfeatures
from skked._table import column_kinds, matrix_of


def check_feasible(student, problem):
    """Refuse what cannot end in a fitted student.

    Parameters
    ----------
    student : DistilledStudent
        With valid parameters.
    problem : Problem

    Raises
    ------
    ValueError, TypeError
        If parameters do not go with each other or with the table.
    """
    check_teacher(student.teacher, student._task, type(student).__name__)
    _check_hidden(student.hidden_layer_sizes)
    labels = np.zeros(problem.X.shape[1], dtype=np.intp)
    if student._needs_superfeatures(problem):
        labels = _labels_if_given(student.superfeatures, problem.X, labels)
        explainer = student._explainer(0)
        if hasattr(explainer, "_validate_params"):
            explainer._validate_params()
    _check_chimeras(student, problem)
    n_held_out(student, len(problem))
    columns = _certain_columns(problem.X)
    if problem.unlabelled is not None:
        matrix_of(problem.unlabelled, np.unique(columns))  # texts in a column of numbers are an error
    n_outputs = problem.hard.shape[1]
    read = _least_read(columns, labels, student._n_read(len(columns), n_outputs))
    student._architecture(SimpleNamespace(columns_=read), labels, n_outputs, len(problem))
    from skked._torch._device import resolve_device

    resolve_device(student.device)


def _least_read(columns, labels, n_read):
    """As many of the columns as the student reads, one per superfeature first."""
    first = np.unique(labels[columns], return_index=True)[1]
    others = np.setdiff1d(np.arange(len(columns)), first)
    return columns[np.sort(np.concatenate([first, others[: max(0, n_read - len(first))]]))]


def n_held_out(student, n_samples):
    """Rows that ``early_stopping`` holds out of `n_samples`; 0 without it.

    Raises
    ------
    ValueError
        If none would be left to train on.
    """
    if not student.early_stopping:
        return 0
    held_out = int(np.ceil(student.validation_fraction * n_samples))
    if held_out >= n_samples:
        raise ValueError(
            f"early_stopping holds out {held_out} of {n_samples} rows, which leaves none to train on. "
            f"Lower validation_fraction={student.validation_fraction} or give more rows."
        )
    return held_out


def check_teacher(teacher, task, name):
    """Refuse a regressor where a classifier is wanted, and the reverse.

    Raises
    ------
    TypeError
        If the teacher says that it is of the other kind.
    """
    if not hasattr(teacher, "__sklearn_tags__") or isinstance(teacher, type):
        return
    wrong = is_regressor(teacher) if task == "classification" else is_classifier(teacher)
    if wrong:
        wanted, given = ("classifier", "regressor") if task == "classification" else ("regressor", "classifier")
        raise TypeError(f"Expected a {wanted} as the teacher of a {name}, got the {given} {type(teacher).__name__}.")


def _check_hidden(sizes):
    if sizes is None:
        return
    given = np.atleast_1d(np.asarray(sizes))
    if given.ndim != 1 or not len(given) or given.dtype.kind not in "iu" or given.min() < 1:
        raise ValueError(
            f"Expected hidden_layer_sizes as whole numbers of at least 1, one per hidden layer, got {sizes!r}. "
            "Use None to have the width solved from max_parameters."
        )


def _labels_if_given(superfeatures, X, unknown):
    """Labels of the columns, as far as the number of groups is known before a teacher is there."""
    given = given_superfeatures(superfeatures, X)
    if given is not None:
        return given[0]
    if isinstance(superfeatures, (int, np.integer)):
        return np.arange(X.shape[1]) % superfeatures
    return unknown


def _check_chimeras(student, problem):
    if not student._n_chimeric(len(problem)):
        return
    if len(problem) < 2:
        raise ValueError(
            f"chimeric={student.chimeric!r} mixes distinct rows, but X has {len(problem)}. Use chimeric=False."
        )
    if getattr(student, "within_class", False) and np.unique(problem.hard, axis=0, return_counts=True)[1].max() < 2:
        raise ValueError(
            "within_class=True makes chimeras of rows of one class, but no class has two distinct rows. "
            "Use within_class=False or chimeric=False."
        )


def _certain_columns(X):
    """Input column of every encoded column that there will be at least: one per number, one more if cells miss."""
    numeric = np.flatnonzero(np.array(column_kinds(X)) != "category")
    values = matrix_of(X, numeric)
    some_missing = np.isnan(values).any(axis=0) & ~np.isnan(values).all(axis=0)
    return np.concatenate([numeric, numeric[some_missing]])
