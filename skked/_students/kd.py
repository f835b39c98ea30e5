"""Knowledge distillation, the classic baseline: a dense student taught by the teacher's predictions."""

from numbers import Real

from skked._students._base import DistilledStudent, StudentClassifier, StudentRegressor
from skked._validation import Interval, StrOptions


class KDClassifier(StudentClassifier):
    r"""Distil a classifier into a tiny dense network by its soft targets.

    Knowledge distillation [1]_, the classic baseline: the student learns the labels and the teacher's probabilities.
    Everything but the explanations is as in :class:`KEDClassifier`, so that the two compare.

    Parameters
    ----------
    teacher : classifier or None, default=None
        Any scikit-learn-style classifier or Pipeline with ``predict_proba``, else ``decision_function``; LightGBM,
        XGBoost and CatBoost included. It is cloned and fitted, never touched. A teacher that is fitted already is
        passed as ``sklearn.frozen.FrozenEstimator(teacher)``; then there is no cross-fitting, and if the teacher saw
        the rows of `X`, its soft targets are over-confident. None is a ``HistGradientBoostingClassifier``.
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Groups of input columns that chimeras recombine; read only if `chimeric`. See :class:`KEDClassifier`.
    distillation_weight : float in [0, 1], default=0.8
        λ: weight of the teacher against the labels.
    temperature : float, default=1.0
        T > 0: temperature of the soft targets.
    chimeric : "auto", bool, int or float, default=False
        Chimeras: rows that mix the superfeatures of several training rows. They have no label; the teacher of all rows
        scores and explains them, and together they weigh as much as the training rows. A number of rows (int), a
        multiple of the training rows (float), 5 per row (True), or the same up to 2,000 rows and none beyond
        ("auto").
    swap : float in (0, 1], default=0.3
        Share of the superfeatures that come from other rows; 1 is full recombination.
    within_class : bool, default=False
        Take all parts of a chimera from rows of one class.
    committee_size : int, default=1
        So many students that start from other weights are trained first, and their mean score takes the teacher's place
        in the loss: it has learnt the labels too, and less of the teacher's noise. 1 leaves it to the teacher, as do
        more than 2,000 rows and a `distillation_weight` of 0.
    cv : int, splitter, iterable or None, default=5
        Folds of the cross-fitting: the soft targets and explanations of a training row come from a teacher that did
        not see it. None or False takes a teacher that saw it.
    max_parameters : int, default=2000
        Budget: weights and biases of the student. The width of its hidden layer is solved from it; from 5,000 rows on
        there are two, if the budget pays for 8 units in each.
    max_features : "auto", int, float in (0, 1] or None, default="auto"
        Encoded columns that the student reads: so many, or this share of them, at least one per superfeature; None is
        all; "auto" is as many as leave a dense student 8 hidden units. They are those that a wide student taught by
        the same teacher makes most use of. Fewer columns leave more of the budget for hidden units, and spare the
        student noise.
    hidden_layer_sizes : int, array-like of int or None, default=None
        Hidden units per layer, in place of `max_parameters`.
    max_iter : int, default=200
        Epochs.
    batch_size : int or "auto", default="auto"
        Rows per step, chimeras not counted; "auto" is √n_samples, at least 32 and at most 1,024.
    learning_rate_init : float, default=0.01
        Largest learning rate of Adam; it rises for 5 % of the steps and falls along half a cosine to zero.
    alpha : float, default=0.2
        Decoupled weight decay per step and unit of learning rate; divided by n_samples / 1,000 for more rows than that.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, for teacher and student.
    early_stopping : bool, default=False
        Hold out rows of the student's training, and keep the weights of the epoch with the lowest loss on them.
    validation_fraction : float in (0, 1), default=0.1
        Share of rows to hold out if `early_stopping`.
    n_iter_no_change : int, default=20
        Epochs without improvement after which training stops if `early_stopping`.
    tol : float, default=0.0
        Smallest improvement that counts, in nats or squared standard deviations of the target.
    warm_start : bool, default=False
        Start from the weights of the last fit where the layout is the same.
    memory : str, joblib.Memory or None, default=None
        Cache of fitted teachers, superfeatures and explanations, for grid searches over the student's parameters;
        needs an integer `random_state`.
    n_jobs : int or None, default=None
        Jobs of the cross-fitting and the explanations; the result does not depend on it.
    device : str, default="auto"
        torch device of the training; "auto" is a GPU if there is one.
    verbose : bool or int, default=False
        True or 1 shows bars with the time that remains on a terminal, where rich is installed, and prints what is done.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, teachers without one, chimeras and the student.

    Attributes
    ----------
    teacher_ : classifier
        The teacher, fitted on all rows. Pickles leave it out, but keep `teacher` as it was given, a large model inside
        a ``FrozenEstimator`` included; :func:`save` leaves out both.
    network_ : StudentNetwork
        The student's weights, as numpy arrays.
    encoder_ : TableEncoder
        Turns tables into the numbers that the student reads.
    n_parameters_ : int
        Weights and biases of the student.
    n_iter_ : int
        Epochs run.
    loss_curve_ : list of float
        Loss of the last batch of each epoch.
    validation_curve_ : list of float
        Loss of the held-out rows after each epoch, with `early_stopping`.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had some.

    See Also
    --------
    KEDClassifier : With explanations.
    KDRegressor : The same for numbers.

    Notes
    -----
    With labels :math:`y`, scores :math:`z` of the student and :math:`z^t` of the teacher, and
    :math:`p(z) = \mathrm{softmax}(z)`, the loss per row is [1]_

    .. math:: (1-λ)\,\mathrm{CE}(y, p(z)) + λT^2\,\mathrm{KL}(p(z^t/T) \| p(z/T)).

    References
    ----------
    .. [1] G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015.
       `doi:10.48550/arXiv.1503.02531 <https://doi.org/10.48550/arXiv.1503.02531>`_

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skked import KDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> student = KDClassifier(max_parameters=500, max_iter=50, random_state=0).fit(X, y)
    >>> student.score(X, y) > 0.95
    True
    """

    def __init__(
        self,
        teacher=None,
        *,
        superfeatures="auto",
        distillation_weight=0.8,
        temperature=1.0,
        chimeric=False,
        swap=0.3,
        within_class=False,
        committee_size=1,
        cv=5,
        max_parameters=2000,
        max_features="auto",
        hidden_layer_sizes=None,
        max_iter=200,
        batch_size="auto",
        learning_rate_init=0.01,
        alpha=0.2,
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=20,
        tol=0.0,
        warm_start=False,
        memory=None,
        n_jobs=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.teacher = teacher
        self.superfeatures = superfeatures
        self.distillation_weight = distillation_weight
        self.temperature = temperature
        self.chimeric = chimeric
        self.swap = swap
        self.within_class = within_class
        self.committee_size = committee_size
        self.cv = cv
        self.max_parameters = max_parameters
        self.max_features = max_features
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.memory = memory
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    _parameter_constraints: dict = {
        **DistilledStudent._parameter_constraints,
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }


class KDRegressor(StudentRegressor):
    r"""Distil a regressor into a tiny dense network by its predictions.

    Knowledge distillation with squared errors, the classic baseline: the student learns the targets and the teacher's
    predictions. Everything but the explanations is as in :class:`KEDRegressor`, so that the two compare.

    Parameters
    ----------
    teacher : regressor or None, default=None
        Any scikit-learn-style regressor or Pipeline; LightGBM, XGBoost and CatBoost included. It is cloned and fitted,
        never touched. A teacher that is fitted already is passed as ``sklearn.frozen.FrozenEstimator(teacher)``; then
        there is no cross-fitting, and if the teacher saw the rows of `X`, its predictions are too good to be true.
        None is a ``HistGradientBoostingRegressor``.
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Groups of input columns that chimeras recombine; read only if `chimeric`. See :class:`KEDClassifier`.
    distillation_weight : float in [0, 1], default=0.8
        λ: weight of the teacher against the labels.
    chimeric : "auto", bool, int or float, default=False
        Chimeras: rows that mix the superfeatures of several training rows. They have no label; the teacher of all rows
        scores and explains them, and together they weigh as much as the training rows. A number of rows (int), a
        multiple of the training rows (float), 5 per row (True), or the same up to 2,000 rows and none beyond
        ("auto").
    swap : float in (0, 1], default=0.3
        Share of the superfeatures that come from other rows; 1 is full recombination.
    committee_size : int, default=1
        So many students that start from other weights are trained first, and their mean score takes the teacher's place
        in the loss: it has learnt the labels too, and less of the teacher's noise. 1 leaves it to the teacher, as do
        more than 2,000 rows and a `distillation_weight` of 0.
    cv : int, splitter, iterable or None, default=5
        Folds of the cross-fitting: the soft targets and explanations of a training row come from a teacher that did
        not see it. None or False takes a teacher that saw it.
    max_parameters : int, default=2000
        Budget: weights and biases of the student. The width of its hidden layer is solved from it; from 5,000 rows on
        there are two, if the budget pays for 8 units in each.
    max_features : "auto", int, float in (0, 1] or None, default="auto"
        Encoded columns that the student reads: so many, or this share of them, at least one per superfeature; None is
        all; "auto" is as many as leave a dense student 8 hidden units. They are those that a wide student taught by
        the same teacher makes most use of. Fewer columns leave more of the budget for hidden units, and spare the
        student noise.
    hidden_layer_sizes : int, array-like of int or None, default=None
        Hidden units per layer, in place of `max_parameters`.
    max_iter : int, default=200
        Epochs.
    batch_size : int or "auto", default="auto"
        Rows per step, chimeras not counted; "auto" is √n_samples, at least 32 and at most 1,024.
    learning_rate_init : float, default=0.01
        Largest learning rate of Adam; it rises for 5 % of the steps and falls along half a cosine to zero.
    alpha : float, default=0.2
        Decoupled weight decay per step and unit of learning rate; divided by n_samples / 1,000 for more rows than that.
    early_stopping : bool, default=False
        Hold out rows of the student's training, and keep the weights of the epoch with the lowest loss on them.
    validation_fraction : float in (0, 1), default=0.1
        Share of rows to hold out if `early_stopping`.
    n_iter_no_change : int, default=20
        Epochs without improvement after which training stops if `early_stopping`.
    tol : float, default=0.0
        Smallest improvement that counts, in nats or squared standard deviations of the target.
    warm_start : bool, default=False
        Start from the weights of the last fit where the layout is the same.
    memory : str, joblib.Memory or None, default=None
        Cache of fitted teachers, superfeatures and explanations, for grid searches over the student's parameters;
        needs an integer `random_state`.
    n_jobs : int or None, default=None
        Jobs of the cross-fitting and the explanations; the result does not depend on it.
    device : str, default="auto"
        torch device of the training; "auto" is a GPU if there is one.
    verbose : bool or int, default=False
        True or 1 shows bars with the time that remains on a terminal, where rich is installed, and prints what is done.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, teachers without one, chimeras and the student.

    Attributes
    ----------
    teacher_ : regressor
        The teacher, fitted on all rows. Pickles leave it out, but keep `teacher` as it was given, a large model inside
        a ``FrozenEstimator`` included; :func:`save` leaves out both.
    network_ : StudentNetwork
        The student's weights, as numpy arrays.
    encoder_ : TableEncoder
        Turns tables into the numbers that the student reads.
    n_parameters_ : int
        Weights and biases of the student.
    n_iter_ : int
        Epochs run.
    loss_curve_ : list of float
        Loss of the last batch of each epoch.
    validation_curve_ : list of float
        Loss of the held-out rows after each epoch, with `early_stopping`.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had some.

    See Also
    --------
    KEDRegressor : With explanations.
    KDClassifier : The same for classes.

    Notes
    -----
    With targets :math:`y`, predictions :math:`z` of the student and :math:`z^t` of the teacher, all divided by the
    standard deviation of the target, the loss per row is :math:`\frac{1-λ}{2}(y-z)^2 + \frac{λ}{2}(z^t-z)^2`, the
    squared-error counterpart of [1]_.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015.
       `doi:10.48550/arXiv.1503.02531 <https://doi.org/10.48550/arXiv.1503.02531>`_

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skked import KDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> student = KDRegressor(max_parameters=300, max_iter=50, random_state=0).fit(X, y)
    >>> student.score(X, y) > 0.4
    True
    """

    def __init__(
        self,
        teacher=None,
        *,
        superfeatures="auto",
        distillation_weight=0.8,
        chimeric=False,
        swap=0.3,
        committee_size=1,
        cv=5,
        max_parameters=2000,
        max_features="auto",
        hidden_layer_sizes=None,
        max_iter=200,
        batch_size="auto",
        learning_rate_init=0.01,
        alpha=0.2,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=20,
        tol=0.0,
        warm_start=False,
        memory=None,
        n_jobs=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.teacher = teacher
        self.superfeatures = superfeatures
        self.distillation_weight = distillation_weight
        self.chimeric = chimeric
        self.swap = swap
        self.committee_size = committee_size
        self.cv = cv
        self.max_parameters = max_parameters
        self.max_features = max_features
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.memory = memory
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state
