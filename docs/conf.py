"""Sphinx settings."""

import importlib.metadata

project = "audiopipe"
author = "The audiopipe developers"
copyright = "2026, the audiopipe developers"
release = importlib.metadata.version("audiopipe")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"audiopipe {release}"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "show-inheritance": False}
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Input shape", "Output shape"]

# The examples of docstrings run with the tests; here run those of the pages.
doctest_test_doctest_blocks = ""
doctest_global_setup = """
import os, shutil, tempfile
import numpy as np
import tensorflow as tf
folder = tempfile.mkdtemp()
"""
doctest_global_cleanup = "shutil.rmtree(folder)"
