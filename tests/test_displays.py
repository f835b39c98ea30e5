"""Plots: the numbers on the axes are the numbers of the models."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import skked as displays
from skked import GroupShapleyExplainer, KDClassifier, KEDClassifier, KEDRegressor, SuperfeatureClustering

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pytest.importorskip("matplotlib.pyplot")

QUICK = {"max_iter": 3, "max_parameters": 100, "cv": 2, "chimeric": False, "random_state": 0}
WINE, CULTIVAR = load_wine(as_frame=True, return_X_y=True)
BODY, PROGRESS = load_diabetes(as_frame=True, return_X_y=True)
BODY = BODY[["age", "sex", "bmi", "bp"]].assign(bmi=np.digitize(BODY["bmi"], [-0.05, 0.0, 0.05]).astype(float))


@pytest.fixture(autouse=True)
def closed():
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture(scope="module")
def wine():
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    return KEDClassifier(tree, superfeatures=4, early_stopping=True, **QUICK).fit(WINE, CULTIVAR)


@pytest.fixture(scope="module")
def two_classes():
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    y = np.where(CULTIVAR == 0, "first", "other")
    return KEDClassifier(tree, superfeatures=3, **QUICK).fit(WINE.to_numpy(), y)


@pytest.fixture(scope="module")
def regressor():
    tree, groups = (
        DecisionTreeRegressor(max_depth=3, random_state=0),
        {"who": ["age", "sex"], "b": ["bmi"], "p": ["bp"]},
    )
    return KEDRegressor(tree, superfeatures=groups, network="additive", **QUICK).fit(BODY, PROGRESS)


def widths(display):
    return [[bar.get_width() for bar in bars] for bars in display.bars_]


def test_row_of_a_regressor(regressor):
    display = displays.ExplanationDisplay.from_estimator(regressor, BODY, kind="row", row=7)
    phi = regressor.contributions(BODY.iloc[[7]])[0]
    order = np.argsort(-np.abs(phi), kind="stable")
    np.testing.assert_allclose(widths(display)[0], phi[order])
    assert f"{regressor.predict(BODY.iloc[[7]])[0]:+.3g}" in display.ax_.get_title(loc="left")
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels[list(order).index(1)] == f"b = {BODY['bmi'].iloc[7]:.4g}"


def test_the_other_of_two_classes_is_the_negative(two_classes):
    rows = WINE.to_numpy()[:5]
    one, other = (
        displays.ExplanationDisplay.from_estimator(two_classes, rows, kind="row", row=-1, target_class=label)
        for label in ("other", "first")
    )
    np.testing.assert_allclose(one.contributions, two_classes.contributions(rows)[4])
    np.testing.assert_allclose(other.contributions, -one.contributions)
    assert "log-odds of first" in other.ax_.get_xlabel()


def test_importance_is_of_the_predicted_class_and_the_rest_shares_a_bar(wine):
    display = displays.ExplanationDisplay.from_estimator(wine, WINE, max_display=2)
    phi, predicted = wine.contributions(WINE), wine.predict(WINE)
    mean = np.abs(phi[np.arange(len(phi)), :, predicted]).mean(axis=0)
    expected = np.sort(mean)[::-1]
    np.testing.assert_allclose(widths(display)[0], [*expected[:2], expected[2:].sum()])
    chosen = displays.ExplanationDisplay.from_estimator(wine, WINE, target_class=2)
    np.testing.assert_allclose(widths(chosen)[0], np.sort(np.abs(phi[:, :, 2]).mean(axis=0))[::-1])


def test_explanations_of_any_model():
    model = LogisticRegression(solver="newton-cholesky").fit(WINE, CULTIVAR)
    labels = np.arange(13) % 3
    explanation = GroupShapleyExplainer(labels, random_state=0).fit(model, WINE).explain(WINE[:4])
    display = displays.ExplanationDisplay.from_explanation(explanation, kind="row", row=1, target_class="1")
    np.testing.assert_allclose(display.contributions, explanation.phi[1, :, 1])
    assert display.base == pytest.approx(explanation.base[1])


def test_teacher_against_student(wine, regressor):
    ax = matplotlib.pyplot.subplots()[1]
    display = displays.AgreementDisplay.from_estimator(wine, WINE, ax=ax)
    theirs, ours = wine.teacher_.predict_proba(WINE), wine.predict_proba(WINE)
    same = theirs.argmax(axis=1) == ours.argmax(axis=1)
    each, top = np.arange(len(WINE)), theirs.argmax(axis=1)
    expected = np.column_stack([theirs[each, top], ours[each, top]])
    np.testing.assert_allclose(display.points_[0].get_offsets(), expected[same])
    np.testing.assert_allclose(display.points_[1].get_offsets(), expected[~same])
    assert display.ax_ is ax and display.figure_ is ax.figure
    numbers = displays.AgreementDisplay.from_estimator(regressor, BODY)
    expected = np.column_stack([regressor.teacher_.predict(BODY), regressor.predict(BODY)])
    np.testing.assert_allclose(numbers.points_[0].get_offsets(), expected)


def test_loss_curves(wine, regressor):
    display = displays.LossCurveDisplay.from_estimator(make_pipeline(wine))
    np.testing.assert_allclose(display.lines_[0].get_xydata(), np.column_stack([[1, 2, 3], wine.loss_curve_]))
    np.testing.assert_allclose(display.lines_[1].get_ydata(), wine.validation_curve_)
    assert len(displays.LossCurveDisplay.from_estimator(regressor).lines_) == 1


def test_response_of_one_column(regressor):
    display = displays.ResponseDisplay.from_estimator(regressor, BODY, "p", grid_resolution=7)
    assert display.grids[0][[0, -1]] == pytest.approx(np.quantile(BODY["bp"], [0.01, 0.99]))
    rows = pd.concat([BODY.iloc[[0]]] * 7).assign(bp=display.grids[0])
    np.testing.assert_allclose(display.line_.get_ydata(), regressor.contributions(rows)[:, 2], atol=1e-4)
    levels = displays.ResponseDisplay.from_estimator(regressor, BODY, "b")
    assert list(levels.line_.get_xdata()) == [0, 1, 2, 3]


def test_response_of_two_columns_and_of_a_pipeline(regressor):
    pipeline = make_pipeline(FunctionTransformer(), regressor)
    display = displays.ResponseDisplay.from_estimator(pipeline, BODY, "who", grid_resolution=3)
    age, sex = display.grids
    rows = pd.concat([BODY.iloc[[5]]] * 3).assign(age=age, sex=sex[1])
    expected = regressor.contributions(rows)[:, 0]
    np.testing.assert_allclose(display.contributions[:, 1], expected, atol=1e-4)
    np.testing.assert_allclose(np.asarray(display.image_.get_array()).reshape(len(sex), 3), display.contributions.T)


def test_response_of_categories():
    X = BODY.assign(sex=np.where(BODY["sex"] > 0, "f", "m"))[["sex", "age"]]
    linear = KEDRegressor(superfeatures=[0, 1], explainer="additive", **QUICK).fit(X, PROGRESS)
    display = displays.ResponseDisplay.from_estimator(linear, X, "sex")
    heights = [bar.get_height() for bar in display.bars_]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["f", "m"]
    where = [int(np.flatnonzero(X["sex"] == level)[0]) for level in ("f", "m")]
    np.testing.assert_allclose(heights, linear.contributions(X.iloc[where])[:, 0], atol=1e-4)


def leaves(display):
    return [label.get_text() for label in display.ax_[1].get_yticklabels()]


def test_tree_and_affinity_of_a_clustering():
    clustering = SuperfeatureClustering(3, affinity="spearman").fit(WINE)
    display = displays.SuperfeatureDisplay.from_estimator(clustering)
    order = display.order_
    np.testing.assert_allclose(display.image_.get_array(), clustering.affinity_[np.ix_(order, order)])
    assert leaves(display) == list(WINE.columns[order])
    tops = sorted(max(line.get_xdata()) for line in display.ax_[0].lines)
    np.testing.assert_allclose(tops, np.sort(clustering.linkage_[:, 2]))


def test_tree_of_a_student_joins_its_superfeatures_first(wine):
    display = displays.SuperfeatureDisplay.from_estimator(wine, WINE)
    in_order = wine.superfeature_labels_[display.order_]
    assert (np.diff(in_order) != 0).sum() == len(wine.superfeature_names_) - 1
    only = displays.SuperfeatureDisplay.from_estimator(wine, WINE, kind="tree")
    assert len(only.ax_.lines) == WINE.shape[1] - 1


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda w: displays.SuperfeatureDisplay.from_estimator(w), ValueError, "Pass rows"),
        (lambda w: displays.SuperfeatureDisplay.from_estimator(w, WINE, kind="t"), ValueError, '"tree"'),
        (lambda w: displays.ExplanationDisplay.from_estimator(w, WINE, kind="t"), ValueError, '"importance"'),
        (lambda w: displays.ExplanationDisplay.from_estimator(w, WINE, kind="row", row=178), ValueError, "178"),
        (lambda w: displays.ExplanationDisplay.from_estimator(w, WINE, target_class=3), ValueError, "one of"),
        (lambda w: displays.ExplanationDisplay.from_estimator(w.teacher_, WINE), TypeError, "DecisionTree"),
        (lambda w: displays.LossCurveDisplay.from_estimator(w.teacher_), TypeError, "loss_curve_"),
        (lambda w: displays.AgreementDisplay.from_estimator(w.teacher_, WINE), ValueError, "no teacher_"),
        (lambda w: displays.ResponseDisplay.from_estimator(w, WINE, 0), ValueError, "One or two"),
        (lambda w: displays.ResponseDisplay.from_estimator(w, WINE, 0, columns=["alcohol"]), ValueError, "Which of"),
        (lambda w: displays.ResponseDisplay.from_estimator(w, WINE, "x", target_class=1), ValueError, "got 'x'"),
        (lambda w: displays.ResponseDisplay.from_estimator(w, WINE, 9, target_class=1), ValueError, "got 9"),
    ],
)
def test_bad_input(wine, call, error, match):
    with pytest.raises(error, match=match):
        call(wine)


def test_without_matplotlib_the_error_says_what_to_install(wine, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skked\[plot\]"):
        displays.LossCurveDisplay.from_estimator(wine)


@pytest.fixture(scope="module")
def dense():
    return KDClassifier(DecisionTreeClassifier(max_depth=3), **QUICK).fit(WINE, CULTIVAR)


def test_more_bad_input(wine, regressor, dense):
    without_teacher = pickle.loads(pickle.dumps(wine))
    vars(without_teacher).pop("teacher_", None)
    for call, error, match in [
        (lambda: displays.ExplanationDisplay.from_estimator(regressor, BODY, target_class=1), ValueError, "no classes"),
        (lambda: displays.AgreementDisplay.from_estimator(without_teacher, WINE), ValueError, "has no teacher_"),
        (lambda: displays.SuperfeatureDisplay.from_estimator(dense), TypeError, "with superfeatures, got KDClassifier"),
        (lambda: displays.SuperfeatureDisplay.from_estimator(wine, WINE, kind="trees"), ValueError, "Expected kind"),
        (
            lambda: displays.ResponseDisplay.from_estimator(wine, WINE, 0, columns=["none of them"]),
            ValueError,
            "Expected columns of the superfeature",
        ),
    ]:
        with pytest.raises(error, match=match):
            call()


def test_trees_and_affinities_fit_the_axes_that_are_given(wine):
    axes = matplotlib.pyplot.subplots(1, 2)[1]
    assert list(displays.SuperfeatureDisplay.from_estimator(wine, WINE, ax=axes).ax_) == list(axes)
    single = matplotlib.pyplot.subplots()[1]
    assert displays.SuperfeatureDisplay.from_estimator(wine, WINE, kind="tree", ax=single).ax_ is single
    with pytest.raises(ValueError, match="draws on 2 axes, got 1"):
        displays.SuperfeatureDisplay.from_estimator(wine, WINE, ax=single)


def test_names_of_very_many_columns_are_left_out():
    wide = np.random.RandomState(0).normal(size=(30, 61))
    clustering = SuperfeatureClustering(5, affinity="spearman").fit(wide)
    display = displays.SuperfeatureDisplay.from_estimator(clustering, kind="affinity")
    assert not display.ax_.get_yticklabels()


def test_small_contributions_keep_their_digits(regressor):
    small = DecisionTreeRegressor(max_depth=3, random_state=0).fit(BODY, PROGRESS / 1e6)
    explanation = GroupShapleyExplainer([0, 1, 2, 2]).fit(small, BODY).explain(BODY.iloc[:4])
    display = displays.ExplanationDisplay.from_explanation(explanation, kind="row", row=0)
    texts = [text.get_text() for text in display.ax_.texts]
    assert any("e-" in text for text in texts)


def test_contributions_to_probabilities_are_named(wine):
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(WINE, CULTIVAR)
    explanation = GroupShapleyExplainer(wine.superfeature_labels_, response="probability").fit(tree, WINE)
    shown = displays.ExplanationDisplay.from_explanation(explanation.explain(WINE[:5]))
    assert "probability" in shown.ax_.get_xlabel() and "nats" not in shown.ax_.get_xlabel()


def test_the_class_whose_probability_is_shown(wine):
    display = displays.AgreementDisplay.from_estimator(wine, WINE, teacher=wine.teacher_, target_class=2)
    np.testing.assert_allclose(display.student, wine.predict_proba(WINE)[:, 2])


def test_steep_losses_are_on_a_logarithmic_scale():
    display = displays.LossCurveDisplay(loss_curve=[100.0, 10.0, 1.0]).plot()
    assert display.ax_.get_yscale() == "log"


@pytest.mark.parametrize("kind", ["importance", "row"])
def test_two_models_side_by_side(kind):
    values = np.array([[0.5, -0.2], [0.1, 0.4]])
    display = displays.ExplanationDisplay(
        contributions=values, superfeature_names=["a", "b"], kind=kind, base=1.0, model_names=["teacher", "student"]
    ).plot()
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["teacher", "student"]
    np.testing.assert_allclose(np.abs(widths(display)), np.abs(values[:, display.order_]))


def test_responses_of_many_values_and_of_categories():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"]).assign(c=rng.choice(["u", "v"], 80))
    student = KEDRegressor(superfeatures={"ab": ["a", "b"], "c": ["c"]}, **QUICK).fit(X, X["a"] * X["b"])
    curve = displays.ResponseDisplay.from_estimator(student, X, "ab", columns=["a"])
    assert len(curve.grids[0]) > 10 and curve.line_.get_marker() == "None"
    plane = displays.ResponseDisplay.from_estimator(student, X, "ab", columns=["a", "b"])
    assert plane.contributions.shape == tuple(map(len, plane.grids))
    mixed = KEDRegressor(superfeatures={"ac": ["a", "c"], "b": ["b"]}, **QUICK).fit(X, X["a"])
    levels = displays.ResponseDisplay.from_estimator(mixed, X, "ac", columns=["a", "c"])
    assert [text.get_text() for text in levels.ax_.get_yticklabels()] == ["u", "v"]
