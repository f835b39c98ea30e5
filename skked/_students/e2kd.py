"""e2KD, explanation-enhanced distillation: the student's explanations point where the teacher's do."""

from dataclasses import replace
from numbers import Real

import numpy as np

from skked._students._attributions import AttributedStudent
from skked._students._base import DistilledStudent, Grouping, StudentClassifier
from skked._validation import Interval, StrOptions


class E2KDClassifier(AttributedStudent, StudentClassifier):
    r"""Distil a classifier into a tiny network that decides for the teacher's reasons.

    Explanation-enhanced distillation [1]_: beside the teacher's probabilities the student learns the *direction* of
    the explanation of the class that the teacher chose, by the cosine of the two explanations. No label is needed for
    that, so rows without labels are as good as any.

    The table may hold numbers, strings, categories and missing values; the teacher sees it as it is. Prediction needs
    numpy only.

    Parameters
    ----------
    teacher : classifier or None, default=None
        Any scikit-learn-style classifier or Pipeline with ``predict_proba``, else ``decision_function``; LightGBM,
        XGBoost and CatBoost included. It is cloned and fitted, never touched. A teacher that is fitted already is
        passed as ``sklearn.frozen.FrozenEstimator(teacher)``; then there is no cross-fitting, and if the teacher saw
        the rows of `X`, its soft targets are over-confident. None is a ``HistGradientBoostingClassifier``.
    explanation : {"superfeatures", "columns", "gradient"}, default="superfeatures"
        What is compared.

        - ``"superfeatures"``: contributions of the superfeatures, the teacher's as its group Shapley values, the
          student's in closed form.
        - ``"columns"``: the same with one superfeature per column.
        - ``"gradient"``: gradient times input, for teachers whose scores change smoothly with the numbers of the table,
          such as networks. The student is then the dense network of :class:`KDClassifier`, and gives no contributions
          but that of all columns together.
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
        Weight of the teacher against the labels; 1 is the authors' loss, which has no use for labels.
    explanation_weight : float in [0, inf), default=0.2
        Weight of the explanations beside the soft targets, not against them: the authors try 0 to 10. At 0 nothing is
        explained and the student is, to the bit, that of :class:`KDClassifier` (``"gradient"``) or of
        :class:`KEDClassifier` with ``explanation_weight=0`` and ``committee_size=1`` (otherwise).
    temperature : float, default=1.0
        τ > 0: temperature of the soft targets.
    n_explanations : "auto" or int, default="auto"
        Training rows whose explanations are computed, at most. "auto" is as many as 2,000,000 rows evaluated by the
        teacher allow: all of them where a closed form applies (tree ensembles, linear teachers); for other teachers a
        few permutations of each row where all coalitions would cost more. Rows without an explanation learn from
        labels and soft targets.
    chimeric : "auto", bool, int or float, default=False
        Chimeras: rows that mix the superfeatures of several training rows. They have no label; the teacher of all rows
        scores and explains them, and together they weigh as much as the training rows. A number of rows (int), a
        multiple of the training rows (float), 5 per row (True), or the same up to 2,000 rows and none beyond
        ("auto").
    swap : float in (0, 1], default=0.3
        Share of the superfeatures that come from other rows; 1 is full recombination.
    within_class : bool, default=False
        Take all parts of a chimera from rows of one class.
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
        Not read if `explanation` is "gradient".
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
    KDClassifier : Without explanations.
    KEDClassifier : Learns the size of the contributions too, not only their direction.
    XDistillationClassifier : Learns a code of the explanations.

    Notes
    -----
    With labels :math:`y`, scores :math:`z` of the student and :math:`z^t` of the teacher, its class :math:`c`,
    explanations :math:`E` of the score of that class, centred over the classes, and
    :math:`p(z) = \mathrm{softmax}(z)`, the loss per row is

    .. math:: (1-w)\,\mathrm{CE}(y, p(z)) + w\,\bigl[τ^2\,\mathrm{KL}(p(z^t/τ) \| p(z/τ))
        + λ\,(1 - \cos(E(z^t, x, c), E(z, x, c)))\bigr],

    with :math:`w` the `distillation_weight` and :math:`λ` the `explanation_weight`. With :math:`w = 1` it is that of
    [1]_; the label term is ours, as are the kinds of explanations for tables (the authors compare heat maps of
    images). An explanation of length zero has no direction and adds no loss. The teacher's explanations are computed
    once, out of fold, as its scores are.

    Gradient times input is :math:`(x_j - m_j)\,\partial z_c / \partial x_j` with the median :math:`m_j` of the
    column: the teacher's by central differences of its scores, the student's by automatic differentiation, whose own
    derivative trains it. Columns of categories and truth values take no part in it.

    References
    ----------
    .. [1] Parchami-Araghi, Böhle, Rao and Schiele, "Good Teachers Explain: Explanation-Enhanced Knowledge
       Distillation", ECCV 2024. `doi:10.48550/arXiv.2402.03119 <https://doi.org/10.48550/arXiv.2402.03119>`_

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skked import E2KDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> student = E2KDClassifier(superfeatures=4, max_parameters=500, max_iter=20, random_state=0).fit(X, y)
    >>> student.score(X, y) > 0.95
    True
    >>> student.contributions(X[:3]).shape
    (3, 4)
    """

    def __init__(
        self,
        teacher=None,
        *,
        explanation="superfeatures",
        superfeatures="auto",
        explainer="shapley",
        distillation_weight=0.8,
        explanation_weight=0.2,
        temperature=1.0,
        n_explanations="auto",
        chimeric=False,
        swap=0.3,
        within_class=False,
        cv=5,
        max_parameters=2000,
        network="auto",
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
        self.explanation = explanation
        self.superfeatures = superfeatures
        self.explainer = explainer
        self.distillation_weight = distillation_weight
        self.explanation_weight = explanation_weight
        self.temperature = temperature
        self.n_explanations = n_explanations
        self.chimeric = chimeric
        self.swap = swap
        self.within_class = within_class
        self.cv = cv
        self.max_parameters = max_parameters
        self.network = network
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
        **AttributedStudent._parameter_constraints,
        "explanation_weight": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def _needs_superfeatures(self, problem):
        return self.explanation != "gradient" or DistilledStudent._needs_superfeatures(self, problem)

    def _superfeatures(self, problem, teaching, memory, seed):
        if self.explanation == "gradient":
            return DistilledStudent._superfeatures(self, problem, teaching, memory, seed)
        return super()._superfeatures(problem, teaching, memory, seed)

    def _architecture(self, encoder, labels, n_outputs, n_rows, columns=None):
        if self.explanation == "gradient":
            return DistilledStudent._architecture(self, encoder, labels, n_outputs, n_rows, columns)
        return super()._architecture(encoder, labels, n_outputs, n_rows, columns)

    def _fit_network(self, architecture, n_superfeatures, material, schedule, seed):
        if self.explanation_weight * self.distillation_weight == 0:
            return super()._fit_network(architecture, n_superfeatures, material, schedule, seed)
        from skked._torch._e2kd import E2KDLoss, InputGradient, contributions_of, train_e2kd
        from skked._torch._train import stacked

        rows, validation, explain = stacked(material.rows, material.chimeras(np.inf)), material.validation, None
        schedule = replace(schedule, batch_size=schedule.batch_size * len(rows) // len(material.rows))
        if self.explanation == "gradient":
            differentiable = np.flatnonzero(~np.isnan(rows.phi[0, :, 0]))
            rows, validation = _of_columns(rows, differentiable), _of_columns(validation, differentiable)
            explain = InputGradient([np.flatnonzero(material.columns == j)[0] for j in differentiable])
        loss = E2KDLoss(
            material.scale.kind,
            distillation_weight=self.distillation_weight,
            explanation_weight=self.explanation_weight,
            temperature=self.temperature,
            explain=explain or contributions_of,
        )
        return train_e2kd(
            architecture,
            material.base,
            n_superfeatures,
            rows,
            schedule,
            loss,
            seed=seed,
            validation=validation,
            initial=self._initial(architecture, material.scale),
            device=self.device,
        )

    def _store(self, problem, teaching, grouping, encoder, network, trained):
        if self.explanation == "gradient":
            grouping = Grouping(np.zeros(self.n_features_in_, dtype=int), ["all columns"])
        super()._store(problem, teaching, grouping, encoder, network, trained)


def _of_columns(rows, columns):
    """The same training rows, with the explanations of some columns only."""
    return None if rows is None else replace(rows, phi=rows.phi[:, columns])
