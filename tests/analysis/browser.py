"""A headless Chromium for tests: Debian's, driven by playwright, with no way off the machine."""

import os
import shutil
import time
from contextlib import contextmanager

import pytest

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def require_chromium() -> str:
    """Its path. Without it the test fails on CI and is skipped elsewhere, with the reason."""
    path = CHROMIUM if os.path.exists(CHROMIUM) else shutil.which("chromium")
    if path is None:
        reason = "no chromium on this machine: apt-get install chromium"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{reason} (CI must test the page in a browser)")
        pytest.skip(reason)
    return path


@contextmanager
def browser(profile):
    """A persistent context in an empty profile folder."""
    pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=require_chromium(),
            args=FLAGS,
            viewport={"width": 1280, "height": 900},
        )
        try:
            yield context
        finally:
            context.close()


def load(tab, file, fragment=""):
    tab.goto("about:blank")
    tab.goto(file.as_uri() + fragment)
    tab.wait_for_selector("html[data-ready=charts]")


def until(tab, condition, seconds=30):
    """Wait for a condition: playwright's own waiting evaluates text in the page, which the page forbids."""
    end = time.monotonic() + seconds
    while not tab.evaluate(condition):
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        tab.wait_for_timeout(50)


def type_in(tab, box, text):
    """Type into a box: that of an axis, "N", or one of the cost's."""
    place = f"#{box}" if box in ("batch", "input", "output") else f"#at-{box}"
    tab.fill(place, text)
    tab.press(place, "Enter")


def cells(tab, table):
    return tab.eval_on_selector_all(
        f"#{table} tr", "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
    )
