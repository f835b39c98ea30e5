"""The contract between whoever explains a teacher and whoever uses the explanation."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from skked._explanations._shap import import_shap
from skked._table import column_names, n_rows

__all__ = ["GroupExplanation"]

_COLUMNS_IN_TEXT = 3


@dataclass(frozen=True)
class GroupExplanation:
    """Contributions of superfeatures to the scores of rows.

    ``base + phi.sum(axis=1)`` is the explained score, to rounding.

    Attributes
    ----------
    phi : float64 array of shape (n_samples, n_superfeatures, n_outputs)
        Contribution of each superfeature to each output of each row, in the units of `response`.
    base : float64 array of shape (n_outputs,)
        Mean score over the background.
    standard_error : float64 array of shape (n_samples, n_superfeatures, n_outputs) or None
        Standard error of each value where values are estimated; None where they are exact, or where the estimate is
        made of a single draw.
    engine : str
        The engine that computed the values: ``"tree"``, ``"linear"``, ``"network"``, ``"enumeration"``,
        ``"sampling"``, ``"permutation"`` or ``"shap"``.
    n_evaluations : int
        Model rows evaluated for these values, those of the background included; 0 for closed forms.
    response : str
        The space of the values: ``"margin"`` and ``"log_odds"`` are in nats and centred over the classes,
        ``"probability"`` is in probabilities, ``"prediction"`` in the units of the target.
    superfeature_names : list of str
        Names of the superfeatures.
    output_names : list of str
        Names of the outputs: the classes of a classifier.
    rows : ndarray or DataFrame of shape (n_samples, n_features), optional
        The explained rows, for plots.
    labels : int array of shape (n_features,), optional
        Superfeature of each column of `rows`.
    """

    phi: np.ndarray
    base: np.ndarray
    standard_error: np.ndarray | None
    engine: str
    n_evaluations: int
    response: str
    superfeature_names: list
    output_names: list
    rows: object = field(default=None, repr=False)
    labels: np.ndarray | None = field(default=None, repr=False)

    def to_shap(self):
        """The same values as a ``shap.Explanation``, which every plot of shap takes.

        With two classes the values of the positive class alone are kept, as is the custom in shap: contributions to
        its log-odds for ``"margin"`` and ``"log_odds"`` (the difference of the two centred columns), to its
        probability for ``"probability"``.

        Returns
        -------
        shap.Explanation
            ``values`` of shape (n_samples, n_superfeatures), or (n_samples, n_superfeatures, n_outputs) with three
            outputs or more. ``data`` holds the value of superfeatures of one column and a short text otherwise.
        """
        shap = import_shap()
        phi, base, names = self.phi, np.tile(self.base, (len(self.phi), 1)), self.output_names
        if len(names) == 2 and self.response in ("margin", "log_odds"):
            phi, base, names = phi[:, :, 1] - phi[:, :, 0], base[:, 1] - base[:, 0], None
        elif len(names) == 2 and self.response == "probability":
            phi, base, names = phi[:, :, 1], base[:, 1], None
        elif len(names) == 1:
            phi, base, names = phi[:, :, 0], base[:, 0], None
        return shap.Explanation(
            values=phi,
            base_values=base,
            data=None if self.rows is None else _display_values(self.rows, self.labels),
            feature_names=list(self.superfeature_names),
            output_names=names,
        )


def _display_values(rows, labels):
    """What a plot prints beside a superfeature: the value of its one column, or a text of its first columns."""
    names = column_names(rows)
    cells = rows.to_numpy(dtype=object) if isinstance(rows, pd.DataFrame) else rows.astype(object)
    data = np.empty((n_rows(rows), labels.max() + 1), dtype=object)
    for g in range(data.shape[1]):
        columns = np.flatnonzero(labels == g)
        if len(columns) == 1:
            data[:, g] = cells[:, columns[0]]
            continue
        more = ", …" if len(columns) > _COLUMNS_IN_TEXT else ""
        data[:, g] = [
            ", ".join(f"{names[j]}={_short(row[j])}" for j in columns[:_COLUMNS_IN_TEXT]) + more for row in cells
        ]
    return data


def _short(value):
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)
