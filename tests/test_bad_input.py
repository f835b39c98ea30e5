"""Bad input, entry by entry: the right error, one clear sentence, and nothing left behind.

A case is one call that must fail. For each of them the same promises are checked: the type of the error, what its
message says, that the estimator is as it was, that the inputs are as they were, that no global state moved, and, where
it can be known without a teacher, that no teacher was fitted for nothing.
"""

import os
import pickle
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.cluster import DBSCAN, FeatureAgglomeration
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, KFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.fixes import parse_version
from sklearn.utils.validation import check_is_fitted

import skked
from skked._validation import InvalidParameterError

# the world that must not move -------------------------------------------------------------------------------------


def global_state():
    """Everything outside the call that a careless library might touch."""
    import torch

    return {
        "numpy generator": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "torch generator": torch.get_rng_state().numpy().tobytes(),
        "torch threads": torch.get_num_threads(),
        "torch modes": (
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.are_deterministic_algorithms_enabled(),
        ),
        "warnings": [tuple(getattr(part, "pattern", part) for part in entry) for entry in warnings.filters],
        "scikit-learn": sklearn.get_config(),
        "pandas": repr(pd.options.d),
        "numpy errors": np.geterr(),
        "numpy printing": np.get_printoptions(),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
    }


def fingerprint(value):
    """A deep picture of a value, equal before and after if nothing in it was written to."""
    if isinstance(value, pd.DataFrame):
        columns = [fingerprint(value.iloc[:, j]) for j in range(value.shape[1])]
        return ["frame", columns, list(map(str, value.columns)), fingerprint(value.index.to_numpy())]
    if isinstance(value, pd.Series):
        return ["series", str(value.dtype), fingerprint(value.to_numpy(dtype=object))]
    if sparse.issparse(value):
        return ["sparse", fingerprint(value.toarray())]
    if isinstance(value, np.ndarray):
        content = value.tobytes() if value.dtype != object else [fingerprint(v) for v in value.ravel()]
        return ["array", value.shape, str(value.dtype), content]
    if isinstance(value, dict):
        return ["dict", [(repr(k), fingerprint(v)) for k, v in value.items()]]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, [fingerprint(v) for v in value]]
    if isinstance(value, BaseEstimator):
        return [type(value).__name__, fingerprint(vars(value))]
    return repr(value)


# teachers ---------------------------------------------------------------------------------------------------------


class Tree(DecisionTreeClassifier):
    """A cheap teacher that counts its fits."""

    fits = 0

    def fit(self, X, y, sample_weight=None):
        Tree.fits += 1
        return super().fit(X, y, sample_weight=sample_weight)


class RegressionTree(DecisionTreeRegressor):
    def fit(self, X, y, sample_weight=None):
        Tree.fits += 1
        return super().fit(X, y, sample_weight=sample_weight)


class Answers(ClassifierMixin, BaseEstimator):
    """A classifier that answers with whatever it is told to."""

    def __init__(self, answer="fine"):
        self.answer = answer

    def fit(self, X, y):
        if self.answer == "raises in fit":
            raise RuntimeError("out of paper")
        if self.answer == "writes in fit":
            X[:] = 0
        self.classes_ = np.unique(y)
        if self.answer == "other classes":
            self.classes_ = np.array(["cat", "dog"])
        self.n_features_in_ = X.shape[1]
        return self

    def predict_proba(self, X):
        n, C = len(X), len(self.classes_)
        fine = np.full((n, C), 1 / C)
        if self.answer == "raises in predict":
            raise RuntimeError("out of ink")
        return {
            "nan": lambda: fine * np.nan,
            "inf": lambda: fine * np.inf,
            "not normalised": lambda: fine * 3,
            "negative": lambda: fine - 1.0,
            "too few rows": lambda: fine[1:],
            "too many columns": lambda: np.full((n, C + 1), 1 / (C + 1)),
            "one column": lambda: fine[:, 0],
            "texts": lambda: np.full((n, C), "maybe"),
            "nothing": lambda: None,
        }.get(self.answer, lambda: fine)()

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Mute(ClassifierMixin, BaseEstimator):
    """A classifier with neither probabilities nor margins."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Says(RegressorMixin, BaseEstimator):
    """A regressor that answers with whatever it is told to."""

    def __init__(self, answer="fine"):
        self.answer = answer

    def fit(self, X, y):
        if self.answer == "raises in fit":
            raise RuntimeError("out of paper")
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        if self.answer == "raises in predict":
            raise RuntimeError("out of ink")
        n = len(X)
        return {
            "nan": lambda: np.full(n, np.nan),
            "inf": lambda: np.full(n, np.inf),
            "too few rows": lambda: np.zeros(n - 1),
            "two columns": lambda: np.zeros((n, 2)),
            "texts": lambda: np.full(n, "maybe"),
            "nothing": lambda: None,
        }.get(self.answer, lambda: np.zeros(n))()


# tables -----------------------------------------------------------------------------------------------------------

N = 24
RNG = np.random.RandomState(0)
X = RNG.normal(size=(N, 3))
Y = np.tile([0, 1], N // 2)
NUMBERS = X[:, 0] + 0.1 * RNG.normal(size=N)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
DATES = pd.date_range("2020-01-01", periods=N)
LEVELS = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "x")])
FITTED, FITTED_NUMBERS = Tree(max_depth=2).fit(X, Y), RegressionTree(max_depth=2).fit(X, NUMBERS)
FITTED_FRAME = Tree(max_depth=2).fit(FRAME, Y)
QUICK = {"max_iter": 2, "max_parameters": 60, "cv": 2, "random_state": 0}

CLASSIFIERS = ("KEDClassifier", "KDClassifier")
REGRESSORS = ("KEDRegressor", "KDRegressor")
EXPLAINING = ("KEDClassifier", "KEDRegressor")
STUDENTS = CLASSIFIERS + REGRESSORS


def put(values, where, value, dtype=None):
    """A copy of an array with one value changed."""
    changed = np.array(values, dtype=dtype)
    changed[where] = value
    return changed


def column(values):
    """The frame with another column beside its numbers."""
    return FRAME.assign(odd=values)


# cases ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One call that must fail: what it is made of, the error, and what the message must say."""

    name: str
    make: Callable  # -> (estimator or None, function, arguments)
    error: type
    message: str
    late: bool = False  # it takes a fitted teacher to know


CASES = []


def refuse(name, make, error, message, *, late=False):
    CASES.append(Case(name, make, error, message, late))


def student_of(name, parameters):
    tree = Tree(max_depth=2, random_state=0) if name in CLASSIFIERS else RegressionTree(max_depth=2, random_state=0)
    return getattr(skked, name)(**{"teacher": tree, **QUICK, **parameters})


def refuse_fit(what, error, message, *, students=STUDENTS, late=False, arguments=None, **parameters):
    """Students that refuse to be fitted."""
    for name in students:
        target = Y if name in CLASSIFIERS else NUMBERS

        def make(name=name, target=target):
            student = student_of(name, parameters)
            return student, student.fit, {"X": X, "y": target} | (arguments or {})

        refuse(f"{name}-fit-{what}", make, error, message, late=late)


def refuse_call(name, function, error, message, **arguments):
    """Functions that refuse their arguments."""
    refuse(name, lambda: (None, function, arguments), error, message)


def refuse_method(name, make, method, error, message, **arguments):
    """Methods of other estimators that refuse their arguments."""

    def made():
        estimator = make()
        return estimator, getattr(estimator, method), arguments

    refuse(name, made, error, message)


# students: rows and columns ---------------------------------------------------------------------------------------

