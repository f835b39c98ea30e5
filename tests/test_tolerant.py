"""Tolerant teachers and generations: the loss against a numpy oracle, the confidence that it leaves, chains."""

import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier

from skked import GenerationsClassifier, KDClassifier, KEDClassifier, TolerantClassifier, distillation_report
from skked._students._tolerance import resolve_tolerance, tolerant_targets

X, Y = load_iris(return_X_y=True)
QUICK = {"max_parameters": 200, "max_iter": 15, "random_state": 0}


def _oracle(score, y, eta, k):
    """The loss of one row, from its definition."""
    f = softmax(score)
    largest = np.sort(f)[::-1][:k]
    return -eta * log_softmax(score)[y] + (1 - eta) * (largest[0] - largest[1:].sum() / (k - 1))


def _loss(kind, eta, k):
    from skked._torch._tolerant import TolerantLoss

    return TolerantLoss(kind, eta=eta, top_k=k)


def _batch(hard, weight):
    import torch

    return SimpleNamespace(hard=torch.as_tensor(hard), hard_weight=torch.as_tensor(weight)[:, None])


# the loss -----------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(n_classes=st.integers(2, 8), k=st.integers(2, 8), eta=st.floats(0.05, 1.0), seed=st.integers(0, 10**6))
def test_loss_is_its_definition_and_the_gradient_its_slope(n_classes, k, eta, seed):
    import torch

    k, rng = min(k, n_classes), np.random.RandomState(seed)
    score, y, weight = rng.normal(0, 2, (5, n_classes)), rng.randint(n_classes, size=5), rng.rand(5)
    expected = sum(w * _oracle(row, label, eta, k) for w, row, label in zip(weight, score, y, strict=True))
    loss, batch = _loss("softmax", eta, k), _batch(np.eye(n_classes)[y], weight)
    base = torch.zeros(n_classes, 1, dtype=torch.float64)
    phi = torch.as_tensor(np.stack([score / 3, 2 * score / 3]).transpose(0, 2, 1))[None]  # two that add up
    assert float(loss.value(phi, base, batch)[0]) == pytest.approx(expected, rel=1e-10)

    gradient = loss.gradient(phi, base, *loss.prepared(batch, base, 2))[0].permute(2, 0, 1).numpy()
    np.testing.assert_array_equal(gradient[:, 0], gradient[:, 1])
    for row, c in [(0, 0), (1, n_classes - 1), (4, y[4])]:
        step = 1e-6 * np.eye(n_classes)[c]
        slope = (_oracle(score[row] + step, y[row], eta, k) - _oracle(score[row] - step, y[row], eta, k)) / 2e-6
        assert gradient[row, 0, c] == pytest.approx(weight[row] * slope, rel=1e-4, abs=1e-6)


def test_one_log_odds_is_two_classes():
    import torch

    z, y, weight = np.array([-1.5, 0.3, 2.0]), np.array([0, 0, 1]), np.array([1.0, 2.0, 0.5])
    one, batch = torch.as_tensor(z)[None, None, None], _batch(y[:, None].astype(float), weight)
    base = torch.zeros(1, 1, dtype=torch.float64)
    loss = _loss("sigmoid", 0.6, 2)
    expected = sum(w * _oracle([0, s], label, 0.6, 2) for w, s, label in zip(weight, z, y, strict=True))
    assert float(loss.value(one, base, batch)[0]) == pytest.approx(expected, rel=1e-12)
    two, classes = torch.as_tensor(np.stack([np.zeros(3), z]))[None, None], _loss("softmax", 0.6, 2)
    zeros = torch.zeros(2, 1, dtype=torch.float64)
    both = classes.gradient(two, zeros, *classes.prepared(_batch(np.eye(2)[y], weight), zeros, 1))
    ours = loss.gradient(one, base, *loss.prepared(batch, base, 1))
    np.testing.assert_allclose(ours[:, :, 0], both[:, :, 1], rtol=1e-12)


@pytest.mark.parametrize(("n_classes", "k", "confidence"), [(6, 4, 0.7), (3, 3, 0.9), (10, 2, 0.8)])
def test_a_fitted_row_comes_to_the_confidence_asked_for(n_classes, k, confidence):
    """Gradient descent on one row's scores ends at p* and nowhere else."""
    import torch

    tolerance = resolve_tolerance(None, confidence, k, n_classes)
    loss, batch = _loss("softmax", tolerance.eta, k), _batch(np.eye(n_classes)[[0]], np.ones(1))
    phi, base = torch.randn(1, 1, n_classes, 1, generator=torch.Generator().manual_seed(0)), torch.zeros(n_classes, 1)
    phi[:, :, 0] = 1.0
    prepared = loss.prepared(batch, base, 1)
    for _ in range(3000):
        phi -= 0.5 * loss.gradient(phi, base, *prepared)
    f = softmax(phi[0, 0, :, 0].numpy())
    assert f[0] == pytest.approx(confidence, abs=5e-3)
    assert np.sort(f)[::-1][:k].sum() > 0.99  # what is left goes to the K - 1 next classes


