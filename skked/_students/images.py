"""Knowledge explaining distillation for images: a convolutional student whose superfeatures are groups of maps."""

import copy
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skked._image_forward import ImageNetwork, solve_layout
from skked._progress import CallbackSupportMixin, following, stage, with_callbacks
from skked._students._base import WEIGHT_DECAY_ROWS
from skked._students._contributions import ExplainsItself
from skked._students._image_rows import pixel_scale, pixels_of, read_images, shape_of_rows
from skked._students._image_teaching import teach_images
from skked._students._predictions import PredictsClasses
from skked._students._problem import read_problem
from skked._table import check_table
from skked._validation import HasMethods, Interval, StrOptions, all_or_nothing


class KEDImageClassifier(PredictsClasses, ExplainsItself, CallbackSupportMixin, BaseEstimator):
    r"""Distil a classifier of images into a tiny convolutional network that explains itself.

    The convolutional form of knowledge explaining distillation [1]_. A shared trunk turns the image into maps, which
    are dealt out to a few branches; each branch is a *superfeature*, and the score is the sum of their contributions.
    The student learns the labels, the teacher's probabilities, and the contributions of the teacher's superfeatures;
    with a *hint* also the teacher's hidden maps. Every contribution is a sum over positions, so it can be drawn as a
    heat map.

    One class gives the whole family: ``distillation_weight=0`` learns from labels alone, ``explanation_weight=0`` is
    knowledge distillation, ``n_superfeatures=1`` a dense network. Prediction needs numpy only.

    Parameters
    ----------
    teacher : classifier or None, default=None
        A ``KEDImageClassifier``, wider, whose superfeatures explain it: None is one with eight times the parameters
        that learns from the labels. It is cloned, given `image_shape` and, where it has to explain itself, the
        student's `n_superfeatures`, and fitted on all rows; its superfeatures mean nothing to a network with other
        first weights, so there is no cross-fitting.
        Any other scikit-learn-style classifier, which sees the images as rows. Without explanations and hints, its
        cross-fitted probabilities are the soft targets. With them, a wider network is taught its probabilities first
        and becomes the teacher that explains.
        A fitted teacher of either kind is passed as ``sklearn.frozen.FrozenEstimator(teacher)``.
    image_shape : tuple (height, width) or (height, width, channels), default=None
        Shape of the images where `X` is a table, in the order of ``images.reshape(n, -1)``. None: a square of one
        channel where the number of columns is a square number, else one row of pixels, such as a spectrum.
    n_superfeatures : int, default=4
        Branches, M.
    distillation_weight : float in [0, 1], default=0.8
        λ: weight of the teacher against the labels. With 0 no teacher is fitted.
    explanation_weight : float in [0, 1], default=0.7
        μ: weight of the explanations against the soft targets.
    temperature : float, default=3.0
        T > 0: temperature of the soft targets.
    explanation_temperature : float, default=3.0
        τ > 0: temperature of the explanations.
    hint : {"fitnet", "attention", "similarity"} or None, default=None
        What the last maps of each branch have to share with the teacher's: a linear prediction of them; where they
        are active; which images they hold to be alike.
    hint_weight : float in [0, 1], default=0.7
        ρ: weight of the hint against the explanations, or against the soft targets where there are no explanations.
    cv : int, splitter, iterable or None, default=5
        Folds of the cross-fitting of a teacher of another kind.
    max_parameters : int, default=5000
        Budget: weights and biases of the student. The numbers of maps are solved from it.
    max_iter : int, default=30
        Epochs.
    batch_size : int or "auto", default="auto"
        Images per step; "auto" is n_samples / 32, at least 32 and at most 256.
    learning_rate_init : float, default=0.01
        Largest learning rate of Adam; it rises for 5 % of the steps and falls along half a cosine to zero.
    alpha : float, default=0.2
        Decoupled weight decay per step and unit of learning rate; divided by n_samples / 1,000 for more rows than that.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, for teacher and student.
    n_jobs : int or None, default=None
        Jobs of the cross-fitting; the result does not depend on it.
    device : str, default="auto"
        torch device of the training; "auto" is a GPU if there is one.
    verbose : bool or int, default=False
        True or 1 shows bars with the time that remains on a terminal, where rich is installed, and prints what is done.
    random_state : int, RandomState instance or None, default=None
        Seed of the teacher and the student.

    Attributes
    ----------
    teacher_ : classifier or None
        The fitted teacher that was asked; None with ``distillation_weight=0``. Pickles leave it out.
    network_ : ImageNetwork
        The student's weights, as numpy arrays.
    image_shape_ : tuple (height, width, channels)
        Shape of the images.
    superfeature_names_ : list of str
        Names of the superfeatures.
    explanation_base_ : float or ndarray of shape (n_classes,)
        Mean score of the training images, from which contributions count.
    n_parameters_ : int
        Weights and biases of the student.
    n_iter_ : int
        Epochs run.
    loss_curve_ : list of float
        Mean loss of the batches of each epoch.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Pixels times channels.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if X was a table that had some.

    See Also
    --------
    KEDClassifier : For tables; pixels as columns, grouped into superfeatures by clustering.

    Notes
    -----
    The score is :math:`z(x) = b + \sum_i \phi_i(x)`, with :math:`\phi_i(x) = \sum_u \phi_i(x, u)` over the positions
    u of the branch's last maps. With labels :math:`y`, the teacher's scores :math:`z^t`, contributions
    :math:`\phi_i^t` and base :math:`b`, and :math:`p(z) = \mathrm{softmax}(z)`, the loss per image is [1]_

    .. math:: (1-λ)\,\mathrm{CE}(y, p(z)) + λ(1-μ)\,T^2\,\mathrm{KL}(p(z^t/T) \| p(z/T))
        + \frac{λμ(1-ρ)τ^2}{M} \sum_i \mathrm{KL}(p((b+\phi_i^t)/τ) \| p((b+\phi_i)/τ))
        + \frac{λμρ}{M} \sum_i \mathrm{Hint}_i,

    with ρ = 0 where there is no hint. With a hint and μ = 0 it is
    :math:`(1-λ)\mathrm{CE} + λ(1-ρ)T^2\mathrm{KL} + \frac{λρ}{M} \sum_i \mathrm{Hint}_i`. The hints are the mean
    squared error of a learned projection [2]_, the squared distance of attention maps [3]_ and that of the rows of
    Gram matrices of the batch [4]_, per image; their scale is ours.

    A branch sees the whole image through the trunk: superfeatures are groups of maps that the teacher has learned, not
    groups of pixels. A position u of a contribution map depends on the pixels that its filters reach, and on no other.

    References
    ----------
    .. [1] Chowdhury, Liang, Tizghadam and Albanese, "Improving Knowledge Distillation with Teacher's
       Explanation", 2023. `doi:10.48550/arXiv.2310.02572 <https://doi.org/10.48550/arXiv.2310.02572>`_
    .. [2] Romero et al., "FitNets: Hints for Thin Deep Nets", 2015.
       `doi:10.48550/arXiv.1412.6550 <https://doi.org/10.48550/arXiv.1412.6550>`_
    .. [3] Zagoruyko and Komodakis, "Paying More Attention to Attention", 2017.
       `doi:10.48550/arXiv.1612.03928 <https://doi.org/10.48550/arXiv.1612.03928>`_
    .. [4] Tung and Mori, "Similarity-Preserving Knowledge Distillation", 2019.
       `doi:10.48550/arXiv.1907.09682 <https://doi.org/10.48550/arXiv.1907.09682>`_

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skked import KEDImageClassifier
    >>> digits = load_digits()
    >>> images, y = digits.images[:600], digits.target[:600]
    >>> student = KEDImageClassifier(max_parameters=3000, max_iter=10, random_state=0).fit(images, y)
    >>> student.score(digits.images[600:], digits.target[600:]) > 0.85
    True
    >>> student.contributions(images[:3]).shape
    (3, 4, 10)
    >>> student.contribution_maps(images[:3]).shape
    (3, 4, 4, 4, 10)
    """

    _parameter_constraints: dict = {
        "teacher": [HasMethods(["fit"]), None],
        "image_shape": ["array-like", None],
        "n_superfeatures": [Interval(Integral, 1, None, closed="left")],
        "distillation_weight": [Interval(Real, 0, 1, closed="both")],
        "explanation_weight": [Interval(Real, 0, 1, closed="both")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "explanation_temperature": [Interval(Real, 0, None, closed="neither")],
        "hint": [StrOptions({"fitnet", "attention", "similarity"}), None],
        "hint_weight": [Interval(Real, 0, 1, closed="both")],
        "cv": ["cv_object", "boolean"],
        "max_parameters": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "n_jobs": [Interval(Integral, None, -1, closed="right"), Interval(Integral, 1, None, closed="left"), None],
        "device": [str],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        teacher=None,
        *,
        image_shape=None,
        n_superfeatures=4,
        distillation_weight=0.8,
        explanation_weight=0.7,
        temperature=3.0,
        explanation_temperature=3.0,
        hint=None,
        hint_weight=0.7,
        cv=5,
        max_parameters=5000,
        max_iter=30,
        batch_size="auto",
        learning_rate_init=0.01,
        alpha=0.2,
        class_weight=None,
        n_jobs=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.teacher = teacher
        self.image_shape = image_shape
        self.n_superfeatures = n_superfeatures
        self.distillation_weight = distillation_weight
        self.explanation_weight = explanation_weight
        self.temperature = temperature
        self.explanation_temperature = explanation_temperature
        self.hint = hint
        self.hint_weight = hint_weight
        self.cv = cv
        self.max_parameters = max_parameters
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
        """Fit the teacher and distil it into the student.

        Parameters
        ----------
        X : array of shape (n_samples, height, width[, channels]), or table of shape (n_samples, n_features)
            Training images; pixels are finite numbers in any unit. Channels come last.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights; an image of weight zero is as good as absent, one of weight two as good as repeated.

        Returns
        -------
        self : object
            The fitted student.

        Raises
        ------
        ValueError
            If the images, labels, weights or parameters are not what is documented, or the teacher misbehaves.
        TypeError
            If X is sparse or of a type that cannot be read, or the teacher is a regressor.
        """
        self._validate_params()
        with following(self, 2, X, y), all_or_nothing(self):
            seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=2)
            rows, image_shape = read_images(X, self.image_shape)
            problem = read_problem(self, rows, y, sample_weight, None)
            image_shape = shape_of_rows(image_shape, self.n_features_in_)
            images = pixels_of(self, problem.X, image_shape)
            layout = solve_layout(self.max_parameters, image_shape, self.n_superfeatures, problem.hard.shape[1])
            with stage("teachers"):
                teaching = teach_images(self, problem, images, int(seeds[0]))
            with stage("epochs"):
                network, loss_curve = self._train(problem, images, layout, teaching, int(seeds[1]))
            self._store(problem, teaching, network, loss_curve)
        return self

    # the steps of fit -------------------------------------------------------------------------------------------

    def _train(self, problem, images, layout, teaching, seed):
        """The trained network with centred contributions, and its loss curve."""
        from skked._students._targets import TargetScale
        from skked._torch._images import ImageLesson, ImageLoss, train_images

        scale = TargetScale(problem)
        mean, spread = pixel_scale(images, problem.weight)
        base = np.zeros(layout.n_outputs) if teaching.base is None else teaching.base
        lesson = ImageLesson(
            images=(images - mean) / spread,
            hard=problem.hard,
            weight=problem.weight,
            soft=None if teaching.scores is None else scale.scores(teaching.scores),
            phi=teaching.phi,
            features=teaching.features,
        )
        loss = ImageLoss(
            scale.kind,
            self.distillation_weight,
            self.explanation_weight,
            self.hint_weight,
            self.temperature,
            self.explanation_temperature,
            self.hint if self.distillation_weight else None,
        )
        schedule = self._schedule(len(problem))
        weights, loss_curve = train_images(layout, base, lesson, loss, schedule, seed=seed, device=self.device)
        self._say(f"student trained for {len(loss_curve)} epochs, last loss {loss_curve[-1]:.4g}")
        network = ImageNetwork(layout, weights, base, mean, spread)
        return network.centred(images, problem.weight, over_outputs=scale.kind == "softmax"), loss_curve

    def _schedule(self, n_samples):
        """How long and how fast to train."""
        from skked._torch._train import Schedule

        auto = int(np.clip(n_samples // 32, 32, 256))
        return Schedule(
            max_iter=self.max_iter,
            batch_size=auto if self.batch_size == "auto" else min(self.batch_size, n_samples),
            learning_rate_init=self.learning_rate_init,
            alpha=self.alpha * min(1.0, WEIGHT_DECAY_ROWS / n_samples),
        )

    def _store(self, problem, teaching, network, loss_curve):
        """Fitted attributes, all at once at the end."""
        self.teacher_ = teaching.estimator
        self.network_ = network
        self.image_shape_ = network.layout.image_shape
        self.superfeature_names_ = [f"maps {group}" for group in range(network.layout.n_superfeatures)]
        self.explanation_base_ = network.base if len(network.base) > 1 else float(network.base[0])
        self.n_parameters_ = network.n_parameters
        self.n_iter_ = len(loss_curve)
        self.loss_curve_ = loss_curve
        self.classes_ = problem.classes

    def _say(self, message):
        if self.verbose:
            print(f"[{type(self).__name__}] {message}", flush=True)

    # predicting -------------------------------------------------------------------------------------------------

    def contributions(self, X):
        """Contributions of the superfeatures to the score of images.

        ``explanation_base_ + contributions(X).sum(axis=1)`` is ``decision_function(X)``.

        Parameters
        ----------
        X : array of shape (n_samples, height, width[, channels]), or table of shape (n_samples, n_features)
            Images.

        Returns
        -------
        ndarray of shape (n_samples, n_superfeatures) or (n_samples, n_superfeatures, n_classes)
            In nats. Two dimensions for two classes.
        """
        images = self._images(X)
        phi = self.network_.contributions(images)
        return phi[..., 0] if phi.shape[-1] == 1 else phi

    def contribution_maps(self, X):
        """Contributions of the superfeatures, position by position: heat maps.

        Summed over the two axes of the grid they are :meth:`contributions`. Each position counts from its mean over
        the training images, so that what all images share is not drawn.

        Parameters
        ----------
        X : array of shape (n_samples, height, width[, channels]), or table of shape (n_samples, n_features)
            Images.

        Returns
        -------
        ndarray of shape (n_samples, n_superfeatures, grid height, grid width[, n_classes])
            In nats. A cell of the grid stands for the pixels around the same place of the image; the last axis is
            missing for two classes.
        """
        images = self._images(X)
        maps = self.network_.contribution_maps(images)
        return maps[..., 0] if maps.shape[-1] == 1 else maps

    def explain(self, X):
        """The same contributions as a :class:`shap.Explanation`, for the plots of shap.

        Parameters
        ----------
        X : array of shape (n_samples, height, width[, channels]), or table of shape (n_samples, n_features)
            Images.

        Returns
        -------
        shap.Explanation
            ``values`` as in :meth:`contributions`; ``base_values``; ``feature_names``, the names of the superfeatures;
            ``output_names`` for three or more classes. There is no ``data``: a superfeature has no single value.
        """
        values = self.contributions(X)
        import shap

        base = np.broadcast_to(self.explanation_base_, (len(values), *values.shape[2:]))
        return shap.Explanation(
            values=values,
            base_values=np.array(base),
            feature_names=list(self.superfeature_names_),
            output_names=[str(label) for label in self.classes_] if values.ndim == 3 else None,
        )

    def _score_of(self, X):
        images = self._images(X)
        return self.network_.score(images)

    def _images(self, X):
        check_is_fitted(self)
        rows, _ = read_images(X, self.image_shape_)
        return pixels_of(self, check_table(self, rows, reset=False), self.image_shape_)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "network_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def __getstate__(self):
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "teacher_"}

    def __deepcopy__(self, memo):
        twin = type(self).__new__(type(self))
        vars(twin).update(copy.deepcopy(vars(self), memo))
        return twin
