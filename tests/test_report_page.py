"""The page: its numbers are the report's, it loads nothing, and it warns in words."""

import html
import pickle
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import FeatureAgglomeration
from sklearn.datasets import load_diabetes, load_wine
from sklearn.dummy import DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skked import KEDClassifier, KEDRegressor, distillation_report

QUICK = {"max_iter": 25, "max_parameters": 100, "cv": 2, "chimeric": False, "random_state": 0}
WINE, CULTIVAR = load_wine(as_frame=True, return_X_y=True)
BODY, PROGRESS = load_diabetes(as_frame=True, return_X_y=True, scaled=False)
BODY = BODY.rename(columns={"bmi": "<bmi> & more"}).iloc[:, :5]


@pytest.fixture(scope="module")
def wine():
    y = np.array(["a", "b", "c"])[CULTIVAR]
    student = KEDClassifier(DecisionTreeClassifier(max_depth=4, random_state=0), superfeatures=4, **QUICK)
    linear = LogisticRegression(solver="newton-cholesky").fit(WINE[::2], y[::2])
    models = {"linear": linear, "student": student.fit(WINE[::2], y[::2])}
    return distillation_report(models, WINE[1::2], y[1::2], n_repeat_timing=1)


@pytest.fixture(scope="module")
def body():
    tree = DecisionTreeRegressor(max_depth=4, random_state=0)
    student = KEDRegressor(tree, superfeatures=2, **QUICK).fit(BODY[::2], PROGRESS[::2])
    models = {"ridge": Ridge().fit(BODY[::2], PROGRESS[::2]), "student": student}
    return distillation_report(models, BODY[1::2], PROGRESS[1::2], n_repeat_timing=1)


class Outline(HTMLParser):
    """Counts what opens and closes, and collects what would be loaded."""

    def __init__(self, text):
        super().__init__()
        self.open, self.loaded, self.pictures = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag != "meta":
            self.open.append(tag)
        attributes = dict(attributes)
        self.loaded += [attributes[name] for name in ("src", "href", "data") if name in attributes]
        self.loaded += [tag] if tag in ("script", "link", "iframe", "object") else []
        if tag == "svg":
            self.pictures.append(attributes.get("aria-label"))

    def handle_startendtag(self, tag, attributes):
        assert tag in ("path", "circle")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", ["wine", "body"])
def test_page_stands_alone_and_every_picture_is_described(name, request):
    text = request.getfixturevalue(name).to_html()
    outline = Outline(text)
    assert not outline.open and not outline.loaded
    assert "http://" not in text and "https://" not in text and "url(" not in text and "@import" not in text
    assert len(outline.pictures) >= 3 and all(outline.pictures)
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).lower().split()


@pytest.mark.parametrize("name", ["wine", "body"])
def test_numbers_are_the_report_s(name, request):
    report = request.getfixturevalue(name)
    (body,) = re.findall(r'<table class="models">.*?<tbody>(.*?)</tbody>', report.to_html(), re.S)
    rows = re.findall(r"<tr.*?>(.*?)</tr>", body)
    assert len(rows) == len(report.table)
    for row, (model, words) in zip(rows, report.in_words().iterrows(), strict=True):
        cells = [re.sub(r"<small>.*?</small>", "", cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)]
        assert [html.unescape(cell) for cell in cells] == [model, *words]


def test_intervals_are_those_of_a_binomial_share(wine):
    from skked._report_page._findings import intervals

    low, high = intervals(wine.evidence)["student"]["quality"]
    share, n = wine.table.loc["student", "accuracy"], wine.n_samples
    error = 1.96 * np.sqrt(share * (1 - share) / n)
    assert (low, high) == pytest.approx((share - error, share + error), abs=0.02)


def test_rows_show_what_teacher_and_student_contribute(wine):
    from skked._report_page._findings import explained_rows

    student, evidence = wine.evidence.models["student"], wine.evidence
    for row in explained_rows(evidence, student):
        cells = evidence.X.iloc[[row.position]]
        assert row.student == student.predict(cells)[0] and row.truth == evidence.y[row.position]
        column = list(student.classes_).index(row.student)
        assert row.score == pytest.approx(student.decision_function(cells)[0, column], abs=1e-5)
        where = list(evidence.explained.index).index(row.position)
        np.testing.assert_allclose(row.phi_teacher, evidence.explained_rows(student)[1][where, :, column])
    text = wine.to_html()
    assert text.count("<article>") == 5
    assert f"{row.phi_student[np.abs(row.phi_student).argmax()]:+.2f}" in text


def test_disagreement_counts_every_unequal_row(wine):
    from skked._report_page._findings import disagreement

    student, evidence = wine.evidence.models["student"], wine.evidence
    pairs = disagreement(evidence, student)
    unequal = evidence.teacher.predict(evidence.X) != student.predict(evidence.X)
    assert pairs["rows"].sum() == unequal.sum() > 0
    assert pairs["student right"].sum() == (student.predict(evidence.X) == evidence.y)[unequal].sum()


