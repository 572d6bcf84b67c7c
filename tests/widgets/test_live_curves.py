"""The live curves without a page: what they show, and that they can't hurt a training."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from torch import Tensor, nn

from digitlab import Mnist, Recipe, fit
from digitlab.evaluation import percent
from digitlab.training import History, Progress
from digitlab.widgets import LiveCurves
from digitlab.widgets.live_curves import render as render


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(784, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))


@pytest.fixture(scope="module")
def few(sample: Mnist) -> Mnist:
    return sample.first(train=640)


def history(steps: int, epochs_done: int = 0, loss: float = 0.5) -> History:
    accuracies = [0.9 + 0.02 * epoch for epoch in range(epochs_done)]
    seconds = [10.0 * (epoch + 1) for epoch in range(epochs_done)]
    return History(
        val_accuracy=accuracies,
        seconds=seconds,
        batch_losses=[loss] * steps,
        learning_rates=[0.001] * steps,
    )


def words(curves: LiveCurves) -> str:
    return re.sub(r"<[^>]+>", " ", curves._status.value)


def picture(curves: LiveCurves) -> str:
    return str(curves._panels.value)


def test_before_a_training_they_explain_how_to_begin() -> None:
    curves = LiveCurves()
    assert curves.history is None and curves.state == "waiting"
    assert repr(curves) == "LiveCurves(waiting, 0 steps)"
    assert "on_progress" in words(curves)
    assert picture(curves).count("<svg") == 3 and "none yet" in picture(curves)


def test_a_training_is_followed_to_its_end(few: Mnist) -> None:
    curves = LiveCurves()
    returned = fit(Linear(), few, recipe=Recipe(epochs=2), device="cpu", on_progress=curves)
    assert curves.history is returned and curves.state == "done"
    assert "Done: epoch 2 of 2, step 20 of 20" in words(curves)
    assert f"{percent(returned.val_accuracy[-1], 1, counted=True)} after epoch 2" in words(curves)
    assert picture(curves).count("<circle") >= 2  # one an epoch


def test_during_a_training_they_show_epoch_step_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    curves = LiveCurves()
    curves(Progress(30, 100, 1, 2, history(30)))
    assert "Training: epoch 1 of 2, step 30 of 100, 0 s" in words(curves)
    assert "to go" in words(curves)
    assert 'aria-busy="true"' in curves._status.value


def test_the_time_is_that_of_the_history_at_the_end_of_an_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    curves = LiveCurves()
    curves(Progress(50, 100, 1, 2, history(50, 1)))  # one epoch: ten seconds
    assert "10 s, about 10 s to go" in words(curves)


def test_they_draw_at_most_ten_times_a_second_but_always_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    curves, record = LiveCurves(), History()
    drawn = []
    monkeypatch.setattr(
        render, "panels_html", lambda view: str(drawn.append(len(view.history.batch_losses)))
    )
    monkeypatch.setattr("time.monotonic", lambda: 1000.0 + 0.01 * len(record.batch_losses))
    for step in range(1, 101):
        record.batch_losses.append(1.0)
        record.learning_rates.append(0.1)
        curves(Progress(step, 100, 1, 1, record))
    assert drawn[-1] == 100 and drawn.count(100) == 1 and len(drawn) <= 12


def test_a_second_training_starts_again_and_shows_the_first_dashed(few: Mnist) -> None:
    curves = LiveCurves()
    first = fit(Linear(), few, recipe=Recipe(), device="cpu", on_progress=curves)
    assert "before" not in picture(curves)
    second = fit(
        Linear(), few, recipe=Recipe(max_learning_rate=0.03), device="cpu", on_progress=curves
    )
    assert curves.history is second is not first
    assert 'class="before"' in picture(curves) and "Dashed: the training before" in picture(curves)
    assert "step 10 of 10" in words(curves)


def test_a_longer_training_before_stays_inside_the_picture() -> None:
    curves = LiveCurves()
    curves(Progress(500, 500, 5, 5, history(500, 5)))
    curves(Progress(100, 100, 1, 1, history(100, 1)))
    assert max(float(x) for x in re.findall(r"[ML](\d+\.\d) ", picture(curves))) <= 400


class Interrupted(LiveCurves):
    """Presses the stop button at step 5."""

    def __call__(self, progress: Progress) -> None:
        super().__call__(progress)
        if progress.step >= 5:
            raise KeyboardInterrupt


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_after_an_interrupt_the_curves_stay_and_say_so(few: Mnist, shell: InteractiveShell) -> None:
    curves = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        fit(Linear(), few, device="cpu", on_progress=curves)
    assert curves.state == "training"
    shell.events.trigger("post_run_cell", None)  # what the notebook does when a cell has ended
    assert curves.state == "stopped"
    assert "Stopped early: epoch 1 of 1, step 5 of 10" in words(curves)
    assert not curves._slider.disabled and "to go" not in words(curves)
    shell.events.trigger("post_run_cell", None)
    assert curves.state == "stopped"


def test_the_controls_are_off_until_the_end_of_the_training() -> None:
    curves, record = LiveCurves(), history(100, 1, loss=0.5)
    record.batch_losses[:50] = [2.0] * 50
    first = History(batch_losses=record.batch_losses[:60], learning_rates=[0.1] * 60)
    curves(Progress(60, 100, 1, 1, first))
    assert curves._slider.disabled and curves._switch.disabled
    curves(Progress(100, 100, 1, 1, record))
    slider = curves._slider
    assert not slider.disabled and (slider.min, slider.max, curves.step) == (1, 100, 100)
    slider.value = 50
    assert curves.step == 50
    assert "Step 50: loss 2 (mean of the last 25), learning rate 0.001" in words(curves)
    assert "after epoch" not in words(curves)
    before = picture(curves)
    curves._switch.value = False
    assert not curves.logarithmic and picture(curves) != before


def test_an_error_in_drawing_is_shown_and_does_not_stop_the_training(
    few: Mnist, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = LiveCurves()

    def broken(_: Any) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(render, "panels_html", broken)
    returned = fit(Linear(), few, device="cpu", on_progress=curves)
    assert len(returned.val_accuracy) == 1
    assert "could not be drawn" in words(curves) and "ZeroDivisionError" in words(curves)


@pytest.mark.parametrize("loss", [math.nan, math.inf, 1e30, 0.0, 1e-12])
def test_losses_that_blow_up_or_vanish_are_drawn_without_an_error(loss: float) -> None:
    curves, record = LiveCurves(), history(100, 1)
    record.batch_losses[40:] = [loss] * 60
    curves(Progress(100, 100, 1, 1, record))
    paths = re.findall(r' d="([^"]+)"', picture(curves))
    assert "Done" in words(curves) and not any("nan" in path or "inf" in path for path in paths)


def test_the_running_mean_is_the_plain_one() -> None:
    values = torch.rand(100).tolist()
    expected = [sum(values[max(0, i - 24) : i + 1]) / min(i + 1, 25) for i in range(100)]
    assert render.running_mean(values) == pytest.approx(expected)


def test_the_running_mean_recovers_from_a_batch_that_is_not_a_number() -> None:
    means = render.running_mean([1.0, math.nan, 1e30, *[2.0] * 30])
    assert math.isnan(means[5]) and means[-1] == pytest.approx(2.0)


def test_a_long_training_is_drawn_with_few_points() -> None:
    view = render.View(history(100_000, 2), steps=100_000, epochs=2)
    assert len(render.panels_html(view)) < 20_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (render.duration(12.4), "12 s"),
        (render.duration(80), "1 min 20 s"),
        (render.number(0.01234), "0.0123"),
        (render.number(4.4e-9), "4.4e-09"),
        (render.number(math.nan), "not a number"),
    ],
)
def test_numbers_are_written_for_people(text: str, expected: str) -> None:
    assert text == expected


def test_single_batches_are_shaded_even_in_a_short_training() -> None:
    record = history(40)
    record.batch_losses[::2] = [2.0] * 20
    band = re.search(
        r'class="spread" d="M([^"]+)"', render.panels_html(render.View(record, steps=40))
    )
    assert band is not None
    heights = {point.split()[1] for point in band[1].split("L")}
    assert len(heights) == 2  # of 0.5 and of 2.0
