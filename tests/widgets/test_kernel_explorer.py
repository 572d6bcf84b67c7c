"""The kernel explorer without a page: its state, its events, and what it shows."""

import re

import ipywidgets
import numpy as np
import pytest
import torch
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colormaps
from torch.nn import functional

from digitlab.widgets import KernelExplorer
from digitlab.widgets.kernel_explorer import CLASSICS
from digitlab.widgets.kernel_explorer import render as render
from digitlab.widgets.kernel_explorer.widget import OWN
from tests.support.pointing import press_key, send

SQUARE = torch.zeros(1, 28, 28)
SQUARE[:, 10:20, 8:18] = 1
IMAGES = torch.stack([SQUARE, torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(0))])


@pytest.fixture
def explorer() -> KernelExplorer:
    return KernelExplorer(IMAGES)


def explanation(explorer: KernelExplorer) -> str:
    return re.sub("<.*?>", "", explorer._explanation.value)


def test_it_opens_on_the_largest_sum(explorer: KernelExplorer) -> None:
    assert repr(explorer) == "KernelExplorer(upper edges on picture 0)"
    assert (
        explanation(explorer) == "Row 9, column 9: the nine products add up to +3 (positive, red)."
    )
    assert "<img" in explorer._input.value and "<img" in explorer._output.value


@pytest.mark.parametrize("name", CLASSICS)
def test_the_response_is_pytorchs(explorer: KernelExplorer, name: str) -> None:
    explorer._choice.value = name
    expected = functional.conv2d(
        IMAGES[:1], torch.tensor(CLASSICS[name]).float()[None, None], padding=1
    )[0, 0]
    torch.testing.assert_close(explorer.response, expected)
    explorer.relu = explorer.pool = True
    torch.testing.assert_close(
        explorer.response, functional.max_pool2d(functional.relu(expected)[None], 2)[0]
    )


def test_a_field_edits_the_kernel_and_the_kernel_fills_the_fields(explorer: KernelExplorer) -> None:
    explorer._fields[5].value = 2.5
    assert explorer.kernel == ((-1, -1, -1), (0, 0, 2.5), (1, 1, 1))
    assert repr(explorer) == f"KernelExplorer({OWN} on picture 0)" and OWN in explorer._name.value
    explorer.kernel = torch.tensor(CLASSICS["blur"])
    assert [field.value for field in explorer._fields[:3]] == [0.0625, 0.125, 0.0625]
    assert explorer._choice.value == "blur"


@pytest.mark.parametrize(
    "kernel", [[[1, 2], [3, 4]], "edges", None, np.full((3, 3), np.nan), np.full((3, 3), 1e300)]
)
def test_what_is_no_kernel_is_refused_in_words(explorer: KernelExplorer, kernel: object) -> None:
    with pytest.raises(traitlets.TraitError, match="a kernel is three rows of three numbers"):
        explorer.kernel = kernel
    assert explorer.kernel == CLASSICS["upper edges"]


@pytest.mark.parametrize(("name", "value"), [("picture", 2), ("row", 28), ("column", -1)])
def test_a_place_that_is_not_there_is_refused_in_words(
    explorer: KernelExplorer, name: str, value: int
) -> None:
    with pytest.raises(traitlets.TraitError, match=f"{name} must be 0 to"):
        setattr(explorer, name, value)


@pytest.mark.parametrize("shape", [(1, 28, 28), (2, 3, 28, 28), (0, 1, 28, 28)])
def test_pictures_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected images of shape \(N, 1, H, W\)"):
        KernelExplorer(torch.zeros(shape))


def test_bytes_and_fractions_are_the_same_picture() -> None:
    torch.testing.assert_close(
        KernelExplorer((IMAGES * 255).byte()).response, KernelExplorer(IMAGES).response
    )


def test_the_place_follows_the_mouse_and_stays_where_it_is_clicked(
    explorer: KernelExplorer,
) -> None:
    send(explorer._overlay, "mouse_move", 20.5, 12.9)
    assert explanation(explorer).startswith(
        "Under the mouse: row 20, column 12: the nine products add up to −3 (negative"
    )
    assert 'aria-busy="true"' in explorer._explanation.value and (
        explorer.row,
        explorer.column,
    ) == (9, 9)
    send(explorer._overlay, "mouse_out", 20.5, 40)
    assert (
        explanation(explorer).startswith("Row 9, column 9")
        and 'aria-busy="false"' in explorer._explanation.value
    )
    send(explorer._overlay, "mouse_down", 0, 28)  # just outside, as browsers report it
    assert (explorer.row, explorer.column) == (0, 27) and "(zero, white)" in explanation(explorer)


def test_a_click_updates_what_is_shown_once(explorer: KernelExplorer) -> None:
    send(explorer._overlay, "mouse_move", 12, 12)
    changes = []
    for part in vars(explorer).values():
        if isinstance(part, ipywidgets.HTML):
            part.observe(changes.append, "value")
    send(explorer._overlay, "mouse_down", 20, 9)
    assert (explorer.row, explorer.column) == (20, 9)
    send(explorer._overlay, "mouse_move", 20, 9)
    assert explanation(explorer).startswith("Row 20, column 9")
    assert len({change.owner for change in changes}) == len(changes)


def test_moving_the_mouse_leaves_the_pictures_as_they_are(explorer: KernelExplorer) -> None:
    pictures = explorer._input.value, explorer._output.value
    send(explorer._overlay, "mouse_move", 20, 12)
    assert (explorer._input.value, explorer._output.value) == pictures
    assert "around row 20, column 12" in explorer._window.value
    assert "Row 20, column 12: −3, negative, blue" in explorer._answer.value


