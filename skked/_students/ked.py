"""Knowledge explaining distillation: the teacher's predictions and its explanations."""

from numbers import Real

from skked._students._base import StudentClassifier, StudentRegressor
from skked._students._explaining import ExplainingStudent
from skked._validation import Interval, StrOptions


class KEDClassifier(ExplainingStudent, StudentClassifier):
    r"""Distil a classifier into a tiny network that explains itself.

    Knowledge explaining distillation [1]_: the student learns the labels, the teacher's probabilities, and how much
    each *superfeature*, a group of columns, contributes to them. Its score is the sum of one small network per
    superfeature, so it gives the contributions with every prediction, exactly and for free.

    The table may hold numbers, strings, categories and missing values; the teacher sees it as it is. Prediction needs
    numpy only.

    Parameters
    ----------
    teacher : classifier or None, default=None
        Any scikit-learn-style classifier or Pipeline with ``predict_proba``, else ``decision_function``; LightGBM,
        XGBoost and CatBoost included. It is cloned and fitted, never touched. A teacher that is fitted already is
        passed as ``sklearn.frozen.FrozenEstimator(teacher)``; then there is no cross-fitting, and if the teacher saw
        the rows of `X`, its soft targets are over-confident. None is a ``HistGradientBoostingClassifier``.
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Groups of input columns: found by :class:`SuperfeatureClustering` (their number too, or this many), labels of
        shape (n_features,), ``{name: [columns]}``, or a clusterer with ``labels_`` over the features.
    explainer : "shapley", "additive" or explainer, default="shapley"
        Where the teacher's explanations come from: its group Shapley values, by a :class:`GroupShapleyExplainer`
        with default settings, or an explainer of that kind; it is cloned and given the superfeatures. "additive" takes
        the contributions that an additive teacher is made of, exact and for free: an
        :class:`ExplainingTeacherClassifier`, which is then the default teacher, a linear model or an explainable
        boosting machine; any other is an error. An explaining teacher is cloned with these superfeatures, or "auto"
        takes its own.
    distillation_weight : float in [0, 1], default=0.8
        λ: weight of the teacher against the labels.
    explanation_weight : float in [0, 1], default=0.7
        μ: weight of the explanations against the soft targets; 0 turns explanations off.
    temperature : float, default=1.0
        T > 0: temperature of the soft targets.
    explanation_temperature : float, default=3.0
        τ > 0: temperature of the explanations.
    n_explanations : "auto" or int, default="auto"
        Training rows whose explanations are computed, at most. "auto" is as many as 2,000,000 rows evaluated by the
        teacher allow: all of them where a closed form applies (tree ensembles, linear teachers); for other teachers a
        few permutations of each row where all coalitions would cost more. Rows without an explanation learn from
        labels and soft targets.
    chimeric : "auto", bool, int or float, default="auto"
        Chimeras: rows that mix the superfeatures of several training rows. They have no label; the teacher of all rows
        scores and explains them, and together they weigh as much as the training rows. A number of rows (int), a
        multiple of the training rows (float), 5 per row (True), or the same up to 2,000 rows and none beyond
        ("auto").
    swap : float in (0, 1], default=0.3
        Share of the superfeatures that come from other rows; 1 is full recombination.
    within_class : bool, default=False
        Take all parts of a chimera from rows of one class.
    committee_size : int, default=4
        So many students that start from other weights are trained first, and their mean score takes the teacher's place
        in the loss: it has learnt the labels too, and less of the teacher's noise. 1 leaves it to the teacher, as do
        more than 2,000 rows and a `distillation_weight` of 0.
    cv : int, splitter, iterable or None, default=5
        Folds of the cross-fitting: the soft targets and explanations of a training row come from a teacher that did
        not see it. None or False takes a teacher that saw it.
    max_parameters : int, default=2000
        Budget: weights and biases of the student. The width of its hidden layer is solved from it; from 5,000 rows on a
        dense student has two, if the budget pays for 8 units in each.
    network : {"auto", "additive", "heads"}, default="auto"
        One sub-network per superfeature, whose outputs add up to the score: then the contributions are the student's
        exact Shapley values. Or a dense network with one explanation head per superfeature on a shared hidden layer:
        the heads add up to the score, but each may look at every column. "auto" takes sub-networks if no explanation
        is taught. Else it takes heads if the budget does not pay for 4 hidden units in each sub-network, or if in a
        rehearsal, a short training on some of 50 rows or more, they predict the others clearly better: by more than
        2.5 standard errors of the loss, with 5,000 rows or more by 1.64. ``network_.is_additive`` says which.
    max_features : "auto", int, float in (0, 1] or None, default="auto"
        Encoded columns that the student reads: so many, or this share of them, at least one per superfeature; None is
        all; "auto" is as many as leave a dense student 8 hidden units. They are those that a wide student taught by
        the same teacher makes most use of. Fewer columns leave more of the budget for hidden units, and spare the
        student noise.
    hidden_layer_sizes : int, array-like of int or None, default=None
        Hidden units per layer of each sub-network, in place of `max_parameters`.
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
    superfeature_labels_ : ndarray of int, shape (n_features_in_,)
        Superfeature of every column.
    superfeature_names_ : list of str
        Names of the superfeatures.
    explanation_base_ : float or ndarray of shape (n_classes,)
        Mean score of the training rows, from which contributions count.
    additive_gap_ : float
        What boosting loses, out of fold, when its trees may combine columns only inside a superfeature: nats of
        log-loss, or R². NaN where it was not measured, as for superfeatures that were given.
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
    KEDRegressor : The same for numbers.
    KDClassifier : Without explanations.
    SuperfeatureClustering : Finds the superfeatures.
    GroupShapleyExplainer : Explains any model by superfeatures.
    ExplainingTeacherClassifier : A teacher that explains itself.

    Notes
    -----
    The student's score is :math:`z(x) = b + \sum_i \phi_i(x_{S_i})`, one small network per superfeature
    :math:`S_i`. With labels :math:`y`, the teacher's scores :math:`z^t` and contributions :math:`\phi_i^t`, base
    :math:`b` and :math:`p(z) = \mathrm{softmax}(z)`, its loss per row is [1]_

    .. math:: (1-λ)\,\mathrm{CE}(y, p(z)) + λ(1-μ)\,T^2\,\mathrm{KL}(p(z^t/T) \| p(z/T))
        + \frac{λμτ^2}{M} \sum_i \mathrm{KL}(p((b+\phi_i^t)/τ) \| p((b+\phi_i)/τ)).

    With a committee, :math:`z^t` in the second term is the mean score of `committee_size` students that minimised this
    loss from other first weights; that students of their own size gain by it was seen by others, too [2]_.

    After training, the contributions are centred over the training rows, which changes no score.

    References
    ----------
    .. [1] Chowdhury, Liang, Tizghadam and Albanese, "Improving Knowledge Distillation with Teacher's
       Explanation", 2023. `doi:10.48550/arXiv.2310.02572 <https://doi.org/10.48550/arXiv.2310.02572>`_
    .. [2] Furlanello, Lipton, Tschannen, Itti and Anandkumar, "Born Again Neural Networks", ICML 2018.
       `doi:10.48550/arXiv.1805.04770 <https://doi.org/10.48550/arXiv.1805.04770>`_

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skked import KEDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> student = KEDClassifier(superfeatures=4, max_parameters=500, max_iter=50, random_state=0).fit(X, y)
    >>> student.score(X, y) > 0.95
    True
    >>> student.n_parameters_
    480
    >>> student.contributions(X.head(3)).shape
    (3, 4)
    """

    def __init__(
        self,
        teacher=None,
        *,
        superfeatures="auto",
        explainer="shapley",
        distillation_weight=0.8,
        explanation_weight=0.7,
        temperature=1.0,
        explanation_temperature=3.0,
        n_explanations="auto",
        chimeric="auto",
        swap=0.3,
        within_class=False,
        committee_size=4,
        cv=5,
        max_parameters=2000,
        network="auto",
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
        self.explainer = explainer
        self.distillation_weight = distillation_weight
        self.explanation_weight = explanation_weight
        self.temperature = temperature
        self.explanation_temperature = explanation_temperature
        self.n_explanations = n_explanations
        self.chimeric = chimeric
        self.swap = swap
        self.within_class = within_class
        self.committee_size = committee_size
        self.cv = cv
        self.max_parameters = max_parameters
        self.network = network
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
        **ExplainingStudent._parameter_constraints,
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "explanation_temperature": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }


