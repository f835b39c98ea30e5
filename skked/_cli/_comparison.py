"""Fit the models that are compared, and measure them."""

import warnings
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

from skked import KDClassifier, KDRegressor, KEDClassifier, KEDRegressor, distillation_report
from skked._cli._tables import Problem
from skked._cli._teachers import linear_model


@dataclass(frozen=True)
class Comparison:
    """Fitted models and what was found about them on held-out rows.

    Attributes
    ----------
    problem : Problem
    seed : int
    models : dict of str to estimator
        Without the teacher.
    report : DistillationReport
    explanations : DataFrame
        One row per held-out row: ``truth``, ``teacher``, ``prediction``, ``probability`` (classes only), ``base``,
        one column ``phi[name]`` per superfeature, and ``score``, which is their sum.
    warnings : list of str
        What libraries warned of.
    """

    problem: Problem
    seed: int
    models: dict
    report: object
    explanations: pd.DataFrame
    warnings: list

    @property
    def student(self):
        return self.models["KED"]


def compare(problem, *, teacher, max_parameters, epochs, seed, progress):
    """Fit every model on the training rows and measure it on the held-out ones.

    Parameters
    ----------
    problem : Problem
    teacher : estimator or None
    max_parameters : int
        Budget of each student.
    epochs : int
        Of each student.
    seed : int
        Seed of all models.
    progress : callable
        ``progress(name, step)`` runs ``step()`` and returns what it returns.

    Returns
    -------
    Comparison
    """
    with TemporaryDirectory(prefix="skked") as cache, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # What only developers can act on, and how long the cache took to write.
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", "Persisting input arguments")
        students = _students(
            problem.task,
            teacher=teacher,
            max_parameters=max_parameters,
            max_iter=epochs,
            memory=cache,
            random_state=seed,
        )
        linear = "logistic regression" if problem.is_classification else "ridge regression"
        models = {linear: linear_model(problem.train, problem.task), **students}
        for name, model in models.items():
            progress(_doing(name, teacher), lambda model=model: model.fit(problem.train, problem.y_train))
        for student in students.values():
            _forget_the_way(student)
        report = progress("Measuring", lambda: distillation_report(models, problem.test, problem.y_test))
        explanations = explain_rows(models["KED"], problem.test, problem.y_test)
    return Comparison(problem, seed, models, report, explanations, sorted({_short(w.message) for w in caught}))


def explain_rows(student, X, y):
    """Explain the student's predictions by its contributions.

    Parameters
    ----------
    student : KEDClassifier or KEDRegressor
        Fitted.
    X : DataFrame of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)

    Returns
    -------
    DataFrame
        See ``Comparison``. Two classes: the score is the log-odds of the second class. More: the score of the
        predicted class.
    """
    phi, base, prediction = student.contributions(X), student.explanation_base_, student.predict(X)
    answers = {"truth": y, "teacher": student.teacher_.predict(X), "prediction": prediction}
    score = student.decision_function(X) if hasattr(student, "classes_") else prediction
    if hasattr(student, "classes_"):
        answers["probability"] = student.predict_proba(X).max(axis=1)
    if phi.ndim == 3:
        rows, predicted = np.arange(len(phi)), np.searchsorted(student.classes_, prediction)
        phi, score, base = phi[rows, :, predicted], score[rows, predicted], np.asarray(base)[predicted]
    answers["base"] = base
    parts = {f"phi[{name}]": phi[:, j] for j, name in enumerate(student.superfeature_names_)}
    return pd.DataFrame({**answers, **parts, "score": score}, index=X.index.rename("row"))


def _students(task, **parameters):
    KD, KED = (KDClassifier, KEDClassifier) if task == "classification" else (KDRegressor, KEDRegressor)
    return {
        "plain network": KD(distillation_weight=0.0, **parameters),
        "KD": KD(**parameters),
        "KED": KED(**parameters),
    }


def _doing(name, teacher):
    """Say what a fit does. The first student pays for the teacher, the others find it in the cache."""
    if name == "plain network":
        asked = "asking the teacher" if isinstance(teacher, FrozenEstimator) else "fitting the teacher 6 times"
        return f"Plain network, and {asked}"
    if name == "KED":
        return "KED: superfeatures, explanations, student"
    return name[0].upper() + name[1:]


def _forget_the_way(student):
    """Drop parameters that hold only here, so that the saved student carries neither a path nor a frozen teacher."""
    student.set_params(memory=None)
    if isinstance(student.teacher, FrozenEstimator):
        student.set_params(teacher=None)


def _short(message):
    return f"{type(message).__name__}: {str(message).strip().splitlines()[0]}"
