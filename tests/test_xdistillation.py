"""XDistillation: the loss against an oracle, the code and its decoder, and what the student promises."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skked import XDistillationClassifier, distillation_report, explanation_agreement_score, export_onnx, load, save
from skked._explanations import TreeShapExplainer
from skked._teachers import TeacherScores
from skked._torch._train import Schedule, TrainingSet
from skked._torch._xdistillation import XDistillationLoss, encoder_of, train_autoencoder

QUICK = {"max_iter": 15, "max_parameters": 300, "random_state": 0}
GROUPS = [0, 0, 1, 1]
X, Y = load_iris(return_X_y=True)
TEACHER = make_pipeline(StandardScaler(), LogisticRegression())


class Answers(torch.nn.Module):
    """A student whose scores and codes are given."""

    def __init__(self, score, code):
        super().__init__()
        self.answers = torch.tensor(score), torch.tensor(code)

    def forward(self, Z):
        return self.answers


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_loss_is_what_is_documented_and_zero_for_a_copy(n_outputs):
    rng = np.random.default_rng(0)
    n = 8
    score, soft = rng.normal(size=(2, n, n_outputs))
    code, taught = rng.normal(size=(2, n, 4))
    weights = rng.uniform(0.5, 2, size=(3, n))
    label = rng.integers(2 if n_outputs == 1 else 3, size=n)
    hard = label[:, None].astype(float) if n_outputs == 1 else np.eye(3)[label]
    batch = TrainingSet(np.zeros((n, 1)), hard, soft, None, *weights)
    kind, lam, mu, T = "softmax" if n_outputs > 1 else "sigmoid", 0.6, 0.3, 2.0
    settings = {"explanation_weight": mu, "temperature": T}
    loss = XDistillationLoss(kind, distillation_weight=lam, **settings)
    found = loss(Answers(score, code), batch.to_tensors("cpu"), torch.tensor(taught)).numpy()
    z, z_t = (np.hstack([np.zeros_like(s), s]) if n_outputs == 1 else s for s in (score, soft))
    p = softmax(z_t / T, axis=1)
    kl = (p * (np.log(p) - log_softmax(z / T, axis=1))).sum(axis=1)
    ce = -log_softmax(z, axis=1)[np.arange(n), label]
    expected = (1 - lam) * weights[1] * ce
    expected += lam * ((1 - mu) * T**2 * weights[0] * kl + mu * weights[2] * ((code - taught) ** 2).mean(axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    copy = XDistillationLoss(kind, distillation_weight=1.0, **settings)
    np.testing.assert_allclose(copy(Answers(soft, taught), batch.to_tensors("cpu"), torch.tensor(taught)), 0, atol=1e-5)


def test_autoencoder_reads_explanations_from_its_code():
    rng = np.random.default_rng(0)
    explanations = (rng.normal(size=(300, 2)) @ rng.normal(size=(2, 12)) * 7).astype(np.float32)
    weight = np.ones(300)
    schedule = Schedule(max_iter=40, batch_size=32, learning_rate_init=0.01, alpha=0.0)
    settings = {"n_hidden": 16, "n_code": 2, "image": (None, 1), "seed": 0}
    found = train_autoencoder(explanations, weight, [explanations[:5]], schedule, **settings)
    code = found.codes[0]
    hidden = np.maximum(code @ found.coefs[0] + found.intercepts[0], 0)
    decoded = found.scale * (hidden @ found.coefs[1] + found.intercepts[1])
    assert ((decoded - explanations) ** 2).mean() < 0.05 * (explanations**2).mean()
    assert code.std(axis=0).mean() == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(found.codes[1], code[:5], rtol=1e-4, atol=1e-5)
    silent = train_autoencoder(0 * explanations, 0 * weight, [], schedule, **settings)
    assert np.isfinite(silent.codes[0]).all()


@pytest.mark.parametrize("image_shape", [None, (8, 8), (7, 5)])
def test_encoder_takes_tables_and_images(image_shape):
    n_values = 24 if image_shape is None else 3 * np.prod(image_shape)
    assert encoder_of(n_values, 6, 4, image_shape, 3)(torch.zeros(2, n_values)).shape == (2, 4)


@pytest.mark.parametrize("mode", ["auxiliary", "input"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_student_stands_on_its_own(mode, n_classes, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    rows, y = X[: 50 * n_classes], Y[: 50 * n_classes]
    student = XDistillationClassifier(TEACHER, mode=mode, superfeatures=GROUPS, **QUICK).fit(rows, y)
    phi = student.contributions(X)
    assert phi.shape == ((150, 2) if n_classes == 2 else (150, 2, 3))
    np.testing.assert_allclose(student.explanation_base_ + phi.sum(axis=1), student.decision_function(X), rtol=1e-5)
    assert 200 < student.n_parameters_ <= 300 and student.n_explanation_parameters_ > 0
    assert pickle.loads(pickle.dumps(student)).predict_proba(X).tolist() == student.predict_proba(X).tolist()
    save(student, tmp_path / "student.skops")
    np.testing.assert_array_equal(load(tmp_path / "student.skops").contributions(X), phi)
    export_onnx(student, tmp_path / "student.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "student.onnx")
    outputs = dict(zip([output.name for output in session.get_outputs()], session.run(None, {"X": X}), strict=True))
    np.testing.assert_allclose(outputs["probabilities"], student.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(outputs["contributions"], phi, atol=1e-4)
    table = distillation_report({"student": student}, rows, y, n_explained=20, n_repeat_timing=1).table
    assert table.loc["student", "explanation_agreement"] > 0.5


@pytest.mark.parametrize("mode", ["auxiliary", "input"])
def test_contributions_are_the_teachers(mode):
    student = XDistillationClassifier(
        TEACHER, mode=mode, superfeatures=[0, 1, 2, 3], max_iter=60, max_parameters=300, random_state=0
    ).fit(X, Y)
    slopes = student.teacher_[1].coef_ / student.teacher_[0].scale_
    teacher = (X - X.mean(axis=0))[:, :, None] * (slopes - slopes.mean(axis=0)).T
    assert explanation_agreement_score(teacher, student.contributions(X)) > 0.85
    assert student.score(X, Y) > 0.9
    assert student.code_error_ < 0.1


def test_columns_by_shaps_tree_explainer():
    boosting = GradientBoostingClassifier(n_estimators=10, random_state=0)
    teacher = TeacherScores(boosting.fit(X[:100], Y[:100]), X[:100])
    explainer = TreeShapExplainer([0, 1, 2, 3]).fit(teacher, X[:100])
    found = explainer.explain(X[:100])
    np.testing.assert_allclose(found.base + found.phi.sum(axis=1), teacher(X[:100]), atol=1e-6)
    student = XDistillationClassifier(boosting, explanation="columns", explainer="tree_shap", **QUICK)
    student.fit(X[:100], Y[:100])
    assert student.superfeature_names_ == ["x0", "x1", "x2", "x3"]
    assert explanation_agreement_score(found.phi[..., 1:], student.contributions(X[:100])) > 0.8
    teacher.estimator.set_params(learning_rate=0.5)  # which it applies when it is asked
    with pytest.raises(ValueError, match="what it gives does not sum to the scores"):
        explainer.explain(X[:100])


def test_images():
    digits, y = load_digits(n_class=3, return_X_y=True)
    teacher = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    student = XDistillationClassifier(
        teacher, explanation="gradient", image_shape=(8, 8), early_stopping=True, **{**QUICK, "max_parameters": 800}
    ).fit(digits, y)
    assert student.contributions(digits[:5]).shape == (5, 64, 3)
    assert student.score(digits, y) > 0.9


def test_rows_without_labels_teach():
    few = XDistillationClassifier(TEACHER, superfeatures=GROUPS, **QUICK).fit(X[::5], Y[::5])
    more = XDistillationClassifier(TEACHER, superfeatures=GROUPS, **QUICK).fit(X[::5], Y[::5], X_unlabelled=X)
    assert not np.array_equal(few.decision_function(X), more.decision_function(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"explanation_weight": 0.0}, "'explanation_weight' parameter"),
        ({"mode": "both"}, "'mode' parameter"),
        ({"image_shape": (2, 2)}, "an explanation per pixel"),
        ({"image_shape": (3, 3), "explanation": "columns"}, "makes 9 columns, but X has 4"),
        ({"image_shape": (4,), "explanation": "columns"}, "image_shape as"),
        ({"explainer": "tree_shap"}, "explains single columns"),
        ({"explainer": "tree_shap", "explanation": "columns"}, "cannot explain Pipeline"),
        (
            {"explainer": "tree_shap", "explanation": "columns", "teacher": RandomForestClassifier(3)},
            "cannot explain RandomForestClassifier: its scores are not sums over trees",
        ),
        ({"explanation": "gradient", "teacher": DecisionTreeClassifier()}, "scores change smoothly"),
        ({"mode": "input", "max_parameters": 20}, "Raise max_parameters to at least"),
    ],
)
def test_bad_settings(parameters, message):
    with pytest.raises(ValueError, match=message):
        XDistillationClassifier(**{"teacher": TEACHER, "superfeatures": GROUPS, **QUICK, **parameters}).fit(X, Y)


def test_page_shows_what_the_benchmark_wrote():
    from benchmarks.sisters.xdistillation import render

    root = Path(__file__).parents[1]
    tables = render(json.loads((root / "benchmarks" / "results" / "xdistillation.json").read_text()))
    assert tables in (root / "docs" / "xdistillation.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", ["auxiliary", "input"])
def test_hidden_layers_are_as_wide_as_asked_for(mode):
    quick = {"max_iter": 2, "cv": 2, "random_state": 0, "superfeatures": [0, 0, 1, 1]}
    student = XDistillationClassifier(DecisionTreeClassifier(max_depth=3), mode=mode, hidden_layer_sizes=(7,), **quick)
    assert student.fit(X, Y).network_.student.coefs[0][0].shape[1] == 7
