"""One window of a real Chromium, driven by Playwright, that sees our sites and nothing else.

Clock, random numbers, language and window are fixed, so that equal actions show equal pages.
"""

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Error, Locator, Page, Route, async_playwright

from environments.browser.sites import Answer, Sites
from sandbox.errors import SandboxError

NAMES = ("chromium", "chromium-browser", "google-chrome")
NOW = "2026-05-04T10:00:00Z"
"""The time that pages see: a Monday."""
RANDOM = """(() => {
    let seed = 1;
    Math.random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
})()"""
ONE_WINDOW = """(() => {
    window.open = url => { location.assign(url || "/"); return null; };
    for (const kind of ["click", "submit"])
        document.addEventListener(kind, event =>
            event.target.closest("[target]")?.removeAttribute("target"), true);
})()"""
"""What would open a second window opens in this one."""
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
UNREACHABLE = "<title>Error</title><h1>This site cannot be reached</h1>"
PATIENCE_MS = 3_000
"""How long an element may take to be there and take an action."""
LOAD_MS = 20_000
_ADDRESSES = re.compile(r":\n *- /url: [^\n]*(?=\n|$)")  # of links that hold nothing else
_TEXT_ROLES = ("textbox", "searchbox", "spinbutton", "combobox")


class NotDone(Exception):
    """The page does not take the action; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """An element, as the page's accessibility tree names it: the `number`th of role and name."""

    role: str
    name: str
    number: int = 1


class Window:
    """A browser with one page."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._driver: Any = None
        self._browser: Any = None
        self._page: Page | None = None
        self._waiting = 0
        self._told: list[str] = []

    @property
    def page(self) -> Page:
        """The page that is shown."""
        assert self._page is not None
        return self._page

    async def open(self, url: str) -> None:
        """Show `url` in a new window without cookies or history.

        Raises:
            SandboxError: there is no Chromium, or it does not start.
        """
        if self._browser is None or not self._browser.is_connected():
            await self._launch()
        for context in self._browser.contexts:
            await context.close()
        context = await self._browser.new_context(
            viewport={"width": 1024, "height": 768},
            locale="en-GB",
            timezone_id="UTC",
            reduced_motion="reduce",
            accept_downloads=False,
            service_workers="block",
        )
        context.set_default_timeout(PATIENCE_MS)
        context.set_default_navigation_timeout(LOAD_MS)
        await context.clock.set_fixed_time(NOW)
        await context.add_init_script(RANDOM)
        await context.add_init_script(ONE_WINDOW)
        await context.route("**/*", self._respond)
        self._waiting, self._told = 0, []
        self._page = await context.new_page()
        self._page.on("dialog", self._dismiss)
        await self._page.goto(url)
        await self._settle()

    async def close(self) -> None:
        """End the browser; calling it twice is fine."""
        browser, self._browser = self._browser, None
        driver, self._driver = self._driver, None
        if browser is not None:
            with suppress(Error):
                await browser.close()
        if driver is not None:
            await driver.stop()

    async def seen(self) -> str:
        """Return the page as text: its address, its title and its accessibility tree."""
        body = self.page.locator("body")
        tree = await body.aria_snapshot() if await body.count() else ""
        address = urlsplit(self.page.url)
        where = f"{address.hostname}{address.path}"
        told, self._told = self._told, []
        return "\n".join([*told, f"{where}: {await self.page.title()}", _ADDRESSES.sub("", tree)])

    async def click(self, target: Target) -> None:
        """Click an element.

        Raises:
            NotDone: There is none, or it does not take it.
        """
        await self._do(target.name, (await self._found((target.role,), target)).click())

    async def type(self, target: Target, text: str, *, enter: bool) -> None:
        """Replace the text of a field, and press Enter if wanted; see `click`."""
        field = await self._found(_TEXT_ROLES, target)
        await self._do(target.name, field.fill(text))
        if enter:
            await self._do(target.name, field.press("Enter"))

    async def select(self, target: Target, option: str) -> None:
        """Choose an option of a list by its label; see `click`."""
        field = await self._found(("combobox", "listbox"), target)
        await self._do(target.name, field.select_option(label=option))

    async def back(self) -> None:
        """Go back to the page before, if there is one; see `click`."""
        if await self.page.evaluate("history.length") < 3:  # about:blank is the first
            raise NotDone("there is no page to go back to")
        await self._do("back", self.page.go_back())

    async def _launch(self) -> None:
        await self.close()
        path = next(filter(None, map(shutil.which, NAMES)), None)
        try:
            self._driver = await async_playwright().start()
            self._browser = await self._driver.chromium.launch(
                executable_path=path, args=["--host-resolver-rules=MAP * ~NOTFOUND"]
            )
        except Error as error:
            await self.close()
            first = str(error).strip().splitlines()[0]
            raise SandboxError(
                f"Chromium does not start ({first}): apt-get install chromium, or "
                "playwright install chromium"
            ) from error

    async def _found(self, roles: tuple[str, ...], target: Target) -> Locator:
        words = r"\s+".join(map(re.escape, target.name.split()))
        name = re.compile(rf"^\s*{words}\s*$", re.IGNORECASE)
        for role in roles:
            found = self.page.get_by_role(role, name=name)  # type: ignore[arg-type]
            if await found.count() >= target.number:
                return found.nth(target.number - 1)
        kind = " or ".join(roles) if len(roles) < 3 else "field"
        raise NotDone(f"the page has no {kind} {target.name[:100]!r} number {target.number}")

    async def _do(self, name: str, action: Any) -> None:
        try:
            await action
        except Error as error:
            first = str(error).strip().splitlines()[0][:200]
            raise NotDone(f"{name[:100]!r} does not take it: {first}") from error
        await self._settle()

    async def _settle(self) -> None:
        """Wait until the page has loaded, drawn itself, and waits for no answer."""
        for _ in range(100):
            try:
                await self.page.wait_for_load_state("load")
                await self.page.evaluate(TWO_FRAMES)
            except Error:  # it went on to another page meanwhile
                continue
            if not self._waiting:
                return
        raise SandboxError("the page does not come to rest")

    async def _respond(self, route: Route) -> None:
        request = route.request
        self._waiting += 1
        try:
            answer = self._sites.answer(request.url, request.method, request.post_data or "")
            await self._fulfil(route, answer)
        except Error:  # the page has gone
            pass
        finally:
            self._waiting -= 1

    async def _fulfil(self, route: Route, answer: Answer | None) -> None:
        if answer is None and route.request.resource_type == "document":
            await route.fulfill(status=502, body=UNREACHABLE, content_type="text/html")
        elif answer is None:
            await route.abort("internetdisconnected")
        else:
            await route.fulfill(
                status=answer.status, body=answer.body, content_type=answer.content_type
            )

    async def _dismiss(self, dialog: Any) -> None:
        self._told.append(f"the page says: {' '.join(dialog.message.split())[:500]}")
        await dialog.dismiss()
