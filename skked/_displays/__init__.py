"""Plots in scikit-learn's convention: ``from_estimator``, ``plot``, ``ax_`` and ``figure_``."""

from skked._displays.curves import AgreementDisplay, LossCurveDisplay
from skked._displays.explanations import ExplanationDisplay
from skked._displays.responses import ResponseDisplay
from skked._displays.superfeatures import SuperfeatureDisplay

__all__ = [
    "AgreementDisplay",
    "ExplanationDisplay",
    "LossCurveDisplay",
    "ResponseDisplay",
    "SuperfeatureDisplay",
]
