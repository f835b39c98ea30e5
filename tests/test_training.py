"""The training loop: its loss by hand, its gradient and its optimiser beside torch's own, candidates side by side."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from skked._torch._losses import DistillationLoss, cosine_decay
from skked._torch._module import StudentModule
from skked._torch._train import Architecture, Part, Schedule, TrainingSet, train

LINKS = {"softmax": 3, "sigmoid": 1, "identity": 1}


def _rows(kind, n, M, seed, d=4):
    rng, K = np.random.RandomState(seed), LINKS[kind]
    hard = {"softmax": np.eye(3)[rng.randint(3, size=n)], "sigmoid": rng.randint(2, size=(n, 1)) * 1.0}
    soft, phi, weight = rng.normal(size=(n, K)), rng.normal(size=(n, M, K)), rng.rand(n)
    labelled, explained = rng.rand(2, n) < 0.7
    return TrainingSet(
        rng.normal(size=(n, d)), hard.get(kind, soft + 1), soft, phi, weight, weight * labelled, weight * explained
    )


def _divergence(target, score, kind):
    """KL(target || link(score)) of one row, or half the squared error."""
    if kind == "identity":
        return 0.5 * np.sum((score - target) ** 2)
    if kind == "sigmoid":
        target, given = np.append(target, 1 - target), np.append(expit(score), 1 - expit(score))
    else:
        given = softmax(score)
    return sum(t * np.log(t / g) for t, g in zip(target, given, strict=True) if t > 0)


def _by_hand(phi, base, rows, kind, lam, mu, T, tau):
    """The loss from its definition, row by row."""
    link = {"softmax": softmax, "sigmoid": expit, "identity": lambda z: z}[kind]
    total = 0.0
    for i, contributions in enumerate(phi):
        z = base + contributions.sum(axis=0)
        total += (1 - lam) * rows.hard_weight[i] * _divergence(rows.hard[i], z, kind)
        total += lam * (1 - mu) * T**2 * rows.weight[i] * _divergence(link(rows.soft[i] / T), z / T, kind)
        explained = [
            _divergence(link((base + taught) / tau), (base + own) / tau, kind)
            for taught, own in zip(rows.phi[i], contributions, strict=True)
        ]
        total += lam * mu * tau**2 * rows.phi_weight[i] * np.mean(explained)
    return total


def _loss(kind, lam, mu, T, tau):
    values = {"distillation_weight": lam, "explanation_weight": mu, "temperature": T, "explanation_temperature": tau}
    return DistillationLoss(kind, **{name: torch.as_tensor(value, dtype=float) for name, value in values.items()})


def _tensors(rows):
    """One batch of double precision, row weights as columns."""
    values = [torch.as_tensor(getattr(rows, name)) for name in ("Z", "hard", "soft", "phi")]
    return TrainingSet(
        *values, *(torch.as_tensor(w)[:, None] for w in (rows.weight, rows.hard_weight, rows.phi_weight))
    )


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(LINKS)),
    lam=st.sampled_from([0.0, 0.3, 1.0]),
    mu=st.sampled_from([0.0, 0.4, 1.0]),
    T=st.sampled_from([1.0, 2.5]),
    tau=st.sampled_from([1.0, 3.0]),
    seed=st.integers(0, 10**6),
)
def test_loss_is_its_definition_and_the_gradient_its_slope(kind, lam, mu, T, tau, seed):
    if kind == "identity":
        T = tau = 1.0
    rows, M, K = _rows(kind, 6, 3, seed), 3, LINKS[kind]
    rng = np.random.RandomState(seed)
    phi, base = rng.normal(size=(2, 6, M, K)), rng.normal(size=K)
    candidates = np.array([[lam, mu, T, tau], [0.5, 0.5, 1.0, 1.0]]).T
    loss, batch = _loss(kind, *candidates), _tensors(rows)
    turned = torch.as_tensor(phi.transpose(0, 2, 3, 1)).requires_grad_(True)
    value = loss.value(turned, torch.as_tensor(base)[:, None], batch)
    expected = [
        _by_hand(*pair, kind=kind, lam=c[0], mu=c[1], T=c[2], tau=c[3])
        for *pair, c in zip(phi, [base] * 2, [rows] * 2, candidates.T, strict=True)
    ]
    np.testing.assert_allclose(value.detach(), expected, rtol=1e-9, atol=1e-12)

    (slope,) = torch.autograd.grad(value.sum(), turned)
    batches = TrainingSet(*(getattr(batch, name)[None, None] for name in vars(batch)))
    prepared = [tensor[0] for tensor in loss.prepared(batches, torch.as_tensor(base)[:, None], M)]
    gradient = loss.gradient(turned.detach(), torch.as_tensor(base)[:, None], *prepared)
    np.testing.assert_allclose(gradient.expand_as(slope), slope, rtol=1e-9, atol=1e-12)


def _architecture(layers, n_outputs):
    return Architecture([np.array([0, 2]), np.array([1, 3])], [np.array(w) for w in layers] + [[n_outputs] * 2], 4)


def _settings(n=1, **changed):
    shared = {"distillation_weight": 0.6, "explanation_weight": 0.5, "temperature": 2.0, "explanation_temperature": 3.0}
    return {name: [value] * n for name, value in {**shared, **changed}.items()}


@pytest.mark.parametrize("layers", [[[5, 3]], [[4, 3], [3, 2]]])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_training_is_that_of_torch(kind, layers):
    """Full batches, so that the order of rows is none; autograd and torch's AdamW on the other side."""
    rows, base, schedule = _rows(kind, 20, 2, 0), np.full(LINKS[kind], 0.2), Schedule(12, 20, 0.05, 0.1)
    architecture = _architecture(layers, LINKS[kind])
    (trained,) = train(architecture, base, 2, rows, schedule, kind=kind, **_settings(), seeds=[3], device="cpu")

    module = StudentModule(architecture, base, 2, seed=3, device="cpu")
    weights, biases = list(module.coefs), list(module.intercepts)
    groups = [{"params": weights, "weight_decay": schedule.alpha}, {"params": biases, "weight_decay": 0.0}]
    optimiser, loss, batch = torch.optim.AdamW(groups, betas=(0.9, 0.99)), None, rows.to_tensors("cpu")
    loss = DistillationLoss(kind, **{name: torch.tensor(value) for name, value in _settings().items()})
    for step in range(12):
        for group in optimiser.param_groups:
            group["lr"] = 0.05 * cosine_decay(step, 12)
        optimiser.zero_grad()
        phi = module(batch.Z).permute(1, 2, 0)[None]
        (loss.value(phi, module.base[:, None], batch).sum() / 20).backward()
        optimiser.step()
    expected = module.trained(([], []))
    for found, wanted in ((trained.coefs, expected.coefs), (trained.intercepts, expected.intercepts)):
        for layer, other in zip(found, wanted, strict=True):
            for array, one in zip(layer, other, strict=True):
                np.testing.assert_allclose(array, one, rtol=2e-4, atol=2e-5)


