"""How Sphinx makes the site; ``make site`` runs it, by way of ``tools/build_site.py``.

Nothing is executed and nothing fetched: figures are those stored in the notebooks, formulas become
MathML, and all styles and scripts are files of the site. Where ``GITHUB_REPOSITORY`` names the
repository ("owner/name", as GitHub's workflows have it), each page has a link to edit it.
"""

from __future__ import annotations

import os
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

project = "digitlab"
author = "the digitlab authors"
copyright = f"{author}; MIT licence"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_revealjs"]
root_doc = "index"
exclude_patterns = ["slides"]  # they are built by themselves

# Notebooks and Markdown
nb_execution_mode = "off"  # the outputs are those stored
nb_render_markdown_format = "myst"  # figures, which have a width
nb_code_prompt_show = "Show what the cell gives"
nb_code_prompt_hide = "Hide what the cell gives"
myst_enable_extensions = ["attrs_inline", "dollarmath", "tasklist"]
myst_disable_syntax = ["myst_line_comment"]  # a line may begin with "% of …"
myst_heading_anchors = 4
html_math_renderer = "mathml"  # below: it needs no script, least of all one from elsewhere

# The package, from its docstrings
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give shapes and ranges, which types do not

html_theme = "furo"
html_title = "digitlab"
html_favicon = "favicon.svg"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sourcelink = html_copy_source = False  # a notebook's page has a link of its own
html_theme_options: dict[str, Any] = {"top_of_page_buttons": []}

# The slides, which another builder makes
revealjs_style_theme = "white"
revealjs_static_path = ["slides.css"]
revealjs_css_files = ["revealjs/plugin/highlight/zenburn.css", "slides.css"]
revealjs_script_conf = {
    "width": 1280,
    "height": 800,
    "hash": True,
    "center": False,
    "transition": "none",
}
revealjs_script_plugins = [
    {"name": "RevealHighlight", "src": "revealjs/plugin/highlight/highlight.js"},
    {"name": "RevealNotes", "src": "revealjs/plugin/notes/notes.js"},
]

repository = os.environ.get("GITHUB_REPOSITORY")
if repository:
    html_theme_options = {
        "top_of_page_buttons": ["edit"],
        "source_edit_link": f"https://github.com/{repository}/edit/main/{{filename}}",
    }


def edit_readme(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Have the first page edited where it comes from."""
    if page == "index" and repository:
        context["theme_source_edit_link"] = f"https://github.com/{repository}/edit/main/README.md"


def visit_math(translator: Any, node: nodes.Element) -> None:
    """Write a formula as MathML, which browsers set by themselves."""
    translator.body.append(tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block)))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
    app.connect("html-page-context", edit_readme)
