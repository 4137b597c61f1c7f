"""Makes the pictures of docs/viewer.md: `python -m docs.images.view`.

Explores bundled tasks twice, with the tests' own chat server as the teacher and with one that errs
often, so that calls, failures and differences are there to see, and takes pictures of the pages in
Chromium: a failed task, a filter, a pair, two runs side by side, a telephone.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, expect

from tests.support.browser import browser_page
from tests.support.exploring import chat_server, engine, explore

PICTURES = Path(__file__).parent
DESK, PHONE = {"width": 1280, "height": 600}, {"width": 390, "height": 700}
STATES = {
    "view": ("before/view.html#task=bird-train-1&node=9", DESK),
    "view-failure": ("before/view.html#task=bird-train-1&node=5", DESK),
    "view-filter": ("before/view.html#task=bird-train-1&leaf=failed&search=count", DESK),
    "view-pair": ("before/view.html#task=bird-train-1&tab=pairs", DESK),
    "view-index": ("index.html#before=before&after=after", DESK),
    "view-phone": ("after/view.html#task=bird-train-2&node=3&pane=forest", PHONE),
}
"""By name of the picture: the page, and the size of the window."""
LOOSE = "--sandbox process --unsafe"  # for a machine without Docker
ERRING = "--mistake-rate 0.5 --depth 4 --search react --seed 3"


def main() -> None:
    with TemporaryDirectory() as folder, chat_server(Path(folder) / "log") as base_url:
        runs = Path(folder)
        flags = ["--width", "3", "--solved", "2", *LOOSE.split()]
        engine(*explore(runs / "before", base_url, 24, *flags))
        after = ["--env", "bird", "--split", "train", "--limit", "24", *f"{ERRING} {LOOSE}".split()]
        engine("explore", *after, "--output", str(runs / "after"))
        engine("view", str(runs))
        with browser_page() as page:
            for name, (link, size) in STATES.items():
                _picture(page, f"{runs.as_uri()}/{link}", size, PICTURES / f"{name}.png")


def _picture(page: Page, address: str, size: dict[str, int], file: Path) -> None:
    page.set_viewport_size({"width": size["width"], "height": size["height"]})
    page.goto("about:blank")
    page.goto(address)
    page.locator("#which:not(:empty), #both tr:nth-child(2)").wait_for()
    expect(page.locator("body")).not_to_contain_text("still to search")
    page.wait_for_timeout(300)  # for the last frame
    page.screenshot(path=file)


if __name__ == "__main__":
    main()
