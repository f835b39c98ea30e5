"""One fitted teacher as a callable: rows in, scores of the link space out."""

import copy

import numpy as np
from scipy.special import softmax
from sklearn import get_config
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skked._table import take_rows

# Mixed into the probabilities of teachers that give nothing else, where no held-out rows can choose it.
DEFAULT_FLOOR = 1e-3
# A class that this teacher never saw stands this many nats below the mean of the classes that it knows: its
# probability is then below 0.001 for any row, and the score stays linear in the margins.
UNSEEN_CLASS_SCORE = np.log(1e-3)
_N_PROBE_ROWS = 64
_COPIES_IN_TEACHER = 4
# Margins count as log-probabilities if their softmax agrees with predict_proba to this; boosters may use float32.
_SAME_PROBABILITY = 1e-5
_SUMS_TO_ONE = 1e-3


class TeacherScores:
    """Scores of a fitted teacher in the link space.

    For a classifier the scores are calibrated log-probabilities, centred over the classes, in nats; for a regressor
    they are its predictions, in target units. How they are found is decided once, on a few rows:

    - ``"margin"``: the teacher's own log-probabilities up to a constant (``decision_function``, or the raw scores of
      LightGBM, XGBoost and CatBoost), when their softmax is ``predict_proba`` or there is no ``predict_proba``;
    - ``"log_odds"``: the logarithm of ``predict_proba``, mixed with the uniform distribution;
    - ``"prediction"``: ``predict``, for regressors.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator or Pipeline, possibly inside a :class:`~sklearn.frozen.FrozenEstimator`.
    rows : ndarray or DataFrame of shape (n_rows, n_features)
        Rows to try the teacher on; at most 64 are used.
    classes : array-like of shape (n_classes,), default=None
        Classes of the scores, in order. ``None`` takes those of the estimator. Classes that the estimator does not
        know (a fold may miss one) get a low constant score; classes beyond these are an error.
    task : {"classification", "regression"}, default=None
        ``None`` asks the estimator.
    temperature : float, default=1.0
        Divides the scores of a classifier; > 0.
    floor : float, default=1e-3
        Share of the uniform distribution that is mixed into the probabilities, in (0, 1), for ``"log_odds"``.

    Attributes
    ----------
    estimator : estimator
        The fitted user estimator or Pipeline, out of its FrozenEstimator.
    response : {"margin", "log_odds", "prediction"}
        Where the scores come from.
    temperature, floor : float
        As given, or as found by calibration.
    classes_ : ndarray of shape (n_classes,) or None
        Classes of the columns; None for regressors.
    n_outputs : int
        Number of columns of the scores, C: at least 2 for classifiers, 1 for regressors.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator has none of the methods needed.
    ValueError
        If it knows other columns or classes, or answers with NaN, infinity, another shape, or probabilities that are
        negative or do not sum to one.

    Notes
    -----
    With margins :math:`z`, probabilities :math:`p`, temperature :math:`T`, floor :math:`\\epsilon` and
    :math:`\\bar a` the mean over classes, the score of class :math:`c` is

    .. math:: \\frac{z_c - \\bar z}{T} \\quad\\text{or}\\quad
        \\frac{a_c - \\bar a}{T},\\; a_c = \\log\\left((1-\\epsilon)\\,p_c + \\frac{\\epsilon}{C}\\right).

    The first is linear in the leaves of a tree ensemble, which is what the exact tree engine needs.
    """

    def __init__(self, estimator, rows, *, classes=None, task=None, temperature=1.0, floor=DEFAULT_FLOOR):
        self.estimator = estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator
        self.temperature = float(temperature)
        self.floor = float(floor)
        self.classes_ = None
        self._copies_input = False
        _check_fitted(self.estimator)
        _check_columns(self.estimator, rows)
        probe = _some_rows(rows, _N_PROBE_ROWS)
        if (task or _task_of(self.estimator)) == "regression":
            self.response, self._method, self.has_probabilities = "prediction", "predict", False
            self._protect(probe)
            return
        known = _known_classes(self.estimator)
        self.classes_ = known if classes is None else np.asarray(classes)
        self._columns = _positions(known, self.classes_, self.name)
        self._resolve(probe)

    @property
    def name(self):
        """Class name of the estimator, for messages."""
        return type(self.estimator).__name__

    @property
    def n_outputs(self):
        """Number of columns of the scores."""
        return 1 if self.classes_ is None else len(self.classes_)

    def __call__(self, X):
        """Score rows.

        Parameters
        ----------
        X : ndarray or DataFrame of shape (n_rows, n_features)
            Rows, as the teacher was fitted on.

        Returns
        -------
        scores : ndarray of shape (n_rows, n_outputs), float64
            Centred calibrated log-probabilities in nats, or predictions in target units.
        """
        return self.from_raw(self.raw(X))

    def raw(self, X):
        """Ask the teacher, and put its answer into one shape.

        Parameters
        ----------
        X : ndarray or DataFrame of shape (n_rows, n_features)
            Rows.

        Returns
        -------
        raw : ndarray of shape (n_rows, n_known), float64
            Uncalibrated. ``"margin"``: centred margins of the classes that this teacher knows, in nats;
            ``"log_odds"``: their probabilities; ``"prediction"``: predictions, one column.

        Notes
        -----
        More rows than scikit-learn's ``working_memory`` holds are asked for in several calls.
        """
        n_rows, at_once = len(X), _rows_per_call(X)
        if n_rows <= at_once:
            return self._raw(X)
        return np.concatenate([self._raw(take_rows(X, slice(k, k + at_once))) for k in range(0, n_rows, at_once)])

    def _raw(self, X):
        answer = self._ask(self._method, X)
        if self.response == "prediction":
            return _checked_predictions(answer, len(X), self.name)
        if self.response == "log_odds":
            return _checked_probabilities(answer, len(X), len(self._columns), self.name)
        return centred(self._checked_margins(answer, len(X)))

    def from_raw(self, raw, *, constant=True):
        """Turn answers of the teacher into scores.

        Parameters
        ----------
        raw : ndarray of shape (..., n_known)
            As from :meth:`raw`; margins of two classes may come as one column, that of the second class.
        constant : bool, default=True
            False leaves the constant score of unseen classes out: what contributions to a margin need. Only for
            ``"margin"`` and ``"prediction"``, where the map is affine.

        Returns
        -------
        scores : ndarray of shape (..., n_outputs), float64
            Scores in the link space.
        """
        raw = np.asarray(raw, dtype=np.float64)
        if self.response == "prediction":
            return raw
        if self.response == "log_odds":
            probability = np.zeros((*raw.shape[:-1], self.n_outputs))
            probability[..., self._columns] = raw
            mixed = (1 - self.floor) * probability + self.floor / self.n_outputs
            return centred(np.log(mixed)) / self.temperature
        known = centred(two_columns(raw)) / self.temperature
        if len(self._columns) == self.n_outputs and np.all(np.diff(self._columns) == 1):
            return known
        scores = np.full((*known.shape[:-1], self.n_outputs), UNSEEN_CLASS_SCORE if constant else 0.0)
        scores[..., self._columns] = known
        return centred(scores)

    def calibrated(self, temperature, floor):
        """Return the same teacher with another temperature and floor."""
        other = copy.copy(self)
        other.temperature, other.floor = float(temperature), float(floor)
        return other

    def as_log_odds(self):
        """Return the same teacher, asked for probabilities instead of margins."""
        other = copy.copy(self)
        other.response, other._method = "log_odds", "predict_proba"
        return other

    def _resolve(self, probe):
        """Choose margin or log-odds by trying both on a few rows."""
        has_margin, self.has_probabilities = _margin_method(self.estimator), hasattr(self.estimator, "predict_proba")
        if not (has_margin or self.has_probabilities):
            raise TypeError(
                f"The teacher {self.name} has neither predict_proba nor decision_function. "
                "A teacher of a classifier needs one of them; wrap it, for instance in CalibratedClassifierCV."
            )
        if not self.has_probabilities:
            self.response, self._method = "margin", has_margin
            self._protect(probe)
            self.raw(probe)
            return
        self.response, self._method = "log_odds", "predict_proba"
        self._protect(probe)
        probability = self.raw(probe)
        if has_margin and len(self._columns) > 1 and self._is_log_probability(has_margin, probe, probability):
            self.response, self._method = "margin", has_margin

    def _is_log_probability(self, method, probe, probability):
        margins = two_columns(np.asarray(self._ask(method, probe), dtype=np.float64))
        if margins.shape != probability.shape or not np.isfinite(margins).all():
            return False
        return bool(np.allclose(softmax(margins, axis=1), probability, rtol=0, atol=_SAME_PROBABILITY))

    def _protect(self, probe):
        """Hand out copies from now on if the teacher writes into its input."""
        before = probe.copy()
        self._ask(self._method, probe)
        self._copies_input = not _same_table(before, probe)

    def _ask(self, method, X):
        if self._copies_input:
            X = X.copy()
        try:
            call = _MARGIN_CALLS.get(method)
            return call(self.estimator, X) if call else getattr(self.estimator, method)(X)
        except Exception as error:
            error.add_note(f"This came from the teacher {self.name}, asked for {method} of {len(X)} rows.")
            raise

    def _checked_margins(self, answer, n_rows):
        margins = two_columns(_numbers(answer, self.name))
        n_known = len(self._columns)
        if margins.shape != (n_rows, n_known):
            raise ValueError(
                f"The teacher {self.name} gave scores of shape {np.shape(answer)}; expected one column per class, "
                f"({n_rows}, {n_known}). Use decision_function_shape='ovr', or a teacher with predict_proba."
            )
        return margins