def test_the_sentence_speaks_of_the_mouse_only_where_the_fields_say_another_place(
    explorer: KernelExplorer,
) -> None:
    send(explorer._overlay, "mouse_move", 20, 12)
    assert explanation(explorer).startswith("Under the mouse: row 20, column 12")
    send(explorer._overlay, "mouse_down", 20, 12)
    assert explanation(explorer).startswith("Row 20, column 12")


def test_arrow_keys_move_the_place_and_stop_at_the_edge(explorer: KernelExplorer) -> None:
    for name in ["ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "x"]:
        press_key(explorer._overlay, name)
    assert (explorer.row, explorer.column) == (9, 10)
    explorer.row = 27
    press_key(explorer._overlay, "ArrowDown")
    assert explorer.row == 27 and explorer._controls["row"].value == 27


def test_relu_and_pooling_are_explained_one_after_the_other(explorer: KernelExplorer) -> None:
    explorer.row, explorer.column = 19, 12
    explorer._controls["relu"].value = True
    assert explanation(explorer).endswith("add up to −3 (negative, blue). ReLU makes it 0.")
    explorer.pool, explorer.relu = True, False
    explorer.row = 9
    assert explanation(explorer).endswith("Of its 2×2 block pooling keeps the largest, 3.")


def test_beyond_the_edge_there_are_zeros(explorer: KernelExplorer) -> None:
    explorer.picture, explorer.row, explorer.column, explorer.kernel = 1, 0, 0, np.ones((3, 3))
    total = IMAGES[1, 0, :2, :2].sum().item()
    assert render.signed(total) in explanation(explorer)


def test_the_largest_sum_is_found(explorer: KernelExplorer) -> None:
    explorer.kernel = CLASSICS["corners"]
    explorer._largest.click()
    assert (explorer.row, explorer.column) == (10, 8) and "+5" in explanation(explorer)


def test_odd_sizes_can_be_pooled() -> None:
    explorer = KernelExplorer(torch.rand(1, 1, 7, 5))
    explorer.pool = True
    explorer.row, explorer.column = 6, 4
    assert explanation(explorer).startswith("Row 6, column 4")


def test_an_error_becomes_a_sentence_and_the_explorer_stays_usable(
    explorer: KernelExplorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(render, "answer_svg", lambda *_: 1 / 0)
        send(explorer._overlay, "mouse_move", 3, 3)
        assert explanation(explorer) == "This did not work: ZeroDivisionError: division by zero."
    send(explorer._overlay, "mouse_move", 4, 3)
    assert explanation(explorer).startswith("Under the mouse: row 4, column 3")


events = st.one_of(
    st.tuples(
        st.sampled_from(["mouse_move", "mouse_down", "mouse_out"]),
        st.floats(-5, 40),
        st.floats(-5, 40),
    ),
    st.tuples(st.just("field"), st.integers(0, 8), st.floats(allow_nan=False)),
    st.tuples(
        st.just("key"), st.sampled_from(["ArrowUp", "ArrowLeft", "Tab", "Escape", "a"]), st.none()
    ),
    st.tuples(st.just("toggle"), st.sampled_from(["relu", "pool"]), st.booleans()),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(events, max_size=12))
def test_no_sequence_of_events_breaks_it(sequence: list[tuple]) -> None:  # type: ignore[type-arg]
    explorer = KernelExplorer(IMAGES)
    for kind, first, second in sequence:
        if kind == "field":
            explorer._fields[first].value = second
        elif kind == "key":
            press_key(explorer._overlay, first)
        elif kind == "toggle":
            setattr(explorer, first, second)
        else:
            send(explorer._overlay, kind, first, second)
        assert "did not work" not in explanation(explorer)
        assert explorer.kernel == tuple(
            tuple(field.value for field in explorer._fields[i : i + 3]) for i in (0, 3, 6)
        )


# --- How it looks


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5, "+1.5"), (-1, "−1"), (-0.001, "0"), (0, "0"), (12.346, "+12.35"), (10, "+10")],
)
def test_numbers_carry_their_sign(value: float, text: str) -> None:
    assert render.signed(value) == text


def test_colours_are_those_of_the_figures() -> None:
    responses = np.linspace(-2, 2, 256).reshape(16, 16)
    expected = colormaps["RdBu_r"]((responses + 2) / 4, bytes=True)[..., :3].astype(int)
    assert np.abs(render.colors(responses, limit=2.0) - expected).max() <= 2


def test_colours_are_white_at_zero_and_full_at_the_limit() -> None:
    colors = render.colors(np.array([[-2.0, 0.0, 2.0]]), limit=2.0)[0].astype(int)
    assert colors[0, 2] > colors[0, 0] + 50 and colors[2, 0] > colors[2, 2] + 50  # blue, red
    assert colors[1].min() > 240
    assert render.colors(np.zeros((2, 2)), limit=0.0).min() > 240  # a blank picture has no limit


def test_pictures_are_described_in_words() -> None:
    response = np.zeros((4, 4))
    response[1, 2] = -1.5
    assert 'alt="The response, −1.5 to 0"' in render.response_html(response, 1.5)
    assert 'aria-label="Row 1, column 2: −1.5, negative, blue"' in render.answer_svg(
        response, (1, 2)
    )


def test_the_sum_is_written_out() -> None:
    html = render.sum_html(np.eye(3) / 4, np.full((3, 3), -2.0))
    assert (
        html.count("<td>−0.5</td>") == 3 and html.count("<td>0.25</td>") == 3 and "−1.5</b>" in html
    )
