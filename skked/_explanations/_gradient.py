"""Gradient times input of any teacher whose scores change smoothly with the numbers of a table."""

import numpy as np
import pandas as pd

from skked._table import TableEncoder, column_kinds, matrix_of, n_rows, take_rows

__all__ = ["InputGradients"]

STEP = 1e-3
"""Half the distance of the two scores of a difference, in spreads of the column."""
_PROBE_ROWS = 20
_SMOOTH = 0.3


class InputGradients:
    """``(x_j - centre_j)·∂f/∂x_j`` of the scores f of a teacher, for every number of a table.

    The centre of a column is its median, so that the product does not depend on where a scale has its zero. The
    derivative is a central difference, which needs nothing of the teacher but its answers: preprocessing, calibration
    and ensembles are differentiated with it. Networks of ReLU units are differentiated exactly but where a kink lies
    within the step.

    Parameters
    ----------
    X : table of n rows
        Training rows: they say the centre and the spread of the columns.
    weight : array of shape (n,), optional
        Their weights.

    Attributes
    ----------
    numeric_columns : int array
        Input columns that are read as numbers or truth values.
    columns : int array
        Those of them that vary and hold numbers: those with a derivative.
    """

    def __init__(self, X, weight=None):
        numbers = TableEncoder().fit(X, sample_weight=weight)
        kinds = np.array(column_kinds(X))[numbers.numeric_columns_]
        used = (kinds == "numeric") & (numbers.scale_ > 0)
        self.numeric_columns = numbers.numeric_columns_
        self.columns = self.numeric_columns[used]
        self.centre = numbers.centre_[used]
        self.spread = 1 / numbers.scale_[used]

    @property
    def budget(self):
        """int: rows that the teacher evaluates to explain one."""
        return 2 * len(self.columns)

    def __call__(self, scores, rows):
        """Explain rows.

        Parameters
        ----------
        scores : callable
            Rows to scores, (n_rows, C), as TeacherScores.
        rows : table of n rows

        Returns
        -------
        float32 array of shape (n_rows, n_features, C)
            Zero where a cell misses, NaN in columns without a derivative.
        """
        values = matrix_of(rows, self.columns)
        found = np.full((n_rows(rows), rows.shape[1], scores.n_outputs), np.nan, dtype=np.float32)
        for j, value, centre, step in zip(self.columns, values.T, self.centre, STEP * self.spread, strict=True):
            slope = _slope(scores, rows, j, value, step)
            found[:, j] = np.nan_to_num(value - centre)[:, None] * slope
        return found

    def check(self, scores, rows):
        """Refuse a teacher whose differences depend on the step: it jumps, as trees do, or never changes.

        Parameters
        ----------
        scores : callable
        rows : table

        Raises
        ------
        ValueError
            If there is no column with a derivative, or the teacher has no use for derivatives.
        """
        if not len(self.columns):
            raise ValueError(
                'explanation="gradient" needs at least one column of numbers that vary, but X has none. '
                'Use explanation="superfeatures".'
            )
        probe = take_rows(rows, np.unique(np.linspace(0, n_rows(rows) - 1, _PROBE_ROWS).astype(int)))
        values = matrix_of(probe, self.columns)
        wide, narrow = (
            np.stack(
                [
                    _slope(scores, probe, j, value, step * factor) * spread
                    for j, value, step, spread in zip(
                        self.columns, values.T, STEP * self.spread, self.spread, strict=True
                    )
                ]
            )
            for factor in (1.0, 0.5)
        )
        size = np.linalg.norm(wide)
        if size == 0 or np.linalg.norm(wide - narrow) > _SMOOTH * size:
            raise ValueError(
                f'explanation="gradient" needs a teacher whose scores change smoothly, such as a network; those of '
                f'{scores.name} jump or stay as they are. Use explanation="superfeatures" or "columns".'
            )


def _slope(scores, rows, j, value, step):
    """Central difference of the scores along column j, shape (n_rows, C); 0 where the cell misses."""
    above, below = (scores(_with_column(rows, j, value + shift)) for shift in (step, -step))
    return (above - below) / (2 * step)


def _with_column(rows, j, values):
    changed = rows.copy()
    if isinstance(changed, pd.DataFrame):
        changed.isetitem(j, values)
    else:
        changed[:, j] = values
    return changed