def centred(values):
    """Subtract the mean over the last axis."""
    return values - values.mean(axis=-1, keepdims=True)


def two_columns(margins):
    """Write the margin d of two classes, (n,) or (..., 1), as the columns (-d/2, d/2)."""
    if margins.ndim == 1:
        margins = margins[:, None]
    if margins.shape[-1] == 1:
        margins = np.concatenate([-margins / 2, margins / 2], axis=-1)
    return margins


def _task_of(estimator):
    return "classification" if hasattr(estimator, "classes_") else "regression"


def _last_step(estimator):
    while isinstance(estimator, (Pipeline, FrozenEstimator)):
        estimator = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator.estimator
    return estimator


def _through_pipeline(final_call):
    """Make a call of the last step see the rows that the steps before it made."""

    def call(estimator, X):
        while isinstance(estimator, (Pipeline, FrozenEstimator)):
            if isinstance(estimator, FrozenEstimator):
                estimator = estimator.estimator
                continue
            if len(estimator.steps) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator.steps[-1][1]
        return final_call(estimator, X)

    return call


# The boosters of other libraries have no decision_function; each says "give me margins" in its own words.
_MARGIN_CALLS = {
    "lightgbm": _through_pipeline(lambda model, X: model.predict(X, raw_score=True)),
    "xgboost": _through_pipeline(lambda model, X: model.predict(X, output_margin=True)),
    "catboost": _through_pipeline(lambda model, X: model.predict(X, prediction_type="RawFormulaVal")),
}


