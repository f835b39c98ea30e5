"""What is explained: one score function per teacher, in a named space."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skked._explanations._errors import NotApplicableError
from skked._explanations._network import network_of
from skked._table import n_rows, take_rows
from skked._teachers import TeacherScores
from skked._teachers._scores import DEFAULT_FLOOR, CarefulAnswers, centred, real_numbers, two_columns

__all__ = ["ScoreFunction", "resolve_response", "unwrap"]

_CHECKED_ROWS = 100
_SAME = 1e-7


@dataclass(frozen=True)
class ScoreFunction:
    """The explained function ``f``: rows to scores of shape (n_rows, n_outputs).

    Attributes
    ----------
    function : callable
        Rows to scores, of whatever shape it gives them.
    response : {"margin", "log_odds", "probability", "prediction"}
        Space of the scores.
    estimator : estimator or None
        The fitted estimator or Pipeline behind the function; None for a callable.
    from_raw : callable or None
        Raw answers of `estimator` to scores; raw are margins for ``"margin"``, probabilities for ``"log_odds"`` and
        ``"probability"``, predictions for ``"prediction"``.
    linear_part : callable or None
        `from_raw` without its constant where it is affine, so that contributions to raw answers become contributions
        to scores.
    classes : array or None
        Classes of a classifier.
    floor, temperature : float
        For ``"log_odds"`` of probabilities ``p`` of C classes: the scores are the centred logarithms of
        ``(1 - floor) p + floor / C``, divided by the temperature.
    """

    function: Callable
    response: str
    estimator: object = None
    from_raw: Callable | None = None
    linear_part: Callable | None = None
    classes: np.ndarray | None = None
    floor: float = 0.0
    temperature: float = 1.0

    @property
    def name(self):
        """str: what the teacher is called, for messages."""
        asked = getattr(self.function, "function", self.function)
        return type(self.estimator).__name__ if self.estimator is not None else getattr(asked, "__name__", "function")

    @property
    def raw_space(self):
        """str: space of the raw answers."""
        return "probability" if self.response == "log_odds" else self.response

    def of_last_step(self, inner, X):
        """The same function of transformed rows.

        Parameters
        ----------
        inner : InnerEstimator
            The last step of the pipeline behind this function.
        X : table
            Rows on which to compare the two.

        Returns
        -------
        ScoreFunction

        Raises
        ------
        NotApplicableError
            If there are no steps before the last one, or the two differ.
        """
        if not inner.transformers or not hasattr(inner.estimator, "predict"):
            raise NotApplicableError("there is no last step to explain in place of the pipeline")
        if isinstance(self.function, TeacherScores):
            function = copy.copy(self.function)
            function.estimator = inner.estimator
        elif self.response in ("probability", "prediction"):
            function = inner.estimator.predict_proba if self.response == "probability" else inner.estimator.predict
        else:
            raise NotApplicableError("the margins were asked for under another name")
        sample = take_rows(X, slice(_CHECKED_ROWS))
        last = replace(self, function=_careful(function))
        expected, found = self(sample), last(inner.transform(sample))
        if found.shape != expected.shape or not np.allclose(found, expected, rtol=_SAME, atol=_SAME):
            raise NotApplicableError("the last step alone does not give the scores of the pipeline")
        return last

    def __call__(self, rows):
        """Scores of rows, checked.

        Raises
        ------
        ValueError
            If the teacher gives another number of rows, more than two dimensions, or values that are not finite.
        """
        try:
            answer = self.function(rows)
        except Exception as error:
            error.add_note(f"This came from the teacher {self.name}, asked for {n_rows(rows)} rows.")
            raise
        scores = real_numbers(answer, self.name)
        expected = n_rows(rows)
        if scores.ndim not in (1, 2) or scores.shape[0] != expected or not all(scores.shape[1:]):
            raise ValueError(
                f"The teacher returned scores of shape {scores.shape} for {expected} rows; expected ({expected},) or "
                f"({expected}, n_outputs)."
            )
        if not np.isfinite(scores).all():
            raise ValueError(
                f"The teacher returned {int((~np.isfinite(scores)).sum())} scores that are NaN or infinite for "
                f"{expected} rows; an explanation needs finite scores. Check the teacher on rows that take some "
                "columns from one row and some from another."
            )
        return scores.reshape(expected, -1)


def resolve_response(teacher, response, X):
    """The function that a teacher and a wanted response stand for.

    Parameters
    ----------
    teacher : TeacherScores, fitted estimator or Pipeline, or callable
    response : {"auto", "margin", "log_odds", "probability"}
    X : table
        Rows on which the relation of margins and probabilities is checked.

    Returns
    -------
    ScoreFunction
    """
    score = _resolved(teacher, response, X)
    return replace(score, function=_careful(score.function))


def _careful(function):
    return function if isinstance(function, TeacherScores) else CarefulAnswers(function)


def _resolved(teacher, response, X):
    if isinstance(teacher, type):
        raise TypeError(f"Expected a fitted teacher, got the class {teacher.__name__}. Make one and fit it first.")
    if isinstance(teacher, TeacherScores):
        _refuse_unless(response, ("auto", teacher.response), f"teacher scores, whose response is {teacher.response!r}")
        return _of_teacher_scores(teacher)
    if hasattr(teacher, "predict_proba") or hasattr(teacher, "decision_function"):
        check_is_fitted(teacher)
        return _of_classifier(unwrap(teacher), response, X)
    if hasattr(teacher, "predict"):
        check_is_fitted(teacher)
        _refuse_unless(response, ("auto",), "a regressor")
        return ScoreFunction(teacher.predict, "prediction", unwrap(teacher), _as_columns, _as_columns)
    network = network_of(teacher)
    if network is not None:
        _refuse_unless(response, ("auto",), "a bare network, whose outputs are explained as they are")
        return ScoreFunction(lambda rows: network.answers(network(rows)), "prediction", teacher, _as_columns)
    if callable(teacher):
        _refuse_unless(response, ("auto",), "a callable, whose values are explained as they are")
        return ScoreFunction(teacher, "prediction")
    raise TypeError(
        "Expected a fitted classifier or regressor, a Pipeline that ends in one, or a callable that takes rows as "
        f"teacher, got {type(teacher).__name__}."
    )


def unwrap(estimator):
    """The fitted estimator inside a search or a FrozenEstimator."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif type(estimator).__name__ == "FrozenEstimator":
            estimator = estimator.estimator
        else:
            return estimator


