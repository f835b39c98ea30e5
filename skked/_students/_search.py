"""How well many students do on rows that neither they nor their teachers saw: all folds of a layout in one training."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from skked._chimera import make_chimeric_set
from skked._forward import StudentNetwork
from skked._parallel import jobs_of
from skked._progress import parallel_steps, stage, steps
from skked._students._columns import best_by_quota, best_columns, column_worth
from skked._students._lessons import IN_SAMPLE, Tutors, on_one_base
from skked._table import take_rows

LOSS_PARAMETERS = ("distillation_weight", "explanation_weight", "temperature", "explanation_temperature")
"""Candidates that differ in nothing else train in one run."""
ROWS = 2500
"""Rows that a candidate is trained on at most."""
EPOCHS, EPOCHS_OF_MANY, BATCHES = 60, 30, 20
"""Epochs of a candidate, on fewer rows than that and on so many, and batches of an epoch."""
CHIMERAS_PER_ROW = 2
"""Chimeras that a candidate sees per row."""
COMMITTEE_CHIMERAS = 5
"""Chimeras that a member of the committee sees per row."""


@dataclass(frozen=True)
class Fold:
    """A fold of the search: rows to train on, rows to judge by, and the teacher that saw none of the latter."""

    teacher: int
    train: np.ndarray
    test: np.ndarray


def search_folds(teaching, problem, n_splits, random_state):
    """The folds of the cross-fitting; for a teacher that was not cross-fitted, new ones.

    Parameters
    ----------
    teaching : CrossFit
    problem : Problem
    n_splits : int
        Number of new folds.
    random_state : RandomState

    Returns
    -------
    list of Fold
    """
    fold_of_row = teaching.fold_of_row
    if teaching.in_sample:
        classes = problem.hard.argmax(axis=1) if problem.hard.shape[1] > 1 else problem.hard[:, 0]
        stratify = problem.classes is not None and np.unique(classes, return_counts=True)[1].min() >= n_splits
        n_splits = min(n_splits, len(classes))
        if n_splits < 2:
            raise ValueError("A search needs at least two distinct rows to train and to judge on, got n_samples = 1.")
        splitter = (StratifiedKFold if stratify else KFold)(n_splits, shuffle=True, random_state=random_state)
        pairs = [(IN_SAMPLE, train, test) for train, test in splitter.split(classes, classes)]
    else:
        numbers = np.unique(fold_of_row[fold_of_row >= 0])
        pairs = [(fold, np.flatnonzero(fold_of_row != fold), np.flatnonzero(fold_of_row == fold)) for fold in numbers]
    return [Fold(teacher, random_state.permutation(train)[:ROWS], test) for teacher, train, test in pairs]


class Search:
    """Out-of-fold scores of students of one problem and teacher.

    Parameters
    ----------
    problem : Problem
    teaching : CrossFit
    encoder : TableEncoder
    folds : list of Fold
    scorer : callable
        ``scorer(student, X, y, sample_weight=...)``; greater is better.
    n_jobs : int or None
    seed : int
    """

    def __init__(self, problem, teaching, encoder, folds, scorer, *, n_jobs, seed):
        self.problem, self.teaching, self.encoder, self.folds = problem, teaching, encoder, folds
        self.scorer, self.n_jobs, self.seed = scorer, n_jobs, seed
        self.held_out = [take_rows(problem.X, fold.test) for fold in folds]
        self.n_outputs = problem.hard.shape[1]
        self.worth, self.of_folds, self.networks = [], {}, {}

    def scores(self, students, groupings, curricula):
        """Scores of students, each with its superfeatures and what the teacher says.

        Parameters
        ----------
        students : list of DistilledStudent
            Candidates, not fitted.
        groupings : list of Grouping
        curricula : list of Curriculum

        Returns
        -------
        ndarray of shape (n_students, n_folds)
        """
        runs = _runs(students, curricula)
        materials = {}
        with stage("lessons of the folds"):
            for first in steps([run[0] for run in runs], len(runs)):
                key = id(curricula[first])
                if key not in materials:
                    materials[key] = self._materials(students[first], groupings[first], curricula[first])
        narrow = [run[0] for run in runs if self._is_narrow(students[run[0]])]
        if narrow:
            device = students[narrow[0]].device
            parts = materials[id(curricula[narrow[0]])]
            with stage("choice of columns"):
                self.worth = [column_worth(part, seed=self.seed, device=device) for part in steps(parts, len(parts))]
        undecided = [run for run in runs if students[run[0]].network == "auto"]
        if undecided:
            with stage("rehearsals"):
                for run in steps(undecided, len(undecided)):
                    material = materials[id(curricula[run[0]])][0]
                    self._settle([students[i] for i in run], groupings[run[0]].labels, material)
            runs = _runs(students, curricula)
        of_folds = {key: parts[1:] for key, parts in materials.items()}
        number_of = {key: number for number, key in enumerate(of_folds)}
        items = [
            ([students[i] for i in run], groupings[run[0]].labels, number_of[id(curricula[run[0]])]) for run in runs
        ]
        jobs = jobs_of(Search._run, (self, list(of_folds.values())), items, self.n_jobs)
        scores = np.empty((len(students), len(self.folds)))
        self.of_folds, self.networks = of_folds, {}
        with stage("candidates"):
            results = parallel_steps(jobs, self.n_jobs)
        for run, (networks, result) in zip(runs, results, strict=True):
            scores[run] = result
            self.networks.update(zip(run, networks, strict=True))
        return scores

    def advised_scores(self, students, grouping, curriculum, advisers):
        """Scores of students of one layout that a committee advises: in each fold, the candidates trained on it.

        Parameters
        ----------
        students : list of DistilledStudent
        grouping : Grouping
        curriculum : Curriculum
        advisers : list of int
            Numbers of candidates of the last :meth:`scores`.

        Returns
        -------
        ndarray of shape (n_students, n_folds)
        """
        materials = self.of_folds[id(curriculum)]
        committees = zip(*(self.networks[i] for i in advisers), strict=True)
        advised = [material.advised(committee) for material, committee in zip(materials, committees, strict=True)]
        return self._run([advised], students, grouping.labels, 0)[1]

    def committee(self, students, groupings, curricula):
        """Some of the students scored, trained on all rows.

        Parameters
        ----------
        students, groupings, curricula : lists
            As for :meth:`scores`.

        Returns
        -------
        list of StudentNetwork
        """
        networks = []
        runs = _runs(students, curricula)
        for run in steps(runs, len(runs)):
            first, curriculum = students[run[0]], curricula[run[0]]
            labels = groupings[run[0]].labels
            material = self._material(curriculum)
            trained = self._together(
                [students[i] for i in run],
                labels,
                [material],
                [self._columns(first, labels)],
                epochs=first.max_iter,
                batch_size=first._batch_size(len(material.rows)),
                per_row=COMMITTEE_CHIMERAS,
            )
            networks += [network for (network,) in trained]
        return networks

    def _settle(self, students, labels, material):
        """Give students of one layout whose network is automatic the kind that they are scored and trained with."""
        choosing = [student for student in students if student._may_choose()]
        if choosing:
            first = choosing[0]
            layout = self.encoder, labels, len(material.base), len(self.problem), self._columns(first, labels)
            kind = first._kind_of_network(layout, self.problem, self.teaching, material, self.seed)
        for student in students:
            student.set_params(network=kind if student in choosing else "additive")

    def _run(self, all_materials, students, labels, number):
        """Networks and scores of students of one layout, trained together, fold by fold and side by side."""
        first, materials = students[0], all_materials[number]
        n_rows = min(len(part.real) for part in materials)
        networks = self._together(
            students,
            labels,
            materials,
            self._columns_of_folds(first, labels),
            epochs=EPOCHS if n_rows < ROWS else EPOCHS_OF_MANY,
            batch_size=max(1, -(-n_rows // BATCHES)),
            per_row=CHIMERAS_PER_ROW,
        )
        scores = [
            [self._score(student, network, fold) for fold, network in enumerate(by_fold)]
            for student, by_fold in zip(students, networks, strict=True)
        ]
        return networks, np.array(scores)

    def _together(self, students, labels, materials, columns, *, epochs, batch_size, per_row):
        """Networks of students of one layout, each on each part of the material: list over students of lists.

        A student that is there more than once starts from other first weights each time.
        """
        from skked._torch._train import Part, Schedule, stacked, train

        first, material = students[0], materials[0]
        layout = _Read(self.encoder.columns_[columns[0]])
        architecture, n_superfeatures = first._architecture(layout, labels, len(material.base), len(self.problem))
        real = chimeras = None
        parts = []
        for part, read in zip(materials, columns, strict=True):
            own, mixed = _packed(part.rows, read), _packed(part.chimeras(per_row), read)
            parts.append(Part(_following(real, own), _following(chimeras, mixed)))
            real = own if real is None else stacked(real, own)
            chimeras = mixed if chimeras is None else stacked(chimeras, mixed)
        starts = [sum(other is student for other in students[:i]) for i, student in enumerate(students)]
        seeds = np.random.RandomState(self.seed).randint(np.iinfo(np.int32).max, size=(max(starts) + 1, len(parts)))
        weights = [student._loss_weights(material.scale.kind) for student in students for _ in parts]
        n_rows = min(len(part.real) for part in parts)
        trained = train(
            architecture,
            material.base,
            n_superfeatures,
            real,
            Schedule(min(epochs, first.max_iter), batch_size, first.learning_rate_init, first._weight_decay(n_rows)),
            kind=material.scale.kind,
            **{name: [each[name] for each in weights] for name in LOSS_PARAMETERS},
            seeds=[int(seed) for start in starts for seed in seeds[start]],
            chimeric=chimeras,
            chimeras_per_row=per_row,
            parts=None if len(parts) == 1 else parts * len(students),
            device=first.device,
        )
        networks = iter(trained)
        return [
            [_unpacked(next(networks), architecture, read, material, n_superfeatures) for read in columns]
            for _ in students
        ]

    def _chimeras(self, student, labels, base):
        """Chimeras of the rows of each fold, scored and explained by the teacher of the fold; or None."""
        if not labels.max() or not student._n_chimeric(len(self.problem)):
            return [None] * len(self.folds)
        X, weight = self.problem.X, self.problem.weight
        tutors = Tutors(self.teaching, X, weight, labels, student._explainer(self.seed), student.n_explanations)
        lessons = []
        for fold in self.folds:
            if len(fold.train) < 2:
                lessons.append(None)
                continue
            y = self.problem.y[fold.train] if getattr(student, "within_class", False) else None
            mixed, _ = make_chimeric_set(
                take_rows(X, fold.train),
                labels,
                CHIMERAS_PER_ROW * len(fold.train),
                swap=student.swap,
                y=y,
                within_class=y is not None,
                sample_weight=weight[fold.train],
                random_state=np.random.RandomState(self.seed),
            )
            lessons.append(on_one_base([tutors.lesson(fold.teacher, mixed)], base))
        return lessons

    def _material(self, curriculum):
        """What students of all rows are trained on."""
        from skked._students._targets import material_of

        return material_of(self.problem, curriculum, self.encoder)

    def _materials(self, student, grouping, curriculum):
        """What students are trained on: that of all rows, then that of each fold."""
        from skked._students._targets import training_set

        material = self._material(curriculum)
        return [material] + [
            replace(
                material,
                real=material.real.take(fold.train),
                unlabelled=None,
                chimeric=None if lesson is None else training_set(lesson, self.encoder, material.scale),
            )
            for fold, lesson in zip(self.folds, self._chimeras(student, grouping.labels, curriculum.base), strict=True)
        ]

    def _is_narrow(self, student):
        return student._n_read(len(self.encoder.columns_), self.n_outputs) < len(self.encoder.columns_)

    def _columns(self, student, labels):
        """Encoded columns that the student reads in the end."""
        encoded = labels[self.encoder.columns_]
        if not self._is_narrow(student):
            return np.arange(len(encoded))
        return best_columns(self.worth[0], student._n_read(len(encoded), self.n_outputs), encoded)

    def _columns_of_folds(self, student, labels):
        """Encoded columns that the student reads in each fold, as many of each superfeature as it reads in the end."""
        columns = self._columns(student, labels)
        if not self._is_narrow(student):
            return [columns] * len(self.folds)
        encoded = labels[self.encoder.columns_]
        quota = np.bincount(encoded[columns], minlength=labels.max() + 1)
        return [best_by_quota(worth, quota, encoded) for worth in self.worth[1:]]

    def _score(self, student, network, fold):
        shell = student._with_network(network, self.encoder, self.problem)
        rows = self.folds[fold].test
        weight = self.problem.weight[rows]
        extra = {} if np.ptp(weight) == 0 else {"sample_weight": weight}
        return self.scorer(shell, self.held_out[fold], self.problem.y[rows], **extra)


@dataclass(frozen=True)
class _Read:
    """What a layout needs to know of an encoder: the input column of each encoded column that is read."""

    columns_: np.ndarray


def _runs(students, curricula):
    """Numbers of the students that can train together: one layout, one set of lessons."""
    runs = {}
    for number, student in enumerate(students):
        runs.setdefault((id(curricula[number]), _layout(student)), []).append(number)
    return list(runs.values())


def _layout(student):
    parameters = student.get_params(deep=False)
    shared = [(name, repr(value)) for name, value in sorted(parameters.items()) if name not in LOSS_PARAMETERS]
    return student._is_untaught() and student.network == "heads", *shared


def _packed(rows, columns):
    return None if rows is None else replace(rows, Z=rows.Z[:, columns])


def _following(above, below):
    """Numbers of the rows that are stacked below others."""
    start = 0 if above is None else len(above)
    return np.arange(start, start + (0 if below is None else len(below)))


def _unpacked(trained, architecture, columns, material, n_superfeatures):
    """Network over all encoded columns of a student that was trained on some."""
    inputs = [columns[branch] for branch in architecture.inputs]
    network = StudentNetwork(inputs, trained.coefs, trained.intercepts, material.base, n_superfeatures)
    return network.rescaled(material.scale.scale, material.scale.shift)
