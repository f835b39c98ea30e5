"""What the teacher says about rows: its scores and the contributions of the superfeatures to them."""

import time
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from skked._chimera import make_chimeric_set
from skked._memory import OFF
from skked._progress import is_told, say, steps
from skked._table import n_rows, stack_rows, take_rows

IN_SAMPLE = -1
PROBE = 1000
"""Rows that a teacher evaluates to time it, for who asks."""
MODEL_ROWS = 2_000_000
"""Rows that teachers evaluate for the explanations of a fit, unless the user asks for more explanations."""

PAIRS = 8
"""Pairs of permutations of a row at most, where all rows cannot be explained well; more teach a student no better."""


@dataclass(frozen=True)
class Lesson:
    """Rows and what the teacher says about them.

    Attributes
    ----------
    X : table of n rows
    scores : array of shape (n, C)
        The teacher's scores in the link space.
    phi : float32 array of shape (n, M, C) or None
        Contributions of the superfeatures to the scores.
    explained : bool array of shape (n,)
        Rows whose contributions are known.
    """

    X: object
    scores: np.ndarray
    phi: np.ndarray | None
    explained: np.ndarray

    def __len__(self):
        return len(self.scores)


@dataclass(frozen=True)
class Curriculum:
    """Everything the teacher says: about the training rows, chimeras and rows without labels, on one base.

    Attributes
    ----------
    real : Lesson
    chimeric, unlabelled : Lesson or None
    base : array of shape (C,)
        Score of a row that says nothing.
    """

    real: Lesson
    chimeric: Lesson | None
    unlabelled: Lesson | None
    base: np.ndarray


def teach(
    teaching,
    X,
    weight,
    labels,
    explainer,
    *,
    n_explanations,
    n_chimeric,
    swap,
    within_class,
    unlabelled,
    random_state,
    memory=OFF,
):
    """Explain the training rows, make chimeras, and label and explain them.

    A training row is explained by the teacher of its fold, which did not see it; chimeras and rows without labels are
    scored and explained by the teacher of all rows, which is the better one. The folds' bases differ a little; their
    weighted mean is the base of all, and the rest is shared among the contributions, so that
    ``base + phi.sum(axis=1)`` stays the score.

    Parameters
    ----------
    teaching : CrossFit
        Teachers and out-of-fold scores.
    X : table of n rows
    weight : array of shape (n,)
    labels : int array of shape (n_features,)
        Superfeature of every column.
    explainer : GroupShapleyExplainer or None
        Prototype, cloned for every teacher; None explains nothing.
    n_explanations : int or "auto"
        Training rows to explain at most; "auto" is what :data:`MODEL_ROWS` evaluations by the teachers allow.
    n_chimeric : int
        Chimeras to make.
    swap : float in (0, 1]
        Share of superfeatures that come from other rows.
    within_class : array of shape (n,) or None
        Classes, to take donors from the same class only.
    unlabelled : table or None
        Rows without labels; the teacher of all rows scores and explains them.
    random_state : int
    memory : CheckedMemory
        Where finished blocks of explanations are kept.

    Returns
    -------
    Curriculum
    """
    tutors = Tutors(teaching, X, weight, labels, explainer, n_explanations, memory)
    folds = [(fold, np.flatnonzero(teaching.fold_of_row == fold)) for fold in np.unique(teaching.fold_of_row)]
    asked = [(fold, take_rows(X, rows), teaching.scores[rows], None) for fold, rows in folds]
    makes_chimeras = n_chimeric and len(labels) > 1
    if makes_chimeras:
        mixed, _ = make_chimeric_set(
            X,
            labels,
            n_chimeric,
            swap=swap,
            y=within_class,
            within_class=within_class is not None,
            sample_weight=weight,
            random_state=check_random_state(random_state),
        )
        asked.append((IN_SAMPLE, mixed, None, None))
    if unlabelled is not None:
        # Training rows lie in the order of their hashes and chimeras are random, but these may be sorted.
        order = check_random_state(random_state).permutation(n_rows(unlabelled))
        asked.append((IN_SAMPLE, unlabelled, None, order))
    sizes = [n_rows(rows) for _, rows, *_ in asked]
    if explainer is not None and is_told():
        say(tutors.prospect(sum(sizes)))
    lessons = [tutors.lesson(*each) for each in steps(asked, len(asked), sizes=sizes)]
    parts, others = lessons[: len(folds)], lessons[len(folds) :]
    shares = [weight[rows].sum() for _, rows in folds]
    base = np.average([own for _, own in parts], axis=0, weights=shares)
    order = np.argsort(np.concatenate([rows for _, rows in folds]))
    real = on_one_base(parts, base)
    real = Lesson(X, teaching.scores, None if real.phi is None else real.phi[order], real.explained[order])
    others = [on_one_base([lesson], base) for lesson in others]
    return Curriculum(real, others[0] if makes_chimeras else None, others[-1] if unlabelled is not None else None, base)


