"""Tree engines against enumeration of all coalitions with the estimator's public output."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skked._explanations._tree import extract_trees, tree_shapley, why_not_extractable

LABELS = np.array([0, 1, 2, 0, 1, 3, 4, 2])


def enumerate_groups(f, labels, X, background, weight, link=lambda value: value):
    """Shapley values (n, M, C) of v(S) = link(sum_b weight_b f(x_S, b_rest)), by their definition."""
    players, values = range(labels.max() + 1), []
    for row in range(len(X)):
        game = {}
        for size in range(len(players) + 1):
            for coalition in itertools.combinations(players, size):
                taken = np.isin(labels, coalition)
                mixed = background.copy()
                if isinstance(mixed, pd.DataFrame):
                    for column in mixed.columns[taken]:
                        mixed[column] = X[column].array.take([row] * len(mixed))
                else:
                    mixed[:, taken] = X[row, taken]
                outputs = np.asarray(f(mixed), float).reshape(len(mixed), -1)
                game[coalition] = link(weight @ outputs / weight.sum())
        values.append(_shapley(game, players))
    return np.array(values)


def _shapley(game, players):
    M, phi = len(players), []
    for player in players:
        others = [coalition for coalition in game if player not in coalition]
        gains = [
            math.factorial(len(S)) * math.factorial(M - len(S) - 1) / math.factorial(M)
            * (game[tuple(sorted((*S, player)))] - game[S])
            for S in others
        ]  # fmt: skip
        phi.append(np.sum(gains, axis=0))
    return phi


def make_table(n=300, missing=False, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 8))
    score = X[:, 0] * X[:, 3] + np.sin(2 * X[:, 1]) + X[:, 5] * (X[:, 2] > 0)
    if missing:
        X[rng.random(X.shape) < 0.15] = np.nan
    return X, np.digitize(score, [-0.5, 0.6]), score


def compare(estimator, response, X, labels=LABELS, tolerance=1e-12, **keywords):
    f = getattr(estimator, response)
    rows, background = X[:4], X[4:24]
    weight = np.random.default_rng(1).random(20)
    ensemble = extract_trees(estimator, X)
    assert ensemble is not None, why_not_extractable(estimator, X)
    phi, base = tree_shapley(ensemble, labels, rows, background, weight, **keywords)
    expected = enumerate_groups(f, labels, rows, background, weight)
    scale = max(1, np.abs(expected).max())
    assert phi.shape == expected.shape
    np.testing.assert_allclose(phi, expected, rtol=0, atol=tolerance * scale)
    output = np.asarray(f(rows)).reshape(len(rows), -1)
    np.testing.assert_allclose(base + phi.sum(axis=1), output, rtol=0, atol=tolerance * scale * 10)
    return phi


CLASSIFIERS = [
    (DecisionTreeClassifier(random_state=0), "predict_proba", True),
    (RandomForestClassifier(20, random_state=0), "predict_proba", True),
    (RandomForestClassifier(5, max_leaf_nodes=12, random_state=0), "predict_proba", True),
    (ExtraTreesClassifier(20, random_state=0), "predict_proba", True),
    (GradientBoostingClassifier(n_estimators=10, random_state=0), "decision_function", False),
    (HistGradientBoostingClassifier(max_iter=20), "decision_function", True),
]
REGRESSORS = [
    (DecisionTreeRegressor(random_state=0), True),
    (RandomForestRegressor(10, random_state=0), True),
    (ExtraTreesRegressor(10, random_state=0), True),
    (GradientBoostingRegressor(n_estimators=10, random_state=0), False),
    (HistGradientBoostingRegressor(max_iter=20), True),
]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("estimator", "response", "missing"), CLASSIFIERS, ids=lambda each: type(each).__name__)
def test_classifiers_equal_enumeration(estimator, response, missing, compiled):
    X, y, _ = make_table(missing=missing)
    compare(estimator.fit(X, y), response, X, compiled=compiled)


@pytest.mark.parametrize(("estimator", "missing"), REGRESSORS, ids=lambda each: type(each).__name__)
def test_regressors_equal_enumeration(estimator, missing):
    X, _, y = make_table(missing=missing)
    compare(estimator.fit(X, y), "predict", X)
