"""XDistillation: the student learns a code of the teacher's explanations."""

from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np

from skked._explanations import TreeShapExplainer
from skked._forward import StudentNetwork, solve_widths
from skked._students._attributions import AttributedStudent
from skked._students._base import DistilledStudent, StudentClassifier
from skked._students._coded import CodedNetwork
from skked._validation import HasMethods, Interval, StrOptions

AUTOENCODER_WIDTH = 32
"""Units of the hidden layers of the autoencoder."""
AUTOENCODER_DECAY = 0.01
"""Its weight decay."""
EXPLAINER_SHARE = 1 / 3
"""Share of the budget that the network from rows to codes gets where the student reads its codes."""


class XDistillationClassifier(AttributedStudent, StudentClassifier):
    r"""Distil a classifier and a code of its explanations into a tiny network.

    In the style of XDistillation [1]_, whose details are not public: an autoencoder compresses the teacher's
    explanations to a short code, and the student learns the teacher's probabilities and the code together. From the
    code that the student says, the decoder makes contributions, with no further look at the teacher.

    The table may hold numbers, strings, categories and missing values; the teacher sees it as it is. Prediction needs
    numpy only.

    Parameters
    ----------
    teacher : classifier or None, default=None
        Any scikit-learn-style classifier or Pipeline with ``predict_proba``, else ``decision_function``; LightGBM,
        XGBoost and CatBoost included. It is cloned and fitted, never touched. A teacher that is fitted already is
        passed as ``sklearn.frozen.FrozenEstimator(teacher)``; then there is no cross-fitting, and if the teacher saw
        the rows of `X`, its soft targets are over-confident. None is a ``HistGradientBoostingClassifier``.
    mode : {"auxiliary", "input"}, default="auxiliary"
        Where the code comes from: said by a second head on the student's hidden layer, which predictions have no use
        for; or by a small network of its own, and the student reads it next to the row. Predictions need that network,
        so its parameters are part of the budget.
    explanation : {"superfeatures", "columns", "gradient"}, default="superfeatures"
        What is compressed: the teacher's contributions of the superfeatures; of every single column; or its gradient
        times input, for teachers whose scores change smoothly with the numbers of the table, such as networks.
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Groups of input columns: found by :class:`SuperfeatureClustering` (their number too, or this many), labels of
        shape (n_features,), ``{name: [columns]}``, or a clusterer with ``labels_`` over the features.
    explainer : "shapley", "additive", "tree_shap" or explainer, default="shapley"
        Where contributions come from: group Shapley values, by a :class:`GroupShapleyExplainer` with default settings,
        or an explainer of that kind; the contributions that an additive teacher is made of; or, for single columns of
        boosted trees, ``shap.TreeExplainer``.
    code_size : int, default=8
        Numbers of the code; at most as many as an explanation has.
    image_shape : tuple of (int, int) or (int, int, int), default=None
        Height and width, or height, width and channels, of images whose pixels are the columns, row by row. The encoder
        of the explanations is then convolutional; they must be by columns or gradients.
    distillation_weight : float in (0, 1], default=0.8
        λ: weight of the teacher against the labels.
    explanation_weight : float in (0, 1), default=0.3
        μ: weight of the code against the soft targets.
    temperature : float, default=1.0
        T > 0: temperature of the soft targets.
    n_explanations : "auto" or int, default="auto"
        Training rows whose explanations are computed, at most. "auto" is as many as 2,000,000 rows evaluated by the
        teacher allow: all of them where a closed form applies (tree ensembles, linear teachers); for other teachers a
        few permutations of each row where all coalitions would cost more. Rows without an explanation learn from
        labels and soft targets.
    cv : int, splitter, iterable or None, default=5
        Folds of the cross-fitting: the soft targets and explanations of a training row come from a teacher that did
        not see it. None or False takes a teacher that saw it.
    max_parameters : int, default=2000
        Budget: weights and biases that a prediction needs. The width of its hidden layer is solved from it; from 5,000
        rows on an auxiliary student has two, if the budget pays for 8 units in each.
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
    superfeature_labels_ : ndarray of int, shape (n_features_in_,)
        Superfeature of every column.
    superfeature_names_ : list of str
        Names of the superfeatures, or of the columns.
    explanation_base_ : float or ndarray of shape (n_classes,)
        Mean score of the training rows, from which contributions count.
    additive_gap_ : float
        As in :class:`KEDClassifier`.
    network_ : CodedNetwork
        The weights of student, code and decoder, as numpy arrays.
    encoder_ : TableEncoder
        Turns tables into the numbers that the student reads.
    n_parameters_ : int
        Weights and biases that a prediction needs.
    n_explanation_parameters_ : int
        Weights and biases that contributions need on top.
    code_error_ : float
        Mean squared error of the autoencoder after training, as a share of the mean square of the explanations.
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
    KEDClassifier : A student that is made of its contributions.
    E2KDClassifier : Compares directions of explanations, without a code.

    Notes
    -----
    With labels :math:`y`, scores :math:`z` of the student and :math:`z^t` of the teacher,
    :math:`p(z) = \mathrm{softmax}(z)`, the code :math:`c` of the teacher's explanation, of K numbers, and
    :math:`\hat c` that of the student, the loss per row is

    .. math:: (1-λ)\,\mathrm{CE}(y, p(z)) + λ\,\bigl[(1-μ)\,T^2\,\mathrm{KL}(p(z^t/T) \| p(z/T))
        + \tfrac{μ}{K}\,\|\hat c - c\|^2\bigr].

    The autoencoder is trained before, on squared errors; a single factor brings its codes to a mean standard deviation
    of 1. Of [1]_ are the idea, to distil performance and explanations together, and the autoencoder, convolutional for
    images. The loss, both modes, the decoder at prediction time and everything for tables are ours.

    Contributions are decoded, and what they miss of the score is shared equally among the superfeatures, as FastSHAP
    [2]_ does. They tell what the *teacher* would say, so they agree with the teacher better than with the student: use
    :class:`KEDClassifier` where contributions must be what the student computes.

    References
    ----------
    .. [1] Alharbi, Vu and Thai, "Learning Interpretation with Explainable Knowledge Distillation", IEEE BigData 2021.
       `doi:10.48550/arXiv.2111.06945 <https://doi.org/10.48550/arXiv.2111.06945>`_
    .. [2] Jethani, Sudarshan, Covert, Lee and Ranganath, "FastSHAP: Real-Time Shapley Value Estimation", ICLR 2022.
       `doi:10.48550/arXiv.2107.07436 <https://doi.org/10.48550/arXiv.2107.07436>`_

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skked import XDistillationClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> student = XDistillationClassifier(superfeatures=4, max_parameters=500, max_iter=20, random_state=0).fit(X, y)
    >>> student.score(X, y) > 0.95
    True
    >>> student.contributions(X[:3]).shape
    (3, 4)
    """

    chimeric, swap = False, 0.3  # chimeras have no place here, and are no parameters

    def __init__(
        self,
        teacher=None,
        *,
        mode="auxiliary",
        explanation="superfeatures",
        superfeatures="auto",
        explainer="shapley",
        code_size=8,
        image_shape=None,
        distillation_weight=0.8,
        explanation_weight=0.3,
        temperature=1.0,
        n_explanations="auto",
        cv=5,
        max_parameters=2000,
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
        memory=None,
        n_jobs=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.teacher = teacher
        self.mode = mode
        self.explanation = explanation
        self.superfeatures = superfeatures
        self.explainer = explainer
        self.code_size = code_size
        self.image_shape = image_shape
        self.distillation_weight = distillation_weight
        self.explanation_weight = explanation_weight
        self.temperature = temperature
        self.n_explanations = n_explanations
        self.cv = cv
        self.max_parameters = max_parameters
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
        self.memory = memory
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    _parameter_constraints: dict = {
        **{
            name: constraint
            for name, constraint in AttributedStudent._parameter_constraints.items()
            if name not in ("chimeric", "swap", "within_class", "network", "warm_start")
        },
        "mode": [StrOptions({"auxiliary", "input"})],
        "explainer": [StrOptions({"shapley", "additive", "tree_shap"}), HasMethods(["fit", "explain"])],
        "code_size": [Interval(Integral, 1, None, closed="left")],
        "image_shape": [tuple, list, None],
        "distillation_weight": [Interval(Real, 0, 1, closed="right")],
        "explanation_weight": [Interval(Real, 0, 1, closed="neither")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    # the steps of fit -------------------------------------------------------------------------------------------

    def _by_column(self):
        return self.explanation != "superfeatures"

    def _explainer(self, seed):
        if self.explanation != "gradient" and isinstance(self.explainer, str) and self.explainer == "tree_shap":
            return TreeShapExplainer([])
        return super()._explainer(seed)

    def _architecture(self, encoder, labels, n_outputs, n_rows, columns=None):
        self._check_settings(len(labels))
        n_superfeatures = int(labels.max()) + 1
        architecture, _ = DistilledStudent._architecture(self, encoder, labels, n_outputs, n_rows, columns)
        if self.mode == "auxiliary":
            return architecture, n_superfeatures
        n_code = min(self.code_size, n_superfeatures * n_outputs)
        return self._with_explainer(architecture, n_code, n_outputs), n_superfeatures

    def _may_choose(self):
        return False

    def _check_settings(self, n_features):
        """Refuse settings that do not go with each other or with the table."""
        by_column = self.explanation == "columns"
        if isinstance(self.explainer, str) and self.explainer == "tree_shap" and not by_column:
            raise ValueError(
                f'explainer="tree_shap" explains single columns, but explanation={self.explanation!r}. '
                'Use explanation="columns".'
            )
        if self.image_shape is None:
            return
        shape = np.asarray(self.image_shape)
        if shape.shape not in ((2,), (3,)) or shape.dtype.kind not in "iu" or shape.min() < 1:
            raise ValueError(
                f"Expected image_shape as (height, width) or (height, width, channels), got {self.image_shape!r}."
            )
        if shape.prod() != n_features:
            raise ValueError(f"image_shape={self.image_shape!r} makes {shape.prod()} columns, but X has {n_features}.")
        if not self._by_column():
            raise ValueError('image_shape needs an explanation per pixel: explanation="columns" or "gradient".')

    def _with_explainer(self, architecture, n_code, n_outputs):
        """Sizes of the network that says the code and of the student that reads it, which share the budget."""
        from skked._torch._xdistillation import CodedArchitecture, reading

        (columns,), n_encoded = architecture.inputs, architecture.n_inputs
        read = np.append(columns, n_encoded + np.arange(n_code))
        if self.hidden_layer_sizes is not None:
            sizes = [int(size) for size in np.atleast_1d(self.hidden_layer_sizes)]
            width = sizes[0]
        else:
            least_explainer = len(columns) + 1 + 2 * n_code
            least = least_explainer + len(read) + 1 + 2 * n_outputs
            if self.max_parameters < least:
                raise ValueError(
                    f"max_parameters={self.max_parameters} is too small: the smallest student for this table that "
                    f"reads a code of {n_code} numbers has {least} parameters. Raise max_parameters to at least "
                    f'{least}, or use mode="auxiliary".'
                )
            budget = max(least_explainer, int(EXPLAINER_SHARE * self.max_parameters))
            budget = min(budget, self.max_parameters - least + least_explainer)
            (width,) = solve_widths(budget, [len(columns)], n_code)
            spent = width * (len(columns) + 1 + n_code) + n_code
            sizes = [int(solve_widths(self.max_parameters - spent, [len(read)], n_outputs)[0])]
        return CodedArchitecture(
            reading(read, sizes, n_outputs, n_encoded + n_code), reading(columns, [width], n_code, n_encoded)
        )

    def _fit_network(self, architecture, n_superfeatures, material, schedule, seed):
        from skked._torch._xdistillation import XDistillationLoss, train_autoencoder, train_coded

        rows, validation = material.rows, material.validation
        explanations = [_flat(each.phi) for each in (rows, validation) if each is not None]
        channels = explanations[0].shape[1] // (
            n_superfeatures if self.image_shape is None else _n_pixels(self.image_shape)
        )
        decoder = train_autoencoder(
            explanations[0],
            rows.phi_weight,
            explanations[1:],
            replace(schedule, alpha=AUTOENCODER_DECAY, n_iter_no_change=None),
            n_hidden=AUTOENCODER_WIDTH,
            n_code=min(self.code_size, explanations[0].shape[1]),
            image=(None if self.image_shape is None else tuple(self.image_shape[:2]), channels),
            seed=seed,
            device=self.device,
        )
        self._say(f"autoencoder trained, last error {decoder.loss_curve[-1]:.4g} of the mean square")
        loss = XDistillationLoss(
            material.scale.kind,
            distillation_weight=self.distillation_weight,
            explanation_weight=self.explanation_weight,
            temperature=self.temperature,
        )
        trained, explainer, head = train_coded(
            architecture,
            material.base,
            rows,
            decoder.codes[0],
            schedule,
            loss,
            seed=seed,
            validation=validation,
            validation_codes=None if validation is None else decoder.codes[1],
            device=self.device,
        )
        return _Training(trained, explainer, head, decoder)

    def _network_of(self, training, architecture, n_superfeatures, material):
        decoder, n_code = training.decoder, training.decoder.codes[0].shape[1]
        layers = [
            [[np.float32(array * scale)] for array, scale in zip(arrays, (1.0, decoder.scale), strict=True)]
            for arrays in (decoder.coefs, decoder.intercepts)
        ]
        n_outputs = len(material.base)
        decode = StudentNetwork([np.arange(n_code)], *layers, np.zeros(n_outputs, np.float32), n_superfeatures)
        student = StudentNetwork(
            architecture.inputs, training.student.coefs, training.student.intercepts, np.float32(material.base), 1
        )
        explainer = None
        if training.explainer is not None:
            explainer = StudentNetwork(
                architecture.explainer.inputs,
                training.explainer.coefs,
                training.explainer.intercepts,
                np.zeros(n_code, np.float32),
                1,
            )
        return CodedNetwork(student, explainer, training.head, decode)

    def _store(self, problem, teaching, grouping, encoder, network, trained):
        super()._store(problem, teaching, grouping, encoder, network, trained)
        self.n_explanation_parameters_ = network.n_explanation_parameters
        self.code_error_ = trained.decoder.loss_curve[-1]


@dataclass(frozen=True)
class _Training:
    """What training leaves: the student, the network that says the code or the head that does, the decoder."""

    student: object
    explainer: object
    head: list | None
    decoder: object

    @property
    def loss_curve(self):
        return self.student.loss_curve

    @property
    def validation_curve(self):
        return self.student.validation_curve


def _flat(phi):
    """Explanations as rows of numbers; columns that have no derivative count as zero."""
    return np.nan_to_num(phi.reshape(len(phi), -1))


def _n_pixels(image_shape):
    return image_shape[0] * image_shape[1]
