"""Teachers that explain themselves: additive over superfeatures, so that their explanations cost nothing."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skked._students._additive_boosting import fit_additive_boosting
from skked._students._contributions import ExplainsItself
from skked._students._predictions import PredictsClasses, PredictsNumbers
from skked._students._problem import read_problem
from skked._superfeatures import resolve_superfeatures
from skked._superfeatures.measured_gap import measure_additive_gap
from skked._table import TableEncoder, check_table
from skked._validation import HasMethods, Interval, StrOptions, all_or_nothing


class ExplainingTeacher(ExplainsItself, BaseEstimator):
    """Base of the explaining teachers; see the classifier."""

    is_additive = True  # explainers take the contributions as they are
    cv = None  # what read_problem asks for: nothing is cross-fitted here

    _parameter_constraints: dict = {
        "superfeatures": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            "array-like",
            dict,
            HasMethods(["fit"]),
        ],
        "estimator": [StrOptions({"boosting"})],
        "learning_rate": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_leaf_nodes": [StrOptions({"auto"}), Interval(Integral, 2, None, closed="left")],
        "min_samples_leaf": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "l2_regularization": [Interval(Real, 0, None, closed="left")],
        "max_features": [Interval(Real, 0, 1, closed="right")],
        "early_stopping": [StrOptions({"auto"}), "boolean"],
        "random_state": ["random_state"],
    }

    def fit(self, X, y, sample_weight=None):
        """Find the superfeatures and fit trees that keep to them.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training rows; missing values, strings and categories are welcome.
        y : array-like of shape (n_samples,)
            Labels, or target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights; a row of weight zero is as good as absent, a row of weight two as good as repeated.

        Returns
        -------
        self : object
            The fitted teacher.

        Raises
        ------
        ValueError
            If the rows, labels, weights or parameters are not what is documented.
        TypeError
            If X is sparse or of a type that cannot be read.
        """
        self._validate_params()
        with all_or_nothing(self):
            rng = check_random_state(self.random_state)
            seeds = rng.randint(np.iinfo(np.int32).max, size=3)
            problem = read_problem(self, X, y, sample_weight, None)
            labels, names, _ = resolve_superfeatures(
                self.superfeatures,
                problem.X,
                problem.y,
                sample_weight=problem.weight,
                random_state=int(seeds[0]),
            )
            boosting = fit_additive_boosting(
                self._task,
                problem.X,
                problem.y,
                problem.weight,
                labels,
                random_state=int(seeds[1]),
                **self._settings(),
            )
            gap = measure_additive_gap(
                labels,
                problem.X,
                problem.y,
                is_classifier=self._task == "classification",
                sample_weight=problem.weight,
                random_state=np.random.RandomState(seeds[2]),
            )
            self._store(problem, labels, names, boosting, gap)
        return self

    def _settings(self):
        """Parameters of the boosting that the user has set, the rest being chosen by the size of the table."""
        names = (
            "learning_rate",
            "max_iter",
            "max_leaf_nodes",
            "min_samples_leaf",
            "l2_regularization",
            "max_features",
            "early_stopping",
        )
        return {name: getattr(self, name) for name in names if getattr(self, name) != "auto"}

    def _store(self, problem, labels, names, boosting, gap):
        """Fitted attributes, all at once at the end; contributions count from their mean."""
        mean = boosting.mean_contributions(problem.X, problem.weight)
        self._boosting, self._mean = boosting, mean
        base = _over_classes(boosting.constant + mean.sum(axis=0))
        self.explanation_base_ = base if len(base) > 1 else float(base[0])
        self.superfeature_labels_, self.superfeature_names_ = labels, list(names)
        self.additive_gap_ = gap
        self.encoder_ = TableEncoder().fit(problem.X, sample_weight=problem.weight)
        self.estimator_ = boosting.model
        self.n_iter_ = boosting.n_iter
        if problem.classes is not None:
            self.classes_ = problem.classes

    def contributions(self, X):
        """Contributions of the superfeatures to the score of rows.

        ``explanation_base_ + contributions(X).sum(axis=1)`` is ``decision_function(X)``, or ``predict(X)`` of a
        regressor.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_superfeatures) or (n_samples, n_superfeatures, n_classes)
            In nats, or in target units for a regressor. Two dimensions for regressors and two classes.
        """
        check_is_fitted(self)
        phi = _over_classes(self._boosting.contributions(check_table(self, X, reset=False)) - self._mean)
        return phi[..., 0] if phi.shape[2] == 1 else phi

    def _score_of(self, X):
        check_is_fitted(self)
        return _over_classes(self._boosting.score(check_table(self, X, reset=False)))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


class ExplainingTeacherClassifier(PredictsClasses, ExplainingTeacher):
    r"""Gradient boosting that explains itself exactly, by superfeatures.

    An ordinary boosting whose trees may each look at the columns of one *superfeature* only, a group of columns. Its
    score is therefore a base plus one contribution per superfeature, read from the trees and exact: no background
    rows, no sampling. It is the explaining teacher of knowledge explaining distillation [1]_, for
    ``KEDClassifier(ExplainingTeacherClassifier(), explainer="additive")``, and a model to be used on its own.

    The table may hold numbers, strings, categories and missing values.

    Parameters
    ----------
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Groups of input columns: found by :class:`SuperfeatureClustering` (their number too, or this many), labels of
        shape (n_features,), ``{name: [columns]}``, or a clusterer with ``labels_`` over the features.
    estimator : "boosting", default="boosting"
        The additive model: a ``HistGradientBoostingClassifier`` with ``interaction_cst``.
    learning_rate : "auto" or float, default="auto"
        Shrinkage of each tree. This and the other "auto" are what the default teacher of :class:`KEDClassifier` takes
        for a table of this size.
    max_iter : "auto" or int, default="auto"
        Trees, per class where there are three or more: 16 to 60 up to 1,000 rows, 100 up to 10,000, else 300.
    max_leaf_nodes : "auto" or int, default="auto"
        Leaves of a tree: 8 up to 1,000 rows, else 31; 8 for more than 128 columns up to 10,000 rows.
    min_samples_leaf : "auto" or int, default="auto"
        Rows in a leaf: a twentieth of the rows, at least 2 and at most 20.
    l2_regularization : float, default=0.0
        Penalty of the leaves.
    max_features : float in (0, 1], default=0.5
        Share of the columns that a split chooses from, of those its superfeature leaves it.
    early_stopping : "auto" or bool, default="auto"
        Hold out a tenth of the rows, and stop when their loss has not fallen for 10 trees; "auto" does beyond 10,000
        rows.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    random_state : int, RandomState instance or None, default=None
        Seed of the superfeatures, of the columns that each split chooses from, and of the rows held out.

    Attributes
    ----------
    estimator_ : HistGradientBoostingClassifier or Pipeline
        The fitted boosting; a Pipeline where columns had to be prepared. It sees categories before numbers.
    superfeature_labels_ : ndarray of int, shape (n_features_in_,)
        Superfeature of every column.
    superfeature_names_ : list of str
        Names of the superfeatures.
    explanation_base_ : float or ndarray of shape (n_classes,)
        Mean score of the training rows, from which contributions count, in nats.
    additive_gap_ : float
        What boosting loses on held-out rows by keeping to the superfeatures, in nats of log-loss: that of additive
        boosting minus that of an unrestricted one, both small and fitted for this comparison on at most 3,000 rows.
        Often it is zero or negative; where it is large, a KED student of these superfeatures will lose as much. NaN
        with fewer than 100 rows.
    n_iter_ : int
        Trees, per class where there are three or more.
    encoder_ : TableEncoder
        The table as numbers, for the colours of :meth:`explain`.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had some.

    See Also
    --------
    ExplainingTeacherRegressor : The same for numbers.
    KEDClassifier : The student, a few hundred weights instead of thousands of leaves.
    GroupShapleyExplainer : Explains models that are not additive.

    Notes
    -----
    The score of class c is

    .. math:: z_c(x) = b_c + \sum_i \phi_{ic}(x_{S_i}), \qquad
        \phi_{ic}(x) = \sum_{t \in T_{ic}} \Bigl(t(x_{S_i}) - \frac{\sum_n w_n t(x_{n S_i})}{\sum_n w_n}\Bigr),

    with :math:`T_{ic}` the trees of class c that split on columns of superfeature :math:`S_i`, and training rows
    :math:`x_n` of weights :math:`w_n`. For three or more classes, scores and contributions are centred over the
    classes; for two, the score is the log-odds of ``classes_[1]``. As the score is additive, :math:`\phi_i` *is* the
    Shapley value of superfeature i, with the training rows as background.

    The published system [1]_ takes an additive network as its explaining teacher, trained on the labels with the
    cross-entropy of the total; boosting with the same structure is ours. Contributions depend on the columns of their
    superfeature alone, so those of a chimera are those of its donors.

    References
    ----------
    .. [1] Chowdhury, Liang, Tizghadam and Albanese, "Improving Knowledge Distillation with Teacher's
       Explanation", 2023. `doi:10.48550/arXiv.2310.02572 <https://doi.org/10.48550/arXiv.2310.02572>`_

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skked import ExplainingTeacherClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> groups = {"sepal": [0, 1], "petal": [2, 3]}
    >>> teacher = ExplainingTeacherClassifier(groups, random_state=0).fit(X, y)
    >>> teacher.score(X, y) > 0.95
    True
    >>> phi = teacher.contributions(X)
    >>> phi.shape
    (150, 2, 3)
    >>> total = teacher.explanation_base_ + phi.sum(axis=1)
    >>> bool(abs(total - teacher.decision_function(X)).max() < 1e-10)
    True
    """

    _parameter_constraints: dict = {
        **ExplainingTeacher._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        superfeatures="auto",
        estimator="boosting",
        *,
        learning_rate="auto",
        max_iter="auto",
        max_leaf_nodes="auto",
        min_samples_leaf="auto",
        l2_regularization=0.0,
        max_features=0.5,
        early_stopping="auto",
        class_weight=None,
        random_state=None,
    ):
        self.superfeatures = superfeatures
        self.estimator = estimator
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.max_features = max_features
        self.early_stopping = early_stopping
        self.class_weight = class_weight
        self.random_state = random_state


class ExplainingTeacherRegressor(PredictsNumbers, ExplainingTeacher):
    r"""Gradient boosting that explains itself exactly, by superfeatures, for numbers.

    An ordinary boosting of squared errors whose trees may each look at the columns of one *superfeature* only, a group
    of columns. Its prediction is therefore a base plus one contribution per superfeature, read from the trees and
    exact: no background rows, no sampling. It is the explaining teacher of knowledge explaining distillation [1]_, for
    ``KEDRegressor(ExplainingTeacherRegressor(), explainer="additive")``, and a model to be used on its own.

    The table may hold numbers, strings, categories and missing values.

    Parameters
    ----------
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Groups of input columns: found by :class:`SuperfeatureClustering` (their number too, or this many), labels of
        shape (n_features,), ``{name: [columns]}``, or a clusterer with ``labels_`` over the features.
    estimator : "boosting", default="boosting"
        The additive model: a ``HistGradientBoostingRegressor`` with ``interaction_cst``.
    learning_rate : "auto" or float, default="auto"
        Shrinkage of each tree. This and the other "auto" are what the default teacher of :class:`KEDRegressor` takes
        for a table of this size.
    max_iter : "auto" or int, default="auto"
        Trees: 16 to 60 up to 1,000 rows, 100 up to 10,000, else 300.
    max_leaf_nodes : "auto" or int, default="auto"
        Leaves of a tree: 8 up to 1,000 rows, else 31; 8 for more than 128 columns up to 10,000 rows.
    min_samples_leaf : "auto" or int, default="auto"
        Rows in a leaf: a twentieth of the rows, at least 2 and at most 20.
    l2_regularization : float, default=0.0
        Penalty of the leaves.
    max_features : float in (0, 1], default=0.5
        Share of the columns that a split chooses from, of those its superfeature leaves it.
    early_stopping : "auto" or bool, default="auto"
        Hold out a tenth of the rows, and stop when their loss has not fallen for 10 trees; "auto" does beyond 10,000
        rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the superfeatures, of the columns that each split chooses from, and of the rows held out.

    Attributes
    ----------
    estimator_ : HistGradientBoostingRegressor or Pipeline
        The fitted boosting; a Pipeline where columns had to be prepared. It sees categories before numbers.
    superfeature_labels_ : ndarray of int, shape (n_features_in_,)
        Superfeature of every column.
    superfeature_names_ : list of str
        Names of the superfeatures.
    explanation_base_ : float
        Mean prediction of the training rows, from which contributions count, in target units.
    additive_gap_ : float
        What boosting loses on held-out rows by keeping to the superfeatures, in units of R²: the R² of unrestricted
        boosting minus that of an additive one, both small and fitted for this comparison on at most 3,000 rows. Often
        it is zero or negative; where it is large, a KED student of these superfeatures will lose as much. NaN with
        fewer than 100 rows.
    n_iter_ : int
        Trees, per class where there are three or more.
    encoder_ : TableEncoder
        The table as numbers, for the colours of :meth:`explain`.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had some.

    See Also
    --------
    ExplainingTeacherClassifier : The same for classes; its notes say what is published and what is ours.
    KEDRegressor : The student, a few hundred weights instead of thousands of leaves.
    GroupShapleyExplainer : Explains models that are not additive.

    Notes
    -----
    The prediction is

    .. math:: f(x) = b + \sum_i \phi_i(x_{S_i}), \qquad
        \phi_i(x) = \sum_{t \in T_i} \Bigl(t(x_{S_i}) - \frac{\sum_n w_n t(x_{n S_i})}{\sum_n w_n}\Bigr),

    with :math:`T_i` the trees that split on columns of superfeature :math:`S_i`, and training rows :math:`x_n` of
    weights :math:`w_n`. As the prediction is additive, :math:`\phi_i` *is* the Shapley value of superfeature i, with
    the training rows as background.

    References
    ----------
    .. [1] Chowdhury, Liang, Tizghadam and Albanese, "Improving Knowledge Distillation with Teacher's
       Explanation", 2023. `doi:10.48550/arXiv.2310.02572 <https://doi.org/10.48550/arXiv.2310.02572>`_

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skked import ExplainingTeacherRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> groups = {"person": ["age", "sex", "bmi", "bp"], "blood": [f"s{i}" for i in range(1, 7)]}
    >>> teacher = ExplainingTeacherRegressor(groups, random_state=0).fit(X, y)
    >>> phi = teacher.contributions(X)
    >>> phi.shape
    (442, 2)
    >>> bool(abs(teacher.explanation_base_ + phi.sum(axis=1) - teacher.predict(X)).max() < 1e-10)
    True
    """

    def __init__(
        self,
        superfeatures="auto",
        estimator="boosting",
        *,
        learning_rate="auto",
        max_iter="auto",
        max_leaf_nodes="auto",
        min_samples_leaf="auto",
        l2_regularization=0.0,
        max_features=0.5,
        early_stopping="auto",
        random_state=None,
    ):
        self.superfeatures = superfeatures
        self.estimator = estimator
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.max_features = max_features
        self.early_stopping = early_stopping
        self.random_state = random_state


def _over_classes(values):
    """Centre three or more classes; leave a single output as it is."""
    return values - values.mean(axis=-1, keepdims=True) if values.shape[-1] > 1 else values
