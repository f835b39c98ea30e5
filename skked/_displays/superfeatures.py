"""Superfeatures as a picture: the tree of the columns beside their affinity."""

import numpy as np
from scipy.cluster.hierarchy import leaves_list
from sklearn.utils.validation import check_is_fitted

from skked._displays._axes import NEUTRAL, axes, plain, shortened
from skked._displays._outputs import student_and_rows
from skked._superfeatures import SuperfeatureClustering
from skked._superfeatures.linkage import tree_from_labels
from skked._table import column_names

__all__ = ["SuperfeatureDisplay"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#A87400", "#2B8CBE", "#6A4C93", "#8A6D3B")
_MOST_NAMED = 60


class SuperfeatureDisplay:
    """Tree of the columns, coloured by superfeature, and their affinity.

    Made by :meth:`from_estimator`; all arguments are stored as attributes.

    Parameters
    ----------
    linkage : ndarray of shape (n_features - 1, 4)
        scipy's linkage matrix.
    affinity : ndarray of shape (n_features, n_features)
        Affinity of the columns.
    labels : int ndarray of shape (n_features,)
        Superfeature of each column.
    column_names, superfeature_names : list of str
        Names.
    affinity_name : str, default="affinity"
        What the affinity is called.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of two of them
        The tree, then the affinity.
    figure_ : matplotlib Figure
        Figure.
    image_ : matplotlib AxesImage
        The affinity, in the order of the tree; with ``kind="both"`` or ``"affinity"``.
    order_ : int ndarray of shape (n_features,)
        Columns in the order of the tree, from top to bottom.

    See Also
    --------
    SuperfeatureClustering : Finds superfeatures.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skked import SuperfeatureClustering, SuperfeatureDisplay
    >>> X, y = load_wine(as_frame=True, return_X_y=True)
    >>> clustering = SuperfeatureClustering(3, affinity="spearman").fit(X)
    >>> display = SuperfeatureDisplay.from_estimator(clustering)
    >>> [X.columns[column] for column in display.order_[:2]]
    ['malic_acid', 'hue']
    """

    def __init__(self, *, linkage, affinity, labels, column_names, superfeature_names, affinity_name="affinity"):
        self.linkage = linkage
        self.affinity = affinity
        self.labels = labels
        self.column_names = column_names
        self.superfeature_names = superfeature_names
        self.affinity_name = affinity_name

    @classmethod
    def from_estimator(cls, estimator, X=None, *, affinity="spearman", kind="both", ax=None):
        """Draw the superfeatures of a fitted clustering or student.

        Parameters
        ----------
        estimator : SuperfeatureClustering, student or Pipeline
            Fitted.
        X : array-like or DataFrame of shape (n_samples, n_features), default=None
            Rows, of which a student needs some: it does not keep the affinity of its columns. The picture is then of
            the affinity in these rows, and the tree joins the columns inside the student's superfeatures first.
        affinity : str or ndarray, default="spearman"
            For a student: any affinity of :class:`SuperfeatureClustering` but "auto".
        kind : {"both", "tree", "affinity"}, default="both"
            What is drawn.
        ax : matplotlib Axes, or two of them for ``kind="both"``, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        SuperfeatureDisplay

        Raises
        ------
        ValueError
            If a student comes without rows, or there is one column only.
        ImportError
            If matplotlib is not installed.
        """
        estimator, X = student_and_rows(estimator, X)
        if hasattr(estimator, "linkage_"):
            found = _of_clustering(estimator)
        else:
            found = tree_of_student(estimator, X, affinity)
        return cls(**found).plot(kind=kind, ax=ax)

    def plot(self, *, kind="both", ax=None):
        """Draw.

        Parameters
        ----------
        kind : {"both", "tree", "affinity"}, default="both"
            What is drawn.
        ax : matplotlib Axes, or two of them for ``kind="both"``, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        SuperfeatureDisplay
            The display itself.
        """
        if kind not in ("both", "tree", "affinity"):
            raise ValueError(f'Expected kind "both", "tree" or "affinity", got {kind!r}.')
        self.order_ = leaves_list(self.linkage)
        places = self._places(kind, ax)
        if kind != "affinity":
            self._draw_tree(places[0], with_names=kind == "tree" or ax is not None)
        if kind != "tree":
            self._draw_affinity(places[-1])
        if kind == "both" and ax is None:
            places[0].tick_params(axis="y", left=False, labelleft=False)
        self.ax_ = places if kind == "both" else places[0]
        self.figure_ = places[0].figure
        return self

    def _places(self, kind, ax):
        """An array of axes: one, or two side by side whose columns stand at the same height."""
        if ax is not None:
            places = np.ravel(ax)
            if len(places) != (2 if kind == "both" else 1):
                raise ValueError(f'kind="{kind}" draws on {2 if kind == "both" else 1} axes, got {len(places)}.')
            return places
        n_columns = len(self.labels)
        height = float(np.clip(0.22 * n_columns + 1.2, 3.0, 14.0))
        first = axes(None, "SuperfeatureDisplay", (9.5 if kind == "both" else 6.5, height))
        if kind != "both":
            return np.array([first])
        figure = first.figure
        figure.delaxes(first)
        return np.asarray(figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.5)))

    def _draw_tree(self, ax, *, with_names):
        """One bracket per merge, from the two parts to their distance; columns from top to bottom."""
        n_columns = len(self.labels)
        place, height = np.empty(2 * n_columns - 1), np.zeros(2 * n_columns - 1)
        place[self.order_] = np.arange(n_columns)
        for merge, (parts, group) in enumerate(
            zip(self.linkage[:, :2].astype(int), owners(self.linkage, self.labels), strict=True)
        ):
            height[n_columns + merge] = top = self.linkage[merge, 2]
            place[n_columns + merge] = place[parts].mean()
            ax.plot(
                [height[parts[0]], top, top, height[parts[1]]],
                np.repeat(place[parts], 2),
                color=_COLOURS[group % len(_COLOURS)] if group >= 0 else NEUTRAL,
                linewidth=1.8 if group >= 0 else 1.0,
            )
        ax.set(xlim=(1.03 * height.max() or 1.0, 0), ylim=(n_columns - 0.5, -0.5), xlabel="distance at the merge")
        plain(ax)
        ax.spines["left"].set_visible(False)
        ax.set_yticks([])
        ax.set_title(f"{len(self.superfeature_names)} superfeatures", loc="left")
        if with_names:
            self._name_columns(ax)
            ax.tick_params(axis="y", labelleft=False, labelright=True)

    def _draw_affinity(self, ax):
        order = self.order_
        self.image_ = ax.imshow(self.affinity[np.ix_(order, order)], aspect="auto", cmap="Greys", vmin=0)
        for group in range(len(self.superfeature_names)):
            places = np.flatnonzero(self.labels[order] == group)
            for block in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
                self._frame(ax, block, _COLOURS[group % len(_COLOURS)])
        ax.set_xticks([])
        ax.set_title(f"affinity of the columns: {self.affinity_name}", loc="left")
        ax.figure.colorbar(self.image_, ax=ax, fraction=0.046)
        self._name_columns(ax)

    def _frame(self, ax, block, colour):
        corner, size = block[0] - 0.5, len(block)
        ax.plot(
            corner + size * np.array([0, 1, 1, 0, 0]), corner + size * np.array([0, 0, 1, 1, 0]), color=colour, lw=2
        )

    def _name_columns(self, ax):
        if len(self.labels) > _MOST_NAMED:
            ax.set_yticks([])
            return
        ax.tick_params(axis="y", left=False, right=False, labelleft=True)
        ax.set_yticks(
            np.arange(len(self.labels)), [shortened(self.column_names[j], 28) for j in self.order_], fontsize=8
        )
        for text, column in zip(ax.get_yticklabels(), self.order_, strict=True):
            text.set_color(_COLOURS[self.labels[column] % len(_COLOURS)])


