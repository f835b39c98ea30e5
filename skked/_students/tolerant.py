"""Tolerant teachers: classifiers that leave probability to the classes which resemble the right one."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skked._progress import CallbackSupportMixin, following, stage, with_callbacks
from skked._students._predictions import PredictsClasses
from skked._students._problem import read_problem
from skked._students._tolerance import TOLERANCE_CONSTRAINTS, fit_relabelled, resolve_tolerance
from skked._students._untaught import UntaughtNetwork
from skked._table import check_table
from skked._validation import HasMethods, Interval, StrOptions, all_or_nothing

NETWORK_CONSTRAINTS = {
    "max_parameters": [Interval(Integral, 1, None, closed="left")],
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left"), None],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "device": [str],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}
"""What a network's training takes; names as in the students."""
_OF_THE_NETWORK = ("max_parameters", "hidden_layer_sizes", "max_iter", "batch_size", "learning_rate_init", "alpha")


class TolerantNetwork(UntaughtNetwork):
    """A dense network fitted by the top-k gap loss; `tolerance` is set before ``fit``."""

    tolerance = None

    def _fit_network(self, architecture, n_superfeatures, material, schedule, seed):
        from skked._torch._tolerant import TolerantLoss
        from skked._torch._train import train

        kind = material.scale.kind
        (trained,) = train(
            architecture,
            material.base,
            n_superfeatures,
            material.real,
            schedule,
            kind=kind,
            distillation_weight=[0.0],
            explanation_weight=[0.0],
            temperature=[1.0],
            explanation_temperature=[1.0],
            seeds=[seed],
            loss=TolerantLoss(kind, eta=self.tolerance.eta, top_k=self.tolerance.top_k),
            device=self.device,
        )
        return trained


def network_settings(estimator):
    """Parameters of a network's training, from an estimator that has those of :data:`NETWORK_CONSTRAINTS`."""
    return {name: getattr(estimator, name) for name in (*_OF_THE_NETWORK, "device")}


def tolerant_network(estimator, tolerance, seed):
    """The unfitted network of an estimator that has the parameters of :data:`NETWORK_CONSTRAINTS`."""
    network = TolerantNetwork(distillation_weight=0.0, random_state=seed, **network_settings(estimator))
    network.tolerance = tolerance
    return network


