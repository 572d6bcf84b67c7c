"""The digit browser without a page: what its controls and its methods do, and the HTML that it shows."""

import re
from html.parser import HTMLParser

import pytest
import torch
import traitlets

from digitlab import Mnist
from digitlab.widgets import DigitBrowser
from digitlab.widgets.digit_browser import picture_svg, readout_svg


@pytest.fixture
def browser(sample: Mnist) -> DigitBrowser:
    return DigitBrowser(sample, seed=0)


def press(browser: DigitBrowser, name: str) -> None:
    next(button for button in browser._buttons if button.description == name).click()


def shown(browser: DigitBrowser) -> list[str]:
    """Everything that the browser shows, one text a part."""
    return [
        part.value
        for part in (browser._caption, browser._picture, browser._readout, browser._strip)
    ]


def test_it_opens_on_a_picture_with_its_label_index_value_and_neighbours(
    browser: DigitBrowser, sample: Mnist
) -> None:
    caption, picture, readout, strip = shown(browser)
    label = int(sample.train_labels[0])
    assert f"<b>{label}</b>training image 0" in caption and f"a handwritten {label}" in picture
    assert f"Row 14, column 14: <tspan>{int(sample.train_images[0, 0, 14, 14])}</tspan>" in readout
    assert strip.count("<img") == 9 and strip.count("current") == 1
    assert "The images before and after it" in strip


def test_next_and_previous_stay_with_the_chosen_digit_and_go_round(sample: Mnist) -> None:
    browser = DigitBrowser(sample, digit=7)
    sevens = (sample.train_labels == 7).nonzero().flatten().tolist()
    assert browser.index == sevens[0]
    press(browser, "Next")
    assert browser.index == sevens[1]
    assert "The 7s before and after it" in browser._strip.value
    press(browser, "Previous")
    press(browser, "Previous")
    assert browser.index == sevens[-1] and browser.label == 7
    press(browser, "Next")
    assert browser.index == sevens[0]


def test_random_keeps_the_digit_and_is_decided_by_the_seed(sample: Mnist) -> None:
    walks = []
    for _ in range(2):
        browser = DigitBrowser(sample, digit=3, seed=5)
        walk = []
        for _ in range(5):
            press(browser, "Random")
            walk.append(browser.index)
        walks.append(walk)
    assert walks[0] == walks[1] and len(set(walks[0])) > 1
    assert all(sample.train_labels[index] == 3 for index in walks[0])


def test_choosing_a_digit_goes_on_to_the_next_such_image(
    browser: DigitBrowser, sample: Mnist
) -> None:
    browser.show(100)
    browser._digit_buttons.value = "4"
    assert browser.label == 4 and browser.index >= 100
    assert 4 not in sample.train_labels[100 : browser.index]


def test_an_index_of_another_digit_is_shown_and_frees_the_choice(
    browser: DigitBrowser, sample: Mnist
) -> None:
    browser.digit = 4
    other = int((sample.train_labels == 5).nonzero()[0])
    browser._index_box.value = other
    assert (browser.index, browser.label, browser.digit) == (other, 5, None)
    assert (browser._digit_buttons.value, browser._digit_buttons.index) == ("any", 0)


def test_any_can_be_chosen_again_and_stays_marked(browser: DigitBrowser) -> None:
    assert browser._digit_buttons.index == 0
    browser._digit_buttons.value = "4"
    assert browser.digit == 4
    here = browser.index
    browser._digit_buttons.index = 0  # as the page sets it
    assert (browser.digit, browser.index) == (None, here)
    assert (browser._digit_buttons.value, browser._digit_buttons.index) == ("any", 0)


def test_the_last_image_has_no_later_one_of_its_digit_so_the_first_follows(sample: Mnist) -> None:
    browser = DigitBrowser(sample, index=len(sample.train_labels) - 1)
    browser.digit = (browser.label + 1) % 10
    assert browser.index == int((sample.train_labels == browser.digit).nonzero()[0])


def test_the_other_split_keeps_the_digit_and_has_its_own_last_index(
    browser: DigitBrowser, sample: Mnist
) -> None:
    browser.digit = 6
    browser.random()
    browser._split_buttons.value = "val"
    assert (
        browser.index == int((sample.val_labels == 6).nonzero()[0])
        and browser.label == browser.digit == 6
    )
    assert torch.equal(browser.image, sample.val_images[browser.index])
    browser._index_box.value = len(sample.val_labels)
    assert (
        "There is no validation image 500: the first is 0, the last is 499."
        in browser._message.value
    )
    browser.split = "train"
    browser._index_box.value = len(sample.val_labels)
    assert browser.index == 500 and browser._message.value == ""


