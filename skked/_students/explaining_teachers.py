"""Teachers that explain themselves: additive over superfeatures, so that their explanations cost nothing."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skked._progress import CallbackSupportMixin, following, stage, with_callbacks
from skked._students._additive_boosting import fit_additive_boosting
from skked._students._contributions import ExplainsItself
from skked._students._html import additive_box, flow, superfeatures_box
from skked._students._predictions import PredictsClasses, PredictsNumbers
from skked._students._problem import read_problem
from skked._superfeatures import resolve_superfeatures
from skked._superfeatures.measured_gap import measure_additive_gap
from skked._table import TableEncoder, check_table
from skked._validation import HasMethods, Interval, StrOptions, all_or_nothing

_EPOCHS, _LEARNING_RATE = 200, 0.01  # of a network: those of the students


class ExplainingTeacher(ExplainsItself, CallbackSupportMixin, BaseEstimator):
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
        "estimator": [StrOptions({"boosting", "network"})],
        "teacher": [HasMethods(["fit"]), None],
        "learning_rate": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_leaf_nodes": [StrOptions({"auto"}), Interval(Integral, 2, None, closed="left")],
        "min_samples_leaf": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "l2_regularization": [Interval(Real, 0, None, closed="left")],
        "max_features": [Interval(Real, 0, 1, closed="right")],
        "early_stopping": [StrOptions({"auto"}), "boolean"],
        "max_parameters": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left"), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "device": [str],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Find the superfeatures and fit trees, or a network, that keep to them.

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
        if self.teacher is not None and self.estimator != "network":
            raise ValueError(
                f'teacher= needs estimator="network", which learns from it; estimator={self.estimator!r} learns from '
                "the labels. Set estimator, or leave the teacher out."
            )
        with following(self, 3, X, y), all_or_nothing(self):
            rng = check_random_state(self.random_state)
            seeds = rng.randint(np.iinfo(np.int32).max, size=3)
            problem = read_problem(self, X, y, sample_weight, None)
            with stage("superfeatures"):
                labels, names, _ = resolve_superfeatures(
                    self.superfeatures,
                    problem.X,
                    problem.y,
                    sample_weight=problem.weight,
                    random_state=int(seeds[0]),
                )
            with stage("additive gap"):
                gap = measure_additive_gap(
                    labels,
                    problem.X,
                    problem.y,
                    is_classifier=self._task == "classification",
                    sample_weight=problem.weight,
                    random_state=np.random.RandomState(seeds[2]),
                )
            if self.verbose:
                unit = "nats" if self._task == "classification" else "of R²"
                print(f"[{type(self).__name__}] {len(names)} superfeatures: {'; '.join(names)}")
                print(f"[{type(self).__name__}] additive gap of boosting, T0 - T1: {gap:.4g} {unit}", flush=True)
            with stage("training"):
                model = self._fit_model(problem, labels, names, int(seeds[1]))
            self._store(problem, labels, names, model, gap)
        return self

    def _fit_model(self, problem, labels, names, seed):
        """The additive model: boosting, or a network."""
        arguments = self._task, problem.X, problem.y, problem.weight
        if self.estimator == "boosting":
            return fit_additive_boosting(*arguments, labels, random_state=seed, **self._boosting_settings())
        from skked._students._additive_network import fit_additive_network  # students, which import this module

        groups = {name: np.flatnonzero(labels == group).tolist() for group, name in enumerate(names)}
        return fit_additive_network(
            *arguments, groups, teacher=self.teacher, random_state=seed, **self._network_settings()
        )

    def _sk_visual_block_(self):
        known = getattr(self, "superfeature_names_", None), getattr(self, "superfeature_labels_", None)
        teacher = [] if self.teacher is None else [("teacher", self.teacher)]
        boxes = [*teacher, ("superfeatures", superfeatures_box(self, *known)), ("model", additive_box(self))]
        return flow(boxes)

    def _network_settings(self):
        """Parameters of the network's training."""
        return {
            "max_parameters": self.max_parameters,
            "hidden_layer_sizes": self.hidden_layer_sizes,
            "max_iter": _EPOCHS if self.max_iter == "auto" else self.max_iter,
            "learning_rate_init": _LEARNING_RATE if self.learning_rate == "auto" else self.learning_rate,
            "alpha": self.alpha,
            "early_stopping": self.early_stopping is True,
            "device": self.device,
            "verbose": self.verbose and self.teacher is not None,
        }

    def _boosting_settings(self):
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

    def _store(self, problem, labels, names, model, gap):
        """Fitted attributes, all at once at the end; contributions count from their mean."""
        mean = model.mean_contributions(problem.X, problem.weight)
        self._model, self._mean = model, mean
        base = _over_classes(model.constant + mean.sum(axis=0))
        self.explanation_base_ = base if len(base) > 1 else float(base[0])
        self.superfeature_labels_, self.superfeature_names_ = labels, list(names)
        self.additive_gap_ = gap
        self.encoder_ = TableEncoder().fit(problem.X, sample_weight=problem.weight)
        self.estimator_ = model.model
        self.n_iter_ = model.n_iter
        vars(self).pop("n_parameters_", None)
        if self.estimator == "network":
            self.n_parameters_ = self.estimator_.n_parameters_
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
        phi = _over_classes(self._model.contributions(check_table(self, X, reset=False)) - self._mean)
        return phi[..., 0] if phi.shape[2] == 1 else phi

    def _score_of(self, X):
        check_is_fitted(self)
        return _over_classes(self._model.score(check_table(self, X, reset=False)))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