def test_candidates_side_by_side_are_those_alone():
    """Each on its part of the rows and chimeras; full batches again."""
    rows, extra = _rows("softmax", 30, 2, 0), _rows("softmax", 50, 2, 1)
    architecture, schedule = _architecture([[5, 3]], 3), Schedule(8, 20, 0.05, 0.1)
    common = {"kind": "softmax", "chimeras_per_row": 2, "device": "cpu"}
    many = _settings(2)
    many["temperature"], many["distillation_weight"] = [1.0, 2.0], [0.3, 0.9]
    parts = [Part(np.arange(20), np.arange(20)), Part(np.arange(10, 30), np.arange(30, 50))]
    together = train(
        architecture, np.zeros(3), 2, rows, schedule, seeds=[1, 2], chimeric=extra, parts=parts, **many, **common
    )
    for i, part in enumerate(parts):
        own = {name: [values[i]] for name, values in many.items()} | {"chimeric": extra.take(part.chimeric)}
        alone = train(architecture, np.zeros(3), 2, rows.take(part.real), schedule, seeds=[i + 1], **own, **common)[0]
        np.testing.assert_allclose(together[i].loss_curve, alone.loss_curve, rtol=1e-4)
        for layer, other in zip(together[i].coefs, alone.coefs, strict=True):
            for array, one in zip(layer, other, strict=True):
                np.testing.assert_allclose(array, one, rtol=1e-3, atol=1e-4)


def test_batches_gathered_in_portions_are_the_same(monkeypatch):
    rows, schedule = _rows("sigmoid", 64, 2, 0), Schedule(5, 8, 0.05, 0.1)
    fitted = []
    for cached in (1, 10**9):
        monkeypatch.setattr("skked._torch._train.CACHED", cached)
        fitted += train(
            _architecture([[5, 3]], 1), np.zeros(1), 2, rows, schedule, kind="sigmoid", **_settings(), seeds=[0]
        )
    for layer, other in zip(fitted[0].coefs, fitted[1].coefs, strict=True):
        for array, one in zip(layer, other, strict=True):
            np.testing.assert_allclose(array, one, rtol=1e-4, atol=1e-6)