def _of_teacher_scores(scores):
    linear = None if scores.response == "log_odds" else partial(scores.from_raw, constant=False)
    return ScoreFunction(
        function=scores,
        response=scores.response,
        estimator=unwrap(scores.estimator),
        from_raw=scores.from_raw,
        linear_part=linear,
        classes=scores.classes_,
        floor=scores.floor,
        temperature=scores.temperature,
    )


def _of_classifier(estimator, response, X):
    if response == "probability":
        proba = estimator.predict_proba
        return ScoreFunction(proba, "probability", estimator, _as_columns, _as_columns, estimator.classes_)
    scores = TeacherScores(estimator, X, floor=_floor(estimator))
    if response == "log_odds" and scores.response == "margin":
        scores = scores.as_log_odds()
    if response == "margin" and scores.response != "margin":
        margin = _forced_margin(estimator)
        return ScoreFunction(
            lambda rows: _centred_margins(margin(rows)),
            "margin",
            estimator,
            _centred_margins,
            _centred_margins,
            estimator.classes_,
        )
    return _of_teacher_scores(scores)


def _forced_margin(estimator):
    """Margins of a classifier whose softmax is not its predict_proba, or that keeps them to itself."""
    if hasattr(estimator, "decision_function"):
        return estimator.decision_function
    network = network_of(estimator[-1] if isinstance(estimator, Pipeline) else estimator)
    if network is None:
        raise ValueError(
            f'{type(estimator).__name__} has no decision_function. Use response="log_odds" or "probability".'
        )
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        return lambda rows: network(estimator[:-1].transform(rows))
    return network


def _floor(estimator):
    """Half a vote per class for a forest, whose probabilities are shares of its trees' votes."""
    trees = getattr(estimator[-1] if isinstance(estimator, Pipeline) else estimator, "estimators_", None)
    if trees is None:
        return DEFAULT_FLOOR
    n_classes = len(estimator.classes_)
    return n_classes / (2 * len(trees) + n_classes)


def _centred_margins(margins):
    return centred(two_columns(np.asarray(margins, dtype=np.float64)))


def _as_columns(values):
    values = np.asarray(values, dtype=np.float64)
    return values[:, None] if values.ndim == 1 else values


def _refuse_unless(response, allowed, what):
    if response not in allowed:
        raise ValueError(f"response={response!r} does not apply to {what}; use {' or '.join(map(repr, allowed))}.")
