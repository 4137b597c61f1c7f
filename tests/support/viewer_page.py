"""The viewer's page in a browser, for tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
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


def opened(window: Page, run: Path, values: Sequence[Path] = ()) -> Page:
    """Write the page of `run` to a file and open it, with the network off."""
    with RunReader.open(run, values=values) as reader:
        file = write_page(run, run / "view.html", reader).file
    window.context.set_offline(True)
    window.goto("about:blank")
    window.goto(file.as_uri())
    expect(window.locator('.node[data-node="0"]')).to_be_visible()
    return window


def choose(window: Page, node: int) -> None:
    window.locator(f'.node[data-node="{node}"]').click(position={"x": 8, "y": 12})


AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")


def serious(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical in the page as it is shown."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(found => found.violations)")
    return [
        f"{each['id']}: {each['nodes'][0]['target']}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
