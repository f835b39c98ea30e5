"""The report: what was kept of the teacher, and what it costs now."""

import copy
import pickle
import time
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skked._explanations import GroupShapleyExplainer
from skked._metrics import agreement_score, explanation_agreement_score
from skked._report_page import page, subject, warnings_about
from skked._table import as_table, check_labels, check_weight, n_rows, take_rows
from skked._validation import HasMethods, Interval, validate_params
from skked._writing import write_whole

__all__ = ["DistillationReport", "distillation_report"]

_BATCH_ROWS = 5_000
_FORMATS = {
    "accuracy": "{:.3f}",
    "log_loss": "{:.3f}",
    "r2": "{:.3f}",
    "rmse": "{:.4g}",
    "agreement": "{:.3f}",
    "explanation_agreement": "{:.3f}",
    "n_parameters": "{:,.0f}",
    "bytes": "{:,.0f}",
    "us_one_row": "{:,.0f}",
    "us_per_row_batch": "{:,.2f}",
}
FOR_THE_FIT = {"teacher": FrozenEstimator, "cv": (list, tuple)}
"""Parameters of these types are large, and no prediction needs them."""


@dataclass(frozen=True)
class DistillationReport:
    """Quality, likeness to the teacher, size and speed of fitted models; made by :func:`distillation_report`.

    Attributes
    ----------
    table : DataFrame
        One row per model; see :func:`distillation_report` for the columns.
    n_samples : int
        Rows that the models were measured on.
    teacher : str or None
        Class name of the teacher.
    n_repeat_timing : int
        Predictions behind each median time.
    evidence : Evidence
        The models and rows behind the numbers, for :meth:`to_html`.
    """

    table: pd.DataFrame
    n_samples: int
    teacher: str | None
    n_repeat_timing: int
    evidence: "Evidence" = field(repr=False)

    def to_dataframe(self):
        """Return the numbers.

        Returns
        -------
        table : DataFrame
            A copy of ``table``, unrounded.
        """
        return self.table.copy()

    def to_html(self, path=None, *, student=None, title=None, X_train=None, notes=()):
        """Write a page that can be sent to a colleague: one file, which loads nothing.

        Beside the table, with intervals, it shows where a student and its teacher disagree, calibration and learning
        curves, the superfeatures and their importance, a handful of rows as both models explain them, and says in
        words what should worry you.

        Parameters
        ----------
        path : str or Path, default=None
            The file, replaced if it exists. None returns the page.
        student : str, default=None
            Name of the student that the page is about; None is the last that explains itself, else the last.
        title : str, default=None
            Heading.
        X_train : DataFrame, default=None
            Training rows: the page then says which columns are distributed otherwise in the rows of the report.
        notes : sequence of str
            Sentences to put on top, before the report's own warnings.

        Returns
        -------
        str or None
            The page, without `path`.

        Raises
        ------
        ValueError
            If there is no such student, or `X_train` has other columns.
        """
        X_train = self._training_rows(X_train)
        text = page(self, student=student, title=title, X_train=X_train, notes=notes)
        if path is None:
            return text
        write_whole(path, text)
        return None

    def warnings(self, *, student=None, X_train=None):
        """What should worry you, in words, as on top of the page.

        Parameters
        ----------
        student : str, default=None
            As for :meth:`to_html`.
        X_train : DataFrame, default=None
            As for :meth:`to_html`.

        Returns
        -------
        list of str
            A student far from its teacher, quality that was lost, superfeatures that cost something or that other
            rows would not give, probabilities that are off, columns that drifted, few rows. Empty if all is well.
        """
        X_train = self._training_rows(X_train)
        return warnings_about(self, self.evidence, subject(self.evidence, student), X_train)

    def in_words(self):
        """Format the numbers for reading.

        Returns
        -------
        DataFrame
            Of texts, in the form of ``table``.
        """
        words = {
            column: ["–" if np.isnan(value) else _FORMATS[column].format(value) for value in self.table[column]]
            for column in self.table
        }
        return pd.DataFrame(words, index=self.table.index)

    def _training_rows(self, X_train):
        if X_train is None:
            return None
        X_train = _frame(_rows(X_train))
        if X_train.shape[1] != self.evidence.X.shape[1]:
            raise ValueError(
                f"X_train has {X_train.shape[1]} columns, the rows of the report {self.evidence.X.shape[1]}. "
                "Give it the same columns."
            )
        return X_train

    def __repr__(self):
        return f"{self._caption()}\n\n{self.in_words().to_string()}"

    def _repr_html_(self):
        return f"<p>{self._caption()}</p>\n{self.in_words().to_html(border=0)}"

    def _caption(self):
        teacher = f"; agreement with the teacher, {self.teacher}" if self.teacher else ""
        return f"{self.n_samples:,} rows{teacher}; times in µs of predict, median of {self.n_repeat_timing} runs"


