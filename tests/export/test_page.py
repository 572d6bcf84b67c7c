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
from digitlab.export import export_page
from digitlab.export.page import Exhibit, render_page
from digitlab.web.pack import pack_network

MOST_BYTES = 850_000  # of the file, with which it still goes by mail and opens at once on a phone
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


def test_whatever_the_description_says_it_stays_data(shipped: DigitCNN) -> None:
    description = {"recipe": {TRAP: TRAP}, "results": {"loss": float("nan"), "note": TRAP}}
    content = Page(render_page(shipped, description)).content
    expected = {"recipe": {TRAP: TRAP}, "results": {"loss": "NaN", "note": TRAP}}
    assert content["networks"][0]["description"] == expected


def test_a_network_without_a_description_has_none_in_the_page(shipped: DigitCNN) -> None:
    assert Page(render_page(shipped)).content["networks"][0]["description"] is None


def test_the_page_has_the_weights_within_half_a_step_and_the_calibration(exported: str) -> None:
    model = DigitCNN()
    torch.nn.init.zeros_(model.conv1.bias)  # no step divides by zero
    network = pack_network(model)
    numbers = zlib.decompress(as_bytes(network["packed"])[: network["size"]])
    steps = np.frombuffer(numbers, np.uint8).reshape(2, -1).T.copy().view("<i2").ravel() - 128
    counts = [tensor["count"] for tensor in network["tensors"]]
    for tensor, part in zip(
        network["tensors"], np.split(steps, np.cumsum(counts)[:-1]), strict=True
    ):
        expected = model.state_dict()[tensor["name"]].numpy().ravel()
        assert np.abs(part * tensor["step"] - expected).max() <= 0.51 * tensor["step"]
    shipped = load_info()["calibration"]
    found = Page(exported).content["networks"][0]["network"]
    assert (found["temperature"], found["minTopTwo"]) == (*shipped.values(),)


def as_bytes(text: str) -> bytes:
    """13 bits from each two letters of 91."""
    letters = [chr(code) for code in range(33, 127) if chr(code) not in '"<\\']
    values = [letters.index(letter) for letter in text]
    groups = zip(values[::2], values[1::2], strict=True)
    bits = "".join(f"{91 * upper + lower:013b}" for upper, lower in groups)
    whole = len(bits) // 8
    return int(bits[: 8 * whole], 2).to_bytes(whole)


def test_the_examples_are_digits_that_the_network_classifies(
    exported: str, shipped: DigitCNN
) -> None:
    examples = Page(exported).content["examples"]
    assert {example["digit"] for example in examples} == set(range(10))
    for example in examples:
        prediction = predict(shipped, rasterize(example["strokes"]))
        assert prediction.digit == example["digit"] and prediction.is_digit
        assert all(
            0 <= value <= 1000 for stroke in example["strokes"] for x_y in stroke for value in x_y
        )


def test_a_page_of_two_networks_has_both_with_their_names(shipped: DigitCNN) -> None:
    other = DigitCNN()
    content = Page(render_page(shipped, name="mine", beside=Exhibit(other, TRAP, {}))).content
    assert [network["name"] for network in content["networks"]] == ["mine", TRAP]
    packed = [network["network"]["packed"] for network in content["networks"]]
    assert packed == [pack_network(shipped)["packed"], pack_network(other)["packed"]]


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
