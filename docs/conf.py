"""Sphinx settings: MyST documents, furo's look, four rooms."""

from importlib.metadata import version as distribution_version

project = "penstock"
author = "The penstock authors"
release = distribution_version("penstock")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
]
exclude_patterns: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"

html_theme = "furo"
html_title = "penstock"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
