"""Figures draw the numbers they are given, and can be read without seeing them."""

import io
import itertools
import json
import os
import subprocess
import sys

import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from PIL import Image

from digitlab import Mnist, plots
from digitlab.evaluation.calibration import Reliability
from digitlab.training import History


@pytest.fixture(autouse=True)
def _close_figures() -> None:
    plt.close("all")


@pytest.fixture
def images(sample: Mnist) -> torch.Tensor:
    return sample.train_images[:12]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_every_figure_draws_into_the_axes_it_is_given(images: torch.Tensor) -> None:
    history = History(batch_losses=[1.0 / (i + 1) for i in range(60)], learning_rates=[0.1] * 60)
    drawings = (
        lambda ax: plots.digit(images[0], ax=ax),
        lambda ax: plots.digit_grid(images, ax=ax),
        lambda ax: plots.class_counts(torch.arange(10), ax=ax),
        lambda ax: plots.pixel_histogram(images, ax=ax),
        lambda ax: plots.filters(torch.randn(4, 1, 3, 3, requires_grad=True), ax=ax),
        lambda ax: plots.batch_losses(history, ax=ax),
        lambda ax: plots.growth({1: [1.0, 1.2], 2: [1.9]}, xlabel="epochs", label="one", ax=ax),
        lambda ax: plots.learning_rates(history, ax=ax),
        lambda ax: plots.validation_accuracies(History(val_accuracy=[0.9, 0.95]), ax=ax),
        lambda ax: plots.train_and_validation(
            [History(train_loss=[1.0, 0.5], val_loss=[1.1, 0.8])], ax=ax
        ),
        lambda ax: plots.confusion_matrix(torch.eye(10).long(), ax=ax),
        lambda ax: plots.sampled_accuracies(torch.rand(100), (0.2, 0.8), ax=ax),
        lambda ax: plots.precision_and_recall(torch.eye(10).long() * 9, ax=ax),
        lambda ax: plots.temperature_losses(
            torch.tensor([0.5, 1.0, 2.0]), torch.tensor([0.2, 0.1, 0.3]), 1.0, ax=ax
        ),
        lambda ax: plots.feature_maps(torch.rand(32, 14, 14), ax=ax),
        lambda ax: plots.probability_bars(torch.full((10,), 0.1), ax=ax),
        lambda ax: plots.strokes([[(0, 0), (1, 1)]], ax=ax),
    )
    for draw in drawings:
        ax = plt.figure().add_subplot()
        assert draw(ax) is ax


def test_a_digit_with_numbers_shows_each_pixels_value(images: torch.Tensor) -> None:
    ax = plots.digit(images[0], numbers=True)
    assert [int(text) for text in texts(ax)] == images[0].flatten().tolist()


def test_a_grid_has_a_caption_for_each_picture(images: torch.Tensor) -> None:
    ax = plots.digit_grid(images, captions=range(12), columns=5)
    assert texts(ax) == [str(number) for number in range(12)]
    assert ax.images[0].get_array().shape == (3 * 37, 5 * 30)  # type: ignore[union-attr]


def test_captions_of_two_lines_have_room_below_their_pictures(images: torch.Tensor) -> None:
    ax = plots.digit_grid(images, captions=["one\ntwo"] * 12, columns=5)
    assert ax.images[0].get_array().shape == (3 * 44, 5 * 30)  # type: ignore[union-attr]


def test_class_counts_are_written_on_their_bars() -> None:
    ax = plots.class_counts(torch.tensor([0, 0, 3] + [9] * 1000))
    assert [bar.get_height() for bar in ax.patches] == [2, 0, 0, 1, 0, 0, 0, 0, 0, 1000]  # type: ignore[attr-defined]
    assert texts(ax)[9] == "1,000"


def test_a_confusion_matrix_shows_each_count_in_its_place() -> None:
    confusion = torch.diag(torch.full((10,), 90))
    confusion[4, 9] = 7
    ax = plots.confusion_matrix(confusion)
    assert texts(ax)[4 * 10 + 9] == "7" and texts(ax)[0] == "90" and texts(ax)[1] == "·"
    assert ax.get_ylabel() == "true digit" and ax.get_xlabel() == "predicted digit"


def test_bins_of_few_answers_are_faded_and_left_out_of_the_line() -> None:
    counts = torch.tensor([0, 9, 10, 500])
    result = Reliability(
        counts,
        confidence=torch.tensor([0, 0.3, 0.6, 0.9]),
        accuracy=torch.tensor([0, 0.5, 0.7, 0.9]),
    )
    ax = plots.reliability_diagram({"as trained": result})
    trusted, faded = (container.lines[0] for container in ax.containers)
    assert trusted.get_xdata() == pytest.approx([0.6, 0.9]) and trusted.get_linestyle() == "-"
    assert (
        faded.get_xdata() == pytest.approx([0.3])
        and faded.get_linestyle() == "None"
        and faded.get_alpha() < 1
    )


