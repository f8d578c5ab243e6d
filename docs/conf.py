"""The documentation as a site: ``python -m sphinx -W docs docs/_build/html``."""

# ruff: noqa: INP001  (a script)

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

sys.path.insert(0, str(Path(__file__).parent))
import pages

import functrace

project = "functrace"
author = "The functrace authors"
copyright = author
version = release = functrace.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

html_theme = "furo"
html_title = f"functrace {version}"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False

LOGGER = logging.getLogger(__name__)


def write_math(translator: Any, node: nodes.math | nodes.math_block) -> None:
    """Formulas as MathML, which browsers show without a network and search engines read."""
    try:
        markup = tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block))
    except MathError as error:
        LOGGER.warning("%s", error, location=node)
        markup = node.astext()
    translator.body.append(markup)
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Register what Sphinx does not have."""
    app.add_html_math_renderer("mathml", (write_math, None), (write_math, None))
    app.connect("builder-inited", lambda app: pages.write())
    app.connect("source-read", lambda app, name, source: pages.read(name, source))
