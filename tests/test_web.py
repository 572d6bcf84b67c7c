"""The browser's modules, put together into one script."""

import re
from pathlib import Path

import pytest

from digitlab import web
from digitlab.web import bundle


def test_every_module_is_in_the_page_once_and_after_those_that_it_imports() -> None:
    script = bundle("page")
    in_notebooks = {"network_view", "pen", "reading", "upload"}  # widgets' own, of no use to it
    names = {path.stem for path in web.FOLDER.glob("*.js")} - {"page"} - in_notebooks
    places = {name: script.index(f"const {name}Module = (() => {{") for name in names}
    assert all(script.count(f"const {name}Module =") == 1 for name in names)
    for name in names:
        source = (web.FOLDER / f"{name}.js").read_text(encoding="utf-8")
        for imported in re.findall(r'^import .* from "\./(\w+)\.js";$', source, re.MULTILINE):
            assert places[imported] < places[name]
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)
    assert "</script" not in script.lower()


def test_modules_that_import_each_other_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.js").write_text('import { two } from "./two.js";\n')
    (tmp_path / "two.js").write_text('import { one } from "./one.js";\n')
    monkeypatch.setattr(web, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="one → two → one"):
        bundle("one")
