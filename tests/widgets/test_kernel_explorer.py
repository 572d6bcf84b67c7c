"""The kernel explorer without a browser: state in Python, its events, and what it says."""

import re

import numpy as np
import pytest
import torch
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from digitlab.widgets import KernelExplorer
from digitlab.widgets.kernel_explorer import CLASSICS
from digitlab.widgets.kernel_explorer import render as render
from digitlab.widgets.kernel_explorer.widget import GLASS_SCALE, OWN

SQUARE = torch.zeros(1, 28, 28)
SQUARE[:, 10:20, 8:18] = 1
IMAGES = torch.stack([SQUARE, torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(0))])


@pytest.fixture
def explorer() -> KernelExplorer:
    return KernelExplorer(IMAGES)


def story(explorer: KernelExplorer) -> str:
    return re.sub("<.*?>", "", explorer._story.value)


def glass_event(explorer: KernelExplorer, event: str, row: float, column: float) -> None:
    """Feed an event as the page sends it."""
    content = {"event": event, "x": column * GLASS_SCALE, "y": row * GLASS_SCALE}
    explorer._overlay._handle_custom_msg(content, [])


def key(explorer: KernelExplorer, name: str) -> None:
    content = {
        "event": "key_down",
        "key": name,
        "shift_key": False,
        "ctrl_key": False,
        "meta_key": False,
    }
    explorer._overlay._handle_custom_msg(content, [])


def test_it_is_sensible_before_the_first_touch(explorer: KernelExplorer) -> None:
    assert repr(explorer) == "KernelExplorer(upper edges on picture 0)"
    assert story(explorer) == "Row 9, column 9: the nine products add up to +3 (positive, red)."
    assert "<svg" in explorer._input.value and "<svg" in explorer._output.value


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
    glass_event(explorer, "mouse_move", 20.5, 12.9)
    assert story(explorer).startswith(
        "Under the mouse: row 20, column 12: the nine products add up to −3 (negative"
    )
    assert 'aria-busy="true"' in explorer._story.value and (explorer.row, explorer.column) == (9, 9)
    glass_event(explorer, "mouse_out", 20.5, 40)
    assert (
        story(explorer).startswith("Row 9, column 9")
        and 'aria-busy="false"' in explorer._story.value
    )
    glass_event(explorer, "mouse_down", 0, 28)  # just outside, as browsers report it
    assert (explorer.row, explorer.column) == (0, 27) and "(zero, white)" in story(explorer)


def test_the_sentence_speaks_of_the_mouse_only_where_the_fields_say_another_place(
    explorer: KernelExplorer,
) -> None:
    glass_event(explorer, "mouse_move", 20, 12)
    assert story(explorer).startswith("Under the mouse: row 20, column 12")
    glass_event(explorer, "mouse_down", 20, 12)
    assert story(explorer).startswith("Row 20, column 12")


def test_arrow_keys_move_the_place_and_stop_at_the_edge(explorer: KernelExplorer) -> None:
    for name in ["ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "x"]:
        key(explorer, name)
    assert (explorer.row, explorer.column) == (9, 10)
    explorer.row = 27
    key(explorer, "ArrowDown")
    assert explorer.row == 27 and explorer._controls["row"].value == 27


def test_relu_and_pooling_are_told_step_by_step(explorer: KernelExplorer) -> None:
    explorer.row, explorer.column = 19, 12
    explorer._controls["relu"].value = True
    assert story(explorer).endswith("add up to −3 (negative, blue). ReLU makes it 0.")
    explorer.pool, explorer.relu = True, False
    explorer.row = 9
    assert story(explorer).endswith("Of its 2×2 block pooling keeps the largest, 3.")


def test_beyond_the_edge_there_are_zeros(explorer: KernelExplorer) -> None:
    explorer.picture, explorer.row, explorer.column, explorer.kernel = 1, 0, 0, np.ones((3, 3))
    total = IMAGES[1, 0, :2, :2].sum().item()
    assert render.signed(total) in story(explorer)


def test_the_largest_sum_is_found(explorer: KernelExplorer) -> None:
    explorer.kernel = CLASSICS["corners"]
    explorer._largest.click()
    assert (explorer.row, explorer.column) == (10, 8) and "+5" in story(explorer)


def test_odd_sizes_can_be_pooled() -> None:
    explorer = KernelExplorer(torch.rand(1, 1, 7, 5))
    explorer.pool = True
    explorer.row, explorer.column = 6, 4
    assert story(explorer).startswith("Row 6, column 4")


def test_an_error_in_a_callback_becomes_a_sentence_and_the_explorer_lives_on(
    explorer: KernelExplorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(render, "response_svg", lambda *_: 1 / 0)
        glass_event(explorer, "mouse_move", 3, 3)
        assert story(explorer) == "This did not work: division by zero"
    glass_event(explorer, "mouse_move", 4, 3)
    assert story(explorer).startswith("Under the mouse: row 4, column 3")


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
            key(explorer, first)
        elif kind == "toggle":
            setattr(explorer, first, second)
        else:
            glass_event(explorer, kind, first, second)
        assert "did not work" not in story(explorer)
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


def test_colours_are_white_at_zero_and_full_at_the_limit() -> None:
    colors = render.colors(np.array([[-2.0, 0.0, 2.0]]), limit=2.0)[0].astype(int)
    assert colors[0, 2] > colors[0, 0] + 50 and colors[2, 0] > colors[2, 2] + 50  # blue, red
    assert colors[1].min() > 240
    assert render.colors(np.zeros((2, 2)), limit=0.0).min() > 240  # a blank picture has no limit


def test_pictures_are_described_in_words() -> None:
    response = np.zeros((4, 4))
    response[1, 2] = -1.5
    svg = render.response_svg(response, 1.5, 1, 2)
    assert 'aria-label="The response, −1.5 to 0; at row 1, column 2: −1.5, negative, blue"' in svg


def test_the_sum_is_written_out() -> None:
    html = render.sum_html(np.eye(3) / 4, np.full((3, 3), -2.0))
    assert (
        html.count("<td>−0.5</td>") == 3 and html.count("<td>0.25</td>") == 3 and "−1.5</b>" in html
    )
