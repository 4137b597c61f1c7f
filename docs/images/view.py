"""Makes docs/images/view.png: `python -m docs.images.view`.

Explores bundled tasks with the test's own chat server as the teacher, so that calls and tokens are
there to see, and takes a picture of the page in Chromium.
"""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.browser import browser_page
from tests.support.exploring import ROOT, chat_server, engine, explore

PICTURE = Path(__file__).with_name("view.png")
TASK, NODE = "bird-train-1", 9


def main() -> None:
    with TemporaryDirectory() as folder, chat_server(Path(folder) / "log") as base_url:
        run = Path(folder) / "people-and-books"
        command = explore(run, base_url, 24, "--width", "3", "--solved", "2")
        subprocess.run(command, cwd=ROOT, check=True)
        engine("view", str(run))
        with browser_page() as page:
            page.set_viewport_size({"width": 1200, "height": 560})
            page.goto(f"{(run / 'view.html').as_uri()}#{TASK}/{NODE}")
            page.locator(f'.node[data-node="{NODE}"]').wait_for()
            page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()
