"""The superfeatures of a student, and what they cost."""

from dataclasses import dataclass

import numpy as np

CLEARLY = 1.64
"""Standard errors above zero from which on an additive gap is no chance."""


@dataclass(frozen=True)
class Grouping:
    """Labels and names of the superfeatures; what a model loses to them, and its standard error, if measured."""

    labels: np.ndarray
    names: list
    additive_gap: float = np.nan
    additive_gap_error: float = np.nan

    @property
    def interacts(self):
        """bool: whether columns of several superfeatures clearly interact."""
        return self.additive_gap > CLEARLY * self.additive_gap_error