class Tutors:
    """The teachers, each with its explainer, made when first needed."""

    def __init__(self, teaching, X, weight, labels, prototype, n_explanations, memory=OFF):
        self.teaching, self.X, self.weight, self.labels = teaching, X, weight, labels
        self.prototype, self.n_explanations, self.memory = prototype, n_explanations, memory
        self.fitted = {}

    def scores(self, fold):
        return self.teaching.full if fold == IN_SAMPLE else self.teaching.fold_scores[fold]

    def explainer(self, fold):
        if fold not in self.fitted:
            explainer = clone(self.prototype).set_params(superfeatures=self.labels)
            if explainer.background is None and explainer.background_weight is None:
                explainer.set_params(background_weight=self.weight)
            if getattr(explainer, "memory", self) is None and self.memory.is_on:
                explainer.set_params(memory=self.memory)
            explainer.fit(self.scores(fold), self.X)
            if self._is_too_costly(explainer):
                explainer._turn_to_permutations(self._noisy_budget())
            self.fitted[fold] = explainer
        return self.fitted[fold]

    def _is_too_costly(self, explainer):
        """Whether a black box cannot be explained on all rows, and the user left open how it is explained."""
        return (
            self.n_explanations == "auto"
            and getattr(explainer, "engine_", None) == "coalitions"
            and explainer.n_coalitions == "auto"
            and explainer.budget(n_rows(self.X)) > MODEL_ROWS
        )

    def _noisy_budget(self):
        """Model rows of a row with few permutations: unbiased noisy values of all rows, not good ones of some."""
        per_pair, per_row = 2 * int(self.labels.max()), MODEL_ROWS // n_rows(self.X) - 2  # itself, and a background row
        return per_pair * int(np.clip(per_row // per_pair, 1, PAIRS))

    def share(self, fold):
        """Share of the rows that are explained."""
        n_samples = n_rows(self.X)
        if self.n_explanations != "auto":
            return min(1.0, self.n_explanations / n_samples)
        return min(1.0, MODEL_ROWS / max(1, self.explainer(fold).budget(n_samples)))

    def prospect(self, n_samples):
        """How many rows teachers will evaluate to explain so many, and how long that takes, in words."""
        explainer, score = self.explainer(self.teaching.fold_of_row[0]), self.scores(self.teaching.fold_of_row[0])
        explained = int(np.ceil(n_samples * self.share(self.teaching.fold_of_row[0])))
        what = f"explaining {explained:,}{'' if explained == n_samples else f' of {n_samples:,}'} rows and chimeras"
        n_calls = explainer.budget(explained) if hasattr(explainer, "budget") else None
        if not n_calls:
            return f"{what}, in closed form" if n_calls == 0 else what
        probe = take_rows(self.X, slice(PROBE))
        times = []
        for _ in range(3):
            start = time.perf_counter()
            score(probe)
            times.append(time.perf_counter() - start)
        seconds = min(times) / n_rows(probe) * n_calls
        return f"{what}: at most {n_calls:,} rows for the teacher to evaluate, about {in_words(seconds)} of one core"

    def lesson(self, fold, rows, scores=None, order=None):
        """What the teacher of a fold says about rows, the first ones in some order explained; and its base."""
        scores = self.scores(fold)(rows) if scores is None else scores
        n = n_rows(rows)
        if self.prototype is None:
            return Lesson(rows, scores, None, np.zeros(n, bool)), scores.mean(axis=0)
        n_explained = int(np.ceil(n * self.share(fold)))
        chosen = np.arange(n_explained) if order is None else np.sort(order[:n_explained])
        explanation = self.explainer(fold).explain(take_rows(rows, chosen))
        phi, explained = np.zeros((n, *explanation.phi.shape[1:]), np.float32), np.zeros(n, bool)
        phi[chosen], explained[chosen] = explanation.phi, True
        return Lesson(rows, scores, phi, explained), explanation.base


def in_words(seconds):
    """A duration as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def on_one_base(lessons_and_bases, base):
    """Lessons one above the other, their contributions against one base instead of their own."""
    lessons, bases = zip(*lessons_and_bases, strict=True)
    X = lessons[0].X
    for lesson in lessons[1:]:
        X = stack_rows(X, lesson.X)
    phi = None
    if lessons[0].phi is not None:
        n_superfeatures = lessons[0].phi.shape[1]
        shifts = [((own - base) / n_superfeatures).astype(np.float32) for own in bases]
        phi = np.concatenate([lesson.phi + shift for lesson, shift in zip(lessons, shifts, strict=True)])
    scores = np.concatenate([lesson.scores for lesson in lessons])
    return Lesson(X, scores, phi, np.concatenate([lesson.explained for lesson in lessons]))
