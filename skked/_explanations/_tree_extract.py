"""Read the trees of fitted estimators into one layout. All knowledge of a library's insides is in the file of its name.

Nothing read here is trusted: ``verify`` compares the sum of the trees with the estimator's public output.
"""

import numpy as np

from skked._explanations._tree_catboost import read_catboost
from skked._explanations._tree_ensemble import NotExtractable
from skked._explanations._tree_lightgbm import read_lightgbm
from skked._explanations._tree_sklearn import (
    read_classifier,
    read_gradient_boosting,
    read_hist_gradient_boosting,
    read_regressor,
)
from skked._explanations._tree_xgboost import read_xgboost

__all__ = ["read_trees", "verify"]

N_CHECKED_ROWS = 200  # and as many mixed ones: enough to reach most leaves, cheap beside explaining


def read_trees(estimator):
    """Read a fitted estimator's trees.

    Parameters
    ----------
    estimator : object
        A fitted tree, forest or booster.

    Returns
    -------
    ensemble : TreeEnsemble
        Its trees, not yet verified.

    Raises
    ------
    NotExtractable
        If the estimator is of another kind, or has parts that are not a sum of trees.
    """
    while type(estimator).__name__ == "FrozenEstimator":
        estimator = estimator.estimator
    for kind in type(estimator).__mro__:
        reader = _READERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if reader is not None:
            return reader(estimator)
    raise NotExtractable(f"{type(estimator).__name__} is not one of the tree ensembles that can be read.")


def verify(ensemble, X, kernels):
    """Check the trees against the estimator's public output, on rows of ``X`` and on mixtures of them.

    Parameters
    ----------
    ensemble : TreeEnsemble
        The trees.
    X : table of shape (n, n_features)
        Rows as the estimator itself sees them.
    kernels : module
        The compiled or the NumPy kernels, which sum the trees.

    Raises
    ------
    NotExtractable
        If the two differ by more than rounding.
    """
    picked = np.unique(np.linspace(0, len(X) - 1, min(len(X), N_CHECKED_ROWS)).astype(np.int64))
    rows = _mixed_rows(X, picked)
    ours = kernels.predict(ensemble, ensemble.code(rows, kernels.rank_numbers))
    theirs = np.asarray(ensemble.response(rows), np.float64)
    theirs = theirs.reshape(len(theirs), -1)
    if ours.shape != theirs.shape:
        raise NotExtractable(f"the trees have {ours.shape[1]} outputs, the estimator {theirs.shape[1]}.")
    difference = np.abs(ours - theirs).max()
    if not difference <= ensemble.rounding * (1 + np.abs(theirs).max()):
        raise NotExtractable(f"the sum of the trees read differs from the estimator's output by {difference:.2g}.")


def _mixed_rows(X, rows):
    """Rows as they are, then rows whose columns come from different ones: these reach leaves that no row reaches."""
    taken = [np.concatenate([rows, np.roll(rows, 1 + 7 * column)]) for column in range(X.shape[1])]
    if not hasattr(X, "iloc"):
        return np.asarray(X)[np.stack(taken, axis=1), np.arange(X.shape[1])]
    mixed = type(X)({column: X.iloc[:, column].array.take(each) for column, each in enumerate(taken)})
    mixed.columns = X.columns
    return mixed


_READERS = {
    ("sklearn", "DecisionTreeClassifier"): read_classifier,
    ("sklearn", "ForestClassifier"): read_classifier,
    ("sklearn", "DecisionTreeRegressor"): read_regressor,
    ("sklearn", "ForestRegressor"): read_regressor,
    ("sklearn", "BaseGradientBoosting"): read_gradient_boosting,
    ("sklearn", "BaseHistGradientBoosting"): read_hist_gradient_boosting,
    ("lightgbm", "LGBMClassifier"): read_lightgbm,
    ("lightgbm", "LGBMRegressor"): read_lightgbm,
    ("catboost", "CatBoostClassifier"): read_catboost,
    ("catboost", "CatBoostRegressor"): read_catboost,
    ("xgboost", "XGBClassifier"): read_xgboost,
    ("xgboost", "XGBRegressor"): read_xgboost,
}