def test_calibration_of_a_perfect_and_of_a_boastful_model():
    from skked._report_page._findings import _calibration_error

    chance = np.repeat([0.25, 0.75], 400)
    true = np.tile([True, False, False, False], 100).tolist() + np.tile([True, True, True, False], 100).tolist()
    assert _calibration_error(chance, np.array(true), 8) == pytest.approx(0)
    assert _calibration_error(np.repeat([0.05, 0.95], 400), np.array(true), 8) == pytest.approx(0.2)


def test_warnings_are_in_words(body):
    text = html.unescape(body.to_html(X_train=BODY[BODY["bp"] < 90], notes=["<b>Read</b> me"]))
    assert "The student is far from its teacher" in text
    assert "“ridge” reaches an R²" in text
    assert re.search(r"not like the training rows in bp \(0\.\d\d\)", text)
    assert "&lt;b&gt;Read" in body.to_html(notes=["<b>Read</b> me"])
    assert "not like the training rows" not in html.unescape(body.to_html(X_train=BODY[::2]))


def test_names_are_escaped(body):
    text = body.to_html(title="<script>")
    assert "&lt;bmi&gt; &amp; more" in text and "<bmi>" not in text and "<script>" not in text


def test_page_of_a_model_that_explains_nothing(tmp_path):
    stump = DecisionTreeClassifier(max_depth=1).fit(WINE, CULTIVAR)
    report = distillation_report({"stump": stump}, WINE, CULTIVAR, n_repeat_timing=1)
    assert report.to_html(tmp_path / "page.html") is None
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Superfeatures" not in text and "Where they disagree" not in text
    Outline(text)


def test_bad_input(wine):
    with pytest.raises(ValueError, match="student to be one of"):
        wine.to_html(student="nobody")
    with pytest.raises(ValueError, match="X_train has 3 columns"):
        wine.to_html(X_train=WINE.iloc[:, :3])


def test_drift_of_numbers_categories_and_missing_cells():
    from skked._report_page._findings import drift

    old = pd.DataFrame({"x": np.arange(500.0), "c": ["a", "b"] * 250, "m": 1.0, "same": np.arange(500) % 7})
    new = pd.DataFrame({"x": np.arange(500.0) + 250, "c": ["a"] * 500, "m": [1.0, np.nan] * 250, "same": old["same"]})
    found = drift(old, new)
    assert found.to_dict() == pytest.approx({"x": 0.5, "c": 0.5, "m": 0.5})


def found_by(superfeatures, X, y):
    return KEDClassifier(GaussianNB(), superfeatures=superfeatures, **QUICK | {"max_iter": 1}).fit(X, y)


def test_superfeatures_that_other_rows_would_not_give():
    from skked._report_page._stability import stability

    rng = np.random.RandomState(0)
    noise, y = rng.normal(size=(400, 9)), rng.randint(2, size=400)
    blocks = np.repeat(noise[:, :3], 3, axis=1) + 0.1 * rng.normal(size=(400, 9))
    shaken, firm = found_by(3, noise, y), found_by(3, blocks, y)
    assert stability(firm, blocks, y) == 1
    assert stability(shaken, noise, y) < 0.3
    assert stability(found_by(FeatureAgglomeration(3), noise, y), noise, y) < 0.3
    assert np.isnan(stability(found_by([0, 0, 0, 1, 1, 1, 2, 2, 2], noise, y), noise, y))
    assert np.isnan(stability(shaken, noise[:99], y[:99]))
    assert np.isnan(stability(GaussianNB().fit(noise, y), noise, y))
    report = distillation_report({"firm": firm, "shaken": shaken}, noise, y, n_repeat_timing=1)
    assert any("superfeatures are unstable" in warning for warning in report.warnings(student="shaken"))
    assert all(warning in html.unescape(report.to_html()) for warning in report.warnings())


