"""How the contribution of a superfeature follows the values of its columns."""

import numpy as np
import pandas as pd

from skked._displays._axes import AGAINST, NEUTRAL, axes, plain
from skked._displays._outputs import explaining, for_one_output, student_and_rows
from skked._table import column_names

__all__ = ["ResponseDisplay"]

_FEW_VALUES = 8


class ResponseDisplay:
    """Contribution of a superfeature over the values of one or two of its columns.

    Made by :meth:`from_estimator`; all arguments are stored as attributes.

    Parameters
    ----------
    grids : list of one or two ndarrays
        Values of the columns.
    contributions : ndarray of shape (len(grids[0]),) or (len(grids[0]), len(grids[1]))
        Contribution at each value or pair of values.
    columns : list of str
        Names of the columns.
    superfeature : str
        Name of the superfeature.
    label : str
        What it contributes to.
    observed : ndarray, default=None
        Values of the first column in the rows, for one numeric column.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes.
    figure_ : matplotlib Figure
        Figure.
    line_ : matplotlib Line2D
        The curve, for one numeric column.
    bars_ : matplotlib BarContainer
        The bars, for one column of categories.
    image_ : matplotlib QuadMesh
        The heat map, for two columns.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skked import ExplainingTeacherClassifier, ResponseDisplay
    >>> X, y = load_iris(as_frame=True, return_X_y=True)
    >>> model = ExplainingTeacherClassifier({"petal": X.columns[2:], "sepal": X.columns[:2]}, random_state=0)
    >>> display = ResponseDisplay.from_estimator(model.fit(X, y), X, "petal", target_class=0)
    >>> display.contributions.shape
    (40, 40)
    """

    def __init__(self, *, grids, contributions, columns, superfeature, label, observed=None):
        self.grids = grids
        self.contributions = contributions
        self.columns = columns
        self.superfeature = superfeature
        self.label = label
        self.observed = observed

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        superfeature,
        *,
        columns=None,
        target_class=None,
        grid_resolution=40,
        subsample=20,
        random_state=0,
        ax=None,
    ):
        """Draw how a superfeature responds to its columns.

        Parameters
        ----------
        estimator : student or Pipeline
            Fitted, with contributions.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows: they say which values occur, and what the other columns hold.
        superfeature : str or int
            Its name or number.
        columns : list of one or two str or int, default=None
            Names, or positions in `X`, of columns of the superfeature; None is all of them.
        target_class : label, default=None
            Class whose score is meant. None is the second of two classes; for more it must be given.
        grid_resolution : int, default=40
            Values of a numeric column, from its 1st to its 99th percentile.
        subsample : int, default=20
            Rows over which the other columns are averaged. They matter where the superfeature has further columns, or
            the student reads every column for each contribution (``network="heads"``).
        random_state : int, RandomState instance or None, default=0
            Draws these rows.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ResponseDisplay

        Raises
        ------
        ValueError
            If the superfeature or its columns are not known, or are more than two.
        """
        student, X = student_and_rows(estimator, X)
        explaining(student)
        names = [str(name) for name in column_names(X)]
        X = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X, columns=names)
        is_frame = hasattr(student, "feature_names_in_")
        group = _group(student, superfeature)
        chosen = _columns(student, names, group, columns)
        classes = getattr(student, "classes_", None)
        if classes is not None and len(classes) > 2 and target_class is None:
            raise ValueError(f"Which of the {len(classes)} classes? Pass target_class, one of {list(classes)}.")
        grids = [_grid(X.iloc[:, column], grid_resolution) for column in chosen]
        some = X.sample(min(subsample, len(X)), random_state=random_state)
        rows, n_points = _at_grid(some, chosen, grids)
        phi = student.contributions(rows if is_frame else rows.to_numpy())
        phi, _, label = for_one_output(phi, student.explanation_base_, classes, target_class)
        mean = phi[:, group].reshape(n_points, len(some)).mean(axis=1)
        first = X.iloc[:, chosen[0]]
        is_curve = len(chosen) == 1 and pd.api.types.is_numeric_dtype(grids[0].dtype)
        return cls(
            grids=[np.asarray(grid) for grid in grids],
            contributions=mean.reshape([len(grid) for grid in grids]),
            columns=[names[column] for column in chosen],
            superfeature=student.superfeature_names_[group],
            label=label,
            observed=first.dropna().to_numpy(dtype=float) if is_curve else None,
        ).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ResponseDisplay
            The display itself.
        """
        ax = axes(ax, "ResponseDisplay", (6.0, 4.2))
        if len(self.grids) == 2:
            self._draw_map(ax)
        elif self.observed is not None:
            self._draw_curve(ax)
        else:
            self.bars_ = ax.bar(np.arange(len(self.grids[0])), self.contributions, color=AGAINST)
            _name_levels(ax.set_xticks, self.grids[0])
        if len(self.grids) == 1:
            ax.axhline(0, color=NEUTRAL, linewidth=0.8, zorder=0)
            ax.set(xlabel=self.columns[0], ylabel=f"contribution to the\n{self.label}")
            plain(ax)
        ax.set_title(self.superfeature, loc="left")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_curve(self, ax):
        few = len(self.grids[0]) <= _FEW_VALUES
        (self.line_,) = ax.plot(self.grids[0], self.contributions, "o-" if few else "-", color=AGAINST)
        if few:
            ax.set_xticks(self.grids[0])
        # Where the rows are: a mark at every twentieth of them.
        marks = np.quantile(self.observed, np.linspace(0.01, 0.99, 21))
        ax.plot(marks, np.zeros(len(marks)), "|", color=NEUTRAL, transform=ax.get_xaxis_transform(), markersize=12)

    def _draw_map(self, ax):
        largest = np.abs(self.contributions).max() or 1.0
        axis = [_axis(grid) for grid in self.grids]
        self.image_ = ax.pcolormesh(
            *axis, self.contributions.T, cmap="RdBu_r", vmin=-largest, vmax=largest, shading="nearest"
        )
        for grid, ticks in zip(self.grids, (ax.set_xticks, ax.set_yticks), strict=True):
            if not pd.api.types.is_numeric_dtype(grid.dtype):
                _name_levels(ticks, grid)
            elif len(grid) <= _FEW_VALUES:
                ticks(grid)
        ax.set(xlabel=self.columns[0], ylabel=self.columns[1])
        ax.figure.colorbar(self.image_, ax=ax, label=f"contribution to the\n{self.label}")


def _group(student, superfeature):
    names = list(student.superfeature_names_)
    if isinstance(superfeature, str):
        if superfeature not in names:
            raise ValueError(f"Expected a superfeature of {names}, got {superfeature!r}.")
        return names.index(superfeature)
    if not 0 <= superfeature < len(names):
        raise ValueError(f"Expected a superfeature between 0 and {len(names) - 1}, got {superfeature}.")
    return int(superfeature)


def _columns(student, names, group, columns):
    """Positions in the table of the columns to vary."""
    members = np.flatnonzero(np.asarray(student.superfeature_labels_) == group)
    if columns is None:
        columns = list(members)
    chosen = [names.index(column) if isinstance(column, str) and column in names else column for column in columns]
    known = [names[member] for member in members]
    if not all(column in members for column in chosen):
        raise ValueError(f"Expected columns of the superfeature, {known}, got {list(columns)}.")
    if len(chosen) not in (1, 2):
        raise ValueError(
            f"One or two columns can be drawn, but the superfeature has {len(known)}. Choose by columns=, of {known}."
        )
    return [int(column) for column in chosen]


def _grid(column, resolution):
    """Values of a column: evenly spaced numbers, or its levels."""
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return np.asarray(sorted(column.dropna().unique(), key=str), dtype=object)
    values = column.dropna().to_numpy(dtype=float)
    distinct = np.unique(values)
    if len(distinct) <= resolution and np.all(np.mod(distinct, 1) == 0):
        return distinct
    return np.linspace(*np.quantile(values, [0.01, 0.99]), resolution)


def _at_grid(some, chosen, grids):
    """The rows, with every combination of grid values in turn, and how many combinations there are."""
    points = [part.ravel() for part in np.meshgrid(*grids, indexing="ij")]
    rows = pd.concat([some] * len(points[0]), ignore_index=True)
    for column, values in zip(chosen, points, strict=True):
        name = rows.columns[column]
        filled = pd.Series(np.repeat(values, len(some)), index=rows.index)
        numeric = pd.api.types.is_numeric_dtype(filled.dtype)
        rows[name] = filled if numeric else filled.astype(some.dtypes.iloc[column])
    return rows, len(points[0])


def _axis(grid):
    return grid if pd.api.types.is_numeric_dtype(grid.dtype) else np.arange(len(grid))


def _name_levels(set_ticks, levels):
    set_ticks(np.arange(len(levels)), [str(level) for level in levels], rotation=30, ha="right")
