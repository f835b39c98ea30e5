"""Students chosen by cross-validation."""

import copy

import numpy as np
from sklearn.metrics import check_scoring, get_scorer_names, log_loss, make_scorer
from sklearn.model_selection import ParameterGrid

from skked._progress import stage, steps
from skked._students._base import DistilledStudent, StudentClassifier, StudentRegressor
from skked._students._explaining import ExplainingStudent
from skked._students._feasible import check_feasible, check_teacher
from skked._students._search import Search, search_folds
from skked._students.ked import KEDClassifier, KEDRegressor
from skked._superfeatures import SuperfeatureClustering
from skked._validation import StrOptions

COMMITTEE_WEIGHTS = 0.9, 0.8, 0.65, 0.5, 0.3
"""Values of λ to choose from for the student that a committee teaches."""
COMMITTEE_ROWS = 5000
"""Rows beyond which there is no committee: such students differ little."""
N_SPLITS = 5
"""Folds of the search where the teacher was not cross-fitted."""

UNSEARCHED = {"teacher", "cv", "class_weight", "committee_size", "warm_start", "random_state"}
UNSEARCHED |= {"memory", "n_jobs", "device", "verbose"}
"""Parameters of a student that all candidates share."""


def default_grid(task, n_features, superfeatures):
    """Candidates of every kind: dense and additive, by correlation and by interaction, with all columns and with few.

    Parameters
    ----------
    task : {"classification", "regression"}
    n_features : int
    superfeatures : object
        The user's, which take the place of those by interaction unless "auto".

    Returns
    -------
    list of dict
    """
    few = [{"max_features": "auto"}, {"max_features": 0.4}] if n_features > 4 else [{"max_features": "auto"}]
    dense = [
        {"distillation_weight": 0.0, "explanation_weight": 0.0},
        {"distillation_weight": 0.4, "explanation_weight": 0.0},
        {"distillation_weight": 0.8, "explanation_weight": 0.0},
        {"distillation_weight": 0.8, "explanation_weight": 0.5},
    ]
    additive = [
        {"distillation_weight": 0.4, "explanation_weight": 0.3},
        {"distillation_weight": 0.8, "explanation_weight": 0.0},
        {"distillation_weight": 0.8, "explanation_weight": 0.7},
    ]
    if task == "classification":
        dense.append({"distillation_weight": 0.8, "explanation_weight": 0.3, "temperature": 3.0})
        additive.append({"distillation_weight": 0.8, "explanation_weight": 0.3, "temperature": 3.0})
    groups = [{"superfeatures": superfeatures}]
    if n_features > 3 and isinstance(superfeatures, str):
        groups.append({"superfeatures": SuperfeatureClustering(affinity="interaction")})
    return [
        {name: [value] for name, value in {**read, **loss, **kind}.items()}
        for read in few
        for kind, losses in [({"network": "heads"}, dense), *(({"network": "additive", **g}, additive) for g in groups)]
        for loss in losses
    ]


