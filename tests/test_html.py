"""How notebooks show estimators: the flow of the fit, in scikit-learn's own drawing."""

import re

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skked import E2KDClassifier, ExplainingTeacherClassifier, GroupShapleyExplainer, KDClassifier, KEDClassifier

X, Y = load_breast_cancer(return_X_y=True, as_frame=True)
X, Y = X.iloc[::4, :4], Y.iloc[::4]
GROUPS = {"size": ["mean radius", "mean perimeter", "mean area"], "the <other>": ["mean texture"]}


def boxes(estimator):
    """Titles and small print of the boxes, in their order."""
    html = estimator._repr_html_()
    return re.findall(r"<div><div>([^<]*)</div>(?:<div class=\"caption\">([^<]*)</div>)?", html)


def student(**parameters):
    return KEDClassifier(GaussianNB(), superfeatures=GROUPS, max_iter=2, random_state=0, **parameters)


def test_the_flow_before_fit():
    assert boxes(student()) == [
        ("KEDClassifier", ""),
        ("teacher: GaussianNB", ""),
        ("GaussianNB", ""),
        ("Superfeatures", "given"),
        ("Explanations", "Shapley values of the superfeatures"),
        ("Student network", "at most 2,000 parameters"),
    ]


def test_superfeatures_and_columns_after_fit():
    fitted = student().fit(X, Y)
    titles = boxes(fitted)
    assert ("2 superfeatures", "size, the &lt;other&gt;") in titles
    assert ("Student network", f"{fitted.n_parameters_:,} parameters") in titles
    html = fitted._repr_html_()
    assert "size: mean radius, mean perimeter, mean area\nthe &lt;other&gt;: mean texture" in html
    assert "<other>" not in html


def test_inside_a_pipeline():
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), student()).fit(X, Y)
    titles = [title for title, _ in boxes(pipeline)]
    assert titles[:3] == ["Pipeline", "StandardScaler", "kedclassifier: KEDClassifier"]
    assert "2 superfeatures" in titles


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (KDClassifier(), [("Teacher", "gradient boosting"), ("Student network", "at most 2,000 parameters")]),
        (KEDClassifier(superfeatures=5, hidden_layer_sizes=3), [("5 superfeatures", "found in fit")]),
        (KEDClassifier(hidden_layer_sizes=3), [("Student network", "hidden layers of [3] units")]),
        (KEDClassifier(explainer="additive"), [("Explanations", "the teacher&#x27;s own contributions")]),
        (KEDClassifier(explainer=GroupShapleyExplainer([])), [("explainer: GroupShapleyExplainer", "")]),
        (E2KDClassifier(explanation="gradient"), [("Explanations", "gradient times input")]),
        (ExplainingTeacherClassifier(), [("Additive boosting", "one part per superfeature")]),
    ],
)
def test_kinds_of_flows(estimator, expected):
    drawn = boxes(estimator)
    assert [box for box in drawn if box in expected] == expected


def test_wide_tables_are_cut_short():
    images, labels = load_digits(return_X_y=True)
    groups = {f"row {row} of the image": list(range(8 * row, 8 * row + 8)) for row in range(7)}
    groups["the row that is the last"] = list(range(56, 64))
    fitted = KEDClassifier(GaussianNB(), superfeatures=groups, max_iter=1, random_state=0)
    html = fitted.fit(images[:200], labels[:200])._repr_html_()
    assert "the row that is the last: x56, x57" in html
    assert "row 0 of the image, row 1 of the image, row 2 of the image…" in html


def test_very_many_superfeatures_are_cut_short():
    wide = load_digits().data[::9]
    groups = np.arange(64)
    fitted = KEDClassifier(GaussianNB(), superfeatures=groups, max_iter=1, max_parameters=900, cv=2, random_state=0)
    text = fitted.fit(wide, load_digits().target[::9])._repr_html_()
    assert re.search(r"and \d+ more", text)