class Guess(ClassifierMixin, BaseEstimator):
    """A teacher that says a class and no probability."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[(np.asarray(X)[:, 0] > 13).astype(int)]


def page_of(models, X, y, **options):
    report = distillation_report(models, X, y, n_repeat_timing=1, **options)
    text = report.to_html()
    Outline(text)
    return html.unescape(text)


def test_models_without_probabilities_are_compared_by_class():
    y = (CULTIVAR == 0).to_numpy()
    student = KEDClassifier(GaussianNB(), superfeatures=4, **QUICK).fit(WINE, y)
    guess = Guess().fit(WINE, y)
    assert "Where they disagree" in page_of({"student": student}, WINE, y, teacher=guess)
    assert "Probabilities" not in page_of({"guess": guess}, WINE, y)


def test_a_student_that_says_the_same_as_its_teacher():
    tree = DecisionTreeClassifier(max_depth=1, random_state=0)
    y = (CULTIVAR == 0).to_numpy()
    student = KEDClassifier(tree, superfeatures=2, **QUICK | {"max_iter": 60}).fit(WINE, y)
    rows = WINE[student.predict(WINE) == student.teacher_.predict(WINE)]
    text = page_of({"student": student}, rows, y[rows.index])
    assert "both predict the same class everywhere" in text


def test_a_constant_prediction_correlates_with_everything():
    constant = KEDRegressor(DummyRegressor(), superfeatures=2, **QUICK).fit(BODY, PROGRESS)
    assert "student" in page_of({"student": constant}, BODY[::3], PROGRESS[::3])


def test_the_loss_of_held_out_rows_and_many_rows_are_drawn():
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.normal(size=(1200, 3)), columns=list("abc"))
    y = (X["a"] > 0).to_numpy()
    student = KEDClassifier(GaussianNB(), superfeatures=2, early_stopping=True, **QUICK).fit(X, y)
    text = page_of({"student": student}, X, y)
    assert "held-out training rows" in text and "500 of the held-out rows" in text


def test_warnings_about_superfeatures():
    from skked._report_page._warnings import _about_the_student

    X = pd.DataFrame(np.random.RandomState(0).normal(size=(80, 6)), columns=list("abcdef"))
    student = KEDRegressor(Ridge(), superfeatures=[0, 0, 0, 0, 0, 1], **QUICK).fit(X, X["a"])
    student.additive_gap_ = 0.1
    student.loss_curve_ = list(np.linspace(2, 1, 60))
    words = " ".join(_about_the_student(student, None))
    assert "The superfeatures cost something" in words and "0.100 of R²" in words
    assert "One superfeature holds 83% of the columns" in words
    assert "loss was still falling" in words


def test_stability_that_cannot_be_measured():
    from skked._report_page._stability import stability

    rng = np.random.RandomState(0)
    noise, y = rng.normal(size=(200, 6)), rng.randint(2, size=200)
    student = found_by(2, noise, y)
    assert np.isnan(stability(student, noise[:50], y[:50]))


def test_interactions_of_very_many_columns_are_not_looked_for(monkeypatch):
    from skked._report_page import _stability

    rng = np.random.RandomState(0)
    noise, y = rng.normal(size=(300, 6)), rng.randint(2, size=300)
    student = found_by(3, noise, y)
    student.superfeature_labels_ = np.array([0, 1, 2, 0, 1, 2])
    monkeypatch.setattr(_stability, "_MOST_COLUMNS", 1)
    monkeypatch.setattr(_stability, "_SAME", 2.0)
    assert np.isnan(_stability.stability(student, noise, y))
    monkeypatch.setattr(_stability, "_SAME", -2.0)
    assert -1 <= _stability.stability(student, noise, y) <= 1


def test_rows_of_a_student_whose_teacher_explained_none():
    from skked._report_page._findings import explained_rows, importance

    X = pd.DataFrame(np.random.RandomState(0).normal(size=(60, 4)), columns=list("abcd"))
    student = KEDRegressor(Ridge(), superfeatures=2, **QUICK).fit(X, X["a"])
    alone = pickle.loads(pickle.dumps(student))
    vars(alone).pop("teacher_", None)
    report = distillation_report({"student": alone}, X, X["a"], n_repeat_timing=1)
    assert list(importance(report.evidence, alone).columns) == ["student"]
    assert len(explained_rows(report.evidence, alone)) >= 3


def test_resamples_of_no_weight_are_left_out():
    weight = np.zeros(60)
    weight[0] = 1.0
    y = np.arange(60) % 2
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(60, 2)), columns=list("ab"))
    student = KEDClassifier(GaussianNB(), superfeatures=[0, 1], **QUICK).fit(X, y)
    page_of({"student": student}, X, y, sample_weight=weight)


@pytest.mark.parametrize("with_teacher", [True, False])
def test_a_page_without_explanations_of_the_teacher_and_of_very_few_rows(with_teacher):
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(60, 4)), columns=list("abcd"))
    student = KEDRegressor(DecisionTreeRegressor(max_depth=3), superfeatures=2, **QUICK).fit(X, X["a"])
    if not with_teacher:
        student = pickle.loads(pickle.dumps(student))
        vars(student).pop("teacher_", None)
    rows = X[:3].copy()
    rows.loc[0, "b"] = np.nan
    text = page_of({"student": student}, rows, X["a"][:3], n_explained=0)
    assert "missing" in text
    assert ("the teacher says" in text) == with_teacher


def test_quality_that_is_lost_on_the_way_is_a_warning():
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(200, 3)), columns=list("abc"))
    y = X["a"] * X["b"] > 0
    tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    student = KEDClassifier(FrozenEstimator(tree), superfeatures=[0, 1, 2], **QUICK | {"max_iter": 2}).fit(X, y)
    assert "Much of the teacher's quality was lost" in page_of({"tree": tree, "student": student}, X, y, teacher=tree)
