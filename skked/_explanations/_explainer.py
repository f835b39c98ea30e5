"""The public explainer: validate, choose an engine, explain."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skked._explanations._blocks import Jobs
from skked._explanations._dispatch import Problem, choose_engine
from skked._explanations._explanation import GroupExplanation
from skked._explanations._network import device_of
from skked._explanations._response import resolve_response
from skked._explanations._superfeature_labels import labels_and_names
from skked._memory import CheckedMemory
from skked._table import check_table, n_rows
from skked._validation import HasMethods, Interval, StrOptions, all_or_nothing, is_whole_number

__all__ = ["GroupShapleyExplainer"]

_OF_THE_VALUES = (
    "response", "background", "background_weight", "engine", "n_coalitions", "tolerance", "max_bytes", "device",
)  # fmt: skip
"""Parameters that the values depend on, beside the labels and the source of randomness."""


class GroupShapleyExplainer(BaseEstimator):
    """Shapley values of groups of features, for any teacher.

    The players of the game are superfeatures: groups of input columns that cover the table. A coalition of
    superfeatures takes its columns from the explained row; the others come from background rows and are averaged
    over.

    Parameters
    ----------
    superfeatures : array-like of int of shape (n_features,), dict, list of lists, or object with ``labels_``
        The groups: labels 0 to M - 1 of the columns, ``{name: columns}``, or lists of columns, given by position or
        name. Fitted clusterers of features fit in directly.
    response : {"auto", "margin", "log_odds", "probability"}, default="auto"
        What is explained of a classifier. ``"margin"``: log-odds as the teacher computes them, centred over the
        classes, in nats. ``"log_odds"``: logarithms of its probabilities, mixed with a small share of the uniform
        distribution and centred, in nats. ``"probability"``. ``"auto"`` takes margins where their softmax is
        ``predict_proba``, otherwise log-odds. Regressors' predictions and the values of a callable are explained as
        they are.
    background : None, int, or table of shape (n_background, n_features), default=None
        Rows that stand for unknown values. None: up to 100 weighted medoids of the rows given to ``fit``, or,
        where the cost hardly depends on it (closed forms and linear responses of trees), up to 20,000 of these rows.
        An int asks for that many medoids.
    background_weight : array-like of shape (n_background,) or (n_samples,), default=None
        Weights of the given background rows, or of the rows given to ``fit`` if there are none. None: equal.
    engine : {"auto", "tree", "linear", "network", "enumeration", "sampling", "permutation", "shap"}, default="auto"
        How the values are computed; the game is the same.

        - ``"tree"``: exact, from the leaves of tree ensembles. Responses that are linear in the leaves (margins of
          boosters, probabilities of forests, predictions) cost next to nothing; probabilities of boosters and
          log-odds of forests are exact up to 12 superfeatures and sampled on the leaves beyond.
        - ``"linear"``: closed form, for linear models, additive students of this package, and explainable boosting
          machines whose terms stay within superfeatures.
        - ``"network"``: ``MLPClassifier``, ``MLPRegressor``, torch ``Sequential`` and students; coalitions are
          evaluated with the first layer cached, in float32.
        - ``"enumeration"``: all coalitions, exact, for any teacher.
        - ``"sampling"``: some coalitions, with standard errors, for any teacher.
        - ``"permutation"``: few model rows for each row and *unbiased* noisy values, for any teacher: targets to train
          on, whose noise a regression averages out.
        - ``"shap"``: shap's exact or permutation explainer, as a reference.

        ``"auto"`` takes the first of tree, linear and network that applies, looking through pipelines whose steps
        treat columns one by one; then enumeration while it takes at most 12 superfeatures and 10 ** 8 model rows; then
        sampling. An engine that is asked for and does not apply is an error.
    n_coalitions : "auto" or int, default="auto"
        Coalitions evaluated for each row, the empty and the full one counted, by ``"sampling"`` and ``"network"``;
        those that are ``2 ** M`` or more mean enumeration. ``"auto"`` lets `tolerance` decide, up to 2,048. For
        ``"permutation"``: model rows for each row, rounded to pairs of permutations of ``2 (M - 1)``; ``"auto"`` is two
        pairs. For ``"shap"``: its number of evaluations.
    tolerance : float, default=0.05
        Sampling stops when the median standard error is below this share of the root mean square of the values.
    max_bytes : int or None, default=None
        Bound for the arrays one job works on. None: scikit-learn's ``working_memory``.
    memory : str, joblib.Memory or None, default=None
        Where finished blocks of rows are kept, so that an explanation that was interrupted goes on where it was; needs
        an integer `random_state`. Workers on other machines need the same folder.
    device : str, default="auto"
        torch device on which networks are evaluated; ``"auto"`` is a GPU if there is one. Everything else, and what
        does not fit there, is computed on the CPU.
    n_jobs : int or None, default=None
        Jobs over blocks of rows, as in joblib. The values do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Controls medoids, coalition designs and permutations.
    verbose : int, default=0
        1 says before the work how many model rows it will evaluate.

    Attributes
    ----------
    engine_ : str
        The engine in use; ``"coalitions"`` where ``explain`` will choose between enumeration and sampling.
    passed_over_ : dict of str
        Why each engine before it does not apply.
    base_ : float64 array of shape (n_outputs,)
        Mean score over the background.
    superfeature_labels_ : int array of shape (n_features,)
        Superfeature of each column.
    superfeature_names_ : list of str
        Names of the superfeatures.
    response_ : str
        The space of the values: ``"margin"``, ``"log_odds"``, ``"probability"`` or ``"prediction"``.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Names of the columns, for DataFrames.

    Notes
    -----
    With background rows :math:`b` of weights :math:`w_b`, the value of a coalition :math:`S` of the :math:`M`
    superfeatures and the contribution of superfeature :math:`i` are

    .. math::

        v(S) = \\sum_b w_b f(x_S, b_{\\bar S}), \\qquad
        \\phi_i = \\sum_{S \\not\\ni i} \\frac{|S|!\\,(M - |S| - 1)!}{M!} \\bigl(v(S \\cup i) - v(S)\\bigr),

    and :math:`v(\\emptyset) + \\sum_i \\phi_i = f(x)`. Summing the Shapley values of single features is another game
    with other results wherever features interact [1]_.

    The log-odds of a teacher without margins are :math:`\\log((1 - \\epsilon) p_c + \\epsilon / C)`, centred over
    the C classes. For forests of T trees :math:`\\epsilon = C / (2T + C)`, half a vote per class; otherwise it is
    0.001; calibrated teacher scores bring their own. Probabilities of 0 and 1 are thus smoothed, never clipped. The
    game is the background's mean of log-odds, not the log-odds of the mean.

    Sampled values are the posterior mean of a Gaussian process on the hypercube of coalitions, given the values of one
    design of complementary pairs of coalitions for all rows. Its parameters, one per superfeature, are fitted by
    marginal likelihood on 32 of the rows; the standard errors are posterior standard deviations, scaled by each row's
    leave-one-out residuals. With ``"auto"`` the design grows until the median standard error meets `tolerance`. Of 128
    rows or more, 16 are then evaluated at more coalitions: what that changes teaches a correction of the values of all
    rows, and calibrates their standard errors, so that 95 % of the values are within 1.96 of them.

    All engines are efficient to rounding, and the values depend on `n_jobs` in no digit. On a GPU sums are taken in
    another order, so that values of networks differ from the CPU's by some 1e-6 of their size.

    References
    ----------
    .. [1] Jullum, Redelmeier and Aas, "groupShapley: Efficient prediction explanation with Shapley values for feature
       groups", arXiv:2106.12228.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skked import GroupShapleyExplainer
    >>> X, y = load_iris(return_X_y=True)
    >>> teacher = LogisticRegression(max_iter=500).fit(X, y)
    >>> groups = {"sepal": [0, 1], "petal": [2, 3]}
    >>> explainer = GroupShapleyExplainer(groups, random_state=0).fit(teacher, X)
    >>> explanation = explainer.explain(X[:5])
    >>> explanation.engine, explanation.phi.shape
    ('linear', (5, 2, 3))
    >>> score = explanation.base + explanation.phi.sum(axis=1)
    >>> bool(abs(score - teacher.decision_function(X[:5])).max() < 1e-10)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "superfeatures": "no_validation",
        "response": [StrOptions({"auto", "margin", "log_odds", "probability"})],
        "background": "no_validation",
        "background_weight": ["array-like", None],
        "engine": [StrOptions({"auto", "tree", "linear", "network", "enumeration", "sampling", "permutation", "shap"})],
        "n_coalitions": [StrOptions({"auto"}), Interval(Integral, 2, None, closed="left")],
        "tolerance": [Interval(Real, 0, 1, closed="neither")],
        "max_bytes": [Interval(Integral, 1, None, closed="left"), None],
        "memory": [str, HasMethods(["cache"]), None],
        "device": [str],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        superfeatures,
        *,
        response="auto",
        background=None,
        background_weight=None,
        engine="auto",
        n_coalitions="auto",
        tolerance=0.05,
        max_bytes=None,
        memory=None,
        device="auto",
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.superfeatures = superfeatures
        self.response = response
        self.background = background
        self.background_weight = background_weight
        self.engine = engine
        self.n_coalitions = n_coalitions
        self.tolerance = tolerance
        self.max_bytes = max_bytes
        self.memory = memory
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, teacher, X):
        """Choose the engine and prepare the background.

        Parameters
        ----------
        teacher : fitted estimator or Pipeline, or callable
            A callable takes rows, of the kind of `X`, and returns values of shape (n_rows,) or (n_rows, n_outputs).
            It is never fitted or changed.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows from which the background is made, usually the training rows.

        Returns
        -------
        self : GroupShapleyExplainer
            Fitted explainer.

        Raises
        ------
        ValueError
            If the superfeatures are no partition of the columns, the background has other columns than `X`, a
            forced engine does not apply to this teacher, or the device is not there.
        TypeError
            If the teacher or the superfeatures are nothing of the kinds above.
        """
        self._validate_params()
        with all_or_nothing(self):
            self._fit(teacher, check_table(self, X, reset=True))
        return self

    def _fit(self, teacher, X):
        if self.device != "auto":
            device_of(self.device)
        labels, names = labels_and_names(self.superfeatures, X)
        score = resolve_response(teacher, self.response, X)
        problem = Problem(
            score=score,
            labels=labels,
            X=X,
            background=self._given_background(X),
            background_weight=self.background_weight,
            n_coalitions=self.n_coalitions,
            tolerance=self.tolerance,
            max_bytes=self.max_bytes or int(get_config()["working_memory"] * 2**20),
            jobs=self._jobs(teacher, X, labels),
            random_state=self.random_state,
            device=self.device,
        )
        self._engine, self.passed_over_ = choose_engine(problem, self.engine)
        self.engine_ = self._engine.name
        self.base_ = self._engine.base
        self.superfeature_labels_ = labels
        self.superfeature_names_ = names
        self.response_ = score.response
        self._output_names = _output_names(score.classes, len(self.base_))

    def _jobs(self, teacher, X, labels):
        """Who works, and the name of all that the values depend on beside the explained rows."""
        memory = self.memory if isinstance(self.memory, CheckedMemory) else CheckedMemory(self.memory)
        if not memory.is_on:
            return Jobs(self.n_jobs)
        parameters = self.get_params(deep=False)
        named = {name: parameters[name] for name in _OF_THE_VALUES}
        rng = check_random_state(self.random_state)
        return Jobs(self.n_jobs, memory, memory.name(teacher, X, labels, rng, named))

    def budget(self, n_samples):
        """Model rows that an explanation will evaluate at most.

        Parameters
        ----------
        n_samples : int
            Number of rows to explain.

        Returns
        -------
        int
            0 for closed forms.
        """
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or n_samples < 0:
            raise ValueError(f"Expected n_samples as a whole number of rows, at least 0, got {n_samples!r}.")
        return self._engine.budget(n_samples)

    def _turn_to_permutations(self, n_coalitions):
        """Go on as if fitted with ``engine="permutation"``; neither the background nor the game is made again."""
        self.set_params(engine="permutation", n_coalitions=n_coalitions)
        self._engine = self._engine.by_permutations(n_coalitions)
        self.engine_ = self._engine.name

    def explain(self, rows):
        """Explain rows.

        Parameters
        ----------
        rows : array-like or DataFrame of shape (n_samples, n_features)
            Rows of the kind given to ``fit``.

        Returns
        -------
        GroupExplanation
            ``phi``, ``base``, ``standard_error``, the engine that ran and the model rows it evaluated.
        """
        check_is_fitted(self)
        rows = check_table(self, rows, reset=False)
        if self.verbose:
            print(f"[GroupShapleyExplainer] {self.engine_}: at most {self.budget(n_rows(rows)):,} model rows")
        phi, standard_error, n_evaluations, engine = self._engine.explain(rows)
        return GroupExplanation(
            phi=phi,
            base=self.base_.copy(),
            standard_error=standard_error,
            engine=engine,
            n_evaluations=n_evaluations,
            response=self.response_,
            superfeature_names=self.superfeature_names_,
            output_names=self._output_names,
            rows=rows,
            labels=self.superfeature_labels_,
        )

    def _given_background(self, X):
        """Background rows as a table like `X`, or the number of medoids asked for, or None."""
        if self.background is None:
            return None
        if is_whole_number(self.background):
            if self.background < 1:
                raise ValueError(f"background={self.background} is no number of rows; expected at least 1.")
            return int(self.background)
        if np.ndim(self.background) != 2:
            raise ValueError(
                "Expected background as None, a number of rows, or a table of rows like X, got "
                f"{type(self.background).__name__} with {np.ndim(self.background)} dimension(s)."
            )
        if isinstance(X, np.ndarray) == hasattr(self.background, "columns"):
            raise ValueError(
                f"Expected background rows of the kind of X ({type(X).__name__}), got "
                f"{type(self.background).__name__}. Pass both as arrays or both as DataFrames."
            )
        if np.shape(self.background)[1] != X.shape[1]:
            raise ValueError(
                f"Expected background rows with the {X.shape[1]} columns of X, got {np.shape(self.background)[1]}. "
                "Take them from the table that the teacher was fitted on."
            )
        return check_table(self, self.background, reset=False)


def _output_names(classes, n_outputs):
    if classes is not None and len(classes) == n_outputs:
        return [str(label) for label in classes]
    return [f"output {c}" for c in range(n_outputs)]
