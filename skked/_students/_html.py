"""The flow of a fit as scikit-learn draws estimators: teacher, superfeatures, explanations, student.

scikit-learn asks an estimator for a visual block by ``_sk_visual_block_``, and reads its attributes only.
"""

import textwrap
from dataclasses import dataclass

import numpy as np

__all__ = ["Block", "columns_in_words", "flow"]

_WIDTH, _SHORT, _MOST_COLUMNS, _MOST_GROUPS = 90, 60, 60, 60


@dataclass
class Block:
    """What scikit-learn draws: a box, or boxes one below the other or side by side.

    Attributes
    ----------
    kind : {"single", "serial", "parallel"}
    estimators : object or list
    names, name_details : str or list of str
        Title of a box, and what is read when it is opened.
    name_caption : str or None
        Small print below the title.
    """

    kind: str
    estimators: object
    names: object
    name_details: object
    name_caption: str | None = None
    doc_link_label: str | None = None
    dash_wrapped: bool = False

    def _sk_visual_block_(self):
        return self


def flow(estimators):
    """Boxes one below the other.

    Parameters
    ----------
    estimators : list of (str, estimator or Block)
        Names and boxes; an estimator gets its name above it.

    Returns
    -------
    Block
    """
    boxes = [box if isinstance(box, Block) else _named(name, box) for name, box in estimators]
    nothing = [None] * len(boxes)
    return Block("serial", boxes, nothing, nothing, dash_wrapped=True)


def teacher_box(student):
    """The teacher: as fitted, as given, or the one that is taken if none is given."""
    teacher = getattr(student, "teacher_", None)
    if teacher is None:
        teacher = student.teacher
    if teacher is None:
        return _box("Teacher", "gradient boosting", "None is given: gradient boosting is fitted.")
    return teacher


def superfeatures_box(student, names, labels):
    """The superfeatures, their names and columns once they are known."""
    asked = student.superfeatures
    if labels is None:
        is_number = isinstance(asked, (int, np.integer))
        how = "found in fit" if is_number or isinstance(asked, str) or hasattr(asked, "fit") else "given"
        title = _counted(asked) if is_number else "Superfeatures"
        return _box(title, how, f"superfeatures={_shortened(repr(asked), 500)}")
    return _box(_counted(len(names)), _shortened(", ".join(names), _SHORT), columns_in_words(student, names, labels))


def columns_in_words(estimator, names, labels):
    """One paragraph per superfeature: its name and its columns."""
    columns = getattr(estimator, "feature_names_in_", [f"x{column}" for column in range(len(labels))])
    lines = []
    for group, name in enumerate(names[:_MOST_GROUPS]):
        own = [str(columns[column]) for column in np.flatnonzero(labels == group)]
        more = f" and {len(own) - _MOST_COLUMNS} more" if len(own) > _MOST_COLUMNS else ""
        text = f"{name}: {', '.join(own[:_MOST_COLUMNS])}{more}"
        lines.append(textwrap.fill(text, _WIDTH, subsequent_indent="    ", break_long_words=False))
    if len(names) > _MOST_GROUPS:
        lines.append(f"and {len(names) - _MOST_GROUPS} more")
    return "\n".join(lines)


def additive_box(teacher):
    """The model of an explaining teacher."""
    kind = "network" if teacher.estimator == "network" else "boosting"
    details = "Its score is a base plus one contribution per superfeature, which reads the columns of that one only."
    return _box(f"Additive {kind}", "one part per superfeature", details)


def student_box(student):
    """The network: its budget, or what it became."""
    if not hasattr(student, "network_"):
        size = f"at most {student.max_parameters:,} parameters"
        if getattr(student, "hidden_layer_sizes", None) is not None:
            size = f"hidden layers of {np.atleast_1d(student.hidden_layer_sizes).tolist()} units"
        return _box("Student network", size, f"Trained for {student.max_iter} epochs at most.")
    return _box(
        "Student network",
        f"{student.n_parameters_:,} parameters",
        f"{student.n_parameters_:,} weights and biases, {len(student.encoder_.columns_)} encoded columns of "
        f"{student.n_features_in_}, trained for {student.n_iter_} epochs.",
    )


def explanations_box(explainer, kind="superfeatures"):
    """The explanations that the student learns."""
    if kind == "gradient":
        return _box("Explanations", "gradient times input", "The teacher's gradients times inputs.")
    if hasattr(explainer, "get_params"):
        return explainer
    what = "columns" if kind == "columns" else "superfeatures"
    names = {"additive": "the teacher's own contributions", "tree_shap": "TreeSHAP"}
    name = names.get(explainer, f"Shapley values of the {what}")
    return _box("Explanations", name, f"explainer={explainer!r}: {name}.")


def _box(title, caption, details):
    return Block("single", None, title, details, caption)


def _named(name, estimator):
    """An estimator with a name above it, as scikit-learn draws those inside others."""
    inner = estimator.__class__.__name__
    return Block("parallel", [estimator], [f"{name}: {inner}"], [str(estimator)])


def _counted(n):
    return f"{n} superfeature{'s' if n > 1 else ''}"


def _shortened(text, length):
    return text if len(text) <= length else f"{text[: length - 1].rstrip(', ')}…"
