"""Explanations: group Shapley values of any teacher behind one contract.

``GroupShapleyExplainer``
    chooses the engine; ``fit(teacher, X)``, then ``explain(rows)``.
``GroupExplanation``
    what it returns: ``phi (n, M, C)`` and ``base (C,)``.
``InputGradients``
    gradient times input, of teachers whose scores change smoothly.
``TreeShapExplainer``
    ``shap.TreeExplainer`` behind the same contract.
"""

from skked._explanations._explainer import GroupShapleyExplainer
from skked._explanations._explanation import GroupExplanation
from skked._explanations._gradient import InputGradients
from skked._explanations._tree_shap import TreeShapExplainer

__all__ = ["GroupExplanation", "GroupShapleyExplainer", "InputGradients", "TreeShapExplainer"]