def _of_clustering(clustering):
    check_is_fitted(clustering)
    return {
        "linkage": clustering.linkage_,
        "affinity": clustering.affinity_,
        "labels": clustering.labels_,
        "column_names": _names(clustering, None),
        "superfeature_names": list(clustering.superfeatures_),
        "affinity_name": clustering.affinity_name_,
    }


def tree_of_student(student, X, affinity):
    """What the display of a student shows.

    Parameters
    ----------
    student : fitted student
    X : table of shape (n_samples, n_features) or None
    affinity : str or ndarray

    Returns
    -------
    dict
        Arguments of ``SuperfeatureDisplay``.
    """
    if not hasattr(student, "superfeature_labels_"):
        raise TypeError(
            f"Expected a fitted SuperfeatureClustering or a student with superfeatures, got {type(student).__name__}."
        )
    if X is None:
        raise ValueError(
            f"A {type(student).__name__} does not keep the affinity of its columns. Pass rows: "
            "SuperfeatureDisplay.from_estimator(student, X)."
        )
    labels = np.asarray(student.superfeature_labels_)
    found = SuperfeatureClustering(int(labels.max()) + 1, affinity=affinity, max_size=1.0, random_state=0).fit(X)
    return {
        "linkage": tree_from_labels(found.affinity_, labels),
        "affinity": found.affinity_,
        "labels": labels,
        "column_names": _names(student, X),
        "superfeature_names": list(student.superfeature_names_),
        "affinity_name": found.affinity_name_,
    }


def _names(estimator, X):
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None:
        return [str(name) for name in known]
    return [f"x{j}" for j in range(estimator.n_features_in_)] if X is None else [str(n) for n in column_names(X)]


def owners(linkage, labels):
    """Superfeature that each merge is inside of.

    Parameters
    ----------
    linkage : ndarray of shape (n_features - 1, 4)
    labels : int ndarray of shape (n_features,)

    Returns
    -------
    list of int
        -1 for merges of several superfeatures.
    """
    group = [int(label) for label in labels]
    for left, right, *_ in linkage:
        one, other = group[int(left)], group[int(right)]
        group.append(one if one == other else -1)
    return group[len(labels) :]
