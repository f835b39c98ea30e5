"""skked: distil any fitted model into a tiny student that explains itself.

::

                y ────────────────────────────────────────────────────────────────┐
    X ─► teacher ─► superfeatures ─► explanations ─► chimeric set ─► student ─► explain / report / export
         f(x) (n,C)   labels (d,)     phi (n,M,C)      X', donors      numpy weights
                                      base (C,)

Public names are imported on first use, so ``import skked`` loads neither torch nor shap nor numba.
"""

import importlib
import importlib.metadata

__version__ = importlib.metadata.version("skked")

_HOME_OF = {
    "KEDClassifier": "skked._students.ked",
    "KEDRegressor": "skked._students.ked",
    "KEDClassifierCV": "skked._students.ked_cv",
    "KEDRegressorCV": "skked._students.ked_cv",
    "KDClassifier": "skked._students.kd",
    "KDRegressor": "skked._students.kd",
    "KEDImageClassifier": "skked._students.images",
    "E2KDClassifier": "skked._students.e2kd",
    "XDistillationClassifier": "skked._students.xdistillation",
    "ExplainingTeacherClassifier": "skked._students.explaining_teachers",
    "ExplainingTeacherRegressor": "skked._students.explaining_teachers",
    "GenerationsClassifier": "skked._students.generations",
    "TolerantClassifier": "skked._students.tolerant",
    "SuperfeatureClustering": "skked._superfeatures",
    "superfeatures_after": "skked._superfeatures.after",
    "GroupShapleyExplainer": "skked._explanations",
    "AgreementDisplay": "skked._displays",
    "ExplanationDisplay": "skked._displays",
    "LossCurveDisplay": "skked._displays",
    "ResponseDisplay": "skked._displays",
    "SuperfeatureDisplay": "skked._displays",
    "make_chimeric_set": "skked._chimera",
    "distillation_report": "skked._report",
    "agreement_score": "skked._metrics",
    "deletion_curve": "skked._metrics",
    "explanation_agreement_score": "skked._metrics",
    "make_agreement_scorer": "skked._metrics",
    "export_numpy": "skked._export",
    "export_onnx": "skked._export",
    "load": "skked._export",
    "register_onnx_converters": "skked._export",
    "save": "skked._export",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'skked' has no attribute {name!r}; its public names are {', '.join(__all__)}.")


def __dir__():
    return [*__all__, "__version__"]