def _margin_method(estimator):
    """Name how this estimator gives margins: a key of _MARGIN_CALLS, "decision_function", or None."""
    library = type(_last_step(estimator)).__module__.split(".")[0]
    if library in _MARGIN_CALLS:
        return library
    return "decision_function" if hasattr(estimator, "decision_function") else None


def _known_classes(estimator):
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise TypeError(f"The teacher {type(estimator).__name__} has no classes_; a teacher of a classifier needs it.")
    return np.asarray(classes).ravel()


def _positions(known, classes, name):
    """Find the columns of the teacher's classes among ``classes``."""
    where = {label: column for column, label in enumerate(classes.tolist())}
    foreign = [label for label in known.tolist() if label not in where]
    if foreign:
        raise ValueError(
            f"The teacher {name} knows the classes {known.tolist()}, of which {foreign} are not in y, whose classes "
            f"are {classes.tolist()}. Teach with a teacher of the same classes."
        )
    return np.array([where[label] for label in known.tolist()], dtype=np.intp)


def _check_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotFittedError(
            f"The teacher {type(estimator).__name__} is frozen but not fitted. "
            "Fit it before FrozenEstimator, or pass it without FrozenEstimator to have it fitted."
        ) from error
    except (AttributeError, TypeError):
        return  # not a scikit-learn estimator: its answers will tell


