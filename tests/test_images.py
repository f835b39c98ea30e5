"""Students of images: what they promise, what they minimise, and what they take as images."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_expit, log_softmax, logsumexp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from skked import KEDImageClassifier
from skked._image_forward import ImageLayout, ImageNetwork, solve_layout
from skked._torch._images import ImageLesson, ImageLoss, ImageModule, first_weights

QUICK = {"max_iter": 4, "max_parameters": 1500, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    bunch = load_digits()
    return bunch.images[:400], bunch.target[:400]


@pytest.fixture(scope="module")
def teacher(digits):
    return KEDImageClassifier(distillation_weight=0, max_parameters=8000, max_iter=15, random_state=1).fit(*digits)


@pytest.fixture(scope="module")
def student(digits, teacher):
    return KEDImageClassifier(FrozenEstimator(teacher), **QUICK).fit(*digits)


# explanations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 10])
def test_contributions_and_their_maps_add_up(digits, n_classes):
    images, y = digits
    student = KEDImageClassifier(distillation_weight=0, n_superfeatures=3, **QUICK).fit(images, y % n_classes)
    strange = images * 40 - 7
    phi, maps = student.contributions(strange), student.contribution_maps(strange)
    assert phi.shape == (400, 3, 10) if n_classes == 10 else (400, 3)
    assert maps.shape == (400, 3, 4, 4, *phi.shape[2:])
    np.testing.assert_allclose(maps.sum(axis=(2, 3)), phi, atol=1e-9)
    np.testing.assert_allclose(
        student.explanation_base_ + phi.sum(axis=1), student.decision_function(strange), atol=1e-9
    )
    at_home = student.contribution_maps(images)
    np.testing.assert_allclose(at_home.mean(axis=0), 0, atol=1e-9)
    if n_classes == 10:
        np.testing.assert_allclose(student.decision_function(images).sum(axis=1), 0, atol=1e-4)
    explanation = student.explain(images[:5])
    np.testing.assert_array_equal(explanation.values, student.contributions(images[:5]))
    np.testing.assert_allclose(
        explanation.base_values + explanation.values.sum(axis=1), student.decision_function(images[:5]), atol=1e-9
    )


def test_a_position_sees_the_pixels_around_it_only():
    rng = np.random.RandomState(0)
    images, y = rng.rand(60, 28, 28), np.arange(60) % 3
    student = KEDImageClassifier(distillation_weight=0, **QUICK).fit(images, y)
    changed = images.copy()
    changed[:, 20:, :] += 1
    difference = np.abs(student.contribution_maps(changed) - student.contribution_maps(images)).max(axis=(0, 1, 3, 4))
    assert difference[0] == 0 and difference[-1] > 0


def test_explanations_are_learned(digits, teacher):
    images, y = digits
    common = {"max_iter": 15, "max_parameters": 2500, "random_state": 0, "distillation_weight": 1.0}
    wanted = teacher.contributions(images)

    def distance(explanation_weight):
        student = KEDImageClassifier(FrozenEstimator(teacher), explanation_weight=explanation_weight, **common)
        return np.mean((student.fit(images, y).contributions(images) - wanted) ** 2) / np.mean(wanted**2)

    assert distance(0.7) < 0.5 < distance(0.0)


# the loss ---------------------------------------------------------------------------------------------------------


def _kl(teacher, student, kind):
    """KL divergence of distributions given by scores, over the last axis."""
    if kind == "sigmoid":
        p = np.exp(log_expit(teacher))
        both = p * (log_expit(teacher) - log_expit(student))
        return (both + (1 - p) * (log_expit(-teacher) - log_expit(-student)))[..., 0]
    log_p = log_softmax(teacher, axis=-1)
    return (np.exp(log_p) * (log_p - log_softmax(student, axis=-1))).sum(-1)


def _cross_entropy(hard, score, kind):
    if kind == "sigmoid":
        return -(hard * log_expit(score) + (1 - hard) * log_expit(-score))[..., 0]
    return logsumexp(score, axis=-1) - (hard * score).sum(-1)


def _hint(name, student, teacher, projection):
    """Hints as their papers write them, one image and branch after the other."""
    n, n_groups = student.shape[:2]
    hints = np.empty((n, n_groups))
    for group in range(n_groups):
        if name == "similarity":
            flat = [maps[:, group].reshape(n, -1) for maps in (student, teacher)]
            grams = [rows @ rows.T for rows in flat]
            grams = [gram / np.linalg.norm(gram, axis=1, keepdims=True) for gram in grams]
            hints[:, group] = ((grams[0] - grams[1]) ** 2).sum(1)
            continue
        for row in range(n):
            s, t = student[row, group], teacher[row, group]
            if name == "fitnet":
                hints[row, group] = np.mean((projection[group].T @ s - t) ** 2)
            else:
                s, t = (s**2).sum(0), (t**2).sum(0)
                hints[row, group] = np.sum((s / np.linalg.norm(s) - t / np.linalg.norm(t)) ** 2)
    return hints


def _tensors(**arrays):
    return {name: torch.as_tensor(np.asarray(value, np.float64)) for name, value in arrays.items()}


@pytest.mark.parametrize("kind, n_outputs", [("softmax", 5), ("sigmoid", 1)])
@pytest.mark.parametrize("mu", [0.0, 0.6])
@pytest.mark.parametrize("hint", [None, "fitnet", "attention", "similarity"])
def test_loss_is_the_papers(kind, n_outputs, mu, hint):
    rng = np.random.RandomState(0)
    n, M, lam, rho, T, tau = 7, 3, 0.8, 0.3, 2.0, 5.0
    phi, taught = rng.normal(size=(2, n, M, n_outputs))
    base, soft = rng.normal(size=n_outputs), rng.normal(size=(n, n_outputs))
    features, wanted = rng.rand(n, M, 4, 6), rng.rand(n, M, 5, 6)
    projection = rng.normal(size=(M, 4, 5)) if hint == "fitnet" else None
    hard = np.eye(n_outputs)[rng.randint(n_outputs, size=n)] if n_outputs > 1 else rng.randint(2, size=(n, 1)) * 1.0
    z = base + phi.sum(1)

    expected = (1 - lam) * _cross_entropy(hard, z, kind)
    total = T**2 * _kl(soft / T, z / T, kind)
    each = tau**2 * _kl((base + taught) / tau, (base + phi) / tau, kind).mean(1)
    hinted = 0 if hint is None else _hint(hint, features, wanted, projection).mean(1)
    if hint is None:
        rho = 0.0
    if mu:
        expected += lam * (1 - mu) * total + lam * mu * (1 - rho) * each + lam * mu * rho * hinted
    else:
        expected += lam * (1 - rho) * total + lam * rho * hinted

    lesson = ImageLesson(None, **_tensors(hard=hard, weight=np.ones(n), soft=soft, phi=taught, features=wanted))
    given = _tensors(phi=phi, features=features, base=base)
    if hint == "fitnet":
        given |= _tensors(projection=projection)
    value = ImageLoss(kind, lam, mu, 0.3, T, tau, hint)(**given, lesson=lesson)
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("hint", [None, "fitnet", "attention", "similarity"])
def test_loss_is_zero_where_student_and_teacher_agree(hint):
    rng = np.random.RandomState(1)
    phi, base, features = rng.normal(size=(6, 2, 4)), rng.normal(size=4), rng.rand(6, 2, 3, 5)
    same = _tensors(phi=phi, base=base, features=features)
    lesson = ImageLesson(
        None,
        **_tensors(hard=np.eye(4)[[0] * 6], weight=np.ones(6), soft=base + phi.sum(1), phi=phi, features=features),
    )
    identity = {"projection": torch.eye(3, dtype=torch.float64).expand(2, 3, 3)} if hint == "fitnet" else {}
    value = ImageLoss("softmax", 1.0, 0.5, 0.5, 2.0, 3.0, hint)(**same, lesson=lesson, **identity)
    np.testing.assert_allclose(value.numpy(), 0, atol=1e-12)


def test_blank_maps_have_finite_hints_and_gradients():
    maps = torch.zeros(4, 2, 3, 5, requires_grad=True)
    for hint in ("attention", "similarity"):
        lesson = ImageLesson(None, torch.eye(4), torch.ones(4), torch.zeros(4, 4), torch.zeros(4, 2, 4), maps.detach())
        ImageLoss("softmax", 1.0, 0.5, 1.0, 1.0, 1.0, hint)(torch.zeros(4, 2, 4), maps, 0, lesson).sum().backward()
        assert torch.isfinite(maps.grad).all()


# the network ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 14, 3), (1, 11, 1), (5, 1, 2), (1, 1, 1)])
def test_numpy_and_torch_compute_the_same(shape):
    rng = np.random.RandomState(0)
    layout = ImageLayout(shape, 3, 4, 2, 5)
    weights = {name: rng.normal(size=value.shape) for name, value in first_weights(layout, 0).items()}
    images = rng.normal(size=(6, *shape))
    network = ImageNetwork(layout, weights, rng.normal(size=5), np.zeros(shape[2]), np.ones(shape[2]))
    phi, features = ImageModule(layout, weights, "cpu")(
        torch.as_tensor(images, dtype=torch.float32).permute(0, 3, 1, 2)
    )
    np.testing.assert_allclose(network.contributions(images), phi.detach().numpy(), rtol=2e-4, atol=2e-4)
    ours = network.features(images).reshape(6, 3, -1, 2).swapaxes(2, 3)
    np.testing.assert_allclose(ours, features.detach().numpy(), rtol=2e-4, atol=2e-4)
    assert network.n_parameters == sum(value.size for value in weights.values())
    centred = network.centred(images, np.arange(1.0, 7.0), over_outputs=True)
    np.testing.assert_allclose(
        log_softmax(centred.score(images), axis=1), log_softmax(network.score(images), axis=1), atol=1e-9
    )


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(50, 20_000),
)
def test_layouts_keep_to_the_budget(height, width, channels, n_superfeatures, n_outputs, budget):
    smallest = ImageLayout((height, width, channels), n_superfeatures, 1, 1, n_outputs).n_parameters
    if budget < smallest:
        with pytest.raises(ValueError, match=f"at least {smallest}"):
            solve_layout(budget, (height, width, channels), n_superfeatures, n_outputs)
        return
    layout = solve_layout(budget, (height, width, channels), n_superfeatures, n_outputs)
    assert smallest <= layout.n_parameters <= budget
    more = ImageLayout(layout.image_shape, n_superfeatures, layout.trunk_width, layout.branch_width + 1, n_outputs)
    assert more.n_parameters > budget


def test_where_no_layout_is_balanced_the_nearest_is_taken():
    layout = solve_layout(317, (8, 8, 1), 1, 12)  # trunks of one map and of two are paid for, and a branch of one
    assert (layout.trunk_width, layout.branch_width) == (1, 1)


def test_the_student_is_as_large_as_it_says(student):
    assert student.n_parameters_ == sum(np.size(value) for value in student.network_.weights.values()) <= 1500


# images -----------------------------------------------------------------------------------------------------------


def test_images_rows_and_frames_are_the_same(digits):
    images, y = digits
    student = KEDImageClassifier(distillation_weight=0, **QUICK)
    expected = student.fit(images, y).decision_function(images)
    flat = images.reshape(400, -1)
    frame = pd.DataFrame(flat, columns=[f"p{pixel}" for pixel in range(64)])
    for X in (images[..., None], flat, frame, images.tolist()):
        np.testing.assert_allclose(clone(student).fit(X, y).decision_function(X), expected, atol=1e-9)
    for X in (images[..., None], flat, images.astype(np.uint8)):
        np.testing.assert_allclose(student.decision_function(X), expected, atol=1e-9)
    shaped = KEDImageClassifier(distillation_weight=0, image_shape=(4, 16), **QUICK).fit(flat, y)
    assert shaped.image_shape_ == (4, 16, 1)
    assert shaped.contribution_maps(flat[:2]).shape == (2, 4, 4, 4, 10)


def test_colours_and_lines_of_pixels():
    rng = np.random.RandomState(0)
    y = np.arange(80) % 2
    colour = rng.normal(size=(80, 6, 6, 3)) * 0.1
    colour[:, 2, 3, 1] += 5 * y
    student = KEDImageClassifier(distillation_weight=0, max_iter=20, max_parameters=1500, random_state=0)
    assert student.fit(colour, y).score(colour, y) > 0.9
    assert student.fit(colour.reshape(80, -1)[:, :50], y).image_shape_ == (1, 50, 1)


def test_units_of_pixels_do_not_matter(digits):
    images, y = digits
    student = KEDImageClassifier(distillation_weight=0, **QUICK).fit(images, y)
    network = student.network_
    other = KEDImageClassifier(distillation_weight=0, **QUICK).fit(images * 4096 + 1024, y).network_
    seen, seen_elsewhere = (
        (pixels - network.pixel_mean) / network.pixel_scale
        for network, pixels in ((network, images), (other, images * 4096 + 1024))
    )
    np.testing.assert_allclose(seen_elsewhere, seen, atol=1e-9)
    assert abs(seen.mean()) < 1e-9 and abs(seen.std() - 1) < 1e-9


@pytest.mark.parametrize(
    "parameters, X, error, words",
    [
        ({"image_shape": (8, 9)}, np.zeros((20, 64)), ValueError, "Expected 72 columns"),
        ({"image_shape": (8, 9)}, np.zeros((20, 8, 8)), ValueError, r"shape \(8, 9, 1\)"),
        ({"image_shape": (8,)}, np.zeros((20, 8)), ValueError, "image_shape as"),
        ({"image_shape": (0, 8)}, np.zeros((20, 8)), ValueError, "image_shape as"),
        ({}, np.full((20, 64), np.nan), ValueError, "NaN"),
        ({}, np.full((20, 64), 1e200), ValueError, "1e30"),
        ({}, np.full((20, 64), "dark"), ValueError, "could not convert"),
        ({"max_parameters": 10}, np.zeros((20, 64)), ValueError, "Raise max_parameters"),
        ({"hint": "hearsay"}, np.zeros((20, 64)), ValueError, "hint"),
        ({"device": "abacus"}, np.zeros((20, 64)), ValueError, "abacus"),
        ({"teacher": DummyRegressor()}, np.zeros((20, 64)), TypeError, "classifier"),
    ],
)
def test_bad_input_is_refused(parameters, X, error, words):
    student = KEDImageClassifier(**{"max_iter": 1, "max_parameters": 2000, **parameters})
    before = dict(vars(student))
    with pytest.raises(error, match=words):
        student.fit(X, np.arange(20) % 2)
    assert vars(student) == before


def test_other_images_than_in_fit_are_refused(student, digits):
    with pytest.raises(ValueError, match=r"shape \(8, 8, 1\)"):
        student.predict(np.zeros((2, 4, 16)))
    with pytest.raises(ValueError, match="64 features"):
        student.predict(np.zeros((2, 63)))
    with pytest.raises(NotFittedError):
        KEDImageClassifier().contribution_maps(digits[0])


# teachers ---------------------------------------------------------------------------------------------------------


def test_without_distillation_no_teacher_is_fitted(digits):
    student = KEDImageClassifier(GaussianNB(priors="nonsense"), distillation_weight=0, **QUICK).fit(*digits)
    assert student.teacher_ is None


def test_the_default_teacher_is_wider_and_has_the_same_superfeatures(digits):
    student = KEDImageClassifier(n_superfeatures=3, hint="attention", **QUICK).fit(*digits)
    assert student.teacher_.n_superfeatures == 3
    assert 4 * student.n_parameters_ < student.teacher_.n_parameters_ <= 8 * 1500
    assert student.teacher_.teacher_ is None


def test_soft_targets_of_any_classifier(digits):
    images, y = digits
    black_box = LogisticRegression(max_iter=500)
    student = KEDImageClassifier(black_box, explanation_weight=0, **QUICK).fit(images, y)
    assert isinstance(student.teacher_, LogisticRegression) and not hasattr(black_box, "coef_")
    explained = KEDImageClassifier(black_box, cv=2, **QUICK).fit(images, y)
    assert isinstance(explained.teacher_, KEDImageClassifier)
    assert isinstance(explained.teacher_.teacher_, LogisticRegression)


def test_a_teacher_with_other_superfeatures(digits, teacher):
    wanted = KEDImageClassifier(FrozenEstimator(teacher), n_superfeatures=2, **QUICK)
    with pytest.raises(ValueError, match="n_superfeatures=2"):
        wanted.fit(*digits)
    assert wanted.set_params(explanation_weight=0).fit(*digits).teacher_ is teacher
    unfitted = KEDImageClassifier(clone(teacher).set_params(max_iter=2), n_superfeatures=2, **QUICK).fit(*digits)
    assert unfitted.teacher_.n_superfeatures == 2
    with pytest.raises(ValueError, match="images of shape"):
        KEDImageClassifier(FrozenEstimator(teacher), image_shape=(4, 16), **QUICK).fit(
            digits[0].reshape(400, -1), digits[1]
        )
    few = digits[1] < 5
    with pytest.raises(ValueError, match="classes"):
        KEDImageClassifier(FrozenEstimator(teacher), **QUICK).fit(digits[0][few], digits[1][few])


@pytest.mark.parametrize("hint", ["fitnet", "attention", "similarity"])
def test_hints_bring_the_maps_nearer(digits, teacher, hint):
    images, y = digits
    student = KEDImageClassifier(
        FrozenEstimator(teacher), distillation_weight=1.0, hint=hint, max_iter=15, max_parameters=2500, random_state=0
    )

    def distance(hint_weight):
        fitted = student.set_params(hint_weight=hint_weight).fit(images, y)
        ours, theirs = (model.network_.features(images[:100, ..., None]) for model in (fitted, teacher))
        ours, theirs = (maps.reshape(*maps.shape[:2], -1, maps.shape[-1]).swapaxes(2, 3) for maps in (ours, theirs))
        projection = None
        if hint == "fitnet":
            flat = [maps.transpose(1, 0, 3, 2).reshape(4, -1, maps.shape[2]) for maps in (ours, theirs)]
            projection = [np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(*flat, strict=True)]
        return _hint(hint, ours + 1e-9, theirs, projection).mean()

    assert distance(0.9) < 0.8 * distance(0.0)


# the rest of the estimator's life ---------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits(student, digits, teacher):
    state = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again = KEDImageClassifier(FrozenEstimator(teacher), **QUICK).fit(*digits)
    np.testing.assert_array_equal(again.decision_function(digits[0]), student.decision_function(digits[0]))
    other = clone(again).set_params(random_state=7).fit(*digits)
    assert np.abs(other.decision_function(digits[0]) - student.decision_function(digits[0])).max() > 0.1
    assert torch.equal(state[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(state[1], np.random.get_state()[1])  # noqa: NPY002


def test_a_pickle_predicts_without_torch(student, digits, tmp_path):
    path = tmp_path / "student.pkl"
    path.write_bytes(pickle.dumps(clone(student).set_params(teacher=None, distillation_weight=0).fit(*digits)))
    assert path.stat().st_size < 40_000
    code = f"""