class KEDRegressor(ExplainingStudent, StudentRegressor):
    r"""Distil a regressor into a tiny network that explains itself.

    Knowledge explaining distillation [1]_, with squared errors: the student learns the targets, the teacher's
    predictions, and how much each *superfeature*, a group of columns, contributes to them. Its prediction is the sum
    of one small network per superfeature, so it gives the contributions with every prediction, exactly and for free.

    The table may hold numbers, strings, categories and missing values; the teacher sees it as it is. Prediction needs
    numpy only.

    Parameters
    ----------
    teacher : regressor or None, default=None
        Any scikit-learn-style regressor or Pipeline; LightGBM, XGBoost and CatBoost included. It is cloned and fitted,
        never touched. A teacher that is fitted already is passed as ``sklearn.frozen.FrozenEstimator(teacher)``; then
        there is no cross-fitting, and if the teacher saw the rows of `X`, its predictions are too good to be true.
        None is a ``HistGradientBoostingRegressor``.
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Groups of input columns: found by :class:`SuperfeatureClustering` (their number too, or this many), labels of
        shape (n_features,), ``{name: [columns]}``, or a clusterer with ``labels_`` over the features.
    explainer : "shapley", "additive" or explainer, default="shapley"
        Where the teacher's explanations come from: its group Shapley values, by a :class:`GroupShapleyExplainer`
        with default settings, or an explainer of that kind; it is cloned and given the superfeatures. "additive" takes
        the contributions that an additive teacher is made of, exact and for free: an
        :class:`ExplainingTeacherRegressor`, which is then the default teacher, a linear model or an explainable
        boosting machine; any other is an error. An explaining teacher is cloned with these superfeatures, or "auto"
        takes its own.
    distillation_weight : float in [0, 1], default=0.8
        λ: weight of the teacher against the labels.
    explanation_weight : float in [0, 1], default=0.7
        μ: weight of the explanations against the soft targets; 0 turns explanations off.
    n_explanations : "auto" or int, default="auto"
        Training rows whose explanations are computed, at most. "auto" is as many as 2,000,000 rows evaluated by the
        teacher allow: all of them where a closed form applies (tree ensembles, linear teachers); for other teachers a
        few permutations of each row where all coalitions would cost more. Rows without an explanation learn from
        labels and soft targets.
    chimeric : "auto", bool, int or float, default="auto"
        Chimeras: rows that mix the superfeatures of several training rows. They have no label; the teacher of all rows
        scores and explains them, and together they weigh as much as the training rows. A number of rows (int), a
        multiple of the training rows (float), 5 per row (True), or the same up to 2,000 rows and none beyond
        ("auto").
    swap : float in (0, 1], default=0.3
        Share of the superfeatures that come from other rows; 1 is full recombination.
    committee_size : int, default=4
        So many students that start from other weights are trained first, and their mean score takes the teacher's place
        in the loss: it has learnt the labels too, and less of the teacher's noise. 1 leaves it to the teacher, as do
        more than 2,000 rows and a `distillation_weight` of 0.
    cv : int, splitter, iterable or None, default=5
        Folds of the cross-fitting: the soft targets and explanations of a training row come from a teacher that did
        not see it. None or False takes a teacher that saw it.
    max_parameters : int, default=2000
        Budget: weights and biases of the student. The width of its hidden layer is solved from it; from 5,000 rows on a
        dense student has two, if the budget pays for 8 units in each.
    network : {"auto", "additive", "heads"}, default="auto"
        One sub-network per superfeature, whose outputs add up to the score: then the contributions are the student's
        exact Shapley values. Or a dense network with one explanation head per superfeature on a shared hidden layer:
        the heads add up to the score, but each may look at every column. "auto" takes sub-networks if no explanation
        is taught. Else it takes heads if the budget does not pay for 4 hidden units in each sub-network, or if in a
        rehearsal, a short training on some of 50 rows or more, they predict the others clearly better: by more than
        2.5 standard errors of the loss, with 5,000 rows or more by 1.64. ``network_.is_additive`` says which.
    max_features : "auto", int, float in (0, 1] or None, default="auto"
        Encoded columns that the student reads: so many, or this share of them, at least one per superfeature; None is
        all; "auto" is as many as leave a dense student 8 hidden units. They are those that a wide student taught by
        the same teacher makes most use of. Fewer columns leave more of the budget for hidden units, and spare the
        student noise.
    hidden_layer_sizes : int, array-like of int or None, default=None
        Hidden units per layer of each sub-network, in place of `max_parameters`.
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
    superfeature_labels_ : ndarray of int, shape (n_features_in_,)
        Superfeature of every column.
    superfeature_names_ : list of str
        Names of the superfeatures.
    explanation_base_ : float
        Mean prediction of the training rows, from which contributions count.
    additive_gap_ : float
        What boosting loses, out of fold, when its trees may combine columns only inside a superfeature: nats of
        log-loss, or R². NaN where it was not measured, as for superfeatures that were given.
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
    KEDClassifier : The same for classes.
    KDRegressor : Without explanations.

    Notes
    -----
    The student's prediction is :math:`z(x) = b + \sum_i \phi_i(x_{S_i})`, one small network per superfeature
    :math:`S_i`. With targets :math:`y`, the teacher's predictions :math:`z^t` and contributions :math:`\phi_i^t`, all
    divided by the standard deviation of the target, its loss per row is the squared-error counterpart of [1]_

    .. math:: \frac{1-λ}{2}(y-z)^2 + \frac{λ(1-μ)}{2}(z^t-z)^2 + \frac{λμ}{2M}\sum_i(\phi_i^t-\phi_i)^2.

    With a committee, :math:`z^t` in the second term is the mean score of `committee_size` students that minimised this
    loss from other first weights; that students of their own size gain by it was seen by others, too [2]_.

    After training, the contributions are centred over the training rows, which changes no prediction.

    References
    ----------
    .. [1] Chowdhury, Liang, Tizghadam and Albanese, "Improving Knowledge Distillation with Teacher's
       Explanation", 2023. `doi:10.48550/arXiv.2310.02572 <https://doi.org/10.48550/arXiv.2310.02572>`_
    .. [2] Furlanello, Lipton, Tschannen, Itti and Anandkumar, "Born Again Neural Networks", ICML 2018.
       `doi:10.48550/arXiv.1805.04770 <https://doi.org/10.48550/arXiv.1805.04770>`_

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skked import KEDRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> student = KEDRegressor(superfeatures=4, max_parameters=300, max_iter=50, random_state=0).fit(X, y)
    >>> student.score(X, y) > 0.4
    True
    >>> student.contributions(X.head(3)).shape
    (3, 4)
    """

    def __init__(
        self,
        teacher=None,
        *,
        superfeatures="auto",
        explainer="shapley",
        distillation_weight=0.8,
        explanation_weight=0.7,
        n_explanations="auto",
        chimeric="auto",
        swap=0.3,
        committee_size=4,
        cv=5,
        max_parameters=2000,
        network="auto",
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
        self.explainer = explainer
        self.distillation_weight = distillation_weight
        self.explanation_weight = explanation_weight
        self.n_explanations = n_explanations
        self.chimeric = chimeric
        self.swap = swap
        self.committee_size = committee_size
        self.cv = cv
        self.max_parameters = max_parameters
        self.network = network
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
