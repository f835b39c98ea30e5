"""The template of all students: read the problem, ask the teacher, build the network, fit it, store its weights.

``loss = hard labels + λ·[(1−μ)·soft targets + μ·explanation]``; a method overrides what the teacher is asked
(:meth:`DistilledStudent._curriculum`) and how the network is laid out (:meth:`DistilledStudent._architecture`).
"""

import copy
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skked._forward import StudentNetwork, solve_two_widths, solve_widths
from skked._memory import CheckedMemory
from skked._progress import CallbackSupportMixin, following, stage, with_callbacks
from skked._students._batches import automatic_batch_size
from skked._students._columns import UNITS, best_columns, column_worth, n_columns_read
from skked._students._feasible import check_feasible, n_held_out
from skked._students._html import flow, student_box, superfeatures_box, teacher_box
from skked._students._lessons import teach
from skked._students._predictions import PredictsClasses, PredictsNumbers
from skked._students._problem import read_problem
from skked._superfeatures import resolve_superfeatures
from skked._table import TableEncoder, check_and_read
from skked._teachers import cross_fit_teacher, default_teacher
from skked._validation import HasMethods, Interval, RealNotInt, StrOptions, all_or_nothing

MANY = 5000
"""From this many rows on a dense student has two hidden layers, if they can be wide enough."""
SCARCE = 2000
"""Up to this many rows the automatic mode makes chimeras, and a student may have a committee of its own."""
WEIGHT_DECAY_ROWS = 1000
"""From this many rows on, the weight decay falls as one over their number."""
CHIMERAS_PER_ROW = 5
"""Chimeras that it makes per training row."""


@dataclass(frozen=True)
class Grouping:
    """Labels and names of the superfeatures, and the score that a model loses to them if that was measured."""

    labels: np.ndarray
    names: list
    additive_gap: float = np.nan