@dataclass(frozen=True)
class Evidence:
    """The models and rows that a report is about.

    Attributes
    ----------
    models : dict of str to fitted estimator
        In the order of the table.
    teacher : fitted estimator or None
    X : DataFrame or ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    weight : ndarray of shape (n_samples,) or None
    is_classification : bool
    explained : Explained
        The teacher's explanations.
    """

    models: dict
    teacher: object
    X: object
    y: np.ndarray
    weight: np.ndarray | None
    is_classification: bool
    explained: object

    def explained_rows(self, student):
        """Positions of the rows that were explained, and what the teacher contributes for a student's superfeatures.

        Parameters
        ----------
        student : fitted student with contributions

        Returns
        -------
        index : int ndarray
        phi : ndarray in the form of ``student.contributions``, or None
        """
        return self.explained.index, self.explained.for_student(student)


@validate_params(
    {
        "students": [dict],
        "X": "no_validation",
        "y": ["array-like"],
        "teacher": [HasMethods(["predict"]), None],
        "sample_weight": ["array-like", None],
        "n_explained": [Interval(Integral, 0, None, closed="left")],
        "n_repeat_timing": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def distillation_report(
    students, X, y, *, teacher=None, sample_weight=None, n_explained=100, n_repeat_timing=20, random_state=0
):
    """Compare fitted students with each other and with their teacher, on rows that none of them has seen.

    Parameters
    ----------
    students : dict of str to fitted estimator
        Any classifiers, or any regressors, by the name of their row.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Held-out rows.
    y : array-like of shape (n_samples,)
        Their labels or target values.
    teacher : fitted estimator or None, default=None
        Compared in a first row, ``"teacher"``, unless it is among the students. None: the ``teacher_`` of the first
        student that has one; if there is none, agreement is left out.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, for quality and agreement.
    n_explained : int, default=100
        Rows whose explanations are compared; 0 leaves this out.
    n_repeat_timing : int, default=20
        Times that a prediction is repeated.
    random_state : int, RandomState instance or None, default=0
        Draws the explained rows.

    Returns
    -------
    report : DistillationReport
        Reads well in a terminal and in a notebook; ``report.to_dataframe()`` has one row per model and the columns

        - ``accuracy`` and ``log_loss`` in nats, or ``r2`` and ``rmse`` in target units;
        - ``agreement``: share of predictions equal to the teacher's, or R² against them;
        - ``explanation_agreement``: mean cosine of the student's contributions and the teacher's group Shapley values
          for the same superfeatures, for students that have contributions;
        - ``n_parameters``, for networks and linear models; ``bytes``, the size of the pickle, without
          a frozen teacher or rows of folds that were given;
        - ``us_one_row`` and ``us_per_row_batch``: µs of ``predict`` for a row alone and for one in a batch of up to
          5,000 rows, medians.

        What does not apply is NaN.

    Raises
    ------
    TypeError, ValueError
        If ``students`` is not such a dict, mixes classifiers and regressors, or does not know a class of ``y``.
    NotFittedError
        If a model is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skked import distillation_report
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(20, random_state=0).fit(X[::2], y[::2])
    >>> linear = LogisticRegression(C=0.1).fit(X[::2], y[::2])
    >>> report = distillation_report({"linear": linear}, X[1::2], y[1::2], teacher=forest)
    >>> report.to_dataframe()[["accuracy", "agreement", "n_parameters"]].round(2)
             accuracy  agreement  n_parameters
    teacher      0.96        NaN           NaN
    linear       0.96        1.0          15.0
    """
    X, y = _rows(X), check_labels(column_or_1d(y))
    check_consistent_length(X, y)
    sample_weight = None if sample_weight is None else check_weight(sample_weight, len(y))
    teacher = _teacher_of(students) if teacher is None else teacher
    models = _models(students, teacher, X)
    is_classification = _task(models) == "classification"
    quality = _quality_of_classes if is_classification else _quality_of_numbers
    explained = Explained(teacher, X, sample_weight, n_explained, check_random_state(random_state))
    rows = {}
    for name, model in models.items():
        rows[name] = {
            **quality(name, model, X, y, sample_weight),
            **_likeness(model, teacher, X, sample_weight, explained),
            "n_parameters": _n_parameters(model),
            "bytes": len(pickle.dumps(_alone(model))),
            **_times(model, X, n_repeat_timing),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").astype(float)
    if "explanation_agreement" in table and table["explanation_agreement"].isna().all():
        table = table.drop(columns="explanation_agreement")
    evidence = Evidence(models, teacher, X, y, sample_weight, is_classification, explained)
    return DistillationReport(table, n_rows(X), teacher and type(teacher).__name__, n_repeat_timing, evidence)


def _alone(model):
    """The model without what was given for its fit alone, which may be a thousand times as large."""
    changed = {name: None for name, kind in FOR_THE_FIT.items() if isinstance(getattr(model, name, None), kind)}
    if isinstance(model, Pipeline):
        name, last = model.steps[-1]
        changed["steps"] = [*model.steps[:-1], (name, _alone(last))]
    if not changed:
        return model
    alone = copy.copy(model)
    vars(alone).update(changed)
    return alone


def _frame(X):
    return X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)


def _rows(X):
    if issparse(X):
        raise TypeError("Sparse data was passed for X, but dense data is required. Use X.toarray() to convert it.")
    X = as_table(X)
    X = X if isinstance(X, pd.DataFrame) else np.asarray(X)
    if X.ndim != 2 or n_rows(X) == 0:
        raise ValueError(f"Expected rows of shape (n_samples, n_features), at least one, got shape {X.shape}.")
    return X


def _teacher_of(students):
    return next((student.teacher_ for student in students.values() if hasattr(student, "teacher_")), None)


def _models(students, teacher, X):
    """Check the models; the teacher comes first, once."""
    if not students:
        raise ValueError("Expected at least one student, as {name: fitted student}; got an empty dict.")
    models = dict(students)
    if teacher is not None and not any(model is teacher for model in students.values()):
        if "teacher" in students:
            raise ValueError('A student is named "teacher" but is not the teacher. Give it another name.')
        models = {"teacher": teacher, **students}
    for name, model in models.items():
        if isinstance(model, type) or not hasattr(model, "predict"):
            given = (
                f"the class {model.__name__}" if isinstance(model, type) else f"{type(model).__name__} without predict"
            )
            raise TypeError(f"Expected a fitted estimator as {name!r}, got {given}.")
        try:
            check_is_fitted(model)
        except NotFittedError as error:
            raise NotFittedError(f"{name!r}, a {type(model).__name__}, is not fitted. Fit it first.") from error
        expected = getattr(model, "n_features_in_", X.shape[1])
        if expected != X.shape[1]:
            raise ValueError(
                f"{name!r} was fitted on {expected} columns, but X has {X.shape[1]}. Give it those columns."
            )
    return models


def _task(models):
    tasks = {name: "classification" if is_classifier(model) else "regression" for name, model in models.items()}
    if len(set(tasks.values())) > 1:
        raise ValueError(f"Expected classifiers only or regressors only, got {tasks}.")
    return next(iter(tasks.values()))


def _quality_of_classes(name, model, X, y, weight):
    unknown = np.setdiff1d(y, model.classes_)
    if len(unknown):
        raise ValueError(
            f"y holds the classes {unknown.tolist()}, which {name!r} does not know; it knows "
            f"{model.classes_.tolist()}. Leave those rows out."
        )
    found = {"accuracy": accuracy_score(y, model.predict(X), sample_weight=weight), "log_loss": np.nan}
    if hasattr(model, "predict_proba"):
        found["log_loss"] = log_loss(y, model.predict_proba(X), sample_weight=weight, labels=model.classes_)
    return found


def _quality_of_numbers(name, model, X, y, weight):
    if y.dtype.kind not in "biuf":
        raise TypeError(f"Expected numbers in y, since {name!r} is a regressor, got values of type {y.dtype}.")
    predicted = model.predict(X)
    return {
        "r2": r2_score(y, predicted, sample_weight=weight),
        "rmse": root_mean_squared_error(y, predicted, sample_weight=weight),
    }


def _likeness(model, teacher, X, weight, explained):
    if teacher is None:
        return {}
    if model is teacher:
        return {"agreement": np.nan, "explanation_agreement": np.nan}
    kind = "share" if is_classifier(model) else "r2"
    agreement = agreement_score(teacher.predict(X), model.predict(X), sample_weight=weight, kind=kind)
    return {"agreement": agreement, "explanation_agreement": explained.agreement(model)}


class Explained:
    """The teacher's explanations of a few rows, found once for each partition of the columns."""

    def __init__(self, teacher, X, weight, n_explained, random_state):
        self.teacher, self.X = teacher, X
        self.index = np.sort(random_state.permutation(n_rows(X))[:n_explained])
        self.weight = None if weight is None else np.asarray(weight)[self.index]
        self.seed = random_state.randint(np.iinfo(np.int32).max)
        self.known = {}

    def agreement(self, student):
        theirs = self.for_student(student)
        if theirs is None:
            return np.nan
        own = student.contributions(take_rows(self.X, self.index))
        return explanation_agreement_score(theirs, own, sample_weight=self.weight)

    def for_student(self, student):
        """The teacher's contributions in the form of the student's, or None where they cannot be compared."""
        if self.teacher is None or not len(self.index):
            return None
        if not (hasattr(student, "contributions") and hasattr(student, "superfeature_labels_")):
            return None
        labels = np.asarray(student.superfeature_labels_)
        if labels.max() == 0 or not np.array_equal(*(getattr(m, "classes_", 0) for m in (student, self.teacher))):
            return None
        n_dimensions = student.contributions(take_rows(self.X, self.index[:1])).ndim
        return self._of_teacher(labels, n_dimensions)

    def _of_teacher(self, labels, n_dimensions):
        key = labels.tobytes()
        if key not in self.known:
            explainer = GroupShapleyExplainer(labels, random_state=self.seed).fit(self.teacher, self.X)
            self.known[key] = explainer.explain(take_rows(self.X, self.index)).phi
        phi = self.known[key]
        if n_dimensions == 3:
            return phi
        return phi[..., 1] - phi[..., 0] if phi.shape[2] == 2 else phi[..., 0]


def _n_parameters(model):
    """Count the weights of students, networks and linear models."""
    model = model.steps[-1][1] if isinstance(model, Pipeline) else model
    if hasattr(model, "n_parameters_"):
        return model.n_parameters_
    if hasattr(model, "coefs_"):
        return sum(weights.size for weights in (*model.coefs_, *model.intercepts_))
    if isinstance(getattr(model, "coef_", None), np.ndarray):
        return model.coef_.size + np.size(getattr(model, "intercept_", ()))
    return np.nan


def _times(model, X, n_repeat):
    one, batch = take_rows(X, slice(0, 1)), take_rows(X, slice(0, _BATCH_ROWS))
    return {
        "us_one_row": _median_time(model, one, n_repeat),
        "us_per_row_batch": _median_time(model, batch, n_repeat) / n_rows(batch),
    }


def _median_time(model, X, n_repeat):
    """Median duration of ``predict`` in µs, after one call that warms up."""
    model.predict(X)
    durations = []
    for _ in range(n_repeat):
        start = time.perf_counter()
        model.predict(X)
        durations.append(time.perf_counter() - start)
    return 1e6 * float(np.median(durations))