def _check_columns(estimator, rows):
    expected = getattr(estimator, "n_features_in_", None)
    name = type(estimator).__name__
    if expected is not None and expected != rows.shape[1]:
        raise ValueError(
            f"The teacher {name} was fitted on {expected} columns, but X has {rows.shape[1]}. "
            "Give it the table that it was fitted on."
        )
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or not hasattr(rows, "columns"):
        return
    given = [str(column) for column in rows.columns]
    if list(names) != given:
        odd = [column for column in given if column not in set(names)]
        what = f"unknown to it: {odd[:5]}" if odd else "the same ones in another order"
        raise ValueError(
            f"The teacher {name} was fitted on other columns than those of X ({what}). "
            "Give it the table that it was fitted on."
        )


def _rows_per_call(X):
    """Rows that fit into the working memory, with the copies that a teacher makes of them."""
    return max(1, int(get_config()["working_memory"] * 2**20) // (_COPIES_IN_TEACHER * 8 * max(1, X.shape[1])))


def _some_rows(rows, n):
    index = np.unique(np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(int))
    return take_rows(rows, index)


def _same_table(before, after):
    if hasattr(before, "equals"):
        return before.equals(after)
    return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")


def real_numbers(answer, name):
    """Make float64 of an answer and refuse what holds no real numbers."""
    try:
        values = np.asarray(answer)
        if answer is None or values.dtype.kind not in "biufO":
            raise TypeError(f"{values.dtype} is no type of real numbers")
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        what = "None" if answer is None else f"a {type(answer).__name__}"
        raise TypeError(
            f"The teacher {name} answered {what} that holds no real numbers; expected an array of them, one row per "
            "row asked for. Check what its predict, predict_proba or decision_function returns."
        ) from error


class CarefulAnswers:
    """A function of rows that gets copies if it wrote into those of its first call."""

    def __init__(self, function):
        self.function = function
        self.writes = None

    def __call__(self, rows):
        if self.writes is False:
            return self.function(rows)
        handed = rows.copy()
        answer = self.function(handed)
        self.writes = self.writes or not _same_table(rows, handed)
        return answer


def _numbers(answer, name):
    """Make float64 of an answer and refuse what is not finite."""
    values = real_numbers(answer, name)
    if not np.isfinite(values).all():
        bad = int(values.size - np.isfinite(values).sum())
        raise ValueError(
            f"The teacher {name} answered NaN or infinity in {bad} of {values.size} numbers; expected finite ones. "
            "Check its input for missing or huge values, and how it was fitted."
        )
    return values


def check_scores(answer, n_rows, name):
    """Make a finite float64 array of shape (n_rows, n_outputs) of what a function answered."""
    values = _numbers(answer, name)
    if values.ndim not in (1, 2) or len(values) != n_rows:
        raise ValueError(
            f"The teacher {name} gave scores of shape {values.shape} for {n_rows} rows; expected ({n_rows},) or "
            f"({n_rows}, n_outputs)."
        )
    return values.reshape(n_rows, -1)


def _checked_predictions(answer, n_rows, name):
    values = _numbers(answer, name)
    if values.shape not in ((n_rows,), (n_rows, 1)):
        raise ValueError(
            f"The teacher {name} predicted an array of shape {values.shape}; expected one number per row, ({n_rows},)."
        )
    return values.reshape(n_rows, 1)


def _checked_probabilities(answer, n_rows, n_known, name):
    values = _numbers(answer, name)
    if values.shape != (n_rows, n_known):
        raise ValueError(
            f"The teacher {name} gave probabilities of shape {values.shape}; expected one row per input row and one "
            f"column per class, ({n_rows}, {n_known})."
        )
    sums = values.sum(axis=1)
    if values.min(initial=0.0) < -_SUMS_TO_ONE or np.abs(sums - 1).max(initial=0.0) > _SUMS_TO_ONE:
        raise ValueError(
            f"The teacher {name} gave probabilities that are negative or do not sum to one: the least is "
            f"{values.min():.4g}, row sums lie between {sums.min():.4g} and {sums.max():.4g}. "
            "Normalise them, or use a teacher that does."
        )
    return np.clip(values, 0.0, None) / np.clip(values, 0.0, None).sum(axis=1, keepdims=True)
