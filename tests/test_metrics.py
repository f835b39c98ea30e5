import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skked._metrics import agreement_score, deletion_curve, explanation_agreement_score, make_agreement_scorer


def test_agreement_of_labels_is_a_share():
    teacher = np.array(["a", "b", "c", "a"], dtype=object)
    student = np.array(["a", "b", "b", "b"])
    assert agreement_score(teacher, student) == 0.5
    assert agreement_score(teacher, student, sample_weight=[3, 1, 1, 1]) == pytest.approx(4 / 6)
    assert agreement_score([True, False], [True, True]) == 0.5
    assert agreement_score([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]) == pytest.approx(2 / 3)


def test_agreement_of_numbers_is_r2():
    rng = np.random.default_rng(0)
    teacher, student, weight = rng.normal(size=(3, 20))
    weight = np.abs(weight)
    expected = r2_score(teacher, student, sample_weight=weight)
    assert agreement_score(teacher, student, sample_weight=weight) == pytest.approx(expected)
    assert agreement_score([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], kind="r2") == pytest.approx(0.5)
    assert agreement_score(teacher, student, kind="share") == 0
    for swap in (1, -1):
        sides = [[1.5, 2.5, 3.5], [1.0, 2.0, 3.0]][::swap]
        assert agreement_score(*sides) == pytest.approx(r2_score(*sides))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([1, 2], [1]), "inconsistent"),
        (([[1, 2]], [[1, 2]]), "1d array"),
        (([1, 2], [1, 2], "cosine"), "'kind' parameter"),
    ],
)
def test_bad_predictions(arguments, match):
    with pytest.raises(ValueError, match=match):
        agreement_score(*arguments[:2], **({"kind": arguments[2]} if len(arguments) > 2 else {}))


def oracle(kind, a, b, k):
    """One row at a time, in plain words."""
    if kind == "cosine":
        return [np.dot(p.ravel(), q.ravel()) / np.sqrt((p**2).sum() * (q**2).sum()) for p, q in zip(a, b, strict=True)]
    if kind == "spearman":
        each = range(a.shape[2])
        return [np.mean([spearmanr(p[:, c], q[:, c])[0] for c in each]) for p, q in zip(a, b, strict=True)]
    strength = [[np.linalg.norm(row, axis=1) for row in v] for v in (a, b)]
    strongest = [[set(np.argsort(s)[-k:]) for s in rows] for rows in strength]
    return [len(p & q) / k for p, q in zip(*strongest, strict=True)]


@pytest.mark.parametrize("kind", ["cosine", "spearman", "top_k"])
@pytest.mark.parametrize("n_outputs", [None, 3])
def test_explanation_agreement_against_an_oracle(kind, n_outputs):
    rng = np.random.default_rng(0)
    shape = (12, 5) if n_outputs is None else (12, 5, n_outputs)
    a, noise = rng.normal(size=(2, *shape))
    b, weight = a + noise, rng.uniform(size=12)
    expected = np.average(oracle(kind, a.reshape(12, 5, -1), b.reshape(12, 5, -1), 2), weights=weight)
    score = explanation_agreement_score(a, b, kind=kind, k=2, sample_weight=weight)
    assert score == pytest.approx(expected) and -1 < score < 1
    assert explanation_agreement_score(a, a, kind=kind, k=2) == pytest.approx(1)


def test_r2_of_explanations():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 4))
    weight = rng.integers(1, 4, 30)
    expected = r2_score(a, b, sample_weight=weight, multioutput="raw_values")
    spread = np.average((a - np.average(a, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
    score = explanation_agreement_score(a, b, kind="r2", sample_weight=weight)
    assert score == pytest.approx(1 - (1 - expected) @ spread / spread.sum())
    doubled = explanation_agreement_score(np.repeat(a, weight, axis=0), np.repeat(b, weight, axis=0), kind="r2")
    assert score == pytest.approx(doubled)


@pytest.mark.parametrize("kind", ["cosine", "spearman", "r2"])
def test_silent_explanations(kind):
    nothing, something = np.zeros((2, 3)), np.array([[1.0, 2.0, 3.0]] * 2)
    assert explanation_agreement_score(nothing, nothing, kind=kind) == 1
    assert explanation_agreement_score(nothing, something, kind=kind) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-300, 1e300), st.sampled_from(["cosine", "spearman", "top_k"]))
def test_agreement_does_not_depend_on_the_size_or_order(seed, size, kind):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-8, 9, size=(2, 6, 4, 2)) / 8.0
    score = explanation_agreement_score(a, b, kind="cosine")
    assert explanation_agreement_score(size * a, b, kind="cosine") == pytest.approx(score)
    a, b = rng.normal(size=(2, 6, 4, 2))
    score, order = explanation_agreement_score(a, b, kind=kind), rng.permutation(4)
    assert explanation_agreement_score(a[:, order], b[:, order], kind=kind) == pytest.approx(score)


