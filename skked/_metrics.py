"""How much a student is like its teacher: in what it predicts, and in why."""

from numbers import Integral, Number

import numpy as np
from scipy.sparse import issparse
from scipy.stats import rankdata
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_array, check_consistent_length

from skked._table import as_table, assemble_rows, check_labels, check_weight, n_rows, stack_rows
from skked._validation import HasMethods, Interval, StrOptions, validate_params

__all__ = ["agreement_score", "deletion_curve", "explanation_agreement_score", "make_agreement_scorer"]


@validate_params(
    {
        "y_teacher": ["array-like"],
        "y_student": ["array-like"],
        "sample_weight": ["array-like", None],
        "kind": [StrOptions({"auto", "share", "r2"})],
    },
    prefer_skip_nested_validation=True,
)
def agreement_score(y_teacher, y_student, *, sample_weight=None, kind="auto"):
    """Agreement of a student's predictions with its teacher's.

    For classes it is the share of equal predictions; for numbers it is R², the share of the variance of the
    teacher's predictions that the student's reproduce.

    Parameters
    ----------
    y_teacher : array-like of shape (n_samples,)
        The teacher's predictions: labels, or values.
    y_student : array-like of shape (n_samples,)
        The student's predictions for the same rows.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.
    kind : {"auto", "share", "r2"}, default="auto"
        ``"auto"`` is ``"r2"`` if either side holds numbers that are not whole, else ``"share"``.

    Returns
    -------
    score : float
        1 for a perfect copy. A share lies in [0, 1]; R² has no lower bound.

    Raises
    ------
    ValueError
        If the lengths differ, the predictions are not one per row, or some are missing.
    TypeError
        If one side holds numbers and the other does not.

    See Also
    --------
    explanation_agreement_score : The same for explanations.
    make_agreement_scorer : For ``scoring=`` in a search.

    Examples
    --------
    >>> from skked import agreement_score
    >>> agreement_score(["a", "b", "b", "a"], ["a", "b", "a", "a"])
    0.75
    >>> round(agreement_score([1.5, 2.5, 4.0], [1.6, 2.5, 3.9]), 4)
    0.9937
    """
    teacher, student = _predictions(y_teacher, "y_teacher"), _predictions(y_student, "y_student")
    check_consistent_length(teacher, student)
    weight = None if sample_weight is None else check_weight(sample_weight, len(teacher), of="prediction")
    kinds = [_kind(teacher), _kind(student)]
    if kinds[0] != kinds[1] or (kind == "r2" and kinds[0] != "numbers"):
        wanted = "numbers" if kind == "r2" else "predictions of one kind"
        raise TypeError(f"Expected {wanted}, got {kinds[0]} from the teacher and {kinds[1]} from the student.")
    if kind == "auto":
        numbers = any(type_of_target(y).startswith("continuous") for y in (teacher, student))
        kind = "r2" if numbers else "share"
    if kind == "r2":
        return float(r2_score(teacher, student, sample_weight=weight))
    return float(np.average(teacher == student, weights=weight))