import pickle, sys, numpy
student = pickle.load(open({str(path)!r}, "rb"))
images = numpy.arange(128.0).reshape(2, 8, 8)
student.predict_proba(images), student.contribution_maps(images)
assert not {{"torch", "shap", "numba"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_many_images_and_one_are_scored_alike(student, digits):
    images = np.concatenate([digits[0]] * 40)
    scores = student.decision_function(images)
    np.testing.assert_allclose(scores[:3], student.decision_function(images[:3]), atol=1e-12)
    np.testing.assert_allclose(scores[-1:], student.decision_function(images[-1:]), atol=1e-12)


def test_the_page_has_the_table_of_the_benchmark():
    from benchmarks.sisters.images import PAGE, render

    results = PAGE.parents[1] / "benchmarks" / "results" / "images.json"
    assert render(json.loads(results.read_text())) in PAGE.read_text(encoding="utf-8")


def test_fits_say_what_they_do_and_copies_are_deep(digits, teacher, capsys):
    import copy

    loud = KEDImageClassifier(FrozenEstimator(teacher), verbose=1, **QUICK).fit(*digits)
    assert "student trained for" in capsys.readouterr().out
    twin = copy.deepcopy(loud)
    assert twin.network_ is not loud.network_
    np.testing.assert_array_equal(twin.decision_function(digits[0][:5]), loud.decision_function(digits[0][:5]))
