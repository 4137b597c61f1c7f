"""A real Chromium for tests: Debian's, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.support.parts import missing

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Where it is."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing("chromium")
    return found


@contextmanager
def browser_page() -> Iterator[Page]:
    """A fresh window; what its pages log as errors (a refused script) fails the test."""
    executable = chromium()
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        page = browser.new_page()
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_default_timeout(20_000)
        try:
            yield page
        finally:
            browser.close()
    assert not errors