@validate_params(
    {
        "phi_teacher": "no_validation",
        "phi_student": "no_validation",
        "kind": [StrOptions({"cosine", "spearman", "top_k", "r2"})],
        "k": [Interval(Integral, 1, None, closed="left")],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def explanation_agreement_score(phi_teacher, phi_student, *, kind="cosine", k=1, sample_weight=None):
    """Agreement of a student's explanations with its teacher's.

    Parameters
    ----------
    phi_teacher, phi_student : array-like of shape (n_samples, n_superfeatures) or \
            (n_samples, n_superfeatures, n_outputs)
        Contributions of the same superfeatures to the same rows, in the same units. A ``GroupExplanation`` or a
        ``shap.Explanation`` is read too.
    kind : {"cosine", "spearman", "top_k", "r2"}, default="cosine"
        - ``"cosine"``: cosine of the angle between the two explanations of a row;
        - ``"spearman"``: rank correlation of the contributions of a row, mean over the outputs;
        - ``"top_k"``: share of the `k` strongest superfeatures of a row that both name;
        - ``"r2"``: share of the variance of the teacher's contributions that the student's reproduce, all
          superfeatures and outputs together.
    k : int, default=1
        For ``"top_k"``. Strength is the Euclidean norm over the outputs.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    score : float
        Weighted mean over the rows (``"r2"``: over all numbers); 1 for a perfect copy.

    Raises
    ------
    ValueError
        If the shapes differ, values are not finite, or `k` exceeds the number of superfeatures.

    Notes
    -----
    Where both explanations of a row are zero (for ``"spearman"``: constant) they agree, and count as 1; where only
    one is, it counts as 0.

    Examples
    --------
    >>> from skked import explanation_agreement_score
    >>> teacher = [[2.0, -1.0, 0.5], [0.0, 1.0, 3.0]]
    >>> student = [[1.5, -1.0, 0.0], [2.5, 1.0, 2.0]]
    >>> round(explanation_agreement_score(teacher, student), 3)
    0.814
    >>> explanation_agreement_score(teacher, student, kind="top_k")
    0.5
    """
    teacher, student = _contributions(phi_teacher), _contributions(phi_student)
    if teacher.shape != student.shape:
        raise ValueError(
            f"Expected explanations of one shape, got {teacher.shape} from the teacher and {student.shape} from the "
            "student. Explain the same rows by the same superfeatures and outputs."
        )
    if kind == "top_k" and k > teacher.shape[1]:
        raise ValueError(f"Expected k of at most the {teacher.shape[1]} superfeatures, got k={k}.")
    weight = None if sample_weight is None else check_weight(sample_weight, len(teacher), of="row")
    if kind == "r2":
        flat = teacher.reshape(len(teacher), -1), student.reshape(len(student), -1)
        return float(_explained_share(*flat, weight))
    if kind == "cosine":
        per_row = _cosine(teacher.reshape(len(teacher), -1), student.reshape(len(student), -1))
    elif kind == "spearman":
        per_row = _spearman(teacher, student).mean(axis=1)
    else:
        per_row = _shared_strongest(teacher, student, k)
    return float(np.average(per_row, weights=weight))


@validate_params(
    {
        "estimator": [HasMethods(["predict_proba"])],
        "X": "no_validation",
        "contributions": "no_validation",
        "superfeature_labels": ["array-like"],
        "background": "no_validation",
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "sample_weight": ["array-like", None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def deletion_curve(
    estimator,
    X,
    contributions,
    superfeature_labels,
    *,
    background=None,
    n_draws=5,
    sample_weight=None,
    random_state=None,
):
    """Probability of the predicted class as superfeatures are deleted, what speaks for the class most first.

    An explanation that names what a model relies on makes the curve fall early: of two explanations of one model, that
    with the smaller ``curve.mean()`` is the more faithful one. The explained model may be another than the one that
    explains: a student's contributions may be tried on its teacher.

    Parameters
    ----------
    estimator : fitted classifier
        Whose probabilities are asked for.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows.
    contributions : array-like of shape (n_samples, n_superfeatures) or (n_samples, n_superfeatures, n_classes)
        Contributions to the log-odds of ``classes_[1]``, or to every class of `estimator`. A ``GroupExplanation`` or a
        ``shap.Explanation`` is read too.
    superfeature_labels : array-like of int of shape (n_features,)
        Superfeature of every column, 0 to n_superfeatures - 1.
    background : table of shape (n_background, n_features), default=None
        Rows that the deleted columns are filled from; None takes those of `X`.
    n_draws : int, default=5
        Background rows drawn for each row, over which probabilities are averaged.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.
    random_state : int, RandomState instance or None, default=None
        Draws the background rows.

    Returns
    -------
    curve : ndarray of shape (n_superfeatures + 1,)
        Weighted mean probability after 0, 1, ... deletions, of the class predicted without any.

    Raises
    ------
    ValueError
        If rows, columns, classes and contributions do not go with each other.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skked import deletion_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = X[:100], y[:100]
    >>> model = LogisticRegression().fit(X, y)
    >>> contributions = (X - X.mean(axis=0)) * model.coef_
    >>> right = deletion_curve(model, X, contributions, [0, 1, 2, 3], random_state=0)
    >>> wrong = deletion_curve(model, X, -contributions, [0, 1, 2, 3], random_state=0)
    >>> right.mean() < wrong.mean()
    np.True_
    """
    X, phi = _table(X), _contributions(contributions)
    labels = np.asarray(superfeature_labels)
    pool = stack_rows(X, X if background is None else _table(background))
    n, n_groups = n_rows(X), phi.shape[1]
    if phi.shape[0] != n or len(labels) != X.shape[1] or set(labels.tolist()) != set(range(n_groups)):
        raise ValueError(
            f"Expected contributions of {n} rows and as many superfeatures as labels of the {X.shape[1]} columns name, "
            f"got contributions of shape {phi.shape} and the labels {sorted(set(labels.tolist()))} of {len(labels)} "
            "columns."
        )
    weight = None if sample_weight is None else check_weight(sample_weight, n, of="row")
    probability = estimator.predict_proba(X)
    predicted = probability.argmax(axis=1)
    order = np.argsort(-_for_class(phi, predicted, probability.shape[1]), axis=1, kind="stable")
    rows, rng = np.arange(n), check_random_state(random_state)
    curve = np.zeros(n_groups + 1)
    for _ in range(n_draws):
        fill = rng.randint(n, n_rows(pool), size=(n, 1))
        donors = np.repeat(rows[:, None], n_groups, axis=1)
        for n_deleted in range(n_groups + 1):
            np.put_along_axis(donors, order[:, :n_deleted], fill, axis=1)
            answer = estimator.predict_proba(assemble_rows(pool, donors, labels))
            curve[n_deleted] += np.average(answer[rows, predicted], weights=weight) / n_draws
    return curve


def _table(X):
    X = as_table(X)
    return X if hasattr(X, "columns") else check_array(X, ensure_all_finite="allow-nan")


def _for_class(phi, classes, n_classes):
    """Contributions that speak for one class per row, shape (n_samples, n_superfeatures)."""
    if phi.shape[2] == 1 and n_classes == 2:
        return phi[:, :, 0] * np.where(classes == 1, 1, -1)[:, None]
    if phi.shape[2] != n_classes:
        raise ValueError(f"Expected contributions to the {n_classes} classes of the estimator, got {phi.shape[2]}.")
    return phi[np.arange(len(phi)), :, classes]


@validate_params({"teacher": [HasMethods(["predict"]), None]}, prefer_skip_nested_validation=True)
def make_agreement_scorer(teacher=None):
    """Make a scorer of agreement, for ``scoring=`` of searches and cross-validation.

    Parameters
    ----------
    teacher : fitted estimator or None, default=None
        The teacher to agree with; ``None`` takes the student's own ``teacher_``, which a student inside a Pipeline is
        searched for too.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None, sample_weight=None)``, higher is better; `y` is not looked at, so that rows
        without labels can be scored. It can be pickled.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skked import make_agreement_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    >>> student = DecisionTreeClassifier(max_depth=2, random_state=0)
    >>> cross_val_score(student, X, y, scoring=make_agreement_scorer(forest)).mean() > 0.9
    np.True_
    """
    return _AgreementScorer(teacher)


class _AgreementScorer:
    def __init__(self, teacher):
        self.teacher = teacher

    def __call__(self, estimator, X, y=None, sample_weight=None):
        if self.teacher is not None:
            return agreement_score(self.teacher.predict(X), estimator.predict(X), sample_weight=sample_weight)
        student, rows = _student_in(estimator, X)
        return agreement_score(student.teacher_.predict(rows), student.predict(rows), sample_weight=sample_weight)

    def __repr__(self):
        return f"make_agreement_scorer({self.teacher!r})"


def _student_in(estimator, X):
    """Find the estimator that has a ``teacher_``, and the rows as it sees them."""
    if hasattr(estimator, "teacher_"):
        return estimator, X
    if hasattr(estimator, "steps") and hasattr(estimator.steps[-1][1], "teacher_"):
        return estimator.steps[-1][1], estimator[:-1].transform(X)
    raise ValueError(
        f"Expected a fitted student with its teacher_, got {type(estimator).__name__}, which has none. "
        "Pass the teacher: make_agreement_scorer(teacher)."
    )


def _predictions(y, name):
    y = column_or_1d(y)
    if not len(y):
        raise ValueError(f"Expected at least one prediction in {name}, got none.")
    return check_labels(y, name=name)


def _kind(y):
    number = y.dtype.kind in "biuf" or (y.dtype == object and isinstance(y[0], Number))
    return "numbers" if number else "labels that are no numbers"


def _contributions(explanation):
    """Make an array (n_samples, n_superfeatures, n_outputs) of whatever holds an explanation."""
    if hasattr(explanation, "phi"):
        explanation = explanation.phi
    elif hasattr(explanation, "base_values"):
        explanation = explanation.values
    try:
        numeric = issparse(explanation) or np.asarray(explanation).dtype.kind in "biuf"
    except ValueError:
        numeric = False  # rows of unlike lengths
    if not numeric:
        raise TypeError(
            "Expected contributions as an array of numbers, or an explanation that holds one, got "
            f"{type(explanation).__name__}."
        )
    phi = check_array(explanation, allow_nd=True, dtype=np.float64, input_name="phi")
    if phi.ndim not in (2, 3):
        raise ValueError(
            f"Expected contributions of shape (n_samples, n_superfeatures) or (n_samples, n_superfeatures, "
            f"n_outputs), got {phi.ndim} dimensions."
        )
    return phi[:, :, None] if phi.ndim == 2 else phi


def _cosine(a, b):
    """Cosine of every row, along the last axis; 1 where both are zero, 0 where one is."""
    size_a, size_b = (np.abs(v).max(axis=-1, keepdims=True) for v in (a, b))
    # Scaling first keeps the squares of huge and of tiny values from becoming infinite or zero.
    a, b = a / np.where(size_a == 0, 1, size_a), b / np.where(size_b == 0, 1, size_b)
    length = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    both_zero = ((size_a == 0) & (size_b == 0))[..., 0]
    return np.where(both_zero, 1.0, (a * b).sum(axis=-1) / np.where(length == 0, 1, length))


def _spearman(a, b):
    """Rank correlation over the superfeatures of every row and output, (n_samples, n_outputs)."""
    ranks = (rankdata(v, axis=1).swapaxes(1, 2) for v in (a, b))
    return _cosine(*(rank - rank.mean(axis=-1, keepdims=True) for rank in ranks))


def _shared_strongest(a, b, k):
    strongest = [np.argsort(-np.linalg.norm(v, axis=2), axis=1, kind="stable")[:, :k] for v in (a, b)]
    return (strongest[0][:, :, None] == strongest[1][:, None, :]).any(axis=2).mean(axis=1)


def _explained_share(a, b, weight):
    """R² over all numbers, each superfeature and output about its own mean."""
    spread = np.average((a - np.average(a, axis=0, weights=weight)) ** 2, axis=0, weights=weight).sum()
    missed = np.average((a - b) ** 2, axis=0, weights=weight).sum()
    if spread == 0:
        return 1.0 if missed == 0 else 0.0
    return 1 - missed / spread
