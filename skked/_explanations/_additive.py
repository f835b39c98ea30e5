"""Models that are sums of functions of disjoint superfeatures, read from their own attributes."""

import numpy as np

from skked._explanations._errors import NotApplicableError
from skked._forward import StudentNetwork

__all__ = ["additive_parts"]


def additive_parts(estimator, labels, n_superfeatures):
    """The parts whose sum is a model's raw answer.

    Parameters
    ----------
    estimator : object
        A linear model (``coef_`` and ``intercept_``), an explainable boosting machine (``eval_terms``), the network of
        an additive student or an explaining teacher of this package.
    labels : int array of shape (n_features,)
        Superfeature of each column.
    n_superfeatures : int

    Returns
    -------
    callable
        Rows to parts of shape (n_rows, n_superfeatures + 1, n_answers); the last part is a constant.

    Raises
    ------
    NotApplicableError
        If the model is of another kind, or one of its terms joins superfeatures.
    """
    if isinstance(estimator, StudentNetwork):
        return _parts_of_student(estimator, labels, n_superfeatures)
    if getattr(estimator, "is_additive", False):
        return _parts_of_contributions(estimator, labels, n_superfeatures)
    if hasattr(estimator, "eval_terms") and hasattr(estimator, "term_features_"):
        return _parts_of_terms(estimator, labels, n_superfeatures)
    if hasattr(estimator, "coef_") and hasattr(estimator, "intercept_"):
        return _parts_of_coefficients(estimator, labels, n_superfeatures)
    raise NotApplicableError(f"{type(estimator).__name__} is no additive model that can be read")


def _parts_of_coefficients(model, labels, n_superfeatures):
    coef = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T
    if coef.shape[0] != len(labels):
        raise NotApplicableError(f"{type(model).__name__} has no coefficient per column")

    def parts(rows):
        rows = np.asarray(rows, dtype=np.float64)
        found = np.zeros((len(rows), n_superfeatures + 1, coef.shape[1]))
        for g in np.unique(labels):
            found[:, g] = rows[:, labels == g] @ coef[labels == g]
        found[:, -1] = model.intercept_
        return found

    return parts


def _parts_of_terms(machine, labels, n_superfeatures):
    owners = [_only(labels[np.asarray(features)]) for features in machine.term_features_]

    def parts(rows):
        terms = np.asarray(machine.eval_terms(rows), dtype=np.float64)
        terms = terms.reshape(len(terms), len(owners), -1)
        found = np.zeros((len(terms), n_superfeatures + 1, terms.shape[2]))
        for owner, term in zip(owners, np.moveaxis(terms, 1, 0), strict=True):
            found[:, owner] += term
        found[:, -1] = machine.intercept_
        return found

    return parts


def _parts_of_student(network, labels, n_superfeatures):
    if len(network.inputs) != network.n_superfeatures:
        raise NotApplicableError("the student is dense")
    owners = [_only(labels[columns]) for columns in network.inputs]

    def parts(rows):
        contributions = np.asarray(network.contributions(rows), dtype=np.float64)
        found = np.zeros((len(contributions), n_superfeatures + 1, contributions.shape[2]))
        for owner, contribution in zip(owners, np.moveaxis(contributions, 1, 0), strict=True):
            found[:, owner] += contribution
        found[:, -1] = network.base
        return found

    return parts


def _parts_of_contributions(model, labels, n_superfeatures):
    own = np.asarray(model.superfeature_labels_)
    if len(own) != len(labels):
        raise NotApplicableError(f"{type(model).__name__} was fitted on other columns")
    owners = [_only(labels[own == group]) for group in range(own.max() + 1)]

    def parts(rows):
        contributions = np.asarray(model.contributions(rows), dtype=np.float64)
        contributions = contributions.reshape(len(contributions), len(owners), -1)
        found = np.zeros((len(contributions), n_superfeatures + 1, contributions.shape[2]))
        for owner, contribution in zip(owners, np.moveaxis(contributions, 1, 0), strict=True):
            found[:, owner] += contribution
        found[:, -1] = model.explanation_base_
        return found

    return parts


def _only(labels):
    """The one superfeature of a term."""
    found = np.unique(labels)
    if len(found) != 1:
        raise NotApplicableError("one of its terms joins superfeatures")
    return found.item()