def test_eta_and_confidence_are_each_others_inverse():
    for k, confidence in [(2, 0.6), (5, 0.8), (3, 0.99)]:
        found = resolve_tolerance(None, confidence, k, 10)
        assert found.eta == pytest.approx(confidence * k / (k - 1 + confidence * k))
        assert found.eta < k / (2 * k - 1)
        assert resolve_tolerance(found.eta, 0.5, k, 10).confidence == pytest.approx(confidence)
    assert resolve_tolerance(1.0, 0.8, 5, 10).confidence == 1.0
    assert resolve_tolerance(None, 0.8, 5, 3).top_k == 3


# tolerant teachers --------------------------------------------------------------------------------------------------


def test_network_keeps_the_confidence_on_its_own_rows():
    rng = np.random.RandomState(0)
    centres = 6 * rng.normal(size=(5, 4))
    y = np.repeat(np.arange(5), 40)
    rows = centres[y] + rng.normal(size=(200, 4))
    tolerant = TolerantClassifier(target_confidence=0.6, top_k=3, max_iter=150, random_state=0).fit(rows, y)
    strict = TolerantClassifier(eta=1.0, top_k=3, max_iter=150, random_state=0).fit(rows, y)
    f = np.sort(tolerant.predict_proba(rows), axis=1)[:, ::-1]
    assert f[:, 0].mean() == pytest.approx(0.6, abs=0.03)
    assert f[:, :3].sum(axis=1).mean() > 0.95
    assert strict.predict_proba(rows).max(axis=1).mean() > 0.97
    assert tolerant.score(rows, y) > 0.97
    assert (tolerant.top_k_, tolerant.target_confidence_) == (3, 0.6)


def test_relabelled_targets_are_by_hand():
    probability = np.array([[0.6, 0.3, 0.06, 0.04], [0.1, 0.2, 0.3, 0.4]])
    classes, share = tolerant_targets(np.array([0, 2]), probability, resolve_tolerance(None, 0.7, 3, 4))
    np.testing.assert_array_equal(classes, [[0, 1, 2], [2, 3, 1]])
    np.testing.assert_allclose(share, [[0.7, 0.3 * 5 / 6, 0.3 / 6], [0.7, 0.2, 0.1]])


@pytest.mark.parametrize("estimator", ["boosting", HistGradientBoostingClassifier(max_iter=40, random_state=0)])
def test_boosting_is_made_tolerant_by_relabelling(estimator):
    teacher = TolerantClassifier(estimator, target_confidence=0.75, cv=3, random_state=0).fit(X, Y)
    assert teacher.predict_proba(X).max(axis=1).mean() == pytest.approx(0.75, abs=0.04)
    assert teacher.score(X, Y) > 0.93
    assert teacher.n_iter_ > 1 and not hasattr(teacher, "n_parameters_")


def test_two_classes_names_and_tables():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(kind=np.where(X[:, 0] > 5.8, "big", "small"))
    frame.loc[::9, "a"] = np.nan
    y = np.where(Y == 2, "virginica", "other")
    for teacher in (TolerantClassifier(target_confidence=0.7, **QUICK), GenerationsClassifier(2, **QUICK)):
        teacher.fit(frame, y)
        assert teacher.classes_.tolist() == ["other", "virginica"]
        assert teacher.predict_proba(frame).shape == (150, 2)
        assert teacher.decision_function(frame).shape == (150,)
        assert teacher.score(frame, y) > 0.8


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"target_confidence": 0.3}, "more than 0.333"),
        ({"eta": 0.3}, "more than 0.333"),
        ({"top_k": 1}, "top_k"),
        ({"eta": 1.5}, "eta"),
        ({"estimator": "abacus"}, "estimator"),
        ({"max_parameters": 3}, "too small"),
    ],
)
def test_bad_parameters_say_what_to_do(parameters, message):
    teacher = TolerantClassifier(**parameters)
    with pytest.raises(ValueError, match=message):
        teacher.fit(X, Y)
    assert not hasattr(teacher, "n_features_in_")


