"""The digit browser without a page: what its controls and methods do, and the HTML it shows."""

from html.parser import HTMLParser

import pytest
import torch
import traitlets

from digitlab import Mnist
from digitlab.widgets import DigitBrowser
from digitlab.widgets.common import png_data_uri
from digitlab.widgets.digit_browser import readout_html
from tests.support.pointing import press_key, send


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
    assert png_data_uri(sample.train_images[0]) in picture
    assert f"Row 14, column 14: <b>{int(sample.train_images[0, 0, 14, 14])}</b>" in readout
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


def test_random_keeps_the_digit_and_depends_on_the_seed_only(sample: Mnist) -> None:
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


def test_choosing_a_digit_shows_the_next_image_of_it(browser: DigitBrowser, sample: Mnist) -> None:
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
def test_a_typed_index_that_does_not_exist_is_explained_and_restored(
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


def test_row_and_column_choose_the_pixel_whose_value_is_shown(browser: DigitBrowser) -> None:
    row, column = divmod(int(browser.image.argmax()), 28)
    browser._row_slider.value, browser._column_slider.value = row, column
    value = int(browser.image.max())
    assert f"Row {row}, column {column}: <b>{value}</b>" in browser._readout.value
    assert f'x="{column}" y="{row}"' in browser._frames.value
    browser.next()
    assert (browser.row, browser.column) == (row, column)


def test_the_pixel_under_the_mouse_is_shown_until_the_mouse_leaves(browser: DigitBrowser) -> None:
    send(browser._overlay, "mouse_move", 20.5, 12.9)
    value = int(browser.image[0, 20, 12])
    assert f"Row 20, column 12: <b>{value}</b>" in browser._readout.value
    assert 'aria-busy="true"' in browser._readout.value
    assert browser._frames.value.count("<g") == 2 and (browser.row, browser.column) == (14, 14)
    send(browser._overlay, "mouse_out", 40, 12)
    assert "Row 14, column 14: " in browser._readout.value
    assert 'aria-busy="false"' in browser._readout.value and browser._frames.value.count("<g") == 1


def test_a_click_and_the_arrow_keys_choose_a_pixel_and_move_the_sliders(
    browser: DigitBrowser,
) -> None:
    send(browser._overlay, "mouse_down", 3, 5)
    assert (browser._row_slider.value, browser._column_slider.value) == (3, 5)
    press_key(browser._overlay, "ArrowUp")
    press_key(browser._overlay, "ArrowRight")
    assert (browser.row, browser.column) == (2, 6)
    assert "Row 2, column 6: " in browser._readout.value
    browser.column = 27
    press_key(browser._overlay, "ArrowRight")
    assert (browser.row, browser.column) == (2, 27)


def test_an_image_costs_the_page_few_bytes_and_a_movement_within_a_pixel_none(
    browser: DigitBrowser,
) -> None:
    assert len(browser._picture.value) < 1500
    send(browser._overlay, "mouse_move", 20.2, 12.2)
    changes: list[str] = []
    for part in (browser._picture, browser._frames, browser._readout):
        part.observe(lambda change: changes.append(change.new), "value")
    send(browser._overlay, "mouse_move", 20.8, 12.8)
    assert not changes
    send(browser._overlay, "mouse_move", 20.8, 13.1)
    assert len(changes) == 2 and sum(map(len, changes)) < 1000


def test_an_error_becomes_a_sentence_and_the_browser_stays_usable(
    browser: DigitBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("digitlab.widgets.digit_browser.strip_html", lambda *_, **__: 1 / 0)
        press(browser, "Next")
        assert "ZeroDivisionError: division by zero." in browser._message.value
    press(browser, "Next")
    assert (
        browser._message.value == ""
        and browser.index == 2
        and "training image 2" in browser._caption.value
    )


def test_a_digit_that_the_data_lacks_is_explained(sample: Mnist) -> None:
    few = sample.train_labels != 8
    without = Mnist(
        sample.train_images[few],
        sample.train_labels[few],
        *[getattr(sample, n) for n in FIELDS],
        source="sample",
    )
    browser = DigitBrowser(without)
    browser._digit_buttons.value = "8"
    assert ">There is no 8 among the training images.<" in browser._message.value
    browser._digit_buttons.value = "9"
    assert browser.label == 9 and browser._message.value == ""


FIELDS = ("val_images", "val_labels", "test_images", "test_labels")


@pytest.mark.parametrize(
    ("value", "meaning"), [(0, "paper"), (1, "partly ink"), (250, "partly ink"), (255, "full ink")]
)
def test_a_value_is_put_into_words(value: int, meaning: str) -> None:
    assert f"Row 1, column 2: <b>{value}</b> ({meaning})" in readout_html(1, 2, value)


def test_pictures_have_alternative_texts_and_changes_are_announced(browser: DigitBrowser) -> None:
    missing = []

    class Images(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            is_picture = tag in ("img", "svg")
            if is_picture and not dict(attrs).keys() & {"alt", "aria-label", "aria-hidden"}:
                missing.append(attrs)

    for part in (*shown(browser), browser._frames.value):
        Images().feed(part)
    assert not missing and "point, click" in browser._overlay.tooltip
    assert 'role="status"' in browser._caption.value and 'role="status"' in browser._readout.value


def test_its_repr_is_short_and_says_what_is_shown(browser: DigitBrowser) -> None:
    assert repr(browser) == f"DigitBrowser(training image 0, a {browser.label})"
