"""Sphinx settings."""

import importlib.metadata
import inspect
import re

import typer.cli
import typer.main
from sphinx.util.inspect import stringify_signature

from audiopipe.cli import app as command_line

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
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Input shape", "Output shape"]
python_maximum_signature_line_length = 100

# The examples in docstrings run with the tests. Only those of the pages run here.
doctest_test_doctest_blocks = ""
doctest_global_setup = """
import os, shutil, tempfile
import numpy as np
import tensorflow as tf
folder = _doctest_folder = tempfile.mkdtemp()  # a page may give `folder` another value
os.environ["AUDIOPIPE_CACHE"] = os.path.join(_doctest_folder, "cache")
"""
doctest_global_cleanup = "shutil.rmtree(_doctest_folder)"


def improve_signature(app, what, name, obj, options, signature, return_annotation):
    """Returns the signature that a reader expects where autodoc shows another one."""
    if what == "class" and signature == "(*args, **kwargs)":
        # keras.layers.Layer defines __new__(cls, *args, **kwargs), and autodoc prefers __new__ to __init__.
        parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]  # without self
        signature = stringify_signature(inspect.Signature(parameters), unqualified_typehints=True)
    if signature:
        signature = signature.replace("<factory>", "...")  # a default_factory, which is no Python expression
    if return_annotation:
        return_annotation = re.sub(r"~?[\w.]*\bDatasetV2\b", "tf.data.Dataset", return_annotation)
    return signature, return_annotation


def add_command_line_help(app, docname, source):
    """Appends the help of every command to the reference of the command line, as typer writes it in Markdown."""
    if docname == "reference/command-line":
        command = typer.main.get_command(command_line)
        context = typer.Context(command, info_name="audiopipe")
        source[0] += typer.cli.get_docs_for_click(obj=command, ctx=context, name="audiopipe", title="Command line")


def setup(app):
    app.connect("autodoc-process-signature", improve_signature)
    app.connect("source-read", add_command_line_help)