class SearchedStudent(ExplainingStudent):
    """A student whose parameters are chosen on out-of-fold rows; see the classifier."""

    _parameter_constraints: dict = {
        name: DistilledStudent._parameter_constraints[name]
        for name in ("teacher", "superfeatures", "chimeric", "swap", "cv", "max_parameters", "max_iter", "batch_size")
        + ("committee_size", "learning_rate_init", "alpha", "memory", "n_jobs", "device", "verbose", "random_state")
    } | {
        "param_grid": [dict, list, None],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "explainer": ExplainingStudent._parameter_constraints["explainer"],
        "n_explanations": ExplainingStudent._parameter_constraints["n_explanations"],
    }

    _n_stages = 12

    def _check_feasible(self, problem):
        check_teacher(self.teacher, self._task, type(self).__name__)
        for student in self._candidates(problem)[1]:
            check_feasible(student, problem)

    def _candidates(self, problem):
        """Points of the grid, and a student for each."""
        shared = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in ("param_grid", "scoring", "committee_size")
        }
        grid = self.param_grid
        if grid is None:
            grid = default_grid(self._task, problem.X.shape[1], self.superfeatures)
        points = list(ParameterGrid(grid))
        if not points:
            raise ValueError(
                "param_grid is empty: expected a dict of lists of values, or a list of such dicts. Use None for the "
                "default candidates."
            )
        for name in {name for point in points for name in point} & UNSEARCHED:
            raise ValueError(
                f"param_grid varies {name}, which candidates share: expected parameters of the student. "
                f"Give {name} to {type(self).__name__}, and search over it with GridSearchCV."
            )
        seen = {name: vars(self)[name] for name in ("n_features_in_", "feature_names_in_") if name in vars(self)}
        students = []
        for point in points:
            student = self._student(**shared, committee_size=1).set_params(**point)
            student._validate_params()
            vars(student).update(seen)
            students.append(student)
        return points, students

    def _chosen_student(self, problem, teaching, encoder, memory, seeds):
        rng = np.random.RandomState(seeds[3])
        points, students = self._candidates(problem)
        first_of = {}
        for student in students:
            first_of.setdefault(_lesson_key(student), student)
        lessons = {}
        with stage("lessons"):
            for key, student in steps(first_of.items(), len(first_of)):
                grouping = student._superfeatures(problem, teaching, memory, seeds[1])
                lessons[key] = grouping, student._curriculum(problem, teaching, grouping.labels, memory, seeds[2])
        groupings, curricula = zip(*(lessons[_lesson_key(student)] for student in students), strict=True)
        folds = search_folds(teaching, problem, N_SPLITS, rng)
        search = Search(
            problem,
            teaching,
            encoder,
            folds,
            self._scorer(problem),
            n_jobs=self.n_jobs,
            seed=int(rng.randint(2**31 - 1)),
        )
        scores = search.scores(students, groupings, curricula)
        self._keep_results(points, scores)
        self.committee_weight_ = np.nan
        self._say(f"chose {self.best_params_} of {len(points)} candidates, score {self.best_score_:.4g}")
        chosen = students[self.best_index_]
        advisers = self._advisers(scores, chosen)
        committee = []
        if len(advisers) > 1 and len(problem) <= COMMITTEE_ROWS:
            with stage("committee"):
                committee = search.committee(
                    *([things[i] for i in advisers] for things in (students, groupings, curricula))
                )
            if not chosen.distillation_weight:
                chosen.set_params(explanation_weight=0.0)
            grouping, curriculum = groupings[self.best_index_], curricula[self.best_index_]
            with stage("weight of the committee"):
                self.committee_weight_ = self._best_weight(search, chosen, grouping, curriculum, advisers)
            self._say(f"{len(advisers)} candidates advise it, with a weight of {self.committee_weight_}")
            chosen.set_params(distillation_weight=self.committee_weight_)
        return chosen, committee

    def _best_weight(self, search, chosen, grouping, curriculum, advisers):
        """λ of the chosen student that does best on the folds with its committee."""
        advised = [copy.copy(chosen).set_params(distillation_weight=weight) for weight in COMMITTEE_WEIGHTS]
        scores = search.advised_scores(advised, grouping, curriculum, advisers)
        return COMMITTEE_WEIGHTS[int(np.argmax(scores.mean(axis=1)))]

    def _advisers(self, scores, chosen):
        """Numbers of the best few candidates, whose mean score the chosen one learns.

        Where the labels alone won, those that listen to the teacher may have been misled: candidates more than a
        standard error behind, by the differences of the folds, make way for the winner from other first weights.
        """
        best = np.argsort(-scores.mean(axis=1), kind="stable")[: self.committee_size]
        if chosen.distillation_weight > 0:
            return best
        behind = scores[best[0]] - scores[best]
        error = behind.std(axis=1) / np.sqrt(max(1, scores.shape[1] - 1))
        return np.where(behind.mean(axis=1) <= error, best, best[0])

    def _scorer(self, problem):
        """The user's scorer; by default the log-loss, that of folds without some class too, or the squared error."""
        if self.scoring is not None:
            return check_scoring(self, self.scoring)
        if self._task == "regression":
            return check_scoring(self, "neg_mean_squared_error")
        return make_scorer(log_loss, greater_is_better=False, response_method="predict_proba", labels=problem.classes)

    def _keep_results(self, points, scores):
        mean = scores.mean(axis=1)
        names = sorted({name for point in points for name in point})
        self.best_index_ = int(np.argmax(mean))
        self.best_params_ = points[self.best_index_]
        self.best_score_ = float(mean[self.best_index_])
        self.cv_results_ = {
            "params": points,
            **{
                f"param_{name}": np.ma.masked_array(
                    [point.get(name) for point in points], mask=[name not in point for point in points], dtype=object
                )
                for name in names
            },
            **{f"split{fold}_test_score": scores[:, fold] for fold in range(scores.shape[1])},
            "mean_test_score": mean,
            "std_test_score": scores.std(axis=1),
            "rank_test_score": (-mean).argsort(kind="stable").argsort(kind="stable") + 1,
        }


