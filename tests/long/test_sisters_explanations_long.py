"""e2KD and XDistillation: what their papers claim, on tasks with a known answer."""

import numpy as np
import pytest
from scipy.stats import t
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skked import E2KDClassifier, GroupShapleyExplainer, XDistillationClassifier, explanation_agreement_score

pytestmark = pytest.mark.long


def lower_bound(differences):
    """Lower end of the 95 % interval of a mean."""
    n = len(differences)
    return np.mean(differences) - t.ppf(0.975, n - 1) * np.std(differences, ddof=1) / np.sqrt(n)


def planted(n, rng, *, spurious):
    """Four columns decide, two do not; those follow the label (1), nothing (0) or its opposite (-1)."""
    X = rng.normal(size=(n, 6))
    y = (X[:, 0] * X[:, 1] + X[:, 2] + 0.5 * X[:, 3] > 0).astype(int)
    X[:, 4:] += 1.5 * spurious * (2 * y[:, None] - 1)
    return X, y


@pytest.mark.parametrize(("kind", "weight"), [("gradient", 5.0), ("superfeatures", 5.0)])
def test_e2kd_withstands_a_correlation_that_turns(kind, weight):
    gains = []
    for seed in range(20, 30):
        rng = np.random.default_rng(seed)
        teacher = make_pipeline(StandardScaler(), MLPClassifier((50,), max_iter=100, tol=1e-3, random_state=seed))
        teacher.fit(*planted(3000, rng, spurious=0))
        X, y = planted(200, rng, spurious=1)
        test, y_test = planted(2000, rng, spurious=-1)
        settings = {
            "explanation": kind,
            "superfeatures": [0, 0, 1, 1, 2, 3],
            "distillation_weight": 1.0,
            "max_parameters": 500,
            "max_iter": 100,
            "random_state": seed,
        }
        scores = [
            E2KDClassifier(FrozenEstimator(teacher), explanation_weight=own, **settings).fit(X, y).score(test, y_test)
            for own in (weight, 0.0)
        ]
        gains.append(scores[0] - scores[1])
    assert lower_bound(gains) > 0


@pytest.mark.parametrize("mode", ["auxiliary", "input"])
def test_xdistillation_says_what_an_additive_teacher_would(mode):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 6))
    y = (X @ [2.0, -1.0, 1.0, 0.5, 0.0, 0.0] + rng.normal(size=2000) > 0).astype(int)
    labels = [0, 0, 1, 1, 2, 3]
    student = XDistillationClassifier(LogisticRegression(), mode=mode, superfeatures=labels, random_state=0)
    student.fit(X[:1000], y[:1000])
    explainer = GroupShapleyExplainer(labels, random_state=0).fit(student.teacher_, X[:1000])
    phi = explainer.explain(X[1000:]).phi
    agreement = explanation_agreement_score(phi[..., 1] - phi[..., 0], student.contributions(X[1000:]))
    assert agreement > 0.98
    assert np.mean(student.predict(X[1000:]) == student.teacher_.predict(X[1000:])) > 0.97
