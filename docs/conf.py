"""The documentation as a site: ``python -m sphinx -W docs docs/_build/html``."""

# ruff: noqa: INP001  (a script)

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import jupytext
from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

sys.path.insert(0, str(Path(__file__).parent))
import pages

import functrace

# Of the processes that run the notebooks.
os.environ["MATPLOTLIBRC"] = str(Path(__file__).with_name("matplotlibrc"))

project = "functrace"
author = "The functrace authors"
copyright = author
version = release = functrace.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]

default_role = "py:obj"
autodoc_typehints = "none"
napoleon_use_ivar = True
napoleon_custom_sections = ["Returns"]  # a text, in which a colon ends no type
suppress_warnings = ["ref.python"]  # of several names of one thing any is right
toc_object_entries = False  # all pages would have all of them, which takes most of the time

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / "notebooks" / pages.digest())
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # of a cell, on a machine that does other things too
nb_merge_streams = True

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"functrace {version}"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

LOGGER = logging.getLogger(__name__)


def write_math(translator: Any, node: nodes.math | nodes.math_block) -> None:
    """Formulas as MathML, which browsers show without a network and search engines read."""
    text = node.astext().replace(r"\dots", r"\ldots")
    try:
        markup = tex2mathml(text, as_block=isinstance(node, nodes.math_block))
    except MathError as error:
        LOGGER.warning("%s", error, location=node)
        markup = text
    translator.body.append(markup)
    raise nodes.SkipNode


NAME = re.compile(r"(?:ft|functrace)((?:\.\w+)+)(?:\(.*\))?", re.DOTALL)
"""A name of functrace's, or its call, as it stands in a text."""


def link_names(app: Any, document: nodes.document, page: str) -> None:
    """Link each ``ft.name`` of a text with what the reference says of it; one must be there."""
    domain = app.env.domains.python_domain
    for literal in list(document.findall(nodes.literal)):
        match = NAME.fullmatch(literal.astext())
        if not match or isinstance(literal.parent, nodes.reference):
            continue
        name = f"functrace{match[1]}"
        if name in domain.objects:
            entry = domain.objects[name]
            target = app.builder.get_relative_uri(page, entry.docname)
            link = nodes.reference("", "", refuri=f"{target}#{entry.node_id}")
            literal.replace_self(link)
            link += literal
        else:
            LOGGER.warning("There is no %s.", name, location=literal)


def look_for_names(app: Any, environment: Any) -> None:
    """Warn of public names that the reference does not have."""
    there = environment.domains.python_domain.objects
    for name in set(pages.public()) - there.keys():
        LOGGER.warning("The reference does not have %s.", name)


def skip_fields(app: Any, what: str, name: str, value: Any, skips: bool, options: Any) -> Any:
    """Leave out what Python says of a named tuple's fields: the class tells of them."""
    text = getattr(value, "__doc__", None) or ""
    return True if text.startswith("Alias for field number") else None


def say_language(app: Any, page: str, template: str, context: dict[str, Any], _: Any) -> None:
    """Say in which language a lesson is, for what reads pages aloud."""
    if page.startswith("lessons/es/"):
        context["language"] = "es"


def write_notebooks(app: Any, error: Exception | None) -> None:
    """Write each lesson as a notebook beside its page."""
    if error is None and app.builder.name == "html":
        for page in pages.LESSONS.glob("*/[0-9]*.md"):
            target = Path(app.outdir) / page.relative_to(pages.HERE).with_suffix(".ipynb")
            jupytext.write(jupytext.read(page), str(target))


def setup(app: Any) -> None:
    """Register what Sphinx does not have."""
    app.add_html_math_renderer("mathml", (write_math, None), (write_math, None))
    app.connect("doctree-resolved", link_names)
    app.connect("env-check-consistency", look_for_names)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("html-page-context", say_language)
    app.connect("build-finished", write_notebooks)
    app.connect("builder-inited", lambda app: pages.write())
    app.connect("source-read", lambda app, name, source: pages.read(name, source))
