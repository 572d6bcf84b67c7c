"""The pictures of notebook 2: the network as blocks, tables, responses, receptive fields."""

from itertools import combinations

import pytest
import torch
from matplotlib.figure import Figure

from digitlab import DigitCNN, plots


def test_the_picture_shows_a_block_for_each_shape_and_the_parameters_on_the_arrows() -> None:
    ax = plots.architecture(DigitCNN(), image=torch.zeros(1, 28, 28))
    texts = [text.get_text() for text in ax.texts]
    for shape in ("1×28×28", "32×28×28", "32×14×14", "64×14×14", "64×7×7", "3,136", "128", "10"):
        assert texts.count(shape) == 1
    assert any(text.startswith("fc1") and "401,536" in text and "ReLU" in text for text in texts)


def test_the_pictures_labels_are_legible_at_the_width_of_a_page_and_do_not_touch() -> None:
    ax = plots.architecture(DigitCNN())
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    shrunk_to_a_page = min(1, 8.6 / figure.get_figwidth())
    labels = [text for text in ax.texts if text.get_text() not in {"", *"0123456789"}]
    assert min(text.get_fontsize() for text in labels) * shrunk_to_a_page > 9
    boxes = [text.get_window_extent() for text in labels]
    assert not [(one, other) for one, other in combinations(boxes, 2) if one.overlaps(other)]
    assert all(figure.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))


def test_tables_show_their_numbers_and_the_signs_between_them() -> None:
    ax = plots.tables(
        [torch.tensor([[-0.0, 1.5]]), torch.ones(1, 1)],
        captions=["left", "right"],
        signs=["→"],
        block=1,
    )
    assert [text.get_text() for text in ax.texts] == ["0", "1.5", "left", "→", "1", "right"]


def test_responses_share_one_scale_that_is_white_at_zero() -> None:
    ax = plots.responses(
        [torch.tensor([[-3.0, 1.0]]), torch.ones(2, 2)],
        captions=["a", "b"],
        image=torch.zeros(1, 4, 4),
    )
    assert [picture.get_clim() for picture in ax.images[1:]] == [(-3, 3), (-3, 3)]


def test_the_sum_over_many_sheets_is_the_networks_number() -> None:
    windows, weights = torch.rand(5, 3, 3), torch.randn(5, 3, 3)
    ax = plots.channel_sum(windows, weights, bias=0.5)
    total = f"{(windows * weights).sum().item() + 0.5:+.2f}".replace("-", "−")
    texts = [text.get_text() for text in ax.texts]
    assert any(f"the number: {total}" in text for text in texts)
    assert [text for text in texts if text.startswith("sheet")] == ["sheet 0", "sheet 1", "sheet 4"]


def test_field_lines_count_what_one_number_depends_on() -> None:
    layers = [("conv1", 3, 1, 1), ("pool1", 2, 2, 0), ("conv2", 3, 1, 1), ("pool2", 2, 2, 0)]
    labels = plots.field_lines(layers, 3).get_yticklabels()
    counted = ["pixels: 10", "conv1: 8", "pool1: 4", "conv2: 2", "pool2: 1"]
    assert [label.get_text() for label in labels] == counted


def test_receptive_fields_are_named_and_parameters_are_counted_in_the_picture() -> None:
    ax = plots.receptive_fields(torch.zeros(1, 28, 28), {"small": (3, 4, 3), "large": (2, 3, 8)})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["small", "large"]  # type: ignore[union-attr]
    bars = plots.parameter_bars({"a": 25, "b": 975})
    assert [text.get_text() for text in bars.texts] == ["25 (2.5 %)", "975 (97.5 %)"]


def test_a_frame_of_the_sliding_window_shows_one_sum_and_the_response_up_to_it() -> None:
    image, kernel = torch.arange(20.0).reshape(4, 5) / 20, torch.ones(3, 3)
    figure = plots.sliding_window(image, kernel, 4)  # of 2 × 3 windows, that in row 1, column 1
    left, middle, right = figure.axes
    total = image[1:4, 1:4].sum().item()
    assert middle.texts[-1].get_text() == "sum"
    assert f"{total:.2f}" in right.get_label()  # type: ignore[operator]
    shown = torch.tensor(right.images[0].get_array())
    assert shown[1, 1] == pytest.approx(total) and shown.isnan().sum() == 1
    (window,) = left.patches
    assert window.get_xy() == (0.5, 0.5)  # type: ignore[attr-defined]
