"""The modules that run in the browser, for the exported page and the notebooks' widgets alike.

They are plain ES modules; :func:`bundle` puts those that belong together into one script.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const|let) (\w+))", re.MULTILINE)


@cache
def source(name: str) -> str:
    """The text of a file of this folder."""
    return (FOLDER / name).read_text(encoding="utf-8")


def bundle(name: str) -> str:
    """One script from a module and those that it imports, each only once.

    A file on a disk may not import others, so each module becomes a function that is called at
    once, and returns what it exports.

    Raises:
        ValueError: a module, directly or not, imports itself.
    """
    return "\n".join(_bundled(name, within=()).values())


def _bundled(name: str, within: tuple[str, ...]) -> dict[str, str]:
    """The scripts of a module and of those it imports, by their names; imported ones come first."""
    if name in within:
        raise ValueError(f"a module can't import itself: {' → '.join([*within, name])}")
    text = source(f"{name}.js")
    scripts: dict[str, str] = {}
    for found in _IMPORT.finditer(text):
        scripts |= _bundled(found[2], within=(*within, name))
    body = _IMPORT.sub(lambda found: f"const {found[1]} = {found[2]}Module;", text)
    exports = ", ".join(found[1] for found in _EXPORT.finditer(body))
    body = _EXPORT.sub("", body)
    if within:
        body = f"const {name}Module = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();\n"
    return {**scripts, name: body}