class ExplainingTeacherClassifier(PredictsClasses, ExplainingTeacher):
    r"""A classifier that explains itself exactly, by superfeatures: gradient boosting, or a network.

    An ordinary boosting whose trees may each look at the columns of one *superfeature* only, a group of columns; or one
    small network per superfeature, whose outputs add up. Its score is therefore a base plus one contribution per
    superfeature, read from the model and exact: no background rows, no sampling. It is the explaining teacher of
    knowledge explaining distillation [1]_, for ``KEDClassifier(ExplainingTeacherClassifier(), explainer="additive")``,
    and a model to be used on its own.

    The table may hold numbers, strings, categories and missing values.

    Parameters
    ----------
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Groups of input columns: found by :class:`SuperfeatureClustering` (their number too, or this many), labels of
        shape (n_features,), ``{name: [columns]}``, or a clusterer with ``labels_`` over the features.
    estimator : {"boosting", "network"}, default="boosting"
        The additive model: a ``HistGradientBoostingClassifier`` with ``interaction_cst``, or the network of a
        :class:`KEDClassifier`, larger.
    teacher : classifier or None, default=None
        What the network learns from, with the labels: the predictions of this classifier and its group explanations, as
        a :class:`KEDClassifier` does. None: the labels alone, by the loss of the total. Needs ``estimator="network"``.
    learning_rate : "auto" or float, default="auto"
        Shrinkage of each tree, or largest learning rate of the network (0.01 if "auto"). The other "auto" are what the
        default teacher of :class:`KEDClassifier` takes for a table of this size.
    max_iter : "auto" or int, default="auto"
        Trees, per class where there are three or more: 16 to 60 up to 1,000 rows, 100 up to 10,000, else 300. Or
        epochs of the network, 200.
    max_leaf_nodes : "auto" or int, default="auto"
        Leaves of a tree: 8 up to 1,000 rows, else 31; 8 for more than 128 columns up to 10,000 rows.
    min_samples_leaf : "auto" or int, default="auto"
        Rows in a leaf: a twentieth of the rows, at least 2 and at most 20.
    l2_regularization : float, default=0.0
        Penalty of the leaves.
    max_features : float in (0, 1], default=0.5
        Share of the columns that a split chooses from, of those its superfeature leaves it.
    early_stopping : "auto" or bool, default="auto"
        Hold out a tenth of the rows, and stop when their loss has not fallen for 10 trees, or 20 epochs; "auto" does
        beyond 10,000 rows, for trees.
    max_parameters : int, default=10_000
        Budget of the network: weights and biases. The published system gives it as many as the teacher that it stands
        beside has. The width of each part's one hidden layer is solved from it.
    hidden_layer_sizes : int, array-like of int or None, default=None
        Hidden units per layer of each part of the network, in place of `max_parameters`.
    alpha : float, default=0.2
        Decoupled weight decay of the network per step and unit of learning rate; divided by n_samples / 1,000 for more
        rows than that.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    device : str, default="auto"
        torch device of the network's training; "auto" is a GPU if there is one.
    verbose : bool or int, default=False
        Print the superfeatures and their additive gap before anything is fitted to them, and what the network does.
    random_state : int, RandomState instance or None, default=None
        Seed of the superfeatures, of the columns that each split chooses from, of the rows held out and of the network.

    Attributes
    ----------
    estimator_ : HistGradientBoostingClassifier, Pipeline or KEDClassifier
        The fitted boosting, a Pipeline where columns had to be prepared; it sees categories before numbers. Or the
        network, as a student, which can be exported.
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
        Trees, per class where there are three or more; or epochs of the network.
    n_parameters_ : int
        Weights and biases of the network; absent for boosting.
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

    for boosting, with :math:`T_{ic}` the trees of class c that split on columns of superfeature :math:`S_i`, and
    training rows :math:`x_n` of weights :math:`w_n`. For three or more classes, scores and contributions are centred
    over the classes; for two, the score is the log-odds of ``classes_[1]``. As the score is additive, :math:`\phi_i`
    *is* the Shapley value of superfeature i, with the training rows as background.

    The published system [1]_ takes an additive network as its explaining teacher, trained on the labels with the
    cross-entropy of the total and with as many parameters as the ordinary teacher: that is ``estimator="network"``.
    Boosting with the same structure, and a network taught by another teacher, are ours. Contributions depend on the
    columns of their superfeature alone, so those of a chimera are those of its donors.

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
        teacher=None,
        learning_rate="auto",
        max_iter="auto",
        max_leaf_nodes="auto",
        min_samples_leaf="auto",
        l2_regularization=0.0,
        max_features=0.5,
        early_stopping="auto",
        max_parameters=10_000,
        hidden_layer_sizes=None,
        alpha=0.2,
        class_weight=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.superfeatures = superfeatures
        self.estimator = estimator
        self.teacher = teacher
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.max_features = max_features
        self.early_stopping = early_stopping
        self.max_parameters = max_parameters
        self.hidden_layer_sizes = hidden_layer_sizes
        self.alpha = alpha
        self.class_weight = class_weight
        self.device = device
        self.verbose = verbose
        self.random_state = random_state


class ExplainingTeacherRegressor(PredictsNumbers, ExplainingTeacher):
    r"""A regressor that explains itself exactly, by superfeatures: gradient boosting, or a network.

    An ordinary boosting of squared errors whose trees may each look at the columns of one *superfeature* only, a group
    of columns; or one small network per superfeature, whose outputs add up. Its prediction is therefore a base plus one
    contribution per superfeature, read from the model and exact: no background rows, no sampling. It is the explaining
    teacher of knowledge explaining distillation [1]_, for
    ``KEDRegressor(ExplainingTeacherRegressor(), explainer="additive")``, and a model to be used on its own.

    The table may hold numbers, strings, categories and missing values.

    Parameters
    ----------
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Groups of input columns: found by :class:`SuperfeatureClustering` (their number too, or this many), labels of
        shape (n_features,), ``{name: [columns]}``, or a clusterer with ``labels_`` over the features.
    estimator : {"boosting", "network"}, default="boosting"
        The additive model: a ``HistGradientBoostingRegressor`` with ``interaction_cst``, or the network of a
        :class:`KEDRegressor`, larger.
    teacher : regressor or None, default=None
        What the network learns from, with the labels: the predictions of this regressor and its group explanations, as
        a :class:`KEDRegressor` does. None: the labels alone, by the loss of the total. Needs ``estimator="network"``.
    learning_rate : "auto" or float, default="auto"
        Shrinkage of each tree, or largest learning rate of the network (0.01 if "auto"). The other "auto" are what the
        default teacher of :class:`KEDRegressor` takes for a table of this size.
    max_iter : "auto" or int, default="auto"
        Trees: 16 to 60 up to 1,000 rows, 100 up to 10,000, else 300. Or epochs of the network, 200.
    max_leaf_nodes : "auto" or int, default="auto"
        Leaves of a tree: 8 up to 1,000 rows, else 31; 8 for more than 128 columns up to 10,000 rows.
    min_samples_leaf : "auto" or int, default="auto"
        Rows in a leaf: a twentieth of the rows, at least 2 and at most 20.
    l2_regularization : float, default=0.0
        Penalty of the leaves.
    max_features : float in (0, 1], default=0.5
        Share of the columns that a split chooses from, of those its superfeature leaves it.
    early_stopping : "auto" or bool, default="auto"
        Hold out a tenth of the rows, and stop when their loss has not fallen for 10 trees, or 20 epochs; "auto" does
        beyond 10,000 rows, for trees.
    max_parameters : int, default=10_000
        Budget of the network: weights and biases. The published system gives it as many as the teacher that it stands
        beside has. The width of each part's one hidden layer is solved from it.
    hidden_layer_sizes : int, array-like of int or None, default=None
        Hidden units per layer of each part of the network, in place of `max_parameters`.
    alpha : float, default=0.2
        Decoupled weight decay of the network per step and unit of learning rate; divided by n_samples / 1,000 for more
        rows than that.
    device : str, default="auto"
        torch device of the network's training; "auto" is a GPU if there is one.
    verbose : bool or int, default=False
        Print the superfeatures and their additive gap before anything is fitted to them, and what the network does.
    random_state : int, RandomState instance or None, default=None
        Seed of the superfeatures, of the columns that each split chooses from, of the rows held out and of the network.

    Attributes
    ----------
    estimator_ : HistGradientBoostingRegressor, Pipeline or KEDRegressor
        The fitted boosting, a Pipeline where columns had to be prepared; it sees categories before numbers. Or the
        network, as a student, which can be exported.
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
        Trees, per class where there are three or more; or epochs of the network.
    n_parameters_ : int
        Weights and biases of the network; absent for boosting.
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

    for boosting, with :math:`T_i` the trees that split on columns of superfeature :math:`S_i`, and training rows
    :math:`x_n` of weights :math:`w_n`. As the prediction is additive, :math:`\phi_i` *is* the Shapley value of
    superfeature i, with the training rows as background.

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
        teacher=None,
        learning_rate="auto",
        max_iter="auto",
        max_leaf_nodes="auto",
        min_samples_leaf="auto",
        l2_regularization=0.0,
        max_features=0.5,
        early_stopping="auto",
        max_parameters=10_000,
        hidden_layer_sizes=None,
        alpha=0.2,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.superfeatures = superfeatures
        self.estimator = estimator
        self.teacher = teacher
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.max_features = max_features
        self.early_stopping = early_stopping
        self.max_parameters = max_parameters
        self.hidden_layer_sizes = hidden_layer_sizes
        self.alpha = alpha
        self.device = device
        self.verbose = verbose
        self.random_state = random_state


def _over_classes(values):
    """Centre three or more classes; leave a single output as it is."""
    return values - values.mean(axis=-1, keepdims=True) if values.shape[-1] > 1 else values
