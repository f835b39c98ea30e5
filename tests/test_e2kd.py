"""e2KD: the loss against an oracle, gradients against differences, and what the student promises."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skked import (
    E2KDClassifier,
    KDClassifier,
    KEDClassifier,
    distillation_report,
    explanation_agreement_score,
    export_onnx,
    load,
    save,
)
from skked._explanations import InputGradients
from skked._table import TableEncoder
from skked._teachers import TeacherScores
from skked._torch._e2kd import E2KDLoss, InputGradient, contributions_of, cosine_gap
from skked._torch._module import StudentModule
from skked._torch._train import Architecture, TrainingSet

QUICK = {"max_iter": 10, "max_parameters": 300, "random_state": 0}
X, Y = load_iris(return_X_y=True)
TEACHER = make_pipeline(StandardScaler(), LogisticRegression())


def batch_of(n, n_groups, n_outputs, rng):
    """Random rows with labels, scores, contributions and weights, as arrays."""
    hard = np.eye(3)[rng.integers(3, size=n)] if n_outputs > 1 else rng.integers(2, size=(n, 1)).astype(float)
    shapes = [(n, 4), (n, n_outputs), (n, n_groups, n_outputs)]
    Z, soft, phi = (rng.normal(size=shape) for shape in shapes)
    return TrainingSet(Z.astype(np.float32), hard, soft, phi, *rng.uniform(0.5, 2, size=(3, n)))


def module_of(n_groups, n_outputs, base):
    inputs = [np.arange(group, 4, n_groups) for group in range(n_groups)]
    architecture = Architecture(inputs, [np.full(n_groups, 3), np.full(n_groups, n_outputs)], 4)
    return StudentModule(architecture, base, n_groups, seed=0, device=torch.device("cpu"))


def as_probabilities(score):
    """Both classes of a log-odds, or all classes."""
    return np.hstack([np.zeros_like(score), score]) if score.shape[1] == 1 else score


def oracle(phi, base, batch, w, weight, tau):
    """The loss as the paper writes it, a row at a time."""
    losses = []
    for i in range(len(batch)):
        student, teacher = (as_probabilities(z[None])[0] for z in (base + phi[i].sum(axis=0), batch.soft[i]))
        label = as_probabilities(batch.hard[i][None])[0] if len(base) == 1 else batch.hard[i]
        label = np.array([1 - label[1], label[1]]) if len(base) == 1 else label
        p, q = softmax(teacher / tau), log_softmax(student / tau)
        kl = (p * (np.log(p) - q)).sum()
        c = teacher.argmax()
        a, b = (
            (e - e.mean(axis=1, keepdims=True))[:, c]
            for e in (np.apply_along_axis(lambda v: as_probabilities(v[None])[0], 1, m) for m in (batch.phi[i], phi[i]))
        )
        gap = 1 - a @ b / np.sqrt((a @ a) * (b @ b))
        hard = -(label * log_softmax(student)).sum()
        losses.append(
            (1 - w) * batch.hard_weight[i] * hard
            + w * (tau**2 * batch.weight[i] * kl + weight * batch.phi_weight[i] * gap)
        )
    return np.array(losses)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_loss_is_the_papers(n_outputs):
    rng = np.random.default_rng(0)
    batch, base = batch_of(8, 2, n_outputs, rng), rng.normal(size=n_outputs)
    module = module_of(2, n_outputs, base)
    settings = {"distillation_weight": 0.6, "explanation_weight": 5.0, "temperature": 2.0}
    kind = "softmax" if n_outputs > 1 else "sigmoid"
    found = E2KDLoss(kind, explain=contributions_of, **settings)(module, batch.to_tensors("cpu"))
    phi = module(torch.as_tensor(batch.Z)).detach().numpy()
    np.testing.assert_allclose(found.detach(), oracle(phi, base, batch, 0.6, 5.0, 2.0), rtol=1e-4)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_loss_of_a_perfect_copy_is_zero(n_outputs):
    rng = np.random.default_rng(0)
    batch, base = batch_of(8, 2, n_outputs, rng), rng.normal(size=n_outputs)
    module = module_of(2, n_outputs, base)
    phi = module(torch.as_tensor(batch.Z)).detach().numpy()
    same = TrainingSet(
        batch.Z, batch.hard, base + phi.sum(axis=1), phi, batch.weight, batch.hard_weight, batch.phi_weight
    )
    loss = E2KDLoss(
        "softmax" if n_outputs > 1 else "sigmoid",
        distillation_weight=1.0,
        explanation_weight=5.0,
        temperature=3.0,
        explain=contributions_of,
    )
    np.testing.assert_allclose(loss(module, same.to_tensors("cpu")).detach(), 0, atol=1e-5)


def test_explanations_without_a_direction_add_nothing():
    teacher = torch.tensor([[1.0, 2.0], [0.0, 0.0], [1.0, -1.0], [1e-20, 0.0]])
    student = torch.tensor([[2.0, 4.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]], requires_grad=True)
    gap = cosine_gap(teacher, student)
    np.testing.assert_allclose(gap.detach(), 0, atol=1e-6)
    gap.sum().backward()
    np.testing.assert_allclose(student.grad, 0, atol=1e-6)
    opposite = cosine_gap(teacher[:1], -3 * teacher[:1])
    assert float(opposite) == pytest.approx(2)


def test_gradients_of_the_teacher_are_those_of_its_network():
    network = make_pipeline(StandardScaler(), MLPClassifier((8,), "tanh", max_iter=50, tol=1, random_state=0))
    rows = X[:-1]  # an odd number, so that the median is one of them
    network.fit(rows, Y[:-1])
    scaler, mlp = network[0], network[1]
    hidden = np.tanh(scaler.transform(rows) @ mlp.coefs_[0] + mlp.intercepts_[0])
    slopes = np.einsum("dh,nh,hc->ndc", mlp.coefs_[0], 1 - hidden**2, mlp.coefs_[1]) / scaler.scale_[:, None]
    teacher = TeacherScores(network, rows, floor=1e-12)
    slopes -= slopes.mean(axis=2, keepdims=True)
    expected = (rows - np.median(rows, axis=0))[:, :, None] * slopes
    found = InputGradients(rows)(teacher, rows)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_gradients_of_the_student_are_in_units_of_the_columns():
    student = KDClassifier(TEACHER, hidden_layer_sizes=[6, 5], max_iter=20, random_state=0).fit(X, Y)
    expected = InputGradients(X)(TeacherScores(student, X), X)
    network, Z = student.network_, torch.tensor(TableEncoder().fit(X).transform(X), requires_grad=True)
    widths = [np.array([6]), np.array([5]), np.array([3])]
    module = StudentModule(
        Architecture([np.arange(4)], widths, 4),
        network.base,
        1,
        seed=0,
        initial=(network.coefs, network.intercepts),
        device=torch.device("cpu"),
    )
    for c in range(3):
        best = torch.full((len(X),), c)
        found = InputGradient([0, 1, 2, 3])(module, Z, module(Z), best, "softmax").detach()
        wrong = np.abs(found.numpy() - expected[:, :, c]) > 1e-2 * np.abs(expected).max()
        assert wrong.mean() < 0.01  # kinks within a step


@pytest.mark.parametrize("kind", ["superfeatures", "columns", "gradient"])
def test_weight_zero_is_kd_to_the_bit(kind):
    student = E2KDClassifier(TEACHER, explanation=kind, superfeatures=2, explanation_weight=0, **QUICK).fit(X, Y)
    if kind == "gradient":
        other = KDClassifier(TEACHER, **QUICK)
    else:
        groups = 2 if kind == "superfeatures" else [0, 1, 2, 3]
        alone = {"explanation_weight": 0, "chimeric": False, "committee_size": 1}
        other = KEDClassifier(TEACHER, superfeatures=groups, **alone, **QUICK)
    other.fit(X, Y)
    np.testing.assert_array_equal(student.decision_function(X), other.decision_function(X))
    taught = clone(student).set_params(explanation_weight=5.0).fit(X, Y)
    assert np.abs(taught.decision_function(X) - student.decision_function(X)).max() > 0.1


def test_labels_say_nothing_to_the_authors_loss():
    teacher = FrozenEstimator(clone(TEACHER).fit(X, Y))
    settings = {"superfeatures": [0, 0, 1, 1], "distillation_weight": 1.0, **QUICK}
    wrong = np.roll(Y, 50)
    assert E2KDClassifier(teacher, **settings).fit(X, wrong).score(X, Y) > 0.7
    assert E2KDClassifier(teacher, **{**settings, "distillation_weight": 0.2}).fit(X, wrong).score(X, Y) < 0.5
    more = E2KDClassifier(teacher, **settings).fit(X[::5], Y[::5], X_unlabelled=X)
    few = E2KDClassifier(teacher, **settings).fit(X[::5], Y[::5])
    assert not np.array_equal(more.decision_function(X), few.decision_function(X))


def planted(n, rng, *, copied):
    """Two columns decide; a third one is a copy of the label in the rows that the student sees."""
    rows = rng.normal(size=(n, 3))
    y = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    if copied:
        rows[:, 2] = 2 * y - 1 + 0.1 * rng.normal(size=n)
    return rows, y


@pytest.mark.parametrize("kind", ["superfeatures", "columns", "gradient"])
def test_student_decides_for_the_teachers_reasons(kind):
    rng = np.random.default_rng(0)
    teacher = make_pipeline(StandardScaler(), LogisticRegression(C=100)).fit(*planted(500, rng, copied=False))
    rows, y = planted(150, rng, copied=True)
    test, y_test = planted(1000, rng, copied=False)
    settings = {"superfeatures": [0, 1, 2], "max_parameters": 100, "max_iter": 60, "random_state": 0}
    scores = [
        E2KDClassifier(FrozenEstimator(teacher), explanation=kind, explanation_weight=weight, **settings)
        .fit(rows, y)
        .score(test, y_test)
        for weight in (0, 5)
    ]
    assert scores[1] > scores[0] + 0.03


def test_explanations_come_closer():
    settings = {"superfeatures": [0, 1, 2, 3], "max_parameters": 300, "max_iter": 40, "random_state": 0}
    teacher = TeacherScores(clone(TEACHER).fit(X, Y), X)
    centred = X - X.mean(axis=0)
    slopes = teacher.estimator[1].coef_ / teacher.estimator[0].scale_
    phi = centred[:, :, None] * slopes.T
    chosen = np.arange(len(X)), slice(None), teacher(X).argmax(axis=1)
    agreement = [
        explanation_agreement_score(
            phi[chosen],
            E2KDClassifier(TEACHER, explanation_weight=weight, **settings).fit(X, Y).contributions(X)[chosen],
        )
        for weight in (0, 5)
    ]
    assert agreement[1] > max(agreement[0] + 0.05, 0.85)


@pytest.mark.parametrize("kind", ["columns", "gradient"])
def test_files_pickles_and_reports(kind, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    student = E2KDClassifier(TEACHER, explanation=kind, **QUICK).fit(X, Y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(student)).predict_proba(X), student.predict_proba(X))
    save(student, tmp_path / "student.skops")
    np.testing.assert_array_equal(load(tmp_path / "student.skops").predict_proba(X), student.predict_proba(X))
    export_onnx(student, tmp_path / "student.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "student.onnx")
    outputs = dict(zip([output.name for output in session.get_outputs()], session.run(None, {"X": X}), strict=True))
    np.testing.assert_allclose(outputs["probabilities"], student.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(outputs["contributions"], student.contributions(X), atol=1e-4)
    table = distillation_report({"student": student}, X, Y, n_explained=20, n_repeat_timing=1).table
    assert table.loc["student", "agreement"] > 0.8
    assert ("explanation_agreement" in table) == (kind == "columns")


def test_other_tables_and_settings():
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame(X, columns=list("abcd")).assign(e=np.where(X[:, 0] > 5.5, "long", "short"), f=X[:, 1] > 3)
    columns = make_column_transformer((OneHotEncoder(), ["e", "f"]), remainder=StandardScaler())
    teacher = make_pipeline(columns, LogisticRegression())
    settings = {**QUICK, "early_stopping": True, "chimeric": 2.0, "superfeatures": 2}
    student = E2KDClassifier(teacher, explanation="gradient", **settings).fit(frame, Y)
    assert student.score(frame, Y) > 0.8
    assert len(student.validation_curve_) == student.n_iter_
    two = E2KDClassifier(TEACHER, explanation="gradient", **QUICK).fit(X[:100], Y[:100])
    assert two.contributions(X).shape == (150, 1)
    np.testing.assert_allclose(two.explanation_base_ + two.contributions(X)[:, 0], two.decision_function(X), rtol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "rows", "message"),
    [
        ({"explanation": "gradient", "teacher": DecisionTreeClassifier()}, X, "scores change smoothly"),
        ({"explanation": "gradient"}, X[:, :1] * 0, "at least one column of numbers that vary"),
        ({"explanation_weight": -1.0}, X, "'explanation_weight' parameter"),
        ({"explanation": "lime"}, X, "'explanation' parameter"),
    ],
)
def test_bad_settings(parameters, rows, message):
    with pytest.raises(ValueError, match=message):
        E2KDClassifier(**{"teacher": TEACHER, **QUICK, **parameters}).fit(rows, Y)


def test_page_shows_what_the_benchmark_wrote():
    from benchmarks.sisters.e2kd import render

    root = Path(__file__).parents[1]
    tables = render(json.loads((root / "benchmarks" / "results" / "e2kd.json").read_text()))
    assert tables in (root / "docs" / "e2kd.md").read_text(encoding="utf-8")


def test_as_many_rows_are_explained_as_asked_for():
    def fit(n_explanations):
        student = E2KDClassifier(TEACHER, explanation="gradient", n_explanations=n_explanations, **QUICK)
        return student.fit(X, Y).decision_function(X)

    np.testing.assert_array_equal(fit(150), fit("auto"))
    assert not np.array_equal(fit(20), fit("auto"))