def test_explanation_objects_are_read():
    phi = np.random.default_rng(0).normal(size=(4, 3))
    ours = SimpleNamespace(phi=phi)
    theirs = SimpleNamespace(values=2 * phi, base_values=0.0)
    assert explanation_agreement_score(ours, theirs) == pytest.approx(1)


@pytest.mark.parametrize(
    ("a", "b", "kwargs", "match"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), {}, r"one shape, got \(2, 3, 1\) .* \(2, 4, 1\)"),
        (np.ones((2, 3)), np.ones((2, 3, 2)), {}, "one shape"),
        (np.ones((2, 3)), np.full((2, 3), np.nan), {}, "NaN"),
        (np.ones((2, 3, 1, 1)), np.ones((2, 3, 1, 1)), {}, "got 4 dimensions"),
        (np.ones((2, 3)), np.ones((2, 3)), {"kind": "top_k", "k": 4}, "at most the 3 superfeatures, got k=4"),
        (np.ones((2, 3)), np.ones((2, 3)), {"k": 0}, "'k' parameter"),
        (np.ones((2, 3)), np.ones((2, 3)), {"sample_weight": [1]}, "shape"),
    ],
)
def test_bad_explanations(a, b, kwargs, match):
    with pytest.raises(ValueError, match=match):
        explanation_agreement_score(a, b, **kwargs)


def test_deletion_curve_against_an_oracle():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(C=0.1).fit(X, y)
    phi = np.random.default_rng(0).normal(size=(len(X), 2, 3))
    labels, zero = np.array([0, 1, 0, 1]), np.zeros((1, 4))
    curve = deletion_curve(model, X, phi, labels, background=zero, n_draws=2, random_state=0)
    expected = np.zeros(3)
    for row, own in zip(X, phi, strict=True):
        c = model.predict_proba(row[None])[0].argmax()
        for k in range(3):
            deleted = np.argsort(-own[:, c])[:k]
            expected[k] += model.predict_proba(np.where(np.isin(labels, deleted), 0.0, row)[None])[0, c] / len(X)
    np.testing.assert_allclose(curve, expected)
    weight = np.arange(len(X)) % 3
    doubled = np.repeat(np.arange(len(X)), weight)
    np.testing.assert_allclose(
        deletion_curve(model, X, phi, labels, background=zero, sample_weight=weight),
        deletion_curve(model, X[doubled], phi[doubled], labels, background=zero),
    )


def test_deletion_curve_of_two_classes_follows_the_predicted_one():
    X, y = load_iris(return_X_y=True)
    X, y = X[:100], y[:100]
    model = LogisticRegression().fit(X, y)
    phi = (X - X.mean(axis=0)) * model.coef_
    both = np.stack([-phi / 2, phi / 2], axis=2)
    one, two = (deletion_curve(model, X, each, [0, 1, 2, 3], random_state=0) for each in (phi, both))
    np.testing.assert_array_equal(one, two)
    backwards = deletion_curve(model, X, -phi, [0, 1, 2, 3], random_state=0)
    assert one[1] < backwards[1] - 0.1
    assert one[0] == backwards[0] and one[-1] == pytest.approx(backwards[-1])


@pytest.mark.parametrize(
    ("phi", "labels", "match"),
    [
        (np.ones((9, 2, 3)), [0, 0, 1, 1], "of 10 rows"),
        (np.ones((10, 2, 3)), [0, 0, 1], "of 3 columns"),
        (np.ones((10, 2, 3)), [0, 0, 2, 2], r"the labels \[0, 2\]"),
        (np.ones((10, 2)), [0, 0, 1, 1], "the 3 classes of the estimator, got 1"),
    ],
)
def test_bad_deletions(phi, labels, match):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=match):
        deletion_curve(DecisionTreeClassifier(max_depth=2).fit(X, y), X[::15], phi, labels)


def test_scorer_in_a_search():
    X, y = load_iris(return_X_y=True)
    teacher = LogisticRegression(C=0.01).fit(X, y)
    scorer = pickle.loads(pickle.dumps(make_agreement_scorer(teacher)))
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 4]}, scoring=scorer).fit(X, y)
    best = search.best_estimator_
    assert scorer(best, X) == agreement_score(teacher.predict(X), best.predict(X)) > 0.8
    weight = np.arange(len(X))
    expected = np.average(teacher.predict(X) == best.predict(X), weights=weight)
    assert scorer(best, X, sample_weight=weight) == pytest.approx(expected)


def test_scorer_finds_the_teacher_of_a_student():
    X, y = load_iris(return_X_y=True)
    student = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=1, random_state=0)).fit(X, y)
    Z = student[:-1].transform(X)
    student[-1].teacher_ = LogisticRegression(C=0.1).fit(Z, y)
    expected = np.mean(student[-1].teacher_.predict(Z) == student.predict(X))
    assert make_agreement_scorer()(student, X) == make_agreement_scorer()(student[-1], Z) == expected < 1
    with pytest.raises(ValueError, match="Pass the teacher"):
        make_agreement_scorer()(LogisticRegression(C=0.01).fit(X, y), X)