def test_an_eta_that_tolerates_nothing_is_said():
    with pytest.warns(UserWarning, match=r"from eta=0\.6 on"):
        teacher = TolerantClassifier(eta=0.6, **QUICK).fit(X, Y)
    assert teacher.target_confidence_ == 1.0
    with pytest.raises(TypeError, match="sample_weight"):
        TolerantClassifier(KNeighborsClassifier(), cv=2).fit(X, Y)


def test_as_teacher_of_students():
    tolerant = TolerantClassifier(target_confidence=0.7, **QUICK)
    student = KEDClassifier(tolerant, superfeatures=2, cv=2, **QUICK).fit(X, Y)
    assert isinstance(student.teacher_, TolerantClassifier) and not hasattr(tolerant, "estimator_")
    in_sample = KDClassifier(FrozenEstimator(tolerant.fit(X, Y)), **QUICK).fit(X, Y)
    report = distillation_report({"student": in_sample}, X, Y, n_repeat_timing=1).to_dataframe()
    assert report.loc["teacher", "accuracy"] == tolerant.score(X, Y)


def test_pickles_and_seeds():
    for estimator in (TolerantClassifier(**QUICK), GenerationsClassifier(2, **QUICK)):
        estimator.fit(X, Y)
        size = len(pickle.dumps(estimator))
        twin = pickle.loads(pickle.dumps(estimator))
        again = type(estimator)(**estimator.get_params()).fit(X, Y)
        np.testing.assert_array_equal(twin.predict_proba(X), estimator.predict_proba(X))
        np.testing.assert_array_equal(again.predict_proba(X), estimator.predict_proba(X))
        assert size < 40_000


# generations --------------------------------------------------------------------------------------------------------


def test_generations_learn_from_the_one_before():
    family = GenerationsClassifier(3, distillation_weight=1.0, refit=False, **QUICK | {"max_iter": 100}).fit(X, Y)
    first, second, third = (network.predict_proba(X) for network in family.generations_)
    assert first.max(axis=1).mean() < 0.83  # tolerant, and so are those who know nothing but it
    assert np.abs(second - first).mean() < 0.05 and np.abs(third - second).mean() < 0.05
    labels_only = GenerationsClassifier(2, distillation_weight=0.0, refit=False, **QUICK | {"max_iter": 100}).fit(X, Y)
    assert labels_only.generations_[1].predict_proba(X).max(axis=1).mean() > 0.87
    assert family.n_parameters_ == family.generations_[2].n_parameters_ <= 200


def test_who_predicts():
    family = GenerationsClassifier(3, **QUICK).fit(X, Y)
    assert family.best_generation_ == np.argmax(family.generation_scores_)
    np.testing.assert_array_equal(
        family.predict_proba(X), family.generations_[family.best_generation_].predict_proba(X)
    )
    np.testing.assert_array_equal(
        family.set_params(prediction="last").predict_proba(X), family.generations_[-1].predict_proba(X)
    )
    mean = np.mean([network.predict_proba(X) for network in family.generations_], axis=0)
    np.testing.assert_allclose(family.set_params(prediction="ensemble").predict_proba(X), mean, atol=1e-12)


def test_scores_come_from_rows_that_were_held_out():
    """Labels without any relation to the rows: in-sample scores would be far above a guess."""
    rng = np.random.RandomState(0)
    rows, y = rng.normal(size=(300, 20)), rng.randint(2, size=300)
    settings = {"max_parameters": 3000, "max_iter": 60, "alpha": 0.0, "random_state": 0}
    family = GenerationsClassifier(2, validation_fraction=0.4, **settings).fit(rows, y)
    assert family.score(rows, y) > 0.9
    assert (family.generation_scores_ < 0.7).all() and family.ensemble_score_ < 0.7


def test_too_few_rows_to_hold_any_out():
    family = GenerationsClassifier(2, validation_fraction=0.1, **QUICK).fit(X[::50], Y[::50])
    assert np.isnan(family.generation_scores_).all() and np.isnan(family.ensemble_score_)
    assert family.best_generation_ == 1


def test_page_shows_what_was_measured():
    from benchmarks.sisters.generations import render

    root = Path(__file__).parents[1]
    measured = json.loads((root / "benchmarks" / "results" / "generations.json").read_text())
    assert render(measured) in (root / "docs" / "tolerant.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", [TolerantClassifier, GenerationsClassifier])
def test_fits_say_what_they_do(kind, capsys):
    kind(verbose=1, random_state=0, max_iter=2).fit(X, Y) if kind is GenerationsClassifier else kind(
        verbose=1, random_state=0
    ).fit(X, Y)
    assert f"[{kind.__name__}]" in capsys.readouterr().out
