"""Gradient boosting that is additive over superfeatures: every tree splits on the columns of one of them."""

from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline

from skked._explanations._tree import TreeEnsemble, extract_trees, predict_trees, why_not_extractable
from skked._table import n_rows, take_rows
from skked._teachers import default_teacher

__all__ = ["AdditiveBoosting", "fit_additive_boosting"]

_BLOCK = 20_000


@dataclass(frozen=True)
class AdditiveBoosting:
    """A fitted boosting model whose raw score is a constant plus one part per superfeature.

    Attributes
    ----------
    model : estimator
        ``HistGradientBoosting*``, or a Pipeline that ends with one.
    order : int ndarray of shape (n_columns,)
        The input columns as `model` reads them, categories first.
    parts : TreeEnsemble
        The trees of `model`; each adds to the output of its superfeature, and for three or more classes of its class.
    constant : ndarray of shape (n_outputs,)
        What the trees are added to.
    """

    model: object
    order: np.ndarray
    parts: TreeEnsemble
    constant: np.ndarray

    @property
    def n_iter(self):
        """int: trees, per class where there are three or more."""
        return int(_boosting_of(self.model).n_iter_)

    def score(self, X):
        """Raw score of rows, by the model itself.

        Parameters
        ----------
        X : ndarray or DataFrame of shape (n_rows, n_columns)

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
        """
        ask = getattr(self.model, "decision_function", None) or self.model.predict
        return ask(self._arranged(X)).reshape(n_rows(X), -1)

    def contributions(self, X):
        """Sums of the trees of each superfeature.

        Parameters
        ----------
        X : ndarray or DataFrame of shape (n_rows, n_columns)

        Returns
        -------
        ndarray of shape (n_rows, n_superfeatures, n_outputs)
            ``constant + contributions(X).sum(axis=1)`` is ``score(X)``, to rounding.
        """
        rows = self._arranged(X)
        if isinstance(self.model, Pipeline):
            rows = self.model[:-1].transform(rows)
        return predict_trees(self.parts, rows).reshape(n_rows(X), -1, len(self.constant))

    def mean_contributions(self, X, weight):
        """Weighted mean of :meth:`contributions`, in blocks of rows.

        Parameters
        ----------
        X : ndarray or DataFrame of shape (n_rows, n_columns)
        weight : ndarray of shape (n_rows,)

        Returns
        -------
        ndarray of shape (n_superfeatures, n_outputs)
        """
        starts = range(0, n_rows(X), _BLOCK)
        blocks = [slice(start, start + _BLOCK) for start in starts]
        sums = [np.tensordot(weight[rows], self.contributions(take_rows(X, rows)), 1) for rows in blocks]
        return sum(sums) / weight.sum()

    def _arranged(self, X):
        if (np.diff(self.order) > 0).all():
            return X
        return X.iloc[:, self.order] if hasattr(X, "iloc") else X[:, self.order]


def fit_additive_boosting(task, X, y, weight, labels, *, random_state, **settings):
    """Fit histogram gradient boosting whose trees may each use the columns of one superfeature only.

    Parameters
    ----------
    task : {"classification", "regression"}
        What is predicted.
    X : ndarray or DataFrame of shape (n_rows, n_columns)
        Training rows, prepared column by column as for :func:`~skked._teachers.default_teacher`.
    y : ndarray of shape (n_rows,)
        Labels or numbers.
    weight : ndarray of shape (n_rows,)
        Positive weights.
    labels : int ndarray of shape (n_columns,)
        Superfeature of every column.
    random_state : int
        Seed of the columns that each split looks at, and of the rows held out to stop early.
    **settings
        Parameters of ``HistGradientBoosting*`` to use in place of the default teacher's.

    Returns
    -------
    AdditiveBoosting

    Raises
    ------
    RuntimeError
        If the fitted trees cannot be read, or one of them joins superfeatures: another scikit-learn than the tested.
    """
    # scikit-learn's boosting (1.9) puts categories first and then reads interaction_cst by the new places. Where they
    # come first already, places stay what they are.
    categories = _boosting_of(default_teacher(task, X)).categorical_features or []
    order = np.argsort(~np.isin(np.arange(len(labels)), categories), kind="stable")
    boosting = AdditiveBoosting(None, order, None, None)
    rows, labels = boosting._arranged(X), labels[order]
    model = default_teacher(task, rows, y, random_state=random_state)
    groups = [np.flatnonzero(labels == group).tolist() for group in range(labels.max() + 1)]
    _boosting_of(model).set_params(interaction_cst=groups, **settings)
    name = f"{model.steps[-1][0]}__sample_weight" if isinstance(model, Pipeline) else "sample_weight"
    model.fit(rows, y, **({} if np.ptp(weight) == 0 else {name: weight}))
    return AdditiveBoosting(model, order, *_parts(model, rows, labels))


def _boosting_of(model):
    return model[-1] if isinstance(model, Pipeline) else model


def _parts(model, rows, labels):
    """The trees, each adding to an output of its superfeature, and the constant they are added to."""
    boosting = _boosting_of(model)
    seen = take_rows(rows, slice(200))
    seen = model[:-1].transform(seen) if isinstance(model, Pipeline) else seen
    trees = extract_trees(boosting, seen)
    if trees is None:
        raise RuntimeError(f"The trees of {type(boosting).__name__} cannot be read: {why_not_extractable(boosting)}")
    inner = trees.feature >= 0
    tree_of_node = np.repeat(np.arange(trees.n_trees), np.diff(trees.tree_start))[inner]
    owner_of_node = labels[trees.column[trees.feature[inner]]]
    # A tree without a split says the same of every row; whose it is does not matter once parts are centred.
    owner = np.zeros(trees.n_trees, dtype=np.int32)
    owner[tree_of_node] = owner_of_node
    if (owner[tree_of_node] != owner_of_node).any():
        raise RuntimeError(f"A tree of {type(boosting).__name__} splits on columns of several superfeatures.")
    parts = trees.with_outputs(owner * trees.n_outputs + trees.output, (labels.max() + 1) * trees.n_outputs)
    parts.response = None  # what the trees were checked against; a file of the model need not hold it
    return parts, trees.base
