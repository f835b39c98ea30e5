"""How the documentation is built."""

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "skked"
author = "The skked developers"
copyright = f"{author}, BSD 3-clause licence"
release = version = importlib.metadata.version("skked")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "mathml",
]
exclude_patterns = ["_build", "_templates", "examples", "sg_execution_times.rst", "gallery/sg_execution_times.rst"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = "skked"
html_static_path = ["_static"]
html_css_files = ["skked.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "five_minutes", "coming_from", "results", "gallery/**")}
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3
myst_update_mathjax = False
autosummary_generate = True
# Methods are documented on the page of their class, and those of scikit-learn in scikit-learn.
numpydoc_show_class_members = False
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "gallery_setup.place",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skked",),
    "image_srcset": ["2x"],
    "remove_config_comments": True,
    "download_all_examples": False,
    "ignore_repr_types": r"matplotlib\.|skked\._displays\.",
    "show_memory": False,
    "show_signature": False,
    "reset_modules": ("matplotlib", "gallery_setup.heed_warnings"),
    "reset_modules_order": "both",
}


def _skip_foreign(app, what, name, member, skip, options):
    """Leave out what is inherited from scikit-learn: its docstrings refer to labels of its own pages."""
    home = getattr(member, "__module__", None) or ""
    is_request = name.startswith("set_") and name.endswith("_request")
    return True if home.startswith("sklearn") or is_request else None


def _escape_shapes(app, what, name, member, options, lines):
    """Say that ``n_features_in_`` in a shape is a name; Sphinx takes the underscore for a link."""
    lines[:] = [line.replace("(n_features_in_,)", r"(n_features_in\_,)") for line in lines]


def setup(app):
    """Connect what Sphinx asks."""
    app.connect("autodoc-process-docstring", _escape_shapes, priority=100)
    app.connect("autodoc-skip-member", _skip_foreign)
