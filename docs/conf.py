"""Sphinx settings."""

import importlib.metadata
import inspect
import re
from pathlib import Path

import typer.cli
import typer.main
from sphinx.util.inspect import stringify_signature
from sphinx_gallery.sorting import ExplicitOrder

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
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"audiopipe {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_search_scorer = str(Path(__file__).with_name("search_order.js"))
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

# Copies what a reader types: the lines after a prompt, without the prompt and without the output.
copybutton_prompt_text = r">>> |\.\.\. ?|\$ "  # a bare `...` ends a block
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"
copybutton_here_doc_delimiter = "EOF"

# The builder `html` runs the scripts in their folder and draws their pictures. If a script fails, the build fails.
# The doctest builder gets `-D plot_gallery=0`, because it needs no pictures.
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": ExplicitOrder(
        [
            "features.py",
            "presets.py",
            "windows.py",
            "filterbanks.py",
            "decibels.py",
            "padding.py",
            "normalization.py",
            "augmentation.py",
        ]
    ),
    "run_stale_examples": True,  # a change of audiopipe changes the pictures, not the scripts
    "thumbnail_size": (520, 300),  # pixels
    "capture_repr": (),  # scripts print what they show
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "min_reported_time": 60,  # seconds
    "write_computation_times": False,
}

# The examples in docstrings run with the tests. Only those of the pages run here.
doctest_test_doctest_blocks = ""
doctest_global_setup = """
import os, shutil, tempfile
import numpy as np
import tensorflow as tf
# Pages write into the working directory, as readers do. They find `examples/audio` there.
_repository = os.getcwd()
_doctest_folder = tempfile.mkdtemp()
os.symlink(os.path.join(_repository, "examples"), os.path.join(_doctest_folder, "examples"))
os.chdir(_doctest_folder)
os.environ["AUDIOPIPE_CACHE"] = os.path.join(_doctest_folder, "cache")
"""
doctest_global_cleanup = "os.chdir(_repository); shutil.rmtree(_doctest_folder)"


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
    """Appends the help of every command to the reference of the command line, as typer writes it in Markdown.

    The list of commands shows whole sentences. Options and names of files are code, because "--" in text is a dash.
    """
    if docname == "reference/command-line":
        command = typer.main.get_command(command_line)
        for listed in command.commands.values():
            listed.short_help = inspect.cleandoc(listed.help).split("\n\n")[0]
        context = typer.Context(command, info_name="audiopipe")
        text = typer.cli.get_docs_for_click(obj=command, ctx=context, name="audiopipe", title="Command line")
        source[0] += re.sub(r"\*\*(?!(?:Usage|Arguments|Options|Commands)\*)([^*\n]+)\*\*", r"`\1`", text)


def setup(app):
    app.connect("autodoc-process-signature", improve_signature)
    app.connect("source-read", add_command_line_help)
