"""Contributions as pictures: of one row, and on average."""

import numpy as np

from skked._displays._axes import AGAINST, FOR, NEUTRAL, axes, plain, shortened
from skked._displays._outputs import explaining, for_one_output, student_and_rows
from skked._table import n_rows, take_rows

__all__ = ["ExplanationDisplay"]


class ExplanationDisplay:
    """Bars of the contributions of superfeatures.

    Made by :meth:`from_estimator` or :meth:`from_explanation`; all arguments are stored as attributes.

    Parameters
    ----------
    contributions : ndarray of shape (n_superfeatures,) or (n_models, n_superfeatures)
        Of one row, with their sign; or mean absolute ones. Several models are drawn side by side.
    superfeature_names : list of str
        Names.
    kind : {"row", "importance"}
        What the contributions are.
    base : float, default=None
        For "row": score without any contribution, of the first model.
    values : list of str, default=None
        For "row": values of the superfeatures, in words.
    label : str, default="score"
        What the contributions add up to, with its unit.
    model_names : list of str, default=None
        Names of the models, if there are several.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes.
    figure_ : matplotlib Figure
        Figure.
    bars_ : list of matplotlib BarContainer
        One per model; its bars from the strongest superfeature of the first model down.
    order_ : int ndarray
        The superfeatures that are drawn, the strongest first.

    Notes
    -----
    ``explain(X)`` of a student goes straight into shap's waterfall, bar, beeswarm and heatmap plots, too.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skked import ExplainingTeacherClassifier, ExplanationDisplay
    >>> X, y = load_iris(as_frame=True, return_X_y=True)
    >>> model = ExplainingTeacherClassifier({"petal": X.columns[2:], "sepal": X.columns[:2]}, random_state=0)
    >>> display = ExplanationDisplay.from_estimator(model.fit(X, y), X)
    >>> [display.superfeature_names[group] for group in display.order_]
    ['petal', 'sepal']
    """

    def __init__(
        self, *, contributions, superfeature_names, kind, base=None, values=None, label="score", model_names=None
    ):
        self.contributions = contributions
        self.superfeature_names = superfeature_names
        self.kind = kind
        self.base = base
        self.values = values
        self.label = label
        self.model_names = model_names

    @classmethod
    def from_estimator(cls, estimator, X, *, kind="importance", row=0, target_class=None, max_display=12, ax=None):
        """Draw what a student says of rows.

        Parameters
        ----------
        estimator : student or Pipeline
            Fitted, with contributions.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.
        kind : {"importance", "row"}, default="importance"
            "importance": mean absolute contributions over the rows; "row": the contributions to one row.
        row : int, default=0
            For "row": its position in `X`.
        target_class : label, default=None
            Class whose score is explained. None is the second of two classes, and for more the class that is
            predicted for each row.
        max_display : int, default=12
            Superfeatures that are drawn, at most; the rest share one bar.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ExplanationDisplay
        """
        student, X = student_and_rows(estimator, X)
        explaining(student)
        if kind == "row":
            X = take_rows(X, [_position(row, n_rows(X))])
        words = None
        if kind == "row" and hasattr(student, "_superfeature_values"):
            words = list(student._superfeature_values(X)[1][0])
        return cls._of(
            student.contributions(X),
            student.explanation_base_,
            getattr(student, "classes_", None),
            list(student.superfeature_names_),
            kind=kind,
            target_class=target_class,
            values=words,
        ).plot(max_display=max_display, ax=ax)

    @classmethod
    def from_explanation(cls, explanation, *, kind="importance", row=0, target_class=None, max_display=12, ax=None):
        """Draw what a :class:`GroupShapleyExplainer` found about any model.

        Parameters
        ----------
        explanation : GroupExplanation
            From ``explainer.explain(rows)``.
        kind, row, target_class, max_display, ax
            As in :meth:`from_estimator`; `row` is a position in the explanation.

        Returns
        -------
        ExplanationDisplay
        """
        shap = explanation.to_shap()
        phi, words = shap.values, None
        base = np.asarray(shap.base_values)[0]
        if kind == "row":
            row = _position(row, len(phi))
            phi = phi[[row]]
            words = None if shap.data is None else [str(value) for value in shap.data[row]]
        classes = None if len(explanation.output_names) == 1 else list(explanation.output_names)
        display = cls._of(
            phi,
            base,
            classes,
            list(explanation.superfeature_names),
            kind=kind,
            target_class=target_class,
            values=words,
        )
        if explanation.response == "probability":
            words = display.label.replace("log-odds", "probability").replace("score", "probability")
            display.label = words.replace(", in nats", "")
        return display.plot(max_display=max_display, ax=ax)

    @classmethod
    def _of(cls, phi, base, classes, names, *, kind, target_class, values):
        if kind not in ("row", "importance"):
            raise ValueError(f'Expected kind "row" or "importance", got {kind!r}.')
        phi, base, label = for_one_output(phi, base, classes, target_class)
        if kind == "importance":
            return cls(contributions=np.abs(phi).mean(axis=0), superfeature_names=names, kind=kind, label=label)
        return cls(
            contributions=phi[0], superfeature_names=names, kind=kind, base=float(base[0]), values=values, label=label
        )

    def plot(self, *, max_display=12, ax=None):
        """Draw.

        Parameters
        ----------
        max_display : int, default=12
            Superfeatures that are drawn, at most; the rest share one bar.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ExplanationDisplay
            The display itself.
        """
        models = np.atleast_2d(np.asarray(self.contributions, dtype=float))
        order = np.argsort(-np.abs(models[0]), kind="stable")
        self.order_, rest = order[:max_display], order[max_display:]
        bars = models[:, self.order_]
        names = [self._name(group) for group in self.order_]
        if len(rest):
            bars = np.column_stack([bars, models[:, rest].sum(axis=1)])
            names.append(f"{len(rest)} more, together")
        ax = axes(ax, "ExplanationDisplay", (7.0, 0.5 * len(names) * max(1, 0.7 * len(models)) + 1.5))
        self._draw(ax, bars, names)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _name(self, group):
        name = shortened(self.superfeature_names[group])
        if self.values is None:
            return name
        value = self.values[group]
        value = f"{value:.4g}" if isinstance(value, float) else str(value)
        return f"{name} = {value}" if "=" not in value else f"{name}\n{shortened(value, 40)}"

    def _draw(self, ax, bars, names):
        places, height = np.arange(len(names)), 0.7 / len(bars)
        self.bars_ = []
        for model, widths in enumerate(bars):
            at = places + (model - (len(bars) - 1) / 2) * height
            container = ax.barh(at, widths, height=0.92 * height, **self._look(model, widths))
            form = "{:+.2f}" if self.kind == "row" else "{:.2f}"
            if np.abs(bars).max() < 0.1 or np.abs(bars).max() >= 1000:
                form = form.replace(".2f", ".3g")
            ax.bar_label(container, [form.format(width) for width in widths], padding=3, fontsize=8)
            self.bars_.append(container)
        ax.set_yticks(places, names)
        ax.invert_yaxis()
        ax.margins(x=0.18)
        ax.axvline(0, color=NEUTRAL, linewidth=0.8)
        plain(ax)
        ax.tick_params(axis="y", length=0)
        if self.model_names is not None:
            ax.legend(self.bars_, self.model_names, frameon=False, loc="best")
        if self.kind == "importance":
            ax.set_xlabel(f"mean absolute contribution to the {self.label}")
            ax.set_xlim(left=0)
            return
        total = (
            self.base + np.asarray(self.contributions, dtype=float).reshape(-1, len(self.superfeature_names))[0].sum()
        )
        ax.set_xlabel(f"contribution to the {self.label}")
        ax.set_title(f"base {self.base:+.3g}, with the contributions {total:+.3g}", loc="left", fontsize=10)

    def _look(self, model, widths):
        if self.model_names is not None:
            return {"color": (FOR, AGAINST, NEUTRAL)[model % 3]}
        if self.kind == "importance":
            return {"color": AGAINST}
        return {"color": [FOR if width > 0 else AGAINST for width in widths]}


def _position(row, n_samples):
    if not -n_samples <= row < n_samples:
        raise ValueError(f"Expected a row between 0 and {n_samples - 1}, got row={row}.")
    return row % n_samples
