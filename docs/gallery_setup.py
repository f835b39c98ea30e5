"""In which order the examples stand, and what they may not do."""

import warnings
from pathlib import Path

ORDER = (
    "first_student",
    "pipeline",
    "regression",
    "reading_a_report",
    "shap_plots",
    "choosing_superfeatures",
    "chimeras",
    "unlabelled_rows",
    "frozen_lightgbm",
    "grid_search",
    "choosing_a_student",
    "onnx",
    "images",
    "ebm_and_shap",
)
"""From the first steps to what fewer need."""

_usual_filters = []


def place(file_name):
    """Place of an example in the gallery."""
    return ORDER.index(Path(file_name).stem.removeprefix("plot_"))


def heed_warnings(gallery_conf, file_name, when):
    """Let an example fail where it would show a warning; shap's own use of matplotlib is not ours to mend."""
    if when == "before":
        _usual_filters[:] = warnings.filters
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The set_(bad|over|under) function", PendingDeprecationWarning)
    else:
        warnings.filters[:] = _usual_filters