TABLES = {
    "one-dimensional": (X[:, 0], ValueError, "2D array.*1D"),
    "three-dimensional": (X[:, :, None], ValueError, "dim 3"),
    "a-number": (3.0, ValueError, "2D array.*scalar"),
    "no-rows": (X[:0], ValueError, r"0 sample\(s\) .*minimum of 1"),
    "no-columns": (X[:, :0], ValueError, r"0 feature\(s\) .*minimum of 1"),
    "sparse": (sparse.csr_array(X), TypeError, "[Ss]parse.*dense"),
    "complex": (X + 1j, ValueError, "Complex data not supported"),
    "inf": (put(X, (0, 0), np.inf), ValueError, "X contains infinity"),
    "inf-in-a-frame": (column(put(np.ones(N), 3, -np.inf)), ValueError, "'odd' contains infinity.*Replace"),
    "dates": (column(DATES), TypeError, "'odd' holds datetime.*or drop the column"),
    "dates-with-zones": (column(DATES.tz_localize("UTC")), TypeError, "'odd' holds datetime.*drop"),
    "dates-as-objects": (column([day.date() for day in DATES]), TypeError, "'odd' holds datetime.*drop"),
    "durations": (column(DATES - DATES[0]), TypeError, "'odd' holds timedelta.*total_seconds"),
    "periods": (column(DATES.to_period("D")), TypeError, "'odd' holds period.*drop"),
    "complex-column": (column(np.arange(N) * 1j), TypeError, "'odd' holds complex.*two columns"),
    "dicts": (column([{"a": 1}] * N), TypeError, "'odd' holds a dict.*Spread"),
    "lists-among-texts": (column(["a", [1]] * (N // 2)), TypeError, "'odd' holds a list.*Spread"),
    "repeated-names": (FRAME.set_axis(["a", "a", "b"], axis=1), ValueError, r"distinct column names, got \['a'\]"),
    "multi-index": (FRAME.set_axis(LEVELS, axis=1), ValueError, "one level of column names, got 2.*Join"),
    "names-of-mixed-types": (FRAME.set_axis(["a", 1, 2.5], axis=1), TypeError, "string names.*astype"),
    "sparse-columns": (FRAME.astype(pd.SparseDtype(float)), TypeError, "sparse.*to_dense"),
}
for _name, (_table, _error, _message) in TABLES.items():
    _students = STUDENTS if _name in ("one-dimensional", "no-rows", "inf", "dates", "multi-index") else EXPLAINING
    refuse_fit(f"X-{_name}", _error, _message, students=_students, arguments={"X": _table})

# students: targets ------------------------------------------------------------------------------------------------

refuse_fit("no-y", ValueError, "requires y.*None", arguments={"y": None})
refuse_fit("y-of-two-columns", ValueError, r"1d array.*\(24, 2\)", arguments={"y": np.zeros((N, 2))})
refuse_fit("y-is-a-number", ValueError, "1d array", arguments={"y": 1})
refuse_fit(
    "y-longer", ValueError, r"inconsistent numbers of samples: \[24, 25\]", arguments={"y": np.arange(N + 1) % 2}
)
refuse_fit("y-nan", ValueError, "y contains NaN.*Drop", arguments={"y": put(Y, 0, np.nan, float)})
refuse_fit("y-inf", ValueError, "y contains NaN.*infinity.*Drop", arguments={"y": put(Y, 0, np.inf, float)})
refuse_fit("y-None-inside", ValueError, "y contains NaN.*Drop", arguments={"y": put(Y, 0, None, object)})
refuse_fit("y-complex", ValueError, "Complex data not supported", arguments={"y": NUMBERS + 1j})
refuse_fit("one-class", ValueError, "two classes.* 1 class: 0.*Check", students=CLASSIFIERS, arguments={"y": Y * 0})
refuse_fit("one-row", ValueError, "two classes", students=CLASSIFIERS, arguments={"X": X[:1], "y": [1]})
refuse_fit("y-continuous", ValueError, "continuous.*discrete", students=CLASSIFIERS, arguments={"y": NUMBERS})
refuse_fit(
    "y-of-mixed-types",
    TypeError,
    "one type, got number and str.*Convert",
    students=CLASSIFIERS,
    arguments={"y": np.array(["a", 1] * (N // 2), dtype=object)},
)
for _name, _y, _message in (
    ("texts", np.array(["a", "b"] * (N // 2)), "numeric target.*such as 'a'"),
    ("dates", DATES.to_numpy(), "numeric target.*datetime64"),
    ("dicts", [{1: 2}] * N, "numeric target"),
    ("huge", NUMBERS * 1e60, r"single precision.*Rescale"),
    ("overflowing", np.where(Y, 1.7e308, -1.7e308), "single precision.*Rescale"),
    ("tiny", NUMBERS * 1e-60, "single precision.*Rescale"),
    ("denormal", np.arange(N) * 5e-324, "single precision.*Rescale"),
    ("far-from-zero", NUMBERS + 1e9, "tell apart.*Subtract its mean"),
):
    refuse_fit(f"y-{_name}", ValueError, _message, students=REGRESSORS, arguments={"y": _y})

# students: weights ------------------------------------------------------------------------------------------------

WEIGHTS = {
    "negative": (put(np.ones(N), 0, -1), ValueError, "at least zero, got values from -1.0 to 1.0; clip"),
    "all-zero": (np.zeros(N), ValueError, "zero: give at least one row"),
    "shorter": (np.ones(N - 1), ValueError, r"shape \(24,\).*got shape \(23,\)"),
    "two-dimensional": (np.ones((N, 1)), ValueError, r"shape \(24,\).*got shape \(24, 1\)"),
    "nan": (put(np.ones(N), 0, np.nan), ValueError, "finite.*replace what is missing"),
    "inf": (put(np.ones(N), 0, np.inf), ValueError, "finite.*to inf"),
    "texts": (["a"] * N, TypeError, "one number per .*type <U1"),
    "complex": (np.ones(N) * 1j, TypeError, "one number per .*complex"),
    "overflowing": (np.full(N, 1e308), ValueError, r"overflows.*divide them by 1e\+308"),
}
for _name, (_weight, _error, _message) in WEIGHTS.items():
    _students = STUDENTS if _name in ("negative", "all-zero", "shorter") else EXPLAINING
    refuse_fit(f"weights-{_name}", _error, _message, students=_students, arguments={"sample_weight": _weight})
refuse_fit(
    "weights-of-one-class",
    ValueError,
    "weights that drop",
    students=CLASSIFIERS,
    arguments={"sample_weight": Y.astype(float)},
)
refuse_fit(
    "weights-that-the-teacher-cannot-take",
    TypeError,
    "does not take sample_weight.*Use a teacher that",
    students=CLASSIFIERS,
    arguments={"sample_weight": np.linspace(0.1, 1.2345, N)},
    teacher=Answers(),
)

# students: rows without labels ------------------------------------------------------------------------------------

for _name, _table, _rows, _error, _message in (
    ("fewer-columns", X, X[:, :2], ValueError, "2 features.*expecting 3"),
    ("a-frame", X, FRAME, TypeError, "same kind.*ndarray, got DataFrame"),
    ("an-array", FRAME, X, TypeError, "same kind.*DataFrame, got ndarray"),
    ("columns-in-another-order", FRAME, FRAME[["b", "a", "c"]], ValueError, "same order"),
    ("texts-for-numbers", FRAME, FRAME.assign(a="q"), ValueError, "'a' was numeric.*Convert"),
    ("inf", X, put(X, (0, 0), np.inf), ValueError, "infinity"),
    ("no-rows", X, X[:0], ValueError, "minimum of 1"),
    ("one-dimensional", X, X[:, 0], ValueError, "2D array"),
):
    refuse_fit(
        f"unlabelled-{_name}", _error, _message, arguments={"X": _table, "X_unlabelled": _rows}, students=EXPLAINING
    )

# students: parameters ---------------------------------------------------------------------------------------------

for _name, _value in (
    ("distillation_weight", 1.5),
    ("distillation_weight", -0.1),
    ("distillation_weight", np.nan),
    ("distillation_weight", "half"),
    ("max_parameters", 0),
    ("max_parameters", 100.0),
    ("max_iter", 0),
    ("batch_size", 0),
    ("learning_rate_init", 0),
    ("learning_rate_init", np.inf),
    ("alpha", -1),
    ("validation_fraction", 1.0),
    ("hidden_layer_sizes", 0),
    ("cv", 1),
    ("cv", -3),
    ("cv", "five"),
    ("chimeric", 0),
    ("chimeric", -2),
    ("chimeric", np.nan),
    ("swap", 0),
    ("n_jobs", 0),
    ("memory", 5),
    ("device", None),
    ("random_state", -1),
    ("teacher", 5),
):
    refuse_fit(
        f"{_name}={_value}",
        ValueError,
        f"'{_name}' parameter.*must be.*Got",
        students=("KEDClassifier",),
        **{_name: _value},
    )
for _name, _value in (
    ("explanation_weight", 1.1),
    ("temperature", 0),
    ("temperature", -1.0),
    ("temperature", np.inf),
    ("explanation_temperature", 0),
    ("explanation_temperature", np.nan),
    ("explainer", "lime"),
    ("explainer", FeatureAgglomeration()),
    ("n_explanations", 0),
    ("network", "deep"),
    ("class_weight", "heavy"),
    ("superfeatures", 0),
    ("superfeatures", 2.0),
    ("superfeatures", "some"),
    ("superfeatures", None),
):
    refuse_fit(
        f"{_name}={_value}",
        ValueError,
        f"'{_name}' parameter.*must be.*Got",
        students=("KEDClassifier",),
        **{_name: _value},
    )

refuse_fit("budget", ValueError, r"max_parameters=3 is too small.*at least \d", max_parameters=3)
refuse_fit(
    "budget-of-three-groups",
    ValueError,
    "3 superfeature.*at least 12",
    students=EXPLAINING,
    max_parameters=11,
    network="additive",
    superfeatures=[0, 1, 2],
)
refuse_fit(
    "budget-of-heads",
    ValueError,
    "too small.*at least",
    students=EXPLAINING,
    max_parameters=5,
    superfeatures=[0, 1, 2],
    network="heads",
)
refuse_fit("device", ValueError, "'abacus' is not available.*Use 'auto'", device="abacus")
refuse_fit("device-without-numbers", ValueError, "'meta' is not available", students=("KDClassifier",), device="meta")
refuse_fit("teacher-class", TypeError, "instance of scikit-learn estimator instead of a class", teacher=Tree)
for _name, _sizes in (
    ("zero", [4, 0]),
    ("negative", [-1]),
    ("float", [2.5]),
    ("none", []),
    ("text", ["a"]),
    ("nested", [[2, 3]]),
):
    refuse_fit(
        f"hidden-{_name}",
        ValueError,
        "hidden_layer_sizes as whole numbers.*Use None",
        students=("KDClassifier",),
        hidden_layer_sizes=_sizes,
    )
refuse_fit(
    "no-row-to-train-on",
    ValueError,
    "24 of 24 rows.*Lower validation_fraction",
    students=EXPLAINING,
    early_stopping=True,
    validation_fraction=0.99,
)
refuse_fit(
    "chimeras-of-one-row",
    ValueError,
    "two distinct|distinct rows, but X has 1.*chimeric=False",
    students=REGRESSORS,
    arguments={"X": X[:1], "y": [1.0]},
    chimeric=True,
)
refuse_fit(
    "chimeras-of-one-row-each",
    ValueError,
    "no class has two.*within_class=False",
    students=("KEDClassifier",),
    arguments={"X": X[:3], "y": [0, 1, 2]},
    within_class=True,
)
refuse_fit(
    "diverging",
    ValueError,
    "loss became .*Lower learning_rate_init=1e",
    students=STUDENTS,
    late=True,
    learning_rate_init=1e30,
)
refuse_fit(
    "extreme-temperature", ValueError, "loss became .*temperatures", students=CLASSIFIERS, late=True, temperature=1e-300
)
refuse_fit("memory-in-a-file", OSError, "memory as a folder", students=STUDENTS, memory=__file__)

for _name, _weights, _message in (
    ("of-another-class", {7: 1.0}, r"classes, \[0, 1\], are not in class_weight"),
    ("negative", {0: -1.0, 1: 1.0}, "above zero, got -1.0 for class 0"),
    ("zero", {0: 0.0, 1: 1.0}, "above zero, got 0.0 for class 0"),
    ("nan", {0: np.nan, 1: 1.0}, "above zero, got nan"),
    ("text", {0: "a", 1: 1.0}, "above zero, got 'a'"),
):
    refuse_fit(f"class-weight-{_name}", ValueError, _message, students=CLASSIFIERS, class_weight=_weights)

ALL_ROWS = np.arange(N)
for _name, _cv, _message in (
    ("True", True, "expected an integer"),
    ("no-splits", [], "at least one split.*cv=None"),
    ("beyond-the-table", [(np.arange(30), np.arange(3))], "row numbers from 0 to 23"),
    ("before-the-table", [(np.arange(3), np.array([-30]))], "row numbers from 0 to 23"),
    ("fractions", [(np.arange(3) + 0.5, np.arange(3))], "row numbers from 0 to 23"),
    ("triples", [(np.arange(3), np.arange(3), 1)], r"pairs \(train, test\)"),
    ("nothing-to-train-on", [(np.arange(0), np.arange(3))], "row numbers from 0 to 23"),
    ("nothing-to-test", [(np.arange(3), np.arange(0))], "row numbers from 0 to 23"),
    ("tests-what-it-trains-on", [(ALL_ROWS, ALL_ROWS[:5])], "both sides.*cv=None"),
    ("more-folds-than-rows", KFold(99), "n_splits=99 greater than the number of samples"),
    ("splitter-of-groups", GroupKFold(3), "'groups' parameter should not be None.*pairs of row numbers"),
):
    refuse_fit(f"cv-{_name}", ValueError, _message, students=EXPLAINING, cv=_cv)
refuse_fit(
    "cv-without-weight",
    ValueError,
    "train on rows of positive weight",
    students=("KEDClassifier",),
    cv=[(ALL_ROWS[:4], ALL_ROWS[4:])],
    arguments={"sample_weight": (ALL_ROWS >= 4).astype(float)},
)

# students: superfeatures ------------------------------------------------------------------------------------------

for _name, _groups, _error, _message in (
    ("more-than-columns", 4, ValueError, 'superfeatures=4 .*X has 3.*at most 3, or use superfeatures="auto"'),
    ("True", True, TypeError, 'superfeatures to be "auto".*got True'),
    ("too-few-labels", [0, 1], ValueError, r"label per column \(3\), got 2"),
    ("too-many-labels", [0, 1, 1, 0], ValueError, r"label per column \(3\), got 4"),
    ("no-labels", [], ValueError, r"label per column \(3\), got 0"),
    ("missing-labels", [0, np.nan, 1], ValueError, "label for every column.*missing"),
    ("nested", [[0], [1], [2]], TypeError, 'superfeatures to be "auto"'),
    ("overlapping", {"p": [0, 1], "q": [1, 2]}, ValueError, "exactly one group.*more than once: 'x1'"),
    ("incomplete", {"p": [0], "q": [1]}, ValueError, "exactly one group.*leave out columns: 'x2'"),
    ("unknown", {"p": ["x0", "x1"], "q": ["z", "x2"]}, ValueError, "does not have: 'z'.*'x0', 'x1', 'x2'"),
    ("beyond-the-table", {"p": [0, 1, 2], "q": [3]}, ValueError, "does not have: 3"),
    ("empty-group", {"p": [0, 1, 2], "q": []}, ValueError, "have no column: 'q'"),
    ("empty-dict", {}, ValueError, "leave out columns"),
    ("None-for-columns", {"p": None, "q": [1]}, TypeError, "lists of columns, got None"),
    ("number-for-columns", {"p": 2.5, "q": [1]}, TypeError, "lists of columns, got 2.5"),
    ("names-alike", {1: [0], "1": [1, 2]}, ValueError, "distinct names"),
    ("clusterer-class", FeatureAgglomeration, TypeError, "a clusterer.*got <class"),
):
    refuse_fit(f"groups-{_name}", _error, _message, students=EXPLAINING, superfeatures=_groups)
refuse_fit(
    "groups-by-a-clusterer-of-rows",
    ValueError,
    r"per column \(3\), got 24",
    students=EXPLAINING,
    late=True,
    superfeatures=DBSCAN(),
)
refuse_fit(
    "groups-by-a-greedy-clusterer",
    ValueError,
    "9 clusters.*3 leaves",
    students=EXPLAINING,
    late=True,
    superfeatures=FeatureAgglomeration(n_clusters=9),
)

# students: explainers ---------------------------------------------------------------------------------------------

Explainer = skked.GroupShapleyExplainer
refuse_fit("explainer-class", TypeError, "instead of a class", students=EXPLAINING, explainer=Explainer)
refuse_fit(
    "explainer-engine", ValueError, "'engine' parameter", students=EXPLAINING, explainer=Explainer([], engine="fast")
)
refuse_fit(
    "foreign-background",
    ValueError,
    "3 columns of X, got 2.*fitted on",
    students=EXPLAINING,
    late=True,
    explainer=Explainer([], background=X[:, :2]),
)
refuse_fit(
    "background-weights",
    ValueError,
    r"background_weight of shape \(5,\)",
    students=EXPLAINING,
    late=True,
    explainer=Explainer([], background=X[:5], background_weight=[1, 2]),
)
refuse_fit(
    "engine-that-does-not-apply",
    ValueError,
    'does not apply.*engine="auto"',
    students=EXPLAINING,
    late=True,
    explainer=Explainer([], engine="linear"),
)

# students: teachers -----------------------------------------------------------------------------------------------

WRONG_ANSWERS = {
    "nan": (ValueError, "Answers answered NaN or infinity.*Check its input"),
    "inf": (ValueError, "Answers answered NaN or infinity.*Check its input"),
    "not normalised": (ValueError, "Answers gave probabilities that are negative or do not sum to one.*Normalise"),
    "negative": (ValueError, "negative or do not sum to one.*Normalise"),
    "too few rows": (ValueError, r"shape \(23, 2\); expected .*\(24, 2\)"),
    "too many columns": (ValueError, r"shape \(24, 3\); expected .*\(24, 2\)"),
    "one column": (ValueError, r"shape \(24,\); expected .*\(24, 2\)"),
    "texts": (TypeError, "no real numbers; expected.*Check what its predict"),
    "nothing": (TypeError, "answered None.*expected.*Check"),
    "raises in predict": (RuntimeError, "out of ink.*teacher Answers, asked for predict_proba of 24 rows"),
}
for _name, (_error, _message) in WRONG_ANSWERS.items():
    refuse_fit(f"teacher-{_name}", _error, _message, students=CLASSIFIERS, late=True, teacher=Answers(_name))
    _frozen = FrozenEstimator(Answers().fit(X, Y).set_params(answer=_name))
    refuse_fit(f"frozen-teacher-{_name}", _error, _message, students=("KEDClassifier",), late=True, teacher=_frozen)
    refuse_method(
        f"GroupShapleyExplainer-fit-teacher-{_name}",
        lambda: Explainer([0, 0, 1]),
        "fit",
        _error,
        _message,
        teacher=_frozen.estimator,
        X=X,
    )
refuse_fit(
    "teacher-raises in fit",
    RuntimeError,
    "out of paper.*fitting the teacher Answers on 12 rows",
    students=CLASSIFIERS,
    teacher=Answers("raises in fit"),
)
refuse_fit(
    "teacher-other classes",
    ValueError,
    "knows the classes .'cat', 'dog'.*classes are .0, 1.*same classes",
    students=CLASSIFIERS,
    late=True,
    teacher=Answers("other classes"),
)
for _name, _error, _message in (
    ("nan", ValueError, "Says answered NaN or infinity.*Check its input"),
    ("inf", ValueError, "Says answered NaN or infinity.*Check its input"),
    ("too few rows", ValueError, r"shape \(11,\); expected one number per row, \(12,\)"),
    ("two columns", ValueError, r"shape \(12, 2\); expected one number per row"),
    ("texts", TypeError, "no real numbers; expected"),
    ("nothing", TypeError, "answered None"),
    ("raises in fit", RuntimeError, "out of paper.*fitting the teacher Says on 12 rows"),
    ("raises in predict", RuntimeError, "out of ink.*teacher Says, asked for predict"),
):
    refuse_fit(f"teacher-{_name}", _error, _message, students=REGRESSORS, late=True, teacher=Says(_name))
refuse_fit(
    "teacher-without-scores",
    TypeError,
    "neither predict_proba nor decision_function.*wrap it",
    students=CLASSIFIERS,
    late=True,
    teacher=Mute(),
)
refuse_fit(
    "teacher-that-cannot-read-texts",
    ValueError,
    "convert string.*fitting the teacher Tree on 12 rows",
    students=("KEDClassifier",),
    late=True,
    arguments={"X": column(["u", "v"] * (N // 2))},
)
for _name, _teacher in (("", RegressionTree()), ("frozen-", FrozenEstimator(FITTED_NUMBERS))):
    refuse_fit(
        f"{_name}regressor",
        TypeError,
        "classifier as the teacher.*got the regressor",
        students=CLASSIFIERS,
        teacher=_teacher,
    )
for _name, _teacher in (("", Tree()), ("frozen-", FrozenEstimator(FITTED))):
    refuse_fit(
        f"{_name}classifier",
        TypeError,
        "regressor as the teacher.*got the classifier",
        students=REGRESSORS,
        teacher=_teacher,
    )
refuse_fit(
    "frozen-unfitted",
    NotFittedError,
    "Tree is frozen but not fitted.*Fit it before",
    students=CLASSIFIERS,
    teacher=FrozenEstimator(Tree()),
)
for _name, _teacher, _table, _y, _message in (
    ("columns", Tree().fit(X[:, :2], Y), X, Y, "2 columns, but X has 3.*fitted on"),
    ("names", Tree().fit(FRAME.rename(columns={"a": "z"}), Y), FRAME, Y, "unknown to it: .'a'.*fitted on"),
    ("order", Tree().fit(FRAME[["b", "a", "c"]], Y), FRAME, Y, "another order.*fitted on"),
    ("more-classes", Tree().fit(X, np.arange(N) % 3), X, Y, ".2. are not in y.*same classes"),
    ("fewer-classes", FITTED, X, np.arange(N) % 3, "y also has .2..*fitted on all classes"),
    ("text-classes", Tree().fit(X, Y.astype(str)), X, Y, "'0', '1'.*same classes"),
):
    refuse_fit(
        f"frozen-other-{_name}",
        ValueError,
        _message,
        students=CLASSIFIERS,
        arguments={"X": _table, "y": _y},
        teacher=FrozenEstimator(_teacher),
    )

# students: prediction ---------------------------------------------------------------------------------------------

_STUDENTS = {}


def fitted_student(name, table):
    """One student per class and table, fitted once."""
    key = (name, type(table).__name__)
    if key not in _STUDENTS:
        _STUDENTS[key] = student_of(name, {"superfeatures": 2}).fit(table, Y if name in CLASSIFIERS else NUMBERS)
    return _STUDENTS[key]


METHODS = {
    "KEDClassifier": ("predict", "predict_proba", "decision_function", "contributions", "explain", "transform"),
    "KEDRegressor": ("predict", "contributions"),
    "KDClassifier": ("predict", "predict_proba", "decision_function", "transform"),
    "KDRegressor": ("predict",),
}
ROWS = {
    "one-dimensional": (X, X[0], ValueError, "2D array.*[Rr]eshape"),
    "three-dimensional": (X, X[None], ValueError, "dim 3"),
    "fewer-columns": (X, X[:, :2], ValueError, "2 features.*expecting 3"),
    "no-rows": (X, X[:0], ValueError, "minimum of 1"),
    "inf": (X, put(X, (0, 0), np.inf), ValueError, "infinity"),
    "sparse": (X, sparse.csr_array(X), TypeError, "dense"),
    "texts": (X, [["a", "b", "c"]], ValueError, "was numeric in fit.*Convert"),
    "another-order": (FRAME, FRAME[["b", "a", "c"]], ValueError, "same order"),
    "missing-column": (FRAME, FRAME[["a", "b"]], ValueError, "now missing"),
    "more-columns": (FRAME, FRAME.assign(z=1), ValueError, "unseen at fit time"),
    "repeated-names": (FRAME, FRAME[["a", "a", "b", "c"]], ValueError, "distinct column names"),
    "multi-index": (FRAME, FRAME.set_axis(LEVELS, axis=1), ValueError, "one level of column names"),
    "texts-for-numbers": (FRAME, FRAME.assign(a="q"), ValueError, "'a' was numeric.*Convert"),
    "dates-for-numbers": (FRAME, FRAME.assign(a=DATES), TypeError, "'a' holds datetime"),
}
for _student, _methods in METHODS.items():
    for _method in _methods:
        refuse_method(
            f"{_student}-unfitted-{_method}",
            getattr(skked, _student),
            _method,
            NotFittedError,
            "not fitted yet. Call 'fit'",
            X=X,
        )
    for _name, (_table, _rows, _error, _message) in ROWS.items():
        for _method in _methods if _name in ("one-dimensional", "fewer-columns", "inf") else _methods[:1]:
            refuse_method(
                f"{_student}-{_method}-{_name}",
                lambda s=_student, t=_table: fitted_student(s, t),
                _method,
                _error,
                _message,
                X=_rows,
            )
for _name, _y, _message in (
    ("shorter", Y[1:], r"inconsistent numbers of samples"),
    ("None", None, "must be an array-like.*None"),
    ("texts", Y.astype(str), "Mix of label input types"),
):
    if _name == "texts" and parse_version(sklearn.__version__) < parse_version("1.9"):
        continue  # accuracy_score took them for labels that never agree
    refuse_method(
        f"KEDClassifier-score-y-{_name}",
        lambda: fitted_student("KEDClassifier", X),
        "score",
        ValueError,
        _message,
        X=X,
        y=_y,
    )
refuse_method(
    "KEDRegressor-score-y-nan",
    lambda: fitted_student("KEDRegressor", X),
    "score",
    ValueError,
    "contains NaN",
    X=X,
    y=NUMBERS * np.nan,
)

# SuperfeatureClustering -------------------------------------------------------------------------------------------

Clustering = skked.SuperfeatureClustering


def refuse_clustering(what, error, message, *, parameters=None, **arguments):
    refuse_method(
        f"SuperfeatureClustering-{what}",
        lambda: Clustering(**(parameters or {})),
        "fit",
        error,
        message,
        **({"X": X} | arguments),
    )


for _name in ("one-dimensional", "no-rows", "inf", "dates", "multi-index", "repeated-names", "sparse"):
    _table, _error, _message = TABLES[_name]
    refuse_clustering(f"X-{_name}", _error, _message, X=_table)
for _name, (_weight, _error, _message) in WEIGHTS.items():
    refuse_clustering(f"weights-{_name}", _error, _message, sample_weight=_weight)
for _name, _value in (
    ("n_superfeatures", 0),
    ("method", "k"),
    ("affinity", "k"),
    ("linkage", "k"),
    ("max_size", 0),
    ("subsample", 1),
    ("random_state", "x"),
):
    refuse_clustering(f"{_name}={_value}", ValueError, f"'{_name}' parameter.*Got", parameters={_name: _value})
for _name, _parameters, _error, _message in (
    ("more-than-columns", {"n_superfeatures": 4}, ValueError, "X has 3.*at most 3"),
    ("small-groups", {"n_superfeatures": 1, "max_size": 2}, ValueError, "max_size=2.*Use max_size=3"),
    ("affinity-shape", {"affinity": np.eye(2)}, ValueError, r"\(3, 3\).*got \(2, 2\)"),
    ("affinity-negative", {"affinity": -np.eye(3)}, ValueError, "at least zero, got values from -1.0"),
    ("affinity-nan", {"affinity": np.full((3, 3), np.nan)}, ValueError, "finite affinities"),
    ("affinity-lopsided", {"affinity": np.triu(np.ones((3, 3)))}, ValueError, "symmetric.*use"),
    ("affinity-of-texts", {"affinity": [["a"] * 3] * 3}, TypeError, "made of numbers"),
    ("affinity-function", {"affinity": lambda rows: 1}, ValueError, r"\(3, 3\).*got \(\)"),
    ("affinity-precomputed", {"affinity": "precomputed"}, ValueError, r"\(3, 3\).*got \(24, 3\)"),
    ("hessian-of-nothing", {"affinity": "hessian"}, ValueError, "needs a ReLU network: pass it"),
    ("interaction-of-nothing", {"affinity": "interaction"}, ValueError, r"needs a target or a teacher: call"),
):
    refuse_clustering(_name, _error, _message, parameters=_parameters)
for _name, _y, _error, _message in (
    ("shorter", Y[1:], ValueError, r"target per row of X \(24\), got 23"),
    ("nan", put(Y, 0, np.nan, float), ValueError, "missing or infinite values: drop"),
    ("None-inside", put(Y, 0, None, object), ValueError, "missing values: drop"),
    ("of-two-columns", np.zeros((N, 2)), ValueError, "1d array"),
    ("dates", DATES.to_numpy(), TypeError, "classes or numbers, got datetime.*Turn it"),
):
    refuse_clustering(f"y-{_name}", _error, _message, y=_y)
for _name, _teacher, _error, _message in (
    ("unfitted", Tree(), NotFittedError, "Tree is frozen but not fitted|not fitted"),
    ("number", 5, TypeError, "fitted estimator or a function of rows, got 5"),
    ("class", Tree, TypeError, "fitted estimator or a function of rows, got <class"),
    ("columns", Tree().fit(X[:, :2], Y), ValueError, "2 columns, but X has 3"),
    ("nan", lambda rows: np.full(len(rows), np.nan), ValueError, "NaN or infinity.*Check"),
    ("shape", lambda rows: np.zeros(3), ValueError, r"shape \(3,\) for \d+ rows; expected"),
    ("texts", lambda rows: ["a"] * len(rows), TypeError, "no real numbers; expected"),
):
    refuse_clustering(
        f"teacher-{_name}",
        _error,
        _message,
        parameters={"affinity": "interaction", "random_state": 0},
        teacher=_teacher,
    )

# GroupShapleyExplainer --------------------------------------------------------------------------------------------


def refuse_explainer(what, error, message, *, teacher=FITTED, X=X, superfeatures=(0, 0, 1), **parameters):
    groups = list(superfeatures) if isinstance(superfeatures, tuple) else superfeatures
    refuse_method(
        f"GroupShapleyExplainer-fit-{what}",
        lambda: Explainer(groups, **parameters),
        "fit",
        error,
        message,
        teacher=teacher,
        X=X,
    )


refuse_explainer("device", ValueError, "'abacus' is not available.*Use 'auto'", device="abacus")
for _name in ("one-dimensional", "no-rows", "inf", "dates", "multi-index", "repeated-names", "sparse"):
    _table, _error, _message = TABLES[_name]
    refuse_explainer(f"X-{_name}", _error, _message, X=_table)
for _name, _teacher, _error, _message in (
    ("unfitted", Tree(), NotFittedError, "not fitted yet. Call 'fit'"),
    ("number", 5, TypeError, "fitted classifier or regressor.*got int"),
    ("class", Tree, TypeError, "got the class Tree. Make one"),
    ("columns", Tree().fit(X[:, :2], Y), ValueError, "2 columns, but X has 3"),
    ("nan", lambda rows: np.full(len(rows), np.nan), ValueError, "24 scores that are NaN.*Check"),
    ("inf", lambda rows: np.full(len(rows), np.inf), ValueError, "24 scores that are NaN or infinite"),
    ("too-few", lambda rows: np.zeros(len(rows) - 1), ValueError, r"shape \(23,\) for 24 rows; expected \(24,\)"),
    ("three-dimensional", lambda rows: np.zeros((len(rows), 1, 1)), ValueError, r"shape \(24, 1, 1\)"),
    ("scalar", lambda rows: 1.0, ValueError, r"shape \(\) for 24 rows"),
    ("of-no-output", lambda rows: np.zeros((len(rows), 0)), ValueError, r"shape \(24, 0\) for 24 rows"),
    ("texts", lambda rows: ["a"] * len(rows), TypeError, "no real numbers; expected"),
    ("complex", lambda rows: np.ones(len(rows)) * 1j, TypeError, "no real numbers; expected"),
    ("ragged", lambda rows: [[1], [1, 2]] * (len(rows) // 2), TypeError, "no real numbers; expected"),
    ("None", lambda rows: None, TypeError, "answered None.*expected"),
    ("raises", lambda rows: 1 / 0, ZeroDivisionError, "division by zero.*teacher <lambda>, asked for 24 rows"),
):
    refuse_explainer(f"teacher-is-{_name}", _error, _message, teacher=_teacher)
for _name, _groups, _error, _message in (
    ("short", [0, 1], ValueError, r"3 integers, one per column.*\(2,\)"),
    ("gap", [0, 2, 2], ValueError, r"without \[1\]. Renumber"),
    ("negative", [-1, 0, 1], ValueError, "from -1 to 1. Renumber"),
    ("floats", [0.0, 1, 1], ValueError, "3 integers.*float64"),
    ("texts", ["a", "a", "b"], ValueError, "3 integers"),
    ("number", 2, TypeError, "one label per column.*got 2"),
    ("None", None, TypeError, "one label per column.*got None"),
    ("auto", "auto", TypeError, "one label per column.*got 'auto'"),
    ("unfitted-clusterer", Clustering(2), TypeError, "fitted clusterer.*fit the clusterer first"),
    ("overlapping", {"p": [0, 1], "q": [1, 2]}, ValueError, "more than once: 'x1'"),
    ("incomplete", {"p": [0], "q": [1]}, ValueError, "each column of X.*leave out columns: 'x2'.*Add"),
    ("unknown", {"p": ["x0", "zz"], "q": [1, 2]}, ValueError, "X does not have: 'zz'"),
    ("empty-group", {"p": [0, 1, 2], "q": []}, ValueError, "have no column: 'q'"),
    ("None-for-columns", {"p": None, "q": [1]}, TypeError, "lists of columns, got None"),
):
    refuse_explainer(f"groups-{_name}", _error, _message, superfeatures=_groups)
for _name, _background, _message in (
    ("fewer-columns", X[:, :2], "3 columns of X, got 2"),
    ("a-frame", FRAME, "kind of X .ndarray., got DataFrame"),
    ("zero", 0, "background=0 is no number of rows; expected at least 1"),
    ("text", "all", "None, a number of rows, or a table"),
    ("fraction", 2.5, "None, a number of rows, or a table"),
    ("True", True, "None, a number of rows, or a table"),
    ("one-row-flat", X[0], "None, a number of rows, or a table.*1 dim"),
    ("no-rows", X[:0], "minimum of 1"),
    ("inf", put(X, (0, 0), np.inf), "infinity"),
):
    refuse_explainer(f"background-{_name}", ValueError, _message, background=_background)
refuse_explainer(
    "background-columns-in-another-order",
    ValueError,
    "same order",
    teacher=FITTED_FRAME,
    X=FRAME,
    background=FRAME[["b", "a", "c"]],
)
for _name, (_weight, _error, _message) in WEIGHTS.items():
    refuse_explainer(f"background-weights-{_name}", _error, _message, background_weight=_weight)
for _name, _value in (("response", "x"), ("engine", "x"), ("n_coalitions", 1), ("tolerance", 0), ("max_bytes", 0)):
    refuse_explainer(f"{_name}={_value}", ValueError, f"'{_name}' parameter.*Got", **{_name: _value})
refuse_explainer(
    "probability-of-a-regressor",
    ValueError,
    "does not apply to a regressor; use 'auto'",
    teacher=FITTED_NUMBERS,
    response="probability",
)
refuse_explainer("margin-of-a-tree", ValueError, "no decision_function. Use response", response="margin")
refuse_explainer("engine-for-another-teacher", ValueError, 'does not apply.*Use engine="auto"', engine="linear")
refuse_method(
    "GroupShapleyExplainer-unfitted-explain",
    lambda: Explainer([0, 0, 1]),
    "explain",
    NotFittedError,
    "not fitted yet. Call 'fit'",
    rows=X,
)
refuse_method(
    "GroupShapleyExplainer-unfitted-budget",
    lambda: Explainer([0, 0, 1]),
    "budget",
    NotFittedError,
    "not fitted yet. Call 'fit'",
    n_samples=3,
)
for _name in ("one-dimensional", "fewer-columns", "no-rows", "inf", "sparse", "another-order", "missing-column"):
    _table, _rows, _error, _message = ROWS[_name]
    refuse_method(
        f"GroupShapleyExplainer-explain-{_name}",
        lambda t=_table: Explainer([0, 0, 1]).fit(FITTED if t is X else FITTED_FRAME, t),
        "explain",
        _error,
        _message,
        rows=_rows,
    )
for _value in (-1, "x", 2.5):
    refuse_method(
        f"GroupShapleyExplainer-budget-{_value}",
        lambda: Explainer([0, 0, 1]).fit(FITTED, X),
        "budget",
        ValueError,
        "whole number of rows, at least 0, got",
        n_samples=_value,
    )

# make_chimeric_set ------------------------------------------------------------------------------------------------


def refuse_chimeras(what, error, message, **arguments):
    refuse_call(
        f"make_chimeric_set-{what}",
        skked.make_chimeric_set,
        error,
        message,
        **({"X": X, "superfeature_labels": [0, 0, 1], "n_samples": 5} | arguments),
    )


for _name, _table, _error, _message in (
    ("one-dimensional", X[:, 0], ValueError, r"two dimensions.*got shape \(24,\)"),
    ("no-rows", X[:0], ValueError, r"at least one row, got shape \(0, 3\)"),
    ("one-row", X[:1], ValueError, "two rows with positive weight; among the 1"),
    ("sparse", sparse.csr_array(X), TypeError, "dense data is required. Use"),
    ("None", None, ValueError, "'X' parameter.*Got None"),
    ("ragged", [[1, 2], [3]], ValueError, "rows all have the same number"),
):
    refuse_chimeras(f"X-{_name}", _error, _message, X=_table)
for _name, _labels, _message in (
    ("None", None, "'superfeature_labels' parameter.*Got None"),
    ("missing", [0, np.nan, 1], "one integer for each of the 3 columns.*float64"),
    ("negative", [-1, 0, 1], "every number from 0 to M - 1.*Renumber"),
    ("truth-values", [True, False, True], "one integer for each.*bool"),
    ("short", [0, 1], r"each of the 3 columns, got shape \(2,\)"),
    ("one-group", [0, 0, 0], "at least two superfeatures"),
):
    refuse_chimeras(f"labels-{_name}", ValueError, _message, superfeature_labels=_labels)
for _name, (_weight, _error, _message) in WEIGHTS.items():
    refuse_chimeras(f"weights-{_name}", _error, _message, sample_weight=_weight)
for _name, _value in (
    ("n_samples", 0),
    ("n_samples", 2.5),
    ("swap", 0),
    ("swap", np.nan),
    ("random_state", "x"),
    ("within_class", "yes"),
):
    refuse_chimeras(f"{_name}={_value}", ValueError, f"'{_name}' parameter.*Got", **{_name: _value})
for _name, _y, _error, _message in (
    ("absent", None, ValueError, "classes of the rows: pass y"),
    ("shorter", Y[1:], ValueError, r"shape \(24,\).*got \(23,\)"),
    ("nan", put(Y, 0, np.nan, float), ValueError, "y contains NaN.*Drop"),
    ("mixed", np.array(["a", 1] * (N // 2), dtype=object), TypeError, "one type, got number and str"),
    ("all-alone", np.arange(N), ValueError, "two rows with positive weight, in one class"),
):
    refuse_chimeras(f"y-{_name}", _error, _message, y=_y, within_class=True)

# scores -----------------------------------------------------------------------------------------------------------

for _name, _pair, _error, _message in (
    ("lengths", ([1, 2], [1, 2, 3]), ValueError, r"inconsistent numbers of samples: \[2, 3\]"),
    ("two-dimensional", ([[1, 2]], [[1, 2]]), ValueError, "1d array"),
    ("none-at-all", ([], []), ValueError, "at least one prediction"),
    ("None", (None, [1]), ValueError, "'y_teacher' parameter.*Got None"),
    ("nan", ([1.0, np.nan], [1.0, 2.0]), ValueError, "y_teacher contains NaN"),
    ("inf", ([1.5, 2.5], [np.inf, 2.0]), ValueError, "y_student contains NaN, None or infinity"),
    ("None-inside", (["a", None], ["a", "b"]), ValueError, "y_teacher contains NaN"),
    ("texts-and-numbers", (["a", "b"], [1, 2]), TypeError, "one kind.*numbers from the student"),
    ("mixed", (np.array(["a", 1], dtype=object), [1, 2]), TypeError, "one type, got number and str"),
):
    refuse_call(
        f"agreement_score-{_name}", skked.agreement_score, _error, _message, y_teacher=_pair[0], y_student=_pair[1]
    )
refuse_call(
    "agreement_score-kind",
    skked.agreement_score,
    ValueError,
    "'kind' parameter.*Got",
    y_teacher=[0, 1],
    y_student=[0, 1],
    kind="x",
)
refuse_call(
    "agreement_score-r2-of-texts",
    skked.agreement_score,
    TypeError,
    "Expected numbers, got",
    y_teacher=["a", "b"],
    y_student=["a", "b"],
    kind="r2",
)
agreement = skked.explanation_agreement_score
for _name, _pair, _error, _message in (
    ("shapes", (X, X[:, :2]), ValueError, "one shape.*Explain the same rows"),
    ("rows", (X, X[1:]), ValueError, "one shape.*Explain the same rows"),
    ("one-dimensional", (X[0], X[0]), ValueError, "2D array.*1D"),
    ("four-dimensional", (np.zeros((2, 2, 2, 2)),) * 2, ValueError, "got 4 dimensions"),
    ("nan", (X * np.nan, X), ValueError, "phi contains NaN"),
    ("None", (None, X), TypeError, "array of numbers.*got NoneType"),
    ("texts", ([["a"]], [["a"]]), TypeError, "array of numbers.*got list"),
    ("ragged", ([[1], [1, 2]], [[1], [1, 2]]), TypeError, "array of numbers.*got list"),
    ("no-rows", (X[:0], X[:0]), ValueError, "minimum of 1"),
    ("sparse", (sparse.csr_array(X), X), TypeError, "dense"),
    ("an-estimator", (Tree(), X), TypeError, "array of numbers.*got Tree"),
):
    refuse_call(
        f"explanation_agreement_score-{_name}", agreement, _error, _message, phi_teacher=_pair[0], phi_student=_pair[1]
    )
for _name, _options, _message in (
    ("k-beyond", {"kind": "top_k", "k": 4}, "at most the 3 superfeatures, got k=4"),
    ("k-zero", {"kind": "top_k", "k": 0}, "'k' parameter.*Got 0"),
    ("kind", {"kind": "dot"}, "'kind' parameter.*Got 'dot'"),
):
    refuse_call(
        f"explanation_agreement_score-{_name}",
        agreement,
        ValueError,
        _message,
        phi_teacher=X,
        phi_student=X,
        **_options,
    )
for _name, (_weight, _error, _message) in WEIGHTS.items():
    refuse_call(
        f"agreement_score-weights-{_name}",
        skked.agreement_score,
        _error,
        _message,
        y_teacher=Y,
        y_student=Y,
        sample_weight=_weight,
    )
    refuse_call(
        f"explanation_agreement_score-weights-{_name}",
        agreement,
        _error,
        _message,
        phi_teacher=X,
        phi_student=X,
        sample_weight=_weight,
    )

# distillation_report ----------------------------------------------------------------------------------------------


def refuse_report(what, error, message, **arguments):
    refuse_call(
        f"distillation_report-{what}",
        skked.distillation_report,
        error,
        message,
        **({"students": {"s": FITTED}, "X": X, "y": Y, "n_repeat_timing": 1} | arguments),
    )


for _name, _given, _error, _message in (
    ("list", [FITTED], ValueError, "'students' parameter.*dict"),
    ("nobody", {}, ValueError, "at least one student, as"),
    ("unfitted", {"s": skked.KEDClassifier()}, NotFittedError, "'s', a KEDClassifier, is not fitted. Fit it"),
    ("number", {"s": 5}, TypeError, "fitted estimator as 's', got int without predict"),
    ("class", {"s": Tree}, TypeError, "fitted estimator as 's', got the class Tree"),
    ("both-kinds", {"s": FITTED, "r": FITTED_NUMBERS}, ValueError, "classifiers only or regressors only"),
    ("columns", {"s": Tree().fit(X[:, :2], Y)}, ValueError, "'s' was fitted on 2 columns, but X has 3"),
):
    refuse_report(f"students-{_name}", _error, _message, students=_given)
for _name, _table, _error, _message in (
    ("one-dimensional", X[:, 0], ValueError, r"got shape \(24,\)"),
    ("no-rows", X[:0], ValueError, r"at least one, got shape \(0, 3\)"),
    ("sparse", sparse.csr_array(X), TypeError, "dense data is required. Use"),
    ("None", None, ValueError, "rows of shape"),
):
    refuse_report(f"X-{_name}", _error, _message, X=_table)
for _name, _y, _error, _message in (
    ("shorter", Y[1:], ValueError, "inconsistent numbers of samples"),
    ("unknown-classes", Y + 5, ValueError, ".5, 6., which 's' does not know.*Leave those rows out"),
    ("nan", put(Y, 0, np.nan, float), ValueError, "y contains NaN.*Drop"),
    ("None-inside", put(Y, 0, None, object), ValueError, "y contains NaN.*Drop"),
    ("of-two-columns", np.zeros((N, 2)), ValueError, "1d array"),
):
    refuse_report(f"y-{_name}", _error, _message, y=_y)
refuse_report(
    "y-texts-for-a-regressor",
    TypeError,
    "numbers in y, since 's' is a regressor",
    students={"s": FITTED_NUMBERS},
    y=np.array(["a"] * N),
)
for _name, (_weight, _error, _message) in WEIGHTS.items():
    refuse_report(f"weights-{_name}", _error, _message, sample_weight=_weight)
for _name, _options, _error, _message in (
    ("teacher-unfitted", {"teacher": Tree()}, NotFittedError, "'teacher', a Tree, is not fitted. Fit it"),
    ("teacher-number", {"teacher": 5}, ValueError, "'teacher' parameter.*Got 5"),
    ("teacher-regressor", {"teacher": FITTED_NUMBERS}, ValueError, "classifiers only or regressors only"),
    ("teacher-columns", {"teacher": Tree().fit(X[:, :2], Y)}, ValueError, "'teacher' was fitted on 2 columns"),
    ("n_explained", {"n_explained": -1}, ValueError, "'n_explained' parameter.*Got -1"),
    ("n_repeat_timing", {"n_repeat_timing": 0}, ValueError, "'n_repeat_timing' parameter.*Got 0"),
):
    refuse_report(_name, _error, _message, **_options)


# the promises -----------------------------------------------------------------------------------------------------

# What numpy, Python and torch say when nobody looked at the input before them.
NOT_OURS = (
    "could not be broadcast|inhomogeneous|not iterable|has no len|object has no attribute|argmax of an empty|"
    "out of bounds for axis|to unpack|'<' not supported|setting an array element|zero-size array"
)


def is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def test_the_table_is_long_and_without_repetition():
    names = [case.name for case in CASES]
    assert len(names) >= 150
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refuses(case):
    estimator, function, arguments = case.make()
    was_fitted = estimator is not None and is_fitted(estimator)
    contents, given = fingerprint(estimator), fingerprint(arguments)
    attributes = dict(vars(estimator)) if estimator is not None else {}
    before, Tree.fits = global_state(), 0
    with pytest.raises(case.error) as caught:
        function(**arguments)
    after, fits = global_state(), Tree.fits
    plain = type(caught.value) is not InvalidParameterError  # which is ValueError and TypeError at once
    assert not plain or type(caught.value) in (case.error, NotADirectoryError, FileExistsError)
    message = " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert re.search(case.message, message, re.DOTALL), message
    assert not re.search(NOT_OURS, message), message
    assert after == before
    assert fingerprint(arguments) == given
    if estimator is not None:
        assert is_fitted(estimator) == was_fitted
        assert vars(estimator).keys() == attributes.keys()
        assert all(vars(estimator)[name] is value for name, value in attributes.items())
        assert fingerprint(estimator) == contents
    if not case.late:
        assert fits == 0, "this could be known before a teacher was fitted"


# odd but legal ----------------------------------------------------------------------------------------------------


def alternately(*values):
    return list(values) * (N // len(values))


ODD = {
    "two-rows": {"X": X[:2], "rows": 2},
    "one-column": {"X": X[:, :1]},
    "constant": {"X": np.zeros((N, 3))},
    "all-missing": {"X": np.full((N, 3), np.nan)},
    "huge": {"X": put(X, (0, 0), 1e308)},
    "denormal": {"X": X * 5e-324},
    "mixed-objects": {"X": column(alternately("x", 1, 2.5, None))},
    "mixed-object-array": {"X": np.array([["a", 1], [2.0, "b"]] * (N // 2), dtype=object)},
    "truth-values-and-numbers": {"X": column(alternately(True, None, 1.5))},
    "nullable-integers": {"X": column(pd.array(alternately(1, None), dtype="Int64"))},
    "denormal-weights": {"X": X, "sample_weight": np.full(N, 5e-324)},
    "weights-of-all-sizes": {"X": X, "sample_weight": np.where(np.arange(N) % 3, 1e-300, 1e300)},
}


@pytest.mark.parametrize("name", STUDENTS)
@pytest.mark.parametrize("what", ODD)
def test_odd_but_legal(what, name):
    odd = dict(ODD[what])
    rows, table = odd.pop("rows", N), odd.pop("X")
    given, before = fingerprint(table), global_state()
    student = student_of(name, {"teacher": None}).fit(table, (Y if name in CLASSIFIERS else NUMBERS)[:rows], **odd)
    answer = student.decision_function(table) if name in CLASSIFIERS else student.predict(table)
    assert np.isfinite(answer).all()
    assert global_state() == before
    assert fingerprint(table) == given


@pytest.mark.parametrize("name", REGRESSORS)
def test_one_row_teaches_its_target(name):
    student = student_of(name, {"max_iter": 50}).fit(X[:1], [7.0])
    assert student.predict(X[:1]) == pytest.approx(7, abs=0.1)


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_constant_target_with_rounding_errors(name):
    y = np.where(Y, 0.3, 0.1 + 0.2)
    np.testing.assert_allclose(student_of(name, {}).fit(X, y).predict(X), 0.3, rtol=1e-5)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_folds_that_miss_a_class(name):
    """Trees that saw one class only are explained too."""
    y = np.repeat([0, 1], N // 2)
    halves = [(ALL_ROWS[:12], ALL_ROWS[12:]), (ALL_ROWS[12:], ALL_ROWS[:12])]
    student = student_of(name, {"cv": halves}).fit(X, y)
    assert np.isfinite(student.decision_function(X)).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_folds_whose_test_rows_weigh_nothing_are_left_out(name):
    thirds = [(np.flatnonzero(ALL_ROWS % 3 != k), np.flatnonzero(ALL_ROWS % 3 == k)) for k in range(3)]
    weight = (ALL_ROWS % 3 != 0).astype(float)
    assert np.isfinite(student_of(name, {"cv": thirds}).fit(X, Y, sample_weight=weight).decision_function(X)).all()


def scribble(rows):
    """A function that overwrites the rows it is asked about."""
    answer = np.array(rows, dtype=float)[:, 0]
    rows[:] = 0
    return answer


class Scribbler(RegressorMixin, BaseEstimator):
    """A teacher that overwrites what it is given."""

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        scribble(X)
        return self

    def predict(self, X):
        return scribble(X)


@pytest.mark.parametrize("engine", ["auto", "enumeration", "sampling", "permutation"])
@pytest.mark.parametrize("teacher", [scribble, Scribbler().fit(X.copy(), NUMBERS)], ids=["function", "estimator"])
def test_teachers_that_write_into_their_rows_are_explained_without_harm(teacher, engine):
    table, background, rows = X.copy(), X[:5].copy(), X[5:6].copy()
    explanation = (
        Explainer([0, 0, 1], background=background, engine=engine, random_state=0).fit(teacher, table).explain(rows)
    )
    if engine != "permutation":  # whose values are noisy
        np.testing.assert_allclose(explanation.phi[:, 0, 0], X[5, 0] - X[:5, 0].mean(), rtol=1e-4)
    for left, given in ((table, X), (background, X[:5]), (rows, X[5:6])):
        np.testing.assert_array_equal(left, given)


@pytest.mark.parametrize("frozen", [False, True])
def test_teachers_that_write_into_their_rows_do_no_harm_to_the_table(frozen):
    table, y, unlabelled = X.copy(), NUMBERS.copy(), X[:4].copy()
    teacher = FrozenEstimator(Scribbler().fit(X.copy(), y)) if frozen else Scribbler()
    student_of("KEDRegressor", {"teacher": teacher}).fit(table, y, X_unlabelled=unlabelled)
    np.testing.assert_array_equal(table, X)
    np.testing.assert_array_equal(y, NUMBERS)
    np.testing.assert_array_equal(unlabelled, X[:4])


def test_clustering_with_a_teacher_that_writes_into_its_rows():
    table = X.copy()
    Clustering(affinity="interaction").fit(table, teacher=scribble)
    np.testing.assert_array_equal(table, X)
