"""The exported page as a file: whole, closed to every request, and never half of one."""

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from digitlab import DigitCNN, predict, rasterize
from digitlab.checkpoint import load_info
from digitlab.export import export_page, page
from digitlab.export.page import bundle, pack_network, render_page

MOST_BYTES = 1_200_000  # of the file, with which it still goes by mail and opens at once on a phone
TRAP = "</script><script>alert(1)</script><!-- css --> \\u2028 ]]>"


class Page(HTMLParser):
    """What a page consists of: the text of each style and script, its policy, what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts: dict[str, str] = {}
        self.loaded: list[str] = []
        self.policy = ""
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._inside = str(values.get("type") or tag) if tag in ("script", "style") else ""
        self.loaded += [str(values[name]) for name in ("src", "href", "data") if name in values]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(values["content"])

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            assert self._inside not in self.parts, f"a second {self._inside}"
            self.parts[self._inside] = data

    @property
    def content(self) -> dict:
        return json.loads(self.parts["application/json"])


@pytest.fixture(scope="module")
def exported(shipped: DigitCNN) -> str:
    return render_page(shipped, load_info())


def test_the_page_is_one_file_that_loads_nothing(exported: str) -> None:
    parsed = Page(exported)
    assert all(address.startswith("data:") for address in parsed.loaded)
    # Namespaces and links in comments are no addresses that anything is fetched from.
    for words in ("fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "@import"):
        assert words not in exported
    assert not re.search(r"url\((?!['\"]?data:)|\bimport\(\s*['\"]https?:", exported)
    assert len(exported.encode()) <= MOST_BYTES


def test_the_policy_admits_the_pages_own_script_and_style_and_no_request(exported: str) -> None:
    parsed = Page(exported)
    policy = dict(entry.split(maxsplit=1) for entry in parsed.policy.split("; "))
    assert policy["default-src"] == "'none'"  # also of what is not named: connections, fonts, media
    for directive, part in (("script-src", "module"), ("style-src", "style")):
        digest = hashlib.sha256(parsed.parts[part].encode()).digest()
        assert policy[directive] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert set(policy["img-src"].split()) <= {"data:", "blob:"}
    assert "unsafe" not in parsed.policy and "http" not in parsed.policy


def test_no_mark_of_the_template_is_left(exported: str) -> None:
    assert re.findall(r"<!-- (?:csp|css|network|modules) -->", exported) == []


def test_every_module_is_in_the_page_once_and_after_those_that_it_imports() -> None:
    script = bundle("page")
    in_notebooks = {"pen", "reading", "upload"}  # scripts of widgets, which the page has no use for
    names = {path.stem for path in page._WEB.glob("*.js")} - {"page"} - in_notebooks
    places = {name: script.index(f"const {name}Module = (() => {{") for name in names}
    assert all(script.count(f"const {name}Module =") == 1 for name in names)
    for name in names:
        source = (page._WEB / f"{name}.js").read_text(encoding="utf-8")
        for imported in re.findall(r'^import .* from "\./(\w+)\.js";$', source, re.MULTILINE):
            assert places[imported] < places[name]
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)
    assert "</script" not in script.lower()


def test_modules_that_import_each_other_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.js").write_text('import { two } from "./two.js";\n')
    (tmp_path / "two.js").write_text('import { one } from "./one.js";\n')
    monkeypatch.setattr(page, "_WEB", tmp_path)
    with pytest.raises(ValueError, match="one → two → one"):
        bundle("one")


def test_whatever_the_description_says_it_stays_data(shipped: DigitCNN) -> None:
    description = {"recipe": {TRAP: TRAP}, "results": {"loss": float("nan"), "note": TRAP}}
    content = Page(render_page(shipped, description)).content
    expected = {"recipe": {TRAP: TRAP}, "results": {"loss": "NaN", "note": TRAP}}
    assert content["description"] == expected


def test_a_network_without_a_description_has_none_in_the_page(shipped: DigitCNN) -> None:
    assert Page(render_page(shipped)).content["description"] is None


def test_the_page_has_the_weights_within_half_a_step_and_the_calibration(exported: str) -> None:
    model = DigitCNN()
    torch.nn.init.zeros_(model.conv1.bias)  # no step divides by zero
    network = pack_network(model)
    numbers = zlib.decompress(base64.b64decode(network["packed"]))
    steps = np.frombuffer(numbers, np.uint8).reshape(2, -1).T.copy().view("<i2").ravel()
    counts = [tensor["count"] for tensor in network["tensors"]]
    for tensor, part in zip(
        network["tensors"], np.split(steps, np.cumsum(counts)[:-1]), strict=True
    ):
        expected = model.state_dict()[tensor["name"]].numpy().ravel()
        assert np.abs(part * tensor["step"] - expected).max() <= 0.51 * tensor["step"]
    shipped = load_info()["calibration"]
    found = Page(exported).content["network"]
    assert (found["temperature"], found["minTopTwo"]) == (*shipped.values(),)


def test_the_examples_are_digits_that_the_network_classifies(
    exported: str, shipped: DigitCNN
) -> None:
    examples = Page(exported).content["examples"]
    assert {example["digit"] for example in examples} == set(range(10))
    for example in examples:
        prediction = predict(shipped, rasterize(example["strokes"]))
        assert prediction.digit == example["digit"] and prediction.is_digit
        assert all(
            0 <= value <= 1 for stroke in example["strokes"] for x_y in stroke for value in x_y
        )


def test_export_writes_the_page_also_of_a_wrapped_network(
    shipped: DigitCNN, exported: str, tmp_path: Path
) -> None:
    path = export_page(
        torch.nn.DataParallel(shipped), tmp_path / "new" / "page.html", description=load_info()
    )
    assert path.read_text(encoding="utf-8") == exported
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def test_an_existing_file_is_replaced_only_when_told_to(shipped: DigitCNN, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="exists; choose another name, or replace it"):
        export_page(shipped, path)
    assert path.read_text() == "mine"
    export_page(shipped, path, overwrite=True)
    assert "Draw a digit" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [("page.htm", r"must end in \.html; call it page\.html"), ("folder.html", "is a folder")],
)
def test_a_page_goes_to_a_file_named_html(
    name: str, words: str, shipped: DigitCNN, tmp_path: Path
) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ValueError, match=words):
        export_page(shipped, tmp_path / name)


def test_another_network_or_one_that_diverged_is_refused_and_nothing_written(
    tmp_path: Path,
) -> None:
    other = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    diverged = DigitCNN()
    torch.nn.init.constant_(diverged.fc2.bias, float("nan"))
    for model, words in (
        (other, "only a DigitCNN"),
        (diverged, "fc2.bias has values that are not"),
    ):
        with pytest.raises(ValueError, match=words):
            export_page(model, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
