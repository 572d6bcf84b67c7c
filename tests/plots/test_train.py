"""Figures of notebook 3: the loss and its slope, a film of a kernel, the course of a training."""

import io
import json
from statistics import mean, stdev

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from digitlab import History, plots
from digitlab.plots._style import description, to_film
from tests.support import ROOT


@pytest.fixture(autouse=True)
def _close_figures() -> None:
    plt.close("all")


def test_the_curve_of_the_loss_names_what_each_answer_costs() -> None:
    ax = plots.negative_log((0.5, 0.1))
    assert [text.get_text() for text in ax.texts] == ["50 %: 0.69", "10 %: 2.30"]


def test_the_tangent_has_the_gradients_slope_and_touches_the_point() -> None:
    ax = plots.slope([-1.0, 0.0, 1.0], [1.0, 0.0, 1.0], at=(0.5, 0.25), gradient=1.0)
    tangent = ax.lines[1].get_xydata()
    assert tangent.tolist() == [[0.0, -0.25], [1.0, 0.75]]
    assert "slope +1.0000" in ax.get_label()


def test_a_chain_shows_each_value_and_each_slope() -> None:
    ax = plots.chain([("x", 2.0, -0.24), ("x²", 4.0, 1.0)])
    written = [text.get_text() for text in ax.texts]
    assert {"2", "−0.24", "4", "1"} <= set(written)


def film() -> list[Figure]:
    kernels = [torch.full((3, 3), number / 10) for number in range(11)]
    return plots.learning_kernel(torch.rand(1, 8, 8), kernels, torch.rand(8, 8), frames=4)


def test_a_film_of_a_kernel_begins_and_ends_with_its_first_and_last_numbers() -> None:
    frames = film()
    first, last = (
        {text.get_text() for text in frame.axes[0].texts} for frame in (frames[0], frames[-1])
    )
    assert (first, last) == ({"0.0"}, {"1.0"})
    assert "After 10 steps the kernel is 1 1 1 / 1 1 1 / 1 1 1." in description(frames[-1])


def test_a_shown_film_is_an_animated_picture_that_is_small_and_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[dict[str, bytes]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    plots.show(film())
    picture = Image.open(io.BytesIO(shown[0]["image/png"]))
    assert picture.is_animated  # type: ignore[attr-defined]
    assert picture.info["loop"] == 3
    assert len(shown[0]["image/png"]) < 300_000
    assert plt.get_fignums() == []


def test_a_program_that_can_not_play_a_film_shows_its_last_picture() -> None:
    colors = ("red", "green", "blue")
    pictures = []
    for color in colors:
        buffer = io.BytesIO()
        Image.new("RGB", (4, 4), color).save(buffer, format="png")
        pictures.append(buffer.getvalue())
    still = Image.open(io.BytesIO(to_film(pictures)))
    assert still.convert("RGB").getpixel((0, 0)) == (0, 0, 255)


def test_the_rate_that_was_picked_is_marked_and_a_curve_that_leaves_the_top_is_noted() -> None:
    ax = plots.loss_by_learning_rate(
        [0.001, 0.01, 0.1, 1.0, 10.0], [2.3, 1.0, 0.5, 9.0, 90.0], window=2, picked=0.01
    )
    words = [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    assert "picked: 0.01" in words
    assert "part of the curve lies above" in [text.get_text() for text in ax.texts]


def test_each_ingredient_has_its_mean_and_spread_beside_it() -> None:
    rows = json.loads((ROOT / "digitlab" / "results" / "ingredients.json").read_text())["rows"]
    ax = plots.ingredients(rows)
    percent = [100 * accuracy for accuracy in rows[-1]["val_accuracies"]]
    expected = f"{mean(percent):.2f} % ± {stdev(percent):.2f}"
    assert expected in [text.get_text() for text in ax.texts]


def test_kernels_before_and_after_share_one_scale() -> None:
    figure = plots.before_and_after(torch.ones(4, 1, 3, 3), 3 * torch.ones(4, 1, 3, 3), columns=2)
    limits = {picture.get_clim() for ax in figure.axes[:2] for picture in ax.images}
    assert limits == {(-3.0, 3.0)}


def test_curves_of_several_runs_say_that_they_are_means() -> None:
    runs = [History(train_loss=[1.0, 0.5], val_loss=[1.1, 0.8])] * 3
    ax = plots.train_and_validation(runs)
    words = [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    assert words == ["training, mean of 3", "validation, mean of 3"]
