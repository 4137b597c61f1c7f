"""The viewer's page in a browser, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from engine.view.reader import RunReader
from engine.view.static import write_page
from tests.support.browser import browser_page


@contextmanager
def window_on_pages() -> Iterator[Page]:
    """One page for all tests of a file; an error that it logs fails the last of them."""
    with browser_page() as page:
        page.set_viewport_size({"width": 1280, "height": 800})
        yield page


def opened(window: Page, run: Path) -> Page:
    """Write the page of `run` to a file and open it, with the network off."""
    with RunReader.open(run) as reader:
        file = write_page(run, run / "view.html", reader).file
    window.context.set_offline(True)
    window.goto("about:blank")
    window.goto(file.as_uri())
    expect(window.locator('.node[data-node="0"]')).to_be_visible()
    return window


def choose(window: Page, node: int) -> None:
    window.locator(f'.node[data-node="{node}"]').click(position={"x": 8, "y": 12})
