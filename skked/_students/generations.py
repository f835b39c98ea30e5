"""Generations of networks, each taught by the one before; the first one is tolerant."""

from numbers import Integral, Real

import numpy as np
from scipy.special import logsumexp
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skked._progress import CallbackSupportMixin, following, stage, steps, with_callbacks
from skked._students._predictions import PredictsClasses
from skked._students._problem import read_problem
from skked._students._tolerance import TOLERANCE_CONSTRAINTS, resolve_tolerance
from skked._students.kd import KDClassifier
from skked._students.tolerant import NETWORK_CONSTRAINTS, network_settings, tolerant_network
from skked._table import check_table, take_rows
from skked._validation import Interval, StrOptions, all_or_nothing

CHOICES = {"best", "last", "ensemble"}


class GenerationsClassifier(PredictsClasses, CallbackSupportMixin, BaseEstimator):
    r"""Train a tolerant network, a student of it from scratch, a student of that student, and so on.

    All generations have the same size and see the same rows; what changes is the teacher [1]_. The first one, the
    patriarch, is a :class:`TolerantClassifier` and learns from the labels alone, every later one from the labels and
    the probabilities of its predecessor. Accuracy is said to rise for a few generations and to fall after that; rows
    held out say when.

    The table may hold numbers, strings, categories and missing values. Prediction needs numpy only.

    Parameters
    ----------
    n_generations : int, default=4
        Networks, the patriarch included.
    target_confidence : float in (0, 1), default=0.8
        p*: the probability of its own class that a fitted row comes to have for the patriarch; above 1 / K.
    eta : float in (0, 1] or None, default=None
        η: weight of the cross-entropy in the patriarch's loss, in place of `target_confidence`; 1 is a strict
        patriarch.
    top_k : int, default=5
        K: classes in the patriarch's gap; the number of classes, if those are fewer.
    distillation_weight : float in [0, 1], default=0.6
        λ: weight of the generation before against the labels.
    prediction : {"best", "last", "ensemble"}, default="best"
        Who predicts: the generation with the highest score on held-out rows, the last one, or all of them by the mean
        of their probabilities. It may be changed after ``fit``.
    validation_fraction : float in (0, 1), default=0.2
        Share of the rows of each class to hold out for the scores.
    refit : bool, default=True
        When all generations have their scores, train them again on all rows. False keeps those that were scored, at
        half the time.
    max_parameters : int, default=2000
        Budget: weights and biases of each network. The width of its hidden layer is solved from it; from 5,000 rows on
        there are two, if the budget pays for 8 units in each.
    hidden_layer_sizes : int, array-like of int or None, default=None
        Hidden units per layer, in place of `max_parameters`.
    max_iter : int, default=200
        Epochs of each generation.
    batch_size : int or "auto", default="auto"
        Rows per step; "auto" is √n_samples, at least 32 and at most 1,024.
    learning_rate_init : float, default=0.003
        Largest learning rate; it rises for 5 % of the steps and falls along half a cosine to zero.
    alpha : float, default=0.2
        Decoupled weight decay per step and unit of learning rate; divided by n_samples / 1,000 for more rows than that.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    device : str, default="auto"
        torch device of the training; "auto" is a GPU if there is one.
    verbose : bool or int, default=False
        Print the score of each generation.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows held out and of the networks.

    Attributes
    ----------
    generations_ : list of classifiers
        The fitted networks, the patriarch first.
    generation_scores_ : ndarray of shape (n_generations,)
        Accuracy of each generation on held-out rows, when trained on the others; NaN where no row could be held out.
    ensemble_score_ : float
        The same for all of them together.
    best_generation_ : int
        Number of the generation with the highest score, the first among equals; the last one without scores.
    n_parameters_ : int
        Weights and biases of one network.
    n_iter_ : int
        Epochs of each generation.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had some.

    See Also
    --------
    TolerantClassifier : The patriarch, with the meaning of its parameters and the warning of an `eta` too large.
    KDClassifier : One generation with any teacher, cross-fitted.

    Notes
    -----
    With :math:`f^m` the probabilities of generation m, generation :math:`m \ge 1` minimises, from scratch [1]_,

    .. math:: (1-λ)\,\mathrm{CE}(y, f^m) + λ\,\mathrm{KL}(f^{m-1} \| f^m);

    the authors' λ is our 1 - λ. The equation is second-hand: they published no code. Teachers are asked for rows that
    they were trained on, which is what tolerance is for.

    References
    ----------
    .. [1] C. Yang, L. Xie, S. Qiao, A. Yuille, "Knowledge Distillation in Generations: More Tolerant Teachers Educate
       Better Students", 2018. `doi:10.48550/arXiv.1805.05551 <https://doi.org/10.48550/arXiv.1805.05551>`_

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skked import GenerationsClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> family = GenerationsClassifier(3, max_parameters=100, max_iter=40, random_state=0).fit(X, y)
    >>> len(family.generations_), family.generation_scores_.shape
    (3, (3,))
    >>> family.score(X, y) > 0.8
    True
    """

    cv = None  # what read_problem asks for: nothing is cross-fitted here

    _parameter_constraints: dict = {
        "n_generations": [Interval(Integral, 1, None, closed="left")],
        **TOLERANCE_CONSTRAINTS,
        "distillation_weight": [Interval(Real, 0, 1, closed="both")],
        "prediction": [StrOptions(CHOICES)],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "refit": ["boolean"],
        **NETWORK_CONSTRAINTS,
    }

    def __init__(
        self,
        n_generations=4,
        *,
        target_confidence=0.8,
        eta=None,
        top_k=5,
        distillation_weight=0.6,
        prediction="best",
        validation_fraction=0.2,
        refit=True,
        max_parameters=2000,
        hidden_layer_sizes=None,
        max_iter=200,
        batch_size="auto",
        learning_rate_init=0.003,
        alpha=0.2,
        class_weight=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.n_generations = n_generations
        self.target_confidence = target_confidence
        self.eta = eta
        self.top_k = top_k
        self.distillation_weight = distillation_weight
        self.prediction = prediction
        self.validation_fraction = validation_fraction
        self.refit = refit
        self.max_parameters = max_parameters
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.class_weight = class_weight
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Train and score all generations.

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
            The fitted family.

        Raises
        ------
        ValueError
            If the rows, labels, weights or parameters are not what is documented, or the confidence cannot be had.
        TypeError
            If X is sparse or of a type that cannot be read.
        """
        self._validate_params()
        with following(self, 2, X, y), all_or_nothing(self):
            rng = check_random_state(self.random_state)
            seeds = rng.randint(np.iinfo(np.int32).max, size=self.n_generations)
            problem = read_problem(self, X, y, sample_weight, None)
            tolerance = resolve_tolerance(self.eta, self.target_confidence, self.top_k, len(problem.classes))
            held_out = _held_out(problem, self.validation_fraction, rng)
            scores, ensemble_score, generations = np.full(self.n_generations, np.nan), np.nan, None
            if held_out.any():
                with stage("generations to score"):
                    generations = self._raise(problem, ~held_out, tolerance, seeds)
                scores, ensemble_score = self._scores(problem, held_out, generations)
            if generations is None or self.refit:
                with stage("generations"):
                    generations = self._raise(problem, np.ones(len(problem), dtype=bool), tolerance, seeds)
            self._store(problem, generations, scores, ensemble_score)
        return self

    def _raise(self, problem, rows, tolerance, seeds):
        """All generations, trained on some rows."""
        arguments = take_rows(problem.X, np.flatnonzero(rows)), problem.y[rows], problem.weight[rows]
        patriarch = tolerant_network(self, tolerance, int(seeds[0])).fit(*arguments)
        generations = [patriarch]
        same_size = {"hidden_layer_sizes": [len(bias) for (bias,) in patriarch.network_.intercepts[:-1]]}
        for seed in steps(seeds[1:], len(seeds) - 1):
            student = KDClassifier(
                FrozenEstimator(generations[-1]),
                distillation_weight=self.distillation_weight,
                cv=None,
                random_state=int(seed),
                **{**network_settings(self), **same_size},
            ).fit(*arguments)
            student.teacher = None  # or every generation would hold all before it
            del student.teacher_
            generations.append(student)
        return generations

    def _scores(self, problem, rows, generations):
        """Accuracy of each generation, and of all together, on held-out rows."""
        X, truth, weight = take_rows(problem.X, np.flatnonzero(rows)), problem.y[rows], problem.weight[rows]
        answers = [_log_probabilities(network, X) for network in generations]
        hits = [problem.classes[answer.argmax(axis=1)] == truth for answer in [*answers, logsumexp(answers, axis=0)]]
        *scores, together = (float(np.average(hit, weights=weight)) for hit in hits)
        if self.verbose:
            each = ", ".join(f"{score:.4f}" for score in scores)
            print(f"[{type(self).__name__}] held-out accuracy by generation: {each}; together {together:.4f}")
        return np.array(scores), together

    def _store(self, problem, generations, scores, ensemble_score):
        """Fitted attributes, all at once at the end."""
        self.generations_ = generations
        self.generation_scores_, self.ensemble_score_ = scores, ensemble_score
        unknown = bool(np.isnan(scores).all())
        self.best_generation_ = len(generations) - 1 if unknown else int(np.argmax(scores))
        self.n_parameters_ = generations[0].n_parameters_
        self.n_iter_ = max(network.n_iter_ for network in generations)
        self.classes_ = problem.classes

    def _score_of(self, X):
        check_is_fitted(self)
        rows = check_table(self, X, reset=False)
        if self.prediction != "ensemble":
            chosen = self.best_generation_ if self.prediction == "best" else -1
            return self.generations_[chosen]._score_of(rows)
        score = logsumexp([_log_probabilities(network, rows) for network in self.generations_], axis=0)
        score -= score.mean(axis=1, keepdims=True)
        return score[:, 1:] - score[:, :1] if score.shape[1] == 2 else score

    def __sklearn_is_fitted__(self):
        return hasattr(self, "generations_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


def _log_probabilities(network, rows):
    """Log-probabilities of rows that are checked already."""
    score = network._score_of(rows)
    if score.shape[1] == 1:
        score = np.hstack([np.zeros_like(score), score])
    return score - logsumexp(score, axis=1, keepdims=True)


def _held_out(problem, fraction, rng):
    """Rows to score on: the same share of every class, which leaves each at least one row to train on."""
    held_out = np.zeros(len(problem), dtype=bool)
    for label in problem.classes:
        rows = rng.permutation(np.flatnonzero(problem.y == label))
        held_out[rows[: min(int(np.rint(fraction * len(rows))), len(rows) - 1)]] = True
    return held_out