class DistilledStudent(TransformerMixin, CallbackSupportMixin, BaseEstimator):
    """Base of all students; see the module's docstring."""

    _parameter_constraints: dict = {
        "teacher": [HasMethods(["fit"]), None],
        "superfeatures": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            "array-like",
            dict,
            HasMethods(["fit"]),
        ],
        "distillation_weight": [Interval(Real, 0, 1, closed="both")],
        "chimeric": [StrOptions({"auto"}), "boolean", Interval(Real, 0, None, closed="neither")],
        "swap": [Interval(Real, 0, 1, closed="right")],
        "within_class": ["boolean"],
        "committee_size": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object", "boolean"],
        "max_parameters": [Interval(Integral, 1, None, closed="left")],
        "max_features": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="right"),
            StrOptions({"auto"}),
            None,
        ],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "memory": [str, HasMethods(["cache"]), None],
        "n_jobs": [Interval(Integral, None, -1, closed="right"), Interval(Integral, 1, None, closed="left"), None],
        "device": [str],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    max_features, committee_size = "auto", 1  # of students that have no such parameters
    _n_stages = 6

    @with_callbacks
    def fit(self, X, y, sample_weight=None, X_unlabelled=None):
        """Fit the teacher and distil it into the student.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training rows; missing values, strings and categories are welcome.
        y : array-like of shape (n_samples,)
            Labels, or target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights; a row of weight zero is as good as absent, a row of weight two as good as repeated.
        X_unlabelled : array-like or DataFrame of shape (n_unlabelled, n_features), default=None
            Rows without labels, for the teacher to label and explain.

        Returns
        -------
        self : object
            The fitted student.

        Raises
        ------
        ValueError
            If the rows, labels, weights or parameters are not what is documented, or the teacher misbehaves.
        TypeError
            If X is sparse or of a type that cannot be read.
        OSError
            If `memory` names a folder where a result cannot be kept, such as on a full disk.
        """
        self._validate_params()
        with following(self, self._n_stages, X, y), all_or_nothing(self):
            seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=4)
            memory = self._memory()
            problem = read_problem(self, X, y, sample_weight, X_unlabelled)
            self._check_feasible(problem)
            with stage("teachers"):
                teaching = self._teach(problem, memory, seeds[0])
            encoder = TableEncoder().fit(problem.X, codes_target=teaching.scores, sample_weight=problem.weight)
            student, committee = self._chosen_student(problem, teaching, encoder, memory, seeds)
            with stage("superfeatures"):
                grouping = student._superfeatures(problem, teaching, memory, seeds[1])
            with stage("explanations"):
                curriculum = student._curriculum(problem, teaching, grouping.labels, memory, seeds[2])
            network, trained = student._train(
                problem, teaching, curriculum, encoder, grouping.labels, seeds[3], committee
            )
            self._store(problem, teaching, grouping, encoder, network, trained)
        return self

    # the steps of fit -------------------------------------------------------------------------------------------

    def _check_feasible(self, problem):
        check_feasible(self, problem)

    def _memory(self):
        return CheckedMemory(self.memory)

    def _teach(self, problem, memory, seed):
        """The fitted teacher and its out-of-fold scores."""
        teacher = self._unfitted_teacher(problem, memory, int(seed))
        self._say(f"fitting {type(teacher).__name__} on {len(problem):,} distinct rows, cv={self.cv!r}")
        return memory.cache(cross_fit_teacher, ignore=["n_jobs", "memory"])(
            teacher,
            problem.X,
            problem.y,
            task=self._task,
            classes=problem.classes,
            sample_weight=problem.weight,
            cv=problem.cv,
            n_jobs=self.n_jobs,
            random_state=int(seed),
            memory=memory,
        )

    def _unfitted_teacher(self, problem, memory, seed):
        """The user's teacher, or gradient boosting."""
        if self.teacher is not None:
            return self.teacher
        return default_teacher(self._task, problem.X, problem.y, random_state=seed)

    def _chosen_student(self, problem, teaching, encoder, memory, seeds):
        """The student to train, and who advises it: this one and its own committee, unless there is a search."""
        return self, None

    def _superfeatures(self, problem, teaching, memory, seed):
        """Superfeatures of the columns; one that holds all of them where nothing needs more."""
        if not self._needs_superfeatures(problem):
            return Grouping(np.zeros(self.n_features_in_, dtype=int), ["all columns"])
        labels, names, clustering = memory.cache(resolve_superfeatures, ignore=["n_jobs"])(
            self.superfeatures,
            problem.X,
            problem.y,
            teacher=teaching.full,
            sample_weight=problem.weight,
            random_state=int(seed),
            n_jobs=self.n_jobs,
        )
        self._say(f"{len(names)} superfeatures: {'; '.join(names)}")
        return Grouping(labels, names, float(getattr(clustering, "additive_gap_", np.nan)))

    def _curriculum(self, problem, teaching, labels, memory, seed):
        """What the teacher says about the training rows, chimeras and rows without labels."""
        return memory.cache(teach, ignore=["memory"])(
            teaching,
            problem.X,
            problem.weight,
            labels,
            self._explainer(int(seed)),
            n_explanations=getattr(self, "n_explanations", "auto"),
            n_chimeric=self._n_chimeric(len(problem)) if labels.max() else 0,
            swap=self.swap,
            within_class=problem.y if getattr(self, "within_class", False) else None,
            unlabelled=problem.unlabelled,
            random_state=int(seed),
            memory=memory,
        )

    def _explainer(self, seed):
        """Prototype of the explainer, or None where nothing is explained."""
        return None

    def _needs_superfeatures(self, problem):
        """Whether the columns must be grouped: for chimeras, or to explain."""
        return self._n_chimeric(len(problem)) > 0

    def _n_chimeric(self, n_samples):
        wanted = 1 < n_samples <= SCARCE if isinstance(self.chimeric, str) else self.chimeric
        if isinstance(wanted, bool | np.bool_):
            return CHIMERAS_PER_ROW * n_samples if wanted else 0
        return int(np.ceil(wanted * n_samples)) if isinstance(wanted, float) else int(wanted)

    def _train(self, problem, teaching, curriculum, encoder, labels, seed, committee):
        """The trained network in the units of the target, with centred contributions, and its loss curves."""
        from skked._students._targets import material_of

        everything = material_of(problem, curriculum, encoder)
        material = everything.with_validation(*self._hold_out(everything.real, problem, seed))
        columns = self._read_columns(encoder, labels, material, int(seed))
        layout = encoder, labels, len(material.base), len(problem), columns
        architecture, n_superfeatures = self._chosen_architecture(layout, problem, teaching, everything, int(seed))
        schedule = self._schedule(problem, len(material.rows))
        if committee is None and self._wants_committee(len(problem)):
            committee = self._own_committee(architecture, n_superfeatures, material, schedule, int(seed))
        if committee:
            material = material.advised(committee)
        with stage("epochs"):
            trained = self._fit_network(architecture, n_superfeatures, material, schedule, int(seed))
            network = self._network_of(trained, architecture, n_superfeatures, material)
            if committee and material.is_lost_on(network):
                self._say("it says nearly the same of all rows: the student starts once more from other first weights")
                other = np.random.RandomState(int(seed)).randint(np.iinfo(np.int32).max, size=1)
                (trained,) = self._fit_networks(architecture, n_superfeatures, material, schedule, other)
                network = self._network_of(trained, architecture, n_superfeatures, material)
        self._say(f"student trained for {len(trained.loss_curve)} epochs, last loss {trained.loss_curve[-1]:.4g}")
        Z = encoder.transform(problem.X)
        return network.centred(Z, problem.weight, over_outputs=material.scale.kind == "softmax"), trained

    def _read_columns(self, encoder, labels, material, seed):
        """Encoded columns that the student reads, or None for all."""
        n_encoded = len(encoder.columns_)
        n_read = self._n_read(n_encoded, len(material.base))
        if n_read == n_encoded:
            return None
        with stage("choice of columns"):
            worth = column_worth(material, seed=seed, device=self.device)
        columns = best_columns(worth, n_read, labels[encoder.columns_])
        self._say(f"the student reads {len(columns)} of {n_encoded} encoded columns")
        return columns

    def _n_read(self, n_encoded, n_outputs):
        budget = self.max_parameters if self.hidden_layer_sizes is None else None
        return n_columns_read(self.max_features, n_encoded, budget, n_outputs)

    def _network_of(self, trained, architecture, n_superfeatures, material):
        """Trained weights as a network in units of the target."""
        network = StudentNetwork(architecture.inputs, trained.coefs, trained.intercepts, material.base, n_superfeatures)
        return network.rescaled(material.scale.scale, material.scale.shift)

    def _wants_committee(self, n_samples):
        return self.committee_size > 1 and self.distillation_weight > 0 and n_samples <= SCARCE

    def _own_committee(self, architecture, n_superfeatures, material, schedule, seed):
        """Students like this one from other first weights, who say in the teacher's place what rows score."""
        seeds = np.random.RandomState(seed).randint(np.iinfo(np.int32).max, size=self.committee_size)
        with stage("committee"):
            members = self._fit_networks(architecture, n_superfeatures, material, schedule, seeds)
        self._say(f"{self.committee_size} students of other first weights advise the student")
        return [self._network_of(member, architecture, n_superfeatures, material) for member in members]

    def _fit_network(self, architecture, n_superfeatures, material, schedule, seed):
        """Weights that minimise the method's loss on the material."""
        initial = self._initial(architecture, material.scale)
        (trained,) = self._fit_networks(architecture, n_superfeatures, material, schedule, [seed], initial)
        return trained

    def _fit_networks(self, architecture, n_superfeatures, material, schedule, seeds, initial=None):
        """Weights that minimise the loss of :class:`DistillationLoss`, from one start for each seed."""
        from skked._torch._train import train

        weights = self._loss_weights(material.scale.kind)
        return train(
            architecture,
            material.base,
            n_superfeatures,
            material.rows,
            schedule,
            kind=material.scale.kind,
            **{name: [value] * len(seeds) for name, value in weights.items()},
            seeds=seeds,
            chimeric=material.chimeras(CHIMERAS_PER_ROW),
            chimeras_per_row=CHIMERAS_PER_ROW,
            validation=material.validation,
            initial=initial,
            device=self.device,
        )

    def _schedule(self, problem, n_rows):
        """How long and how fast to train on so many rows an epoch."""
        from skked._torch._train import Schedule

        return Schedule(
            max_iter=self.max_iter,
            batch_size=self._batch_size(n_rows),
            learning_rate_init=self.learning_rate_init,
            alpha=self._weight_decay(len(problem)),
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
        )

    def _store(self, problem, teaching, grouping, encoder, network, trained):
        """Fitted attributes, all at once at the end."""
        self.teacher_ = teaching.full.estimator
        self.encoder_ = encoder
        self.network_ = network
        self.n_parameters_ = network.n_parameters
        self.n_iter_ = len(trained.loss_curve)
        self.loss_curve_ = trained.loss_curve
        vars(self).pop("validation_curve_", None)
        if trained.validation_curve:
            self.validation_curve_ = trained.validation_curve
        if problem.classes is not None:
            self.classes_ = problem.classes

    def _with_network(self, network, encoder, problem):
        """A student of these parameters that predicts with a network."""
        student = copy.copy(self)
        student.network_, student.encoder_ = network, encoder
        if problem.classes is not None:
            student.classes_ = problem.classes
        return student

    # what the steps need ----------------------------------------------------------------------------------------

    def _say(self, message):
        if self.verbose:
            print(f"[{type(self).__name__}] {message}", flush=True)

    def _explanation_weight(self):
        return 0.0

    def _loss_weights(self, kind):
        """λ, μ, T and τ by the names that the training takes; numbers have no temperatures."""
        temperature, explanation_temperature = (1.0, 1.0) if kind == "identity" else self._temperatures()
        return {
            "distillation_weight": self.distillation_weight,
            "explanation_weight": self._explanation_weight(),
            "temperature": temperature,
            "explanation_temperature": explanation_temperature,
        }

    def _temperatures(self):
        return self.temperature, 1.0

    def _chosen_architecture(self, layout, problem, teaching, material, seed):
        """The architecture of a layout, the arguments of :meth:`_architecture`, unless there is a choice."""
        return self._architecture(*layout)

    def _architecture(self, encoder, labels, n_outputs, n_rows, columns=None):
        """Sizes of the network's branches, and the number of contributions it gives: one branch, one contribution."""
        columns = np.arange(len(encoder.columns_)) if columns is None else columns
        return self._sized([columns], encoder, n_outputs, n_rows), 1

    def _sized(self, inputs, encoder, n_outputs, n_rows, n_heads=1):
        """An architecture of the given branches, its hidden widths given by the user or solved from the budget.

        The budget is what a score needs: several heads of a branch count as their sum.
        """
        from skked._torch._train import Architecture

        outputs = np.full(len(inputs), n_outputs * n_heads)
        if self.hidden_layer_sizes is None:
            hidden = self._solved([len(columns) for columns in inputs], n_outputs, n_rows)
        else:
            hidden = [np.full(len(inputs), size) for size in np.atleast_1d(self.hidden_layer_sizes)]
        return Architecture(inputs, [*hidden, outputs], len(encoder.columns_))

    def _solved(self, n_inputs, n_outputs, n_rows):
        """Hidden widths that spend the budget: one layer, or two of a single branch that has many rows."""
        if len(n_inputs) == 1 and n_rows >= MANY:
            two = solve_two_widths(self.max_parameters, *n_inputs, n_outputs)
            if min(two) >= UNITS:
                return [np.array([width]) for width in two]
        return [solve_widths(self.max_parameters, n_inputs, n_outputs)]

    def _batch_size(self, n_samples):
        return automatic_batch_size(n_samples) if self.batch_size == "auto" else min(self.batch_size, n_samples)

    def _weight_decay(self, n_samples):
        return self.alpha * min(1.0, WEIGHT_DECAY_ROWS / n_samples)

    def _hold_out(self, real, problem, seed):
        """Rows to train on, and rows that choose the best epoch if ``early_stopping``."""
        if not self.early_stopping:
            return real, None
        held_out = n_held_out(self, len(real))
        order = np.random.RandomState(seed).permutation(len(real))
        return real.take(np.sort(order[held_out:])), real.take(np.sort(order[:held_out]))

    def _initial(self, architecture, scale):
        """Weights to start from with ``warm_start``, if the last fit had the same layout."""
        if not self.warm_start or not hasattr(self, "network_"):
            return None
        network = self.network_.rescaled(1 / scale.scale, 0.0)
        if [[coef.shape for coef in layer] for layer in network.coefs] != architecture.block_shapes():
            return None
        return network.coefs, network.intercepts

    # predicting -------------------------------------------------------------------------------------------------

    def transform(self, X):
        """Hidden units of rows: the representation from which the student reads its score.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_hidden)
            Activations of the last hidden layer.
        """
        Z = self._encoded(X)
        return self.network_.hidden(Z)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of :meth:`transform`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored; there for scikit-learn's pipelines.

        Returns
        -------
        ndarray of str
            The class's name in small letters and a number.
        """
        check_is_fitted(self)
        n_hidden = sum(len(bias) for bias in self.network_.intercepts[-2])
        return np.array([f"{type(self).__name__.lower()}{unit}" for unit in range(n_hidden)], dtype=object)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "network_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def _sk_visual_block_(self):
        return flow([("teacher", teacher_box(self)), *self._boxes(), ("student", student_box(self))])

    def _boxes(self):
        """What is drawn between the teacher and the student, with names."""
        return [("superfeatures", superfeatures_box(self, None, None))] if self.chimeric else []

    def __getstate__(self):
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "teacher_"}

    def __deepcopy__(self, memo):
        twin = type(self).__new__(type(self))
        vars(twin).update(copy.deepcopy(vars(self), memo))
        return twin

    def _encoded(self, X):
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)  # says so; without asking for all tags of every row
        return self.encoder_.transform(*check_and_read(self, X))

    def _score_of(self, X):
        Z = self._encoded(X)
        return self.network_.score(Z)


class StudentClassifier(PredictsClasses, DistilledStudent):
    """What students of classes have in common."""


class StudentRegressor(PredictsNumbers, DistilledStudent):
    """What students of numbers have in common."""
