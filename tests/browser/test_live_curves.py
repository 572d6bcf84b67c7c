"""The live curves in JupyterLab: they move while the kernel is busy; then the controls work."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import run_code, settle, settled_box

pytestmark = pytest.mark.browser

CODE = """\
import dataclasses
from digitlab import DigitCNN, Recipe, fit, load_mnist
from digitlab.widgets import LiveCurves

mnist = load_mnist(source="sample")
names = "train_images", "train_labels", "val_images", "val_labels"
few = dataclasses.replace(mnist, **{name: getattr(mnist, name)[:960] for name in names})
curves = LiveCurves()
curves"""
TRAIN = 'fit(DigitCNN(), few, recipe=Recipe(epochs=2), device="cpu", on_progress=curves);'
INTERRUPT = """\
def stop(progress):
    curves(progress)
    if progress.step > 5:
        raise KeyboardInterrupt

try:
    fit(DigitCNN(), few, device="cpu", on_progress=stop)
except KeyboardInterrupt:
    pass"""


def test_the_curves_live_from_before_the_training_to_after_an_interrupt(page: Page) -> None:
    curves = page.locator(".digitlab-live-curves")
    status, line = curves.locator(".digitlab-progress"), curves.locator(".wide path.line")
    slider, switch = curves.get_by_role("slider"), curves.get_by_role("checkbox")

    expect(status).to_contain_text("Waiting for a training")
    expect(curves.locator("svg")).to_have_count(3)
    expect(switch).to_be_disabled()

    record_changes(page)
    run_code(page, TRAIN)
    expect(status).to_contain_text("Done: epoch 2 of 2, step 30 of 30")
    settle(page)  # the curves come after the words
    seen = page.evaluate("window.seen")
    # The kernel was busy, and the page showed it all the same.
    assert any(text.startswith("Training: epoch") for text in seen), seen

    expect(switch).to_be_enabled()
    at_the_end = line.get_attribute("d")
    switch.uncheck()
    expect(line).not_to_have_attribute("d", at_the_end or "")
    switch.focus()
    page.keyboard.press("Space")
    expect(line).to_have_attribute("d", at_the_end or "")

    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(status).to_contain_text("Step 27: loss")
    box = settled_box(slider.locator("xpath=ancestor-or-self::*[contains(@class, 'noUi-target')]"))
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(status).to_contain_text(re.compile("Step 1[56]: loss"))  # of 30

    run_code(page, INTERRUPT)
    expect(status).to_contain_text("Stopped early: epoch 1 of 1")
    expect(curves.locator(".wide path.before")).to_have_count(1)
    expect(switch).to_be_enabled()


def record_changes(page: Page) -> None:
    """Keep every text that the status shows from now on."""
    page.evaluate(
        """() => {
            window.seen = [];
            const root = document.querySelector('.digitlab-live-curves');
            new MutationObserver(() => {
                const text = root.querySelector('.digitlab-progress')?.textContent;
                if (text && text !== window.seen.at(-1)) window.seen.push(text);
            }).observe(root, {childList: true, subtree: true, characterData: true});
        }"""
    )
