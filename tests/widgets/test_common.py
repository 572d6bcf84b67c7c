"""What the widgets share: sentences on errors, pictures as HTML, one style sheet, lazy imports."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from digitlab import widgets
from digitlab.evaluation import percent
from digitlab.widgets.common import STYLE, error_sentence, figure_html, image_html, png_data_uri


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("this is full: move it"), "This is full: move it."),
        (OSError("no room."), "No room."),
        (ValueError("several\n lines"), "Several lines."),
        (ValueError("long " * 100), ("Long " + "long " * 100)[:299] + "…"),
        (KeyError("x"), "This did not work: KeyError: 'x'."),
        (KeyError(None), "This did not work: KeyError: None."),
        (RuntimeError(), "This did not work: RuntimeError."),
        (ValueError(), "This did not work: ValueError."),
        (StopIteration(), "This did not work: StopIteration."),
    ],
)
def test_every_error_makes_a_sentence(error: Exception, sentence: str) -> None:
    assert error_sentence(error) == sentence


def test_a_figure_holds_its_picture_with_alt_text_and_its_caption() -> None:
    pixels = torch.rand(1, 28, 28)
    picture = image_html(pixels, 'a "7" <small>', width=84)
    source = png_data_uri(pixels)
    alt = "a &quot;7&quot; &lt;small&gt;"
    assert picture == f'<img alt="{alt}" src="{source}" width="84">'
    figure = figure_html(picture, "<b>7</b>", css_class="current")
    assert figure == f'<figure class="current">{picture}<figcaption><b>7</b></figcaption></figure>'


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (28, 28, 3)])
def test_pictures_in_grey_and_colour_become_a_png(shape: tuple[int, ...]) -> None:
    assert png_data_uri(np.zeros(shape)).startswith("data:image/png;base64,iVBOR")


@pytest.mark.parametrize(
    ("share", "options", "text"),
    [
        (0.982, {}, "98 %"),
        (1.0, {}, "99 %"),
        (0.9999, {"decimals": 1}, "99.9 %"),
        (1.0, {"counted": True}, "100 %"),
        (0.98765, {"decimals": 2, "counted": True}, "98.77 %"),
    ],
)
def test_a_probability_never_becomes_100_per_cent_and_a_counted_share_may(
    share: float, options: dict[str, int], text: str
) -> None:
    assert percent(share, **options) == text


def test_no_rule_of_the_style_sheet_reaches_beyond_the_widgets() -> None:
    rules = re.sub(r"/\*.*?\*/|</?style>", "", STYLE, flags=re.DOTALL)
    preludes = [prelude.strip() for prelude in re.findall(r"([^{}]+)\{", rules)]
    selectors = [
        selector.strip()
        for prelude in preludes
        if not prelude.startswith("@")
        for selector in re.split(r",\s*(?![^(]*\))", prelude)  # but not at a comma in brackets
    ]
    assert len(selectors) > 100
    assert [selector for selector in selectors if not selector.startswith(".digitlab")] == []


@pytest.mark.parametrize("name", widgets.__all__)
def test_every_widget_is_there_when_it_is_asked_for(name: str) -> None:
    assert getattr(widgets, name).__name__ == name
    assert name in dir(widgets)


def test_a_pad_is_imported_without_scipy_matplotlib_and_the_other_widgets() -> None:
    code = "import sys; from digitlab import DrawPad; DrawPad(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "digitlab.widgets.drawpad.pad" in loaded
    assert not loaded & {"scipy", "matplotlib", "torchvision", "digitlab.photo"}
    assert not {name for name in loaded if re.match(r"digitlab\.(training|widgets\.tools)", name)}
