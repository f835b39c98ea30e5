"""Pictures of how well a student follows its teacher, and of how it learned."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length, column_or_1d

from skked._displays._axes import AGAINST, FOR, NEUTRAL, axes, plain
from skked._displays._outputs import class_index, student_and_rows

__all__ = ["AgreementDisplay", "LossCurveDisplay"]


class AgreementDisplay:
    """What the teacher says of rows against what its student says.

    Made by :meth:`from_estimator` or :meth:`from_predictions`; all arguments are stored as attributes.

    Parameters
    ----------
    teacher, student : ndarray of shape (n_samples,)
        Probabilities of a class, or predicted values.
    is_probability : bool
        Whether they are probabilities.
    label : str
        What they are.
    same : bool ndarray of shape (n_samples,), default=None
        Whether both predict the same class.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes.
    figure_ : matplotlib Figure
        Figure.
    points_ : list of matplotlib PathCollection
        Rows on which both agree, then those on which they do not, if classes are predicted.

    See Also
    --------
    agreement_score : The share of equal predictions.

    Examples
    --------
    >>> from skked import AgreementDisplay
    >>> display = AgreementDisplay.from_predictions([1.0, 2.0, 3.0], [1.1, 1.9, 3.0])
    >>> display.ax_.get_xlabel()
    'teacher: prediction'
    """

    def __init__(self, *, teacher, student, is_probability, label, same=None):
        self.teacher = teacher
        self.student = student
        self.is_probability = is_probability
        self.label = label
        self.same = same

    @classmethod
    def from_estimator(cls, estimator, X, *, teacher=None, target_class=None, ax=None):
        """Draw what a student and its teacher say of rows.

        Parameters
        ----------
        estimator : student or Pipeline
            Fitted.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.
        teacher : fitted estimator, default=None
            None is the student's own ``teacher_``.
        target_class : label, default=None
            Class whose probability is drawn. None is the second of two classes, and for more the class that the
            teacher predicts for each row.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        AgreementDisplay

        Raises
        ------
        ValueError
            If there is no teacher.
        """
        student, rows = student_and_rows(estimator, X)
        if teacher is None:
            if not hasattr(student, "teacher_"):
                raise ValueError(
                    f"{type(student).__name__} has no teacher_: it stays behind when a student is stored. Pass it."
                )
            teacher, asked = student.teacher_, rows
        else:
            asked = X
        if not is_classifier(student):
            return cls.from_predictions(teacher.predict(asked), student.predict(rows), ax=ax)
        theirs, ours = teacher.predict_proba(asked), student.predict_proba(rows)
        same = theirs.argmax(axis=1) == ours.argmax(axis=1)
        chosen, label = theirs.argmax(axis=1), "probability of the teacher's class"
        if target_class is not None or len(student.classes_) == 2:
            target_class = student.classes_[1] if target_class is None else target_class
            chosen, label = class_index(student.classes_, target_class), f"probability of {target_class}"
        each = np.arange(len(ours))
        return cls(
            teacher=theirs[each, chosen], student=ours[each, chosen], is_probability=True, label=label, same=same
        ).plot(ax=ax)

    @classmethod
    def from_predictions(cls, y_teacher, y_student, *, label="prediction", is_probability=False, ax=None):
        """Draw predicted values, or probabilities of one class.

        Parameters
        ----------
        y_teacher, y_student : array-like of shape (n_samples,)
            Numbers.
        label : str, default="prediction"
            What they are.
        is_probability : bool, default=False
            Whether they are probabilities, which lie between 0 and 1.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        AgreementDisplay
        """
        teacher, student = (column_or_1d(y, dtype=np.float64) for y in (y_teacher, y_student))
        check_consistent_length(teacher, student)
        return cls(teacher=teacher, student=student, is_probability=is_probability, label=label).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        AgreementDisplay
            The display itself.
        """
        ax = axes(ax, "AgreementDisplay", (5.0, 5.0))
        opacity = float(np.clip(60 / np.sqrt(len(self.teacher) + 1) / 10, 0.15, 0.7))
        same = np.ones(len(self.teacher), dtype=bool) if self.same is None else np.asarray(self.same)
        parts = [(same, AGAINST, "the same class")]
        if self.same is not None:
            parts.append((~same, FOR, "another class"))
        self.points_ = [
            ax.scatter(
                self.teacher[part],
                self.student[part],
                s=16,
                color=colour,
                alpha=max(opacity, 0.6) if colour == FOR else opacity,
                linewidths=0,
                label=f"{name}: {part.sum():,} rows",
            )
            for part, colour, name in parts
        ]
        low, high = (0.0, 1.0) if self.is_probability else _span(self.teacher, self.student)
        ax.plot([low, high], [low, high], color=NEUTRAL, linewidth=0.8, zorder=0)
        ax.set(xlabel=f"teacher: {self.label}", ylabel=f"student: {self.label}", aspect="equal")
        if self.same is not None:
            ax.legend(frameon=False, loc="upper left", markerscale=1.4)
        plain(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


class LossCurveDisplay:
    """Loss of a student over its epochs.

    Made by :meth:`from_estimator`; all arguments are stored as attributes.

    Parameters
    ----------
    loss_curve : list of float
        Loss after each epoch, on training rows.
    validation_curve : list of float, default=None
        The same on held-out rows.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes.
    figure_ : matplotlib Figure
        Figure.
    lines_ : list of matplotlib Line2D
        The curves.

    Examples
    --------
    >>> from skked import LossCurveDisplay
    >>> display = LossCurveDisplay(loss_curve=[2.0, 1.0, 0.5]).plot()
    >>> len(display.lines_)
    1
    """

    def __init__(self, *, loss_curve, validation_curve=None):
        self.loss_curve = loss_curve
        self.validation_curve = validation_curve

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw how a student learned.

        Parameters
        ----------
        estimator : student or Pipeline
            Fitted, with a ``loss_curve_``; MLPClassifier has one as well.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        TypeError
            If there is no curve.
        """
        student, _ = student_and_rows(estimator)
        if not hasattr(student, "loss_curve_"):
            raise TypeError(f"Expected a fitted network with a loss_curve_, got {type(student).__name__}.")
        return cls(loss_curve=student.loss_curve_, validation_curve=getattr(student, "validation_curve_", None)).plot(
            ax=ax
        )

    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        LossCurveDisplay
            The display itself.
        """
        ax = axes(ax, "LossCurveDisplay", (6.0, 3.8))
        epochs = np.arange(1, len(self.loss_curve) + 1)
        self.lines_ = ax.plot(epochs, self.loss_curve, color=AGAINST, linewidth=1.4, label="training rows")
        if self.validation_curve is not None:
            after = np.arange(1, len(self.validation_curve) + 1)
            self.lines_ += ax.plot(after, self.validation_curve, color=FOR, linewidth=1.4, label="held-out rows")
            ax.legend(frameon=False)
        if np.min(self.loss_curve) > 0 and np.max(self.loss_curve) > 20 * np.min(self.loss_curve):
            ax.set_yscale("log")
        ax.set(xlabel="epoch", ylabel="loss")
        plain(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _span(*values):
    return float(min(np.min(v) for v in values)), float(max(np.max(v) for v in values))
