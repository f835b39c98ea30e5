"""Explanations: group Shapley values of any teacher behind one contract.

``GroupShapleyExplainer``
    chooses the engine; ``fit(teacher, X)``, then ``explain(rows)``.
``GroupExplanation``
    what it returns: ``phi (n, M, C)`` and ``base (C,)``.
"""

from skked._explanations._explainer import GroupShapleyExplainer
from skked._explanations._explanation import GroupExplanation

__all__ = ["GroupExplanation", "GroupShapleyExplainer"]