def test_ticks_on_logarithmic_axes_are_plain_numbers() -> None:
    ax = plots.temperature_losses(
        torch.logspace(-1, 1, 5), torch.tensor([0.05, 0.02, 0.03, 0.4, 2]), 0.4
    )
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]
    for axis in (ax.xaxis, ax.yaxis):
        assert {"0.1", "0.3", "1"} <= {label.get_text() for label in axis.get_ticklabels()}


def test_every_row_of_distorted_pictures_has_its_name_and_strengths(images: torch.Tensor) -> None:
    figure = plots.distortions(
        {"turned (degrees)": ([-10, 0, 10], images[:3]), "noise": ([0, 0.5], images[:2])}
    )
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["turned (degrees)", "noise"]
    assert [texts(ax) for ax in figure.axes] == [["−10", "0", "10"], ["0", "0.5"]]


def test_four_networks_differ_in_colour_marker_and_dash() -> None:
    curves = {name: [0.9, 0.8] for name in "abcd"}
    ax = plots.robustness(
        {name: ([0, 1], curves) for name in ("shift", "turn", "noise", "pen")}
    ).axes[0]
    looks = [{line.get_color(), line.get_marker(), line.get_linestyle()} for line in ax.get_lines()]
    assert len(looks) == 4 and all(
        first.isdisjoint(second) for first, second in itertools.combinations(looks, 2)
    )


def test_robustness_has_a_panel_for_each_distortion_however_many() -> None:
    for count in (1, 3, 4, 5):
        names = [f"distortion {number}" for number in range(count)]
        figure = plots.robustness({name: ([0, 1], {"plain": [0.9, 0.5]}) for name in names})
        assert [ax.get_xlabel() for ax in figure.axes] == names


def test_drawing_leaves_matplotlibs_settings_and_the_learners_own_figures_as_they_were() -> None:
    code = """
import matplotlib, matplotlib.pyplot as plt
before = dict(matplotlib.rcParams)
from digitlab import plots
plots.panels(2)
plots.to_png(plots.growth({1: [1.0], 2: [2.0]}, xlabel="n", label="one").figure)
assert dict(matplotlib.rcParams) == before
assert plt.figure().add_subplot().spines["top"].get_visible()
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"MPLBACKEND": "agg"})


def test_all_figures_have_the_courses_style() -> None:
    _, (ax, _) = plots.panels(2)
    plots.growth({1: [1.0], 2: [2.0]}, xlabel="n", label="one", ax=ax)
    legend = ax.get_legend()
    assert legend is not None and not legend.get_frame_on()
    assert not ax.spines["top"].get_visible()
    assert ax.xaxis.get_gridlines()[0].get_color() == "#E4E4E4"
    assert plots.digit(torch.zeros(28, 28)).images[0].get_cmap().name == "gray"


def test_the_largest_probability_carries_its_value() -> None:
    ax = plots.probability_bars(torch.tensor([0.02] * 9 + [0.82]))
    assert [text for text in texts(ax) if text] == ["82 %"]


def test_scores_are_shown_as_shares_for_each_network() -> None:
    figure = plots.scores(
        {
            "a": (torch.tensor([0.99, 1.0, 0.2, 0.99]), torch.tensor([0.21])),
            "b": (torch.ones(3),) * 2,
        }
    )
    digits, rest = (patch.get_data().values for patch in figure.axes[0].patches)  # type: ignore[attr-defined]
    assert digits[-1] == 0.75 and digits.sum() == 1 and rest[5] == 1
    assert [ax.get_title() for ax in figure.axes] == ["", ""] and figure.axes[1].get_title(
        loc="left"
    ) == "b"


def test_strokes_are_drawn_with_y_downwards() -> None:
    assert plots.strokes([[(0, 0), (10, 20)]]).yaxis_inverted()


def test_a_shown_figure_carries_its_description_in_every_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = []
    monkeypatch.setattr(
        "IPython.display.display", lambda *content, **options: shown.append((content, options))
    )
    plots.show(plots.class_counts(torch.arange(10)), 'ten bars, "one each" & equal')
    plots.show(plots.class_counts(torch.tensor([3, 3])))  # described by its own numbers
    assert "2: 0, 3: 2, 4: 0" in shown[1][0][0]["text/plain"]
    (bundle,), options = shown[0]
    assert bundle["text/plain"] == 'ten bars, "one each" & equal'
    assert 'alt="ten bars, &quot;one each&quot; &amp; equal"' in bundle["text/html"]
    assert options["metadata"]["image/png"]["alt"] == bundle["text/plain"]
    assert Image.open(io.BytesIO(bundle["image/png"])).format == "PNG"
    assert plt.get_fignums() == []  # else the notebook would show it a second time
    json.dumps(options)