def _lesson_key(student):
    """What decides superfeatures and the teacher's lessons."""
    explained = student._explainer(0) is not None
    names = ("superfeatures", "explainer", "n_explanations", "chimeric", "swap", "within_class")
    return explained, *(repr(getattr(student, name, None)) for name in names)


class KEDClassifierCV(SearchedStudent, StudentClassifier):
    """Distil a classifier into the best of many tiny students, chosen by cross-validation.

    In the manner of ``LogisticRegressionCV``: candidates of one size (dense and additive networks, superfeatures by
    correlation and by interaction, all columns and few, more and less of the teacher and its explanations, no teacher
    at all) are taught on the folds of the cross-fitting and scored on the rows they did not see; the best one is
    trained on all rows, and taught by a committee of the best few. Teachers, superfeatures and explanations are made
    once, and candidates train side by side. Every candidate explains itself, the dense ones by explanation heads.

    Parameters
    ----------
    teacher : classifier or None, default=None
        See :class:`KEDClassifier`.
    param_grid : dict, list of dict or None, default=None
        Parameters of :class:`KEDClassifier` and lists of values to try, as for
        :class:`~sklearn.model_selection.ParameterGrid`; those not named are as given here. None is a grid of
        up to 26 candidates.
    scoring : str, callable or None, default=None
        What to choose by, a scorer of scikit-learn; None is the log-loss.
    committee_size : int, default=6
        So many of the best candidates are trained on all rows, and the chosen student learns their mean score in place
        of the teacher's, with the distillation weight that does best on the folds (``committee_weight_``). 1 leaves it
        to the teacher, as do more than 5,000 rows. Where a student won that learns from the labels alone
        (``distillation_weight=0``), candidates that are more than a standard error behind it make way for the winner
        itself from other first weights.
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Superfeatures of the candidates, where `param_grid` does not say. In the default grid, superfeatures given here
        take the place of the automatic ones.
    explainer : "shapley", "additive" or explainer, default="shapley"
        See :class:`KEDClassifier`.
    n_explanations : "auto" or int, default="auto"
        See :class:`KEDClassifier`.
    chimeric : "auto", bool, int or float, default="auto"
        See :class:`KEDClassifier`.
    swap : float in (0, 1], default=0.3
        See :class:`KEDClassifier`.
    cv : int, splitter, iterable or None, default=5
        Folds of the cross-fitting, which are also the folds of the search. Where the teacher is not cross-fitted
        (None, False or a frozen teacher), the search makes 5 folds of its own.
    max_parameters : int, default=2000
        Budget: weights and biases that a prediction needs, the same for all candidates.
    max_iter : int, default=200
        Epochs of the chosen student; candidates are trained for 60 at most.
    batch_size : int or "auto", default="auto"
        Rows per step of the chosen student; see :class:`KEDClassifier`.
    learning_rate_init : float, default=0.01
        Largest learning rate of Adam.
    alpha : float, default=0.2
        Decoupled weight decay; see :class:`KEDClassifier`.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, for teacher and student.
    memory : str, joblib.Memory or None, default=None
        Cache of fitted teachers, superfeatures and explanations; needs an integer `random_state`.
    n_jobs : int or None, default=None
        Jobs of the cross-fitting, the explanations and the search; the result does not depend on it.
    device : str, default="auto"
        torch device of the training; "auto" is a GPU if there is one.
    verbose : bool or int, default=False
        True or 1 shows bars with the time that remains on a terminal, where rich is installed, and prints what is done.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, teachers without one, chimeras and students.

    Attributes
    ----------
    best_params_ : dict
        Parameters of the chosen candidate.
    best_score_ : float
        Its mean score over the folds.
    best_index_ : int
        Its place in `cv_results_`.
    cv_results_ : dict
        As in :class:`~sklearn.model_selection.GridSearchCV`: ``params``, ``param_*``, ``split*_test_score``,
        ``mean_test_score``, ``std_test_score``, ``rank_test_score``.
    committee_weight_ : float
        Distillation weight of the chosen student beside its committee, of 0.9, 0.8, 0.65, 0.5 and 0.3 the one that does
        best on the folds; nan without a committee.
    teacher_ : classifier
        The teacher, fitted on all rows; see :class:`KEDClassifier`.
    superfeature_labels_ : ndarray of shape (n_features_in_,)
        Superfeature of each column of X.
    superfeature_names_ : list of str
        Names of the superfeatures.
    explanation_base_ : float or ndarray of shape (n_classes,)
        Score of a row that says nothing, in nats.
    additive_gap_ : float
        What a teacher that is additive over the superfeatures loses, where it was measured; else nan.
    network_ : StudentNetwork
        The student's weights, as numpy arrays.
    encoder_ : TableEncoder
        Turns tables into the numbers that the student reads.
    n_parameters_ : int
        Weights and biases that a prediction needs.
    n_iter_ : int
        Epochs run.
    loss_curve_ : list of float
        Loss of the last batch of each epoch.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had some.

    See Also
    --------
    KEDClassifier : One student, with the parameters you give.
    KEDRegressorCV : The same for numbers.

    Notes
    -----
    A fold of the search is judged by rows that its candidates did not see, and its chimeras are labelled by the
    teacher of that fold, which did not see them either. The soft targets of the rows that candidates learn from come
    from the teachers of the other folds, which did; so the scores are a little too good, for candidates that listen to
    the teacher more than for others. Candidates are trained on 2,500 rows at most, and for fewer epochs than the
    chosen student.

    Dense candidates that were not taught explanations get their heads afterwards: the teacher's contributions are
    regressed on the hidden units, so that the score stays as it is.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skked import KEDClassifierCV
    >>> X, y = load_wine(return_X_y=True)
    >>> grid = {"network": ["additive", "heads"], "explanation_weight": [0.0, 0.7]}
    >>> student = KEDClassifierCV(param_grid=grid, max_parameters=300, max_iter=20, cv=3, random_state=0).fit(X, y)
    >>> len(student.cv_results_["mean_test_score"])
    4
    >>> student.score(X, y) > 0.9
    True
    """

    _student = KEDClassifier

    def __init__(
        self,
        teacher=None,
        *,
        param_grid=None,
        scoring=None,
        committee_size=6,
        superfeatures="auto",
        explainer="shapley",
        n_explanations="auto",
        chimeric="auto",
        swap=0.3,
        cv=5,
        max_parameters=2000,
        max_iter=200,
        batch_size="auto",
        learning_rate_init=0.01,
        alpha=0.2,
        class_weight=None,
        memory=None,
        n_jobs=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.teacher = teacher
        self.param_grid = param_grid
        self.scoring = scoring
        self.committee_size = committee_size
        self.superfeatures = superfeatures
        self.explainer = explainer
        self.n_explanations = n_explanations
        self.chimeric = chimeric
        self.swap = swap
        self.cv = cv
        self.max_parameters = max_parameters
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.class_weight = class_weight
        self.memory = memory
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    _parameter_constraints: dict = {
        **SearchedStudent._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }


class KEDRegressorCV(SearchedStudent, StudentRegressor):
    """Distil a regressor into the best of many tiny students, chosen by cross-validation.

    In the manner of ``LogisticRegressionCV``: candidates of one size (dense and additive networks, superfeatures by
    correlation and by interaction, all columns and few, more and less of the teacher and its explanations, no teacher
    at all) are taught on the folds of the cross-fitting and scored on the rows they did not see; the best one is
    trained on all rows, and taught by a committee of the best few. Teachers, superfeatures and explanations are made
    once, and candidates train side by side. Every candidate explains itself, the dense ones by explanation heads.

    Parameters
    ----------
    teacher : regressor or None, default=None
        See :class:`KEDRegressor`.
    param_grid : dict, list of dict or None, default=None
        Parameters of :class:`KEDRegressor` and lists of values to try, as for
        :class:`~sklearn.model_selection.ParameterGrid`; those not named are as given here. None is a grid of
        up to 20 candidates.
    scoring : str, callable or None, default=None
        What to choose by, a scorer of scikit-learn; None is the squared error.
    committee_size : int, default=6
        So many of the best candidates are trained on all rows, and the chosen student learns their mean score in place
        of the teacher's, with the distillation weight that does best on the folds (``committee_weight_``). 1 leaves it
        to the teacher, as do more than 5,000 rows. Where a student won that learns from the labels alone
        (``distillation_weight=0``), candidates that are more than a standard error behind it make way for the winner
        itself from other first weights.
    superfeatures : "auto", int, array-like, dict or clusterer, default="auto"
        Superfeatures of the candidates, where `param_grid` does not say. In the default grid, superfeatures given here
        take the place of the automatic ones.
    explainer : "shapley", "additive" or explainer, default="shapley"
        See :class:`KEDRegressor`.
    n_explanations : "auto" or int, default="auto"
        See :class:`KEDRegressor`.
    chimeric : "auto", bool, int or float, default="auto"
        See :class:`KEDRegressor`.
    swap : float in (0, 1], default=0.3
        See :class:`KEDRegressor`.
    cv : int, splitter, iterable or None, default=5
        Folds of the cross-fitting, which are also the folds of the search. Where the teacher is not cross-fitted
        (None, False or a frozen teacher), the search makes 5 folds of its own.
    max_parameters : int, default=2000
        Budget: weights and biases that a prediction needs, the same for all candidates.
    max_iter : int, default=200
        Epochs of the chosen student; candidates are trained for 60 at most.
    batch_size : int or "auto", default="auto"
        Rows per step of the chosen student; see :class:`KEDRegressor`.
    learning_rate_init : float, default=0.01
        Largest learning rate of Adam.
    alpha : float, default=0.2
        Decoupled weight decay; see :class:`KEDRegressor`.
    memory : str, joblib.Memory or None, default=None
        Cache of fitted teachers, superfeatures and explanations; needs an integer `random_state`.
    n_jobs : int or None, default=None
        Jobs of the cross-fitting, the explanations and the search; the result does not depend on it.
    device : str, default="auto"
        torch device of the training; "auto" is a GPU if there is one.
    verbose : bool or int, default=False
        True or 1 shows bars with the time that remains on a terminal, where rich is installed, and prints what is done.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, teachers without one, chimeras and students.

    Attributes
    ----------
    best_params_ : dict
        Parameters of the chosen candidate.
    best_score_ : float
        Its mean score over the folds.
    best_index_ : int
        Its place in `cv_results_`.
    cv_results_ : dict
        As in :class:`~sklearn.model_selection.GridSearchCV`: ``params``, ``param_*``, ``split*_test_score``,
        ``mean_test_score``, ``std_test_score``, ``rank_test_score``.
    committee_weight_ : float
        Distillation weight of the chosen student beside its committee, of 0.9, 0.8, 0.65, 0.5 and 0.3 the one that does
        best on the folds; nan without a committee.
    teacher_ : regressor
        The teacher, fitted on all rows; see :class:`KEDRegressor`.
    superfeature_labels_ : ndarray of shape (n_features_in_,)
        Superfeature of each column of X.
    superfeature_names_ : list of str
        Names of the superfeatures.
    explanation_base_ : float
        Score of a row that says nothing, in target units.
    additive_gap_ : float
        What a teacher that is additive over the superfeatures loses, where it was measured; else nan.
    network_ : StudentNetwork
        The student's weights, as numpy arrays.
    encoder_ : TableEncoder
        Turns tables into the numbers that the student reads.
    n_parameters_ : int
        Weights and biases that a prediction needs.
    n_iter_ : int
        Epochs run.
    loss_curve_ : list of float
        Loss of the last batch of each epoch.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had some.

    See Also
    --------
    KEDRegressor : One student, with the parameters you give.
    KEDClassifierCV : The same for classes.

    Notes
    -----
    A fold of the search is judged by rows that its candidates did not see, and its chimeras are labelled by the
    teacher of that fold, which did not see them either. The soft targets of the rows that candidates learn from come
    from the teachers of the other folds, which did; so the scores are a little too good, for candidates that listen to
    the teacher more than for others. Candidates are trained on 2,500 rows at most, and for fewer epochs than the
    chosen student.

    Dense candidates that were not taught explanations get their heads afterwards: the teacher's contributions are
    regressed on the hidden units, so that the score stays as it is.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skked import KEDRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"network": ["additive", "heads"], "explanation_weight": [0.0, 0.7]}
    >>> student = KEDRegressorCV(param_grid=grid, max_parameters=300, max_iter=20, cv=3, random_state=0).fit(X, y)
    >>> len(student.cv_results_["mean_test_score"])
    4
    >>> student.score(X, y) > 0.4
    True
    """

    _student = KEDRegressor

    def __init__(
        self,
        teacher=None,
        *,
        param_grid=None,
        scoring=None,
        committee_size=6,
        superfeatures="auto",
        explainer="shapley",
        n_explanations="auto",
        chimeric="auto",
        swap=0.3,
        cv=5,
        max_parameters=2000,
        max_iter=200,
        batch_size="auto",
        learning_rate_init=0.01,
        alpha=0.2,
        memory=None,
        n_jobs=None,
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.teacher = teacher
        self.param_grid = param_grid
        self.scoring = scoring
        self.committee_size = committee_size
        self.superfeatures = superfeatures
        self.explainer = explainer
        self.n_explanations = n_explanations
        self.chimeric = chimeric
        self.swap = swap
        self.cv = cv
        self.max_parameters = max_parameters
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.memory = memory
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state
