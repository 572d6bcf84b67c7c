"""What a network does is found by running it, and drawn as it is."""

from itertools import combinations

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional

from digitlab import DigitCNN, plots
from digitlab.explain import Step, steps


class Pooled(nn.Module):
    """Another order than DigitCNN, keyword arguments, a nested layer, and a convolution that changes no shape."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, bias=False)
        )
        self.head = nn.Linear(4 * 14 * 14, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = functional.avg_pool2d(input=self.body(images / 2), kernel_size=2)
        logits: Tensor = self.head(x.flatten(1))
        return logits


def test_the_steps_of_the_courses_network_are_listed_with_shapes_and_parameters() -> None:
    found = steps(DigitCNN())
    assert [step.shape for step in found if step.layer] == [
        (32, 28, 28),
        (64, 14, 14),
        (128,),
        (10,),
    ]
    assert found[0] == Step("convolution", "conv1", (32, 28, 28), 320)
    assert sum(step.parameters for step in found) == 421_642


def test_any_network_will_do() -> None:
    assert [(step.operation, step.layer, step.parameters) for step in steps(Pooled())] == [
        ("convolution", "body.0", 40),
        ("ReLU", "", 0),
        ("convolution", "body.2", 144),
        ("average pooling", "", 0),
        ("flatten", "", 0),
        ("fully connected", "head", 7850),
    ]


def test_looking_at_a_network_leaves_it_as_it_was() -> None:
    model = DigitCNN().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    steps(model)
    assert model.training and all(
        torch.equal(before[name], value) for name, value in model.state_dict().items()
    )


def test_the_picture_shows_a_block_for_each_shape_and_the_parameters_on_the_arrows() -> None:
    texts = [
        text.get_text()
        for text in plots.architecture(DigitCNN(), image=torch.zeros(1, 28, 28)).texts
    ]
    for shape in ("1×28×28", "32×28×28", "32×14×14", "64×14×14", "64×7×7", "3,136", "128", "10"):
        assert texts.count(shape) == 1
    assert [
        text for text in texts if "401,536" in text and text.startswith("fc1") and "ReLU" in text
    ]


def test_the_pictures_labels_are_legible_at_the_width_of_a_page_and_do_not_touch() -> None:
    ax = plots.architecture(DigitCNN())
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    shrunk_to_a_page = min(1, 8.6 / figure.get_figwidth())
    labels = [
        text for text in ax.texts if text.get_text() and text.get_text() not in set("0123456789")
    ]
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


def test_receptive_fields_are_named_and_parameters_are_counted_in_the_picture() -> None:
    ax = plots.receptive_fields(torch.zeros(1, 28, 28), {"small": (3, 4, 3), "large": (2, 3, 8)})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["small", "large"]  # type: ignore[union-attr]
    bars = plots.parameter_bars({"a": 25, "b": 975})
    assert [text.get_text() for text in bars.texts] == ["25 (2.5 %)", "975 (97.5 %)"]
