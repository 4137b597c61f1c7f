"""What a user sees while a run goes on."""

import io
import time
from pathlib import Path

import pytest
from rich.console import Console, Group

from engine.api import explore_config
from engine.chat.limiter import Limiter
from engine.runs.explore import Progress
from engine.runs.plan import Selection
from engine.runs.progress import Bar
from environments import Task
from search import Tree
from search.tree import ROOT, Call
from search.usage import Usage
from tests.support.chat_server import ChatServer, SqlPlayer, status
from tests.support.configs import make_config


def shown(bar: Bar, width: int) -> list[str]:
    """What the bar shows now, beside its own console."""
    drawn = io.StringIO()
    Console(file=drawn, width=width).print(Group(*bar._display.get_renderables()))
    return drawn.getvalue().splitlines()


def play(bar: Bar) -> None:
    """240 tasks of a run that has 6 finished ones; 14 more are finished now."""
    bar.begin(240, 6)
    tree = Tree(Task("a", "?"), "m", calls=[Call(ROOT, "k", Usage(21, 45000, 900, 0, 0.5))])
    for _ in range(14):
        bar.tree(tree)


@pytest.mark.parametrize("width", [200, 80, 60, 40, 32])
async def test_no_width_cuts_the_total_or_the_time_left(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with Bar(console) as bar:
        bar.begin(240, 6)
        assert shown(bar, width)[0].endswith("6/240 time left unknown")
        time.sleep(0.1)
        play(bar)
        limiter = Limiter(8)
        bar.throttle(lambda: limiter.throttle)
        first, *rest = shown(bar, width)
        assert " 20/240 " in first and first.endswith(" s left") and len(first) == width
        words = " ".join(" ".join(rest).split())
        assert "294 requests, 642,600 tokens, $7.00, " in words and "throttled" not in words
        limiter.cut(0, pause=30)
        words = " ".join(" ".join(shown(bar, width)[1:]).split())
        assert words.endswith("tasks/min, throttled to 4 of 8 requests at once, none for 30 s")


def test_lines_go_where_there_is_no_terminal() -> None:
    told = io.StringIO()
    with Bar(Console(file=told, width=80), every=0.05) as bar:
        play(bar)
        time.sleep(0.2)
    lines = told.getvalue().splitlines()
    assert 2 <= len(lines) <= 4
    assert lines[0].startswith("20 of 240 tasks, ") and " s left: 0 solved, 0 failed" in lines[0]


def test_a_run_tells_how_far_its_server_holds_it_back(tmp_path: Path) -> None:
    class Watch(Progress):
        seen = ""

        def throttle(self, now):
            self.now = now

        def tree(self, tree: Tree) -> None:
            self.seen = self.seen or self.now().text

    faults = [status(429, after=0.1)] * 2
    watch = Watch()
    with ChatServer(SqlPlayer(), faults=faults) as server:
        config = make_config("bird", split="train", teacher="player", base_url=server.base_url)
        explore_config(config, tmp_path / "r", selection=Selection(limit=2), progress=watch)
    assert watch.seen.startswith("throttled to ") and watch.seen.endswith(" of 8 requests at once")
