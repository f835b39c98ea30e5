"""Teachers whose contributions are the explanation: their superfeatures, and the explainer that takes them over."""

import numpy as np
from sklearn.base import clone

from skked._explanations import GroupShapleyExplainer
from skked._students.explaining_teachers import ExplainingTeacherClassifier, ExplainingTeacherRegressor
from skked._superfeatures import resolve_superfeatures

__all__ = ["AdditiveExplainer", "additive_teacher"]

_DEFAULTS = {"classification": ExplainingTeacherClassifier, "regression": ExplainingTeacherRegressor}


class AdditiveExplainer(GroupShapleyExplainer):
    """An explainer that takes a teacher's own contributions, or says that it has none."""

    def fit(self, teacher, X):
        """Prepare to explain; see :meth:`GroupShapleyExplainer.fit`.

        Raises
        ------
        ValueError
            If the teacher is not additive over the superfeatures.
        """
        try:
            return super().fit(teacher, X)
        except ValueError as error:
            raise ValueError(
                f'explainer="additive" needs a teacher that is additive over the superfeatures, which '
                f"{teacher.name} is not. Use an ExplainingTeacherClassifier or ExplainingTeacherRegressor, or "
                'explainer="shapley".'
            ) from error


def additive_teacher(teacher, superfeatures, problem, task, memory, seed):
    """A teacher whose folds will all have the same superfeatures.

    Parameters
    ----------
    teacher : estimator or None
        None is an explaining teacher.
    superfeatures : object
        The student's parameter; "auto" leaves the choice to the teacher's.
    problem : Problem
    task : {"classification", "regression"}
    memory : joblib.Memory
        Cache of the superfeatures found.
    seed : int

    Returns
    -------
    estimator
        A clone with the superfeatures set, or the teacher itself where it has no such parameter.
    """
    teacher = _DEFAULTS[task]() if teacher is None else teacher
    if not hasattr(teacher, "get_params") or "superfeatures" not in teacher.get_params(deep=False):
        return teacher
    if isinstance(superfeatures, str) and superfeatures == "auto":
        superfeatures = teacher.superfeatures
    labels, names, _ = memory.cache(resolve_superfeatures)(
        superfeatures, problem.X, problem.y, sample_weight=problem.weight, random_state=seed
    )
    groups = {name: np.flatnonzero(labels == group).tolist() for group, name in enumerate(names)}
    return clone(teacher).set_params(superfeatures=groups)
