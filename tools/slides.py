"""Slides for a teacher's first ten minutes of each notebook, made of the notebook itself.

A slide shows what a class looks at: a heading, a question, a list, code, a figure, and of other
text the first sentence. All of that text stands in the speaker's notes (key S). The result that
answers a question comes with the next click.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from nbformat import NotebookNode

MINUTES = 10
# How long a class spends, by the same measure as the minutes that the notebooks give
WORDS_A_MINUTE = 130
MINUTES_A_LINE = 3 / 60  # of code
MINUTES_A_QUESTION = 1

DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)
HEADING = re.compile(r"#+ (.+)")
LIST = re.compile(r"- |\d\. ")
SHOWN = re.compile(rf"{LIST.pattern}|> |!\[|\$\$|\*\*[^*]+\*\*$")  # how such a block begins
NOTICE = "**What to notice.**"
SENTENCE = re.compile(r".+?[.?!](?=\s|$)|.+:$", re.DOTALL)


@dataclass
class Slide:
    """What is shown, and what the speaker reads; both are Markdown."""

    heading: str = ""  # none: the slide goes on with the one before
    shown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    full: bool = False  # it has its code, its list or its picture

    def markdown(self) -> str:
        """Return the slide as sphinx-revealjs reads it."""
        begin = self.heading or "```{revealjs-break}\n:notitle:\n```"
        notes = [directive("revealjs-notes", *self.notes)] if self.notes else []
        return "\n\n".join([begin, *self.shown, *notes])


def make_slides(notebook: NotebookNode) -> str:
    """Return a notebook's first minutes as slides, in Markdown for sphinx-revealjs.

    Args:
        notebook: one whose figures are Markdown: see ``prepare`` in ``build_site.py``.
    """
    slides: list[Slide] = []
    minutes = 0.0
    for cell in notebook.cells:
        minutes += minutes_of(cell)
        if cell.cell_type == "code":
            add_code(slides, cell)
        elif minutes < MINUTES and "### Exercise" not in cell.source:
            for block in DETAILS.sub("", cell.source).split("\n\n"):
                add_text(slides, block.strip())
        else:  # not before the answer to a question
            break
    return "\n\n".join(slide.markdown() for slide in joined(slides))


def joined(slides: list[Slide]) -> list[Slide]:
    """Move a remark that has neither heading nor content to the notes of the slide before."""
    kept: list[Slide] = []
    for slide in slides:
        if slide.heading or slide.full:
            kept.append(slide)
        else:
            kept[-1].notes += slide.notes
    return kept


def overview(names: Iterable[str]) -> str:
    """Return the page that leads to the slides of all notebooks, by their files' names."""
    lines = "\n".join(names)
    return f"# The first ten minutes\n\n```{{toctree}}\n{lines}\n```\n"


def minutes_of(cell: NotebookNode) -> float:
    """How long a class spends on a cell."""
    source: str = cell.source
    if cell.cell_type == "code":
        return len(source.splitlines()) * MINUTES_A_LINE
    questions = source.count("**Predict first.**")
    return len(source.split()) / WORDS_A_MINUTE + questions * MINUTES_A_QUESTION


def add_code(slides: list[Slide], cell: NotebookNode) -> None:
    """Show a cell and what it gave: an answer with the next click, and no imports."""
    code = [f"```python\n{cell.source}\n```"]
    outputs = [text for text in map(output_text, cell.outputs) if text]
    if "\nimport torch\n" in f"\n{cell.source}\n":
        code = []
    if outputs and "hide-output" in cell.metadata.tags:
        outputs = [directive("revealjs-fragments", *outputs)]
    if code or outputs:
        slide = open_slide(slides)
        slide.shown += code + outputs
        slide.full = True


def output_text(output: NotebookNode) -> str:
    """Return an output as Markdown; nothing of what only lives in a notebook."""
    data = output.get("data", {})
    if "text/html" in data:  # a widget, or the verdict of a check
        return ""
    plain = output.get("text") or data.get("text/plain")
    return data.get("text/markdown") or (f"```text\n{plain}\n```" if plain else "")


def add_text(slides: list[Slide], block: str) -> None:
    """Show a heading, a question, a list or a figure; of other text the first sentence."""
    if heading := HEADING.fullmatch(block):
        add_heading(slides, heading[1])
    elif SHOWN.match(block):
        slide = open_slide(slides, anew=block.startswith("**"))
        slide.shown.append(block)
        slide.full = bool(LIST.match(block)) or block.startswith("![")
    elif block:
        noticed = block.startswith(NOTICE)
        slide = slides[-1] if noticed else open_slide(slides)
        first = SENTENCE.match(block.removeprefix(NOTICE).strip())
        if first and (noticed or not slide.notes) and not re.match(r"\*[^*]", block):
            slide.shown.append(first[0])
        slide.notes.append(block)


def add_heading(slides: list[Slide], heading: str) -> None:
    """Begin a slide, or say more on one that has a heading and nothing else yet."""
    if not slides:
        slides.append(Slide(f"# {heading}"))
    elif slides[-1].shown or slides[-1].notes:
        slides.append(Slide(f"## {heading}"))
    else:
        slides[-1].heading += f": {heading}"


def open_slide(slides: list[Slide], *, anew: bool = False) -> Slide:
    """Return the last slide, or a new one if that is full or ``anew`` asks for it."""
    if anew or slides[-1].full:
        slides.append(Slide())
    return slides[-1]


def directive(name: str, *content: str) -> str:
    """Return a directive of MyST around blocks of Markdown."""
    return "\n".join([f"````{{{name}}}", "\n\n".join(content), "````"])
