"""Statistical claims of the sampled engines, and the engines against shap's."""

from math import comb

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skked import GroupShapleyExplainer
from skked._explanations._coalitions import (
    all_coalitions,
    coalitions_of_size,
    n_pairs_of_size,
    pairs_per_size,
    shapley_matrix,
)

pytestmark = pytest.mark.long

NETWORK = MLPClassifier((64,), tol=1e-2, random_state=0)
GAMES = {
    "digits network": (load_digits, make_pipeline(StandardScaler(), NETWORK), 12),
    "digits forest": (load_digits, RandomForestClassifier(30, random_state=0), 10),
    "cancer boosting": (load_breast_cancer, HistGradientBoostingClassifier(max_iter=30), 12),
    "cancer vectors": (load_breast_cancer, make_pipeline(StandardScaler(), SVC()), 12),
    "wine vectors": (load_wine, make_pipeline(StandardScaler(), SVC()), 12),
}


@pytest.fixture(scope="module", params=GAMES)
def game(request):
    """A teacher's values of all coalitions, served from a table, so that many designs can be tried."""
    load, teacher, n_players = GAMES[request.param]
    X, y = load(return_X_y=True)
    teacher.fit(X, y)
    labels = np.random.RandomState(1).permutation(np.arange(X.shape[1]) % n_players)
    score = teacher.decision_function if isinstance(teacher[-1] if hasattr(teacher, "steps") else 0, SVC) else None
    rows = X[:: len(X) // 128][:128]
    explainer = GroupShapleyExplainer(labels, background=5, engine="enumeration", random_state=0)
    explainer.fit(score or teacher.predict_proba, X)
    values = explainer._engine.values(rows, all_coalitions(n_players))
    return values, shapley_matrix(n_players)


class Table:
    """The interface of MaskedRows, over a table of values; a row is its own number."""

    n_background = 1

    def __init__(self, values):
        self.table = values
        self.n_superfeatures = int(np.log2(values.shape[1]))
        self.base = values[0, 0]

    def full(self, rows):
        return self.table[rows[:, 0].astype(int), -1]

    def __call__(self, rows, coalitions):
        index = (coalitions * (1 << np.arange(self.n_superfeatures))).sum(axis=1)
        return self.table[rows[:, 0].astype(int)][:, index]


def estimates(values, n_coalitions, seed):
    from skked._explanations._sampling import Sampling

    rows = np.arange(len(values), dtype=float)[:, None]
    phi, standard_error, _, _ = Sampling(Table(values), n_coalitions, 0.05, seed, 2**28).explain(rows)
    return phi, standard_error


def paired_kernel(values, n_coalitions, seed):
    """Paired KernelSHAP with leverage sizes: weighted least squares under efficiency, on odd values."""
    rng, k = np.random.RandomState(seed), int(np.log2(values.shape[1]))
    counts = pairs_per_size(k, n_coalitions // 2 - 1)
    design = np.concatenate([coalitions_of_size(k, s, c, rng) for s, c in enumerate(counts, 1) if c])
    size = design.sum(axis=1)
    index = (design * (1 << np.arange(k))).sum(axis=1)
    odd = (values[:, index] - values[:, ~index & (2**k - 1)]) / 2
    total = (values[:, -1] - values[:, 0])[:, None]
    drawn = np.array([counts[s - 1] / n_pairs_of_size(k, s) for s in size])
    weight = np.array([(k - 1) / (comb(k, s) * s * (k - s)) for s in size]) / drawn
    signs = 2.0 * design - 1
    basis = np.linalg.svd(np.eye(k) - 1 / k)[0][:, : k - 1]
    A = signs @ basis / 2
    solve = basis @ np.linalg.solve((A.T * weight) @ A, A.T * weight)
    rest = odd - (signs.sum(axis=1) / k / 2)[None, :, None] * total
    return np.einsum("gm,nmc->ngc", solve, rest) + total / k


def covered(values, matrix, n_coalitions):
    """Share of the values within 1.96 standard errors."""
    exact = np.einsum("gm,nmc->ngc", matrix, values, optimize=True)
    found = [estimates(values, n_coalitions, seed) for seed in range(6)]
    return np.mean([np.abs(phi - exact) <= 1.96 * standard_error for phi, standard_error in found])


@pytest.mark.parametrize("n_coalitions", [64, 128, 256])  # of 1,024 or 4,096
def test_standard_errors_cover(game, n_coalitions):
    values, matrix = game
    assert 0.90 <= covered(values, matrix, n_coalitions) <= 0.98


@pytest.mark.parametrize("n_coalitions", [64, 128, 256])
def test_standard_errors_of_few_rows_cover(game, n_coalitions, request):
    if (request.node.callspec.params["game"], n_coalitions) == ("cancer vectors", 64):
        request.applymarker(
            pytest.mark.xfail(
                strict=True, reason="too few rows to calibrate: errors are a third of what is stated, all are covered"
            )
        )
    values, matrix = game
    assert 0.88 <= covered(values[::4], matrix, n_coalitions) <= 0.995


def test_far_fewer_coalitions_than_paired_kernel(game):
    values, matrix = game
    values = values[::4]  # too few to be evaluated at more
    exact = np.einsum("gm,nmc->ngc", matrix, values, optimize=True)

    def error(method, n_coalitions):
        return np.sqrt(np.mean([np.mean((method(values, n_coalitions, seed) - exact) ** 2) for seed in range(6)]))

    ours = error(lambda *arguments: estimates(*arguments)[0], 256)
    assert ours < error(paired_kernel, 640)


def test_every_engine_agrees_with_shap():
    X, y = load_breast_cancer(return_X_y=True)
    labels = np.arange(30) // 5
    teacher = HistGradientBoostingClassifier(max_iter=20).fit(X, y)

    def explain(engine, **options):
        explainer = GroupShapleyExplainer(labels, background=X[:9], engine=engine, random_state=0, **options)
        return explainer.fit(teacher, X).explain(X[20:24])

    reference = explain("shap")
    for engine in ("tree", "enumeration"):
        np.testing.assert_allclose(explain(engine).phi, reference.phi, atol=1e-10)
    by_permutation = explain("shap", n_coalitions=26)
    total = reference.phi.sum(axis=1)
    np.testing.assert_allclose(by_permutation.phi.sum(axis=1), total, atol=1e-10)
    assert by_permutation.engine == "shap"
