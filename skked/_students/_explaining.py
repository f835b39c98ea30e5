"""What students with superfeatures add: the groups, the explanation term, and explanations at prediction time."""

import copy
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skked._explanations import GroupShapleyExplainer
from skked._progress import stage
from skked._students._additive_teaching import AdditiveExplainer, additive_teacher
from skked._students._base import DistilledStudent, Grouping
from skked._students._contributions import ExplainsItself
from skked._students._heads import read_out
from skked._students._html import explanations_box, superfeatures_box
from skked._students._rehearsal import learns_more
from skked._validation import HasMethods, Interval, StrOptions

LEAST_UNITS = 4
"""Hidden units that each superfeature of an additive student shall have, where the kind of network is automatic."""
REHEARSED = 50
"""Rows from which a rehearsal may say that it is dense; fewer show nothing clearly."""


class ExplainingStudent(ExplainsItself, DistilledStudent):
    """A student whose score is a base plus one contribution per superfeature."""

    _parameter_constraints: dict = {
        **DistilledStudent._parameter_constraints,
        "explainer": [StrOptions({"shapley", "additive"}), HasMethods(["fit", "explain"])],
        "explanation_weight": [Interval(Real, 0, 1, closed="both")],
        "n_explanations": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "network": [StrOptions({"auto", "additive", "heads"})],
    }

    _n_stages = 7

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
        Z = self._encoded(X)
        phi = self.network_.contributions(Z)
        return phi[..., 0] if phi.shape[2] == 1 else phi

    # the steps of fit -------------------------------------------------------------------------------------------

    def _takes_contributions(self):
        """Whether the teacher explains itself."""
        return isinstance(self.explainer, str) and self.explainer == "additive"

    def _unfitted_teacher(self, problem, memory, seed):
        if not self._takes_contributions():
            return super()._unfitted_teacher(problem, memory, seed)
        return additive_teacher(self.teacher, self.superfeatures, problem, self._task, memory, seed)

    def _superfeatures(self, problem, teaching, memory, seed):
        """The teacher's own superfeatures where it explains itself by some, unless a fitted one is asked for others."""
        teacher = teaching.full.estimator
        asked = not isinstance(self.superfeatures, str) and isinstance(self.teacher, FrozenEstimator)
        if asked or not self._takes_contributions() or not hasattr(teacher, "superfeature_labels_"):
            return super()._superfeatures(problem, teaching, memory, seed)
        self._say(f"{len(teacher.superfeature_names_)} superfeatures: {'; '.join(teacher.superfeature_names_)}")
        return Grouping(teacher.superfeature_labels_, teacher.superfeature_names_, teacher.additive_gap_)

    def _needs_superfeatures(self, problem):
        return True

    def _explainer(self, seed):
        if self._is_untaught() and self.network != "heads":
            return None
        if self._takes_contributions():
            return AdditiveExplainer([], engine="linear", random_state=seed, n_jobs=self.n_jobs)
        if self.explainer != "shapley":
            return clone(self.explainer)
        return GroupShapleyExplainer([], device=self.device, random_state=seed, n_jobs=self.n_jobs)

    def _explanation_weight(self):
        return self.explanation_weight

    def _is_untaught(self):
        """Whether no explanation enters the loss; heads are then read out after the training."""
        return self._explanation_weight() * self.distillation_weight == 0

    def _temperatures(self):
        return self.temperature, self.explanation_temperature

    def _chosen_architecture(self, layout, problem, teaching, material, seed):
        student = copy.copy(self)
        if self._may_choose():
            student.network = self._kind_of_network(layout, problem, teaching, material, seed)
        return student._architecture(*layout)

    def _kind_of_network(self, layout, problem, teaching, material, seed):
        """ "heads" or "additive" where that is automatic: the budget decides, then a rehearsal."""
        additive = self._architecture(*layout)
        if len(additive[0].inputs) == 1:
            return "heads"
        if len(problem) < REHEARSED:
            return "additive"
        student = copy.copy(self)
        student.network = "heads"
        with stage("rehearsal"):
            dense = student._architecture(*layout)
            interact = learns_more(student, dense, additive, problem, teaching, material, seed)
        if interact:
            self._say("columns of several superfeatures interact: a dense network with explanation heads")
        return "heads" if interact else "additive"

    def _architecture(self, encoder, labels, n_outputs, n_rows, columns=None):
        n_superfeatures = int(labels.max()) + 1
        columns = np.arange(len(encoder.columns_)) if columns is None else columns
        branch = labels[encoder.columns_[columns]]
        inputs = [columns[branch == group] for group in range(n_superfeatures)]
        if self._takes_heads(inputs, n_outputs):
            n_heads = 1 if self._is_untaught() else n_superfeatures
            return self._sized([columns], encoder, n_outputs, n_rows, n_heads=n_heads), n_heads
        return self._sized(inputs, encoder, n_outputs, n_rows), n_superfeatures

    def _takes_heads(self, inputs, n_outputs):
        """Whether the network is dense; "auto": where the budget does not pay for enough units per superfeature."""
        if not self._may_choose():
            return self.network == "heads"
        return self.max_parameters < sum(LEAST_UNITS * (len(read) + 1 + n_outputs) + n_outputs for read in inputs)

    def _may_choose(self):
        """Whether the kind of network is automatic."""
        return self.network == "auto" and not self._is_untaught() and self.hidden_layer_sizes is None

    def _network_of(self, trained, architecture, n_superfeatures, material):
        if self.network == "heads" and self._is_untaught():
            n_superfeatures = material.real.phi.shape[1]
            trained = read_out(trained, architecture, material)
        return super()._network_of(trained, architecture, n_superfeatures, material)

    def _boxes(self):
        known = getattr(self, "superfeature_names_", None), getattr(self, "superfeature_labels_", None)
        kind = getattr(self, "explanation", "superfeatures")
        superfeatures = [] if kind == "gradient" else [("superfeatures", superfeatures_box(self, *known))]
        return [*superfeatures, ("explainer", explanations_box(self.explainer, kind))]

    def _store(self, problem, teaching, grouping, encoder, network, trained):
        super()._store(problem, teaching, grouping, encoder, network, trained)
        self.superfeature_labels_ = grouping.labels
        self.superfeature_names_ = list(grouping.names)
        self.additive_gap_ = grouping.additive_gap
        base = network.base.astype(np.float64)
        self.explanation_base_ = base if len(base) > 1 else float(base[0])