def test_test_images_are_not_to_be_had(browser: DigitBrowser, sample: Mnist) -> None:
    with pytest.raises(traitlets.TraitError):
        browser.split = "test"
    with pytest.raises(traitlets.TraitError):
        DigitBrowser(sample, split="test")


@pytest.mark.parametrize("index", [-1, 4000])
def test_an_index_that_does_not_exist_is_refused_and_changes_nothing(
    browser: DigitBrowser, index: int
) -> None:
    before = shown(browser)
    with pytest.raises(
        IndexError, match="there is no training image .*: the first is 0, the last is 3,999"
    ):
        browser.show(index)
    assert shown(browser) == before and browser.index == 0


@pytest.mark.parametrize("typed", [99_999_999, -1])
def test_a_typed_index_that_does_not_exist_is_answered_and_put_back(
    browser: DigitBrowser, typed: int
) -> None:
    browser.show(7)
    browser._index_box.value = typed
    assert (
        f"There is no training image {typed:,}: the first is 0, the last is 3,999."
        in browser._message.value
    )
    assert (browser.index, browser._index_box.value) == (7, 7)
    browser._index_box.value = 8
    assert browser.index == 8 and browser._message.value == ""


def test_row_and_column_choose_the_pixel_that_is_read(browser: DigitBrowser) -> None:
    brightest = int(browser.image.argmax())
    browser._row_slider.value, browser._column_slider.value = divmod(brightest, 28)
    place = f"Row {brightest // 28}, column {brightest % 28}"
    assert f"{place}: <tspan>{int(browser.image.max())}</tspan>" in browser._readout.value
    assert f'x="{brightest % 28 - 0.1}" y="{brightest // 28 - 0.1}"' in browser._marker.value
    browser.next()
    assert (browser.row, browser.column) == divmod(brightest, 28)


def test_an_error_becomes_a_sentence_and_the_browser_lives_on(
    browser: DigitBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("digitlab.widgets.digit_browser.strip_html", lambda *_, **__: 1 / 0)
        press(browser, "Next")
        assert (
            'role="alert">That did not work (ZeroDivisionError: division by zero)'
            in browser._message.value
        )
    press(browser, "Next")
    assert (
        browser._message.value == ""
        and browser.index == 2
        and "training image 2" in browser._caption.value
    )


def test_a_digit_that_the_data_lacks_is_said_so(sample: Mnist) -> None:
    few = sample.train_labels != 8
    without = Mnist(
        sample.train_images[few],
        sample.train_labels[few],
        *[getattr(sample, n) for n in FIELDS],
        source="sample",
    )
    browser = DigitBrowser(without)
    browser._digit_buttons.value = "8"
    assert "there is no 8 among the training images" in browser._message.value
    browser._digit_buttons.value = "9"
    assert browser.label == 9 and browser._message.value == ""


FIELDS = ("val_images", "val_labels", "test_images", "test_labels")


def test_every_pixel_of_the_picture_tells_its_place_and_value() -> None:
    image = torch.arange(784).remainder(256).to(torch.uint8).reshape(1, 28, 28)
    svg = picture_svg(image, 3)
    told = re.findall(
        r'fill="#(\w\w)\1\1"/><text y="30">Row (\d+), column (\d+): <tspan>(\d+)<', svg
    )
    assert len(told) == 784
    for grey, row, column, value in told:
        assert int(grey, 16) == int(value) == int(image[0, int(row), int(column)])


@pytest.mark.parametrize(
    ("value", "meaning"), [(0, "paper"), (1, "partly ink"), (250, "partly ink"), (255, "full ink")]
)
def test_a_value_is_told_in_words(value: int, meaning: str) -> None:
    assert f"Row 1, column 2: <tspan>{value}</tspan> ({meaning})" in readout_svg(1, 2, value)
    assert f"Row 0, column 0: <tspan>{value}</tspan> ({meaning})" in picture_svg(
        torch.full((1, 28, 28), value), 3
    )


def test_pictures_have_alternative_texts_and_changes_are_announced(browser: DigitBrowser) -> None:
    missing = []

    class Images(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            is_picture = tag in ("img", "svg") and ("role", "presentation") not in attrs
            if is_picture and not dict(attrs).keys() & {"alt", "aria-label", "aria-hidden"}:
                missing.append(attrs)

    for part in (*shown(browser), browser._marker.value):
        Images().feed(part)
    assert not missing
    assert 'role="status"' in browser._caption.value and 'role="status"' in browser._readout.value


def test_its_repr_is_short_and_says_what_is_shown(browser: DigitBrowser) -> None:
    assert repr(browser) == f"DigitBrowser(training image 0, a {browser.label})"