class TolerantClassifier(PredictsClasses, CallbackSupportMixin, BaseEstimator):
    r"""A teacher that is tolerant: it leaves probability to the classes that resemble the right one.

    A strict teacher is sure of every training row, and has nothing to tell beyond the label. A tolerant one is trained
    to keep a chosen confidence, and to spend what is left on few other classes; which ones it chooses is what its
    students learn from it [1]_. Use it as ``KDClassifier(FrozenEstimator(tolerant.fit(X, y)))``, where the soft targets
    are those of the rows that it was trained on, or as the first of :class:`GenerationsClassifier`.

    The table may hold numbers, strings, categories and missing values.

    Parameters
    ----------
    estimator : "network", "boosting" or classifier, default="network"
        What is made tolerant: a dense network, by the top-k gap loss; or gradient boosting, or any other classifier
        that takes ``sample_weight``, by relabelling (see Notes).
    target_confidence : float in (0, 1), default=0.8
        p*: the probability of its own class that a fitted row comes to have; above 1 / K.
    eta : float in (0, 1] or None, default=None
        η: weight of the cross-entropy, in place of `target_confidence`. It must be above 1 / K; from K / (2K - 1) on
        the teacher is strict, and 1 is the cross-entropy alone.
    top_k : int, default=5
        K: how many classes the gap is taken over, the most probable ones. The number of classes, if those are fewer;
        with two classes the gap is a penalty of confidence and nothing more.
    cv : int, splitter, iterable or None, default=5
        Folds of the relabelling; not read for a network.
    max_parameters : int, default=10_000
        Weights and biases of the network. The width of its hidden layer is solved from it; from 5,000 rows on there
        are two, if the budget pays for 8 units in each.
    hidden_layer_sizes : int, array-like of int or None, default=None
        Hidden units per layer of the network, in place of `max_parameters`.
    max_iter : int, default=200
        Epochs of the network.
    batch_size : int or "auto", default="auto"
        Rows per step of the network; "auto" is √n_samples, at least 32 and at most 1,024.
    learning_rate_init : float, default=0.003
        Largest learning rate of the network; it rises for 5 % of the steps and falls along half a cosine to zero.
        Large steps may drive rows to probability 1, where the loss is flat and keeps them.
    alpha : float, default=0.2
        Decoupled weight decay of the network per step and unit of learning rate; divided by n_samples / 1,000 for more
        rows than that.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    n_jobs : int or None, default=None
        Jobs of the relabelling's folds; the result does not depend on it.
    device : str, default="auto"
        torch device of the network's training; "auto" is a GPU if there is one.
    verbose : bool or int, default=False
        True or 1 shows bars with the time that remains on a terminal, where rich is installed, and prints what is done.
    random_state : int, RandomState instance or None, default=None
        Seed of the network, or of the folds and a classifier without one.

    Attributes
    ----------
    estimator_ : classifier
        The fitted network or classifier.
    eta_ : float
        η, as given or found from the confidence.
    top_k_ : int
        K, at most the number of classes.
    target_confidence_ : float
        p* of `eta_` and `top_k_`; 1 for a strict teacher.
    n_parameters_ : int
        Weights and biases of the network; absent for other classifiers.
    n_iter_ : int
        Epochs of the network, or what the classifier reports as its ``n_iter_``, else 1.
    loss_curve_ : list of float
        Loss of the last batch of each epoch of the network.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had some.

    Warns
    -----
    UserWarning
        If `eta` is K / (2K - 1) or more but not 1: the gap is too light to keep a fitted row from probability 1.

    See Also
    --------
    GenerationsClassifier : A tolerant network and the generations that learn from it.
    KDClassifier : A student; its default cross-fitting makes any teacher's soft targets honest in another way.

    Notes
    -----
    With :math:`f_{a_k}` the k-th largest probability and :math:`f_y` that of the row's class, a row's loss is [1]_

    .. math:: -η \ln f_y + (1-η)\Bigl[f_{a_1} - \frac{1}{K-1} \sum_{k=2}^{K} f_{a_k}\Bigr],
        \qquad p^* = \frac{η(K-1)}{(1-η)K}, \qquad η = \frac{p^*K}{K-1+p^*K}.

    :math:`p^*` is where the loss of a row is least whose class is the most probable one and whose other K - 1 classes
    hold the rest. The equations are second-hand: the authors published no code.

    *Relabelling* is ours. A strict classifier, cross-fitted, says how probable the other classes are; every row is then
    there K times, once for its own class with weight :math:`p^*`, and once for each of the K - 1 most probable others,
    which share :math:`1 - p^*` in proportion. The classifier is fitted to that, which is the cross-entropy to these
    soft targets.

    A student that cross-fits its teacher also calibrates it, by a temperature, on held-out rows. That takes back a
    tolerant teacher's low confidence, though not the choice of its other classes.

    References
    ----------
    .. [1] C. Yang, L. Xie, S. Qiao, A. Yuille, "Knowledge Distillation in Generations: More Tolerant Teachers Educate
       Better Students", 2018. `doi:10.48550/arXiv.1805.05551 <https://doi.org/10.48550/arXiv.1805.05551>`_

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skked import TolerantClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> teacher = TolerantClassifier(target_confidence=0.7, max_parameters=500, max_iter=50, random_state=0).fit(X, y)
    >>> round(teacher.eta_, 3)
    0.512
    >>> teacher.score(X, y) > 0.9
    True
    >>> bool(abs(teacher.predict_proba(X).max(axis=1).mean() - 0.7) < 0.05)
    True
    """

    _parameter_constraints: dict = {
        "estimator": [StrOptions({"network", "boosting"}), HasMethods(["fit", "predict"])],
        **TOLERANCE_CONSTRAINTS,
        "cv": ["cv_object", "boolean"],
        **NETWORK_CONSTRAINTS,
        "n_jobs": [Interval(Integral, None, -1, closed="right"), Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        estimator="network",
        *,
        target_confidence=0.8,
        eta=None,
        top_k=5,
        cv=5,
        max_parameters=10_000,
        hidden_layer_sizes=None,
        max_iter=200,
        batch_size="auto",
        learning_rate_init=0.003,
        alpha=0.2,
        class_weight=None,
        n_jobs=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.estimator = estimator
        self.target_confidence = target_confidence
        self.eta = eta
        self.top_k = top_k
        self.cv = cv
        self.max_parameters = max_parameters
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Fit the tolerant teacher.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training rows; missing values, strings and categories are welcome.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights; a row of weight zero is as good as absent, a row of weight two as good as repeated.

        Returns
        -------
        self : object
            The fitted teacher.

        Raises
        ------
        ValueError
            If the rows, labels, weights or parameters are not what is documented, or the confidence cannot be had.
        TypeError
            If X is sparse or of a type that cannot be read, or the classifier takes no weights.
        """
        self._validate_params()
        with following(self, 1, X, y), all_or_nothing(self):
            seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
            problem = read_problem(self, X, y, sample_weight, None)
            tolerance = resolve_tolerance(self.eta, self.target_confidence, self.top_k, len(problem.classes))
            if self.verbose:
                print(f"[{type(self).__name__}] eta={tolerance.eta:.3g}, confidence {tolerance.confidence:.3g}")
            with stage("training"):
                self._fit_estimator(problem, tolerance, seed)
            self.eta_, self.top_k_ = tolerance.eta, tolerance.top_k
            self.target_confidence_ = tolerance.confidence
            self.classes_ = problem.classes
        return self

    def _fit_estimator(self, problem, tolerance, seed):
        """Fit the network or the classifier, and store it."""
        for name in ("n_parameters_", "loss_curve_", "_scores"):
            vars(self).pop(name, None)
        if isinstance(self.estimator, str) and self.estimator == "network":
            network = tolerant_network(self, tolerance, seed)
            self.estimator_ = network.fit(problem.X, problem.y, sample_weight=problem.weight)
            self.n_parameters_, self.loss_curve_ = network.n_parameters_, network.loss_curve_
            self.n_iter_ = network.n_iter_
            return
        classifier = None if isinstance(self.estimator, str) else self.estimator
        self._scores = fit_relabelled(classifier, problem, tolerance, cv=problem.cv, n_jobs=self.n_jobs, seed=seed)
        self.estimator_ = self._scores.estimator
        self.n_iter_ = int(np.max(getattr(self.estimator_, "n_iter_", 1)))

    def _score_of(self, X):
        check_is_fitted(self)
        rows = check_table(self, X, reset=False)
        if not hasattr(self, "_scores"):
            return self.estimator_._score_of(rows)
        scores = self._scores(rows)
        return scores[:, 1:] - scores[:, :1] if scores.shape[1] == 2 else scores

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags
