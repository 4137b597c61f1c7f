"""Reports as HTML, Markdown and tables: whole, of several runs, and safe with hostile text."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from rich.console import Console

from engine.api import explore_config
from engine.config import Config
from engine.runs.run import Selection
from environments import Action, Step, Task
from search import React, Tree
from search.tree import ROOT
from trainer.errors import TrainerError
from trainer.evaluation.measures.general_chat import GeneralLoss
from trainer.evaluation.measures.scores import Agreement, JudgeScores
from trainer.evaluation.measures.statistics import Estimate, Rate
from trainer.evaluation.measures.task_results import task_result
from trainer.evaluation.measures.teacher_forcing import TeacherForcing
from trainer.evaluation.metrics import measure, read_report
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.comparison import Comparison
from trainer.evaluation.reporting.document import Plot, line
from trainer.evaluation.reporting.plots import svg, text
from trainer.evaluation.reporting.sections import sections
from trainer.evaluation.reporting.summary import headline, verdict

HOSTILE = "```<script>alert(1)</script>|`[x](http://evil)\x1b[31m\u202e\n# [red]&"
ONE = Estimate(0.5, 0.25, 0.75)


def tree(id: str, *rewards: float, group: str = "shop") -> Tree:
    """A tree of as many chains."""
    made = Tree(Task(id, "?", group=group, tags={"kind": group}), "student")
    for reward in rewards:
        info = {"error": "malformed"} if not reward else {}
        made.add(ROOT, Step(Action("answer", {}), "", reward, terminated=True, info=info))
    return made


def full(name: str, text: str) -> Report:
    """A report with everything in it, `text` wherever text can be."""
    report = measure(name, [tree(text, 1.0, 0.0, group=text), tree("2", 0.0, 0.0)])
    rates = (ONE, ONE, None, Estimate(1.5, 1, 2), ONE, ONE, None, ONE, None)
    report.forced = TeacherForcing(4, 2, 1, 1, 1.0, *rates, 0.5, ["reflection", "profile"])
    scores = {str(n): 0 for n in range(6)} | {"4": 2}
    report.judged = {text: JudgeScores(Estimate(4, 3, 5), Rate(2, 2), Rate(0, 2), scores, 1)}
    report.agreement = {f"{text} and ann": Agreement(0.5, Rate(1, 2), Rate(2, 2))}
    report.general = GeneralLoss(text, 3, {text: 1}, 40, Estimate(2, 1.5, 2.5), 7.39)
    report.harness = {text: {"acc": 0.25}}
    return report


class Parts(HTMLParser):
    """tags: of the page.   attributes: names and values.   words: the text outside of <style>."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_page_holds_every_section_and_needs_no_network(tmp_path: Path) -> None:
    Comparison([full("before", "a"), full("after", "b")]).save(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    parts = Parts(page)
    titles = [section.title for section in sections([full("before", "a"), full("after", "b")])]
    assert set(titles) <= set(parts.words)
    for named in ("pass@k", "errors", "solved by depth", "scores by a", "lm-eval", "general chat"):
        assert named in titles
    assert {"script", "link", "img", "iframe"} & set(parts.tags) == set()
    loading = [value for name, value in parts.attributes if name in ("src", "href")]
    assert loading == []
    assert parts.tags.count("svg") == parts.tags.count("figure") >= 7


def test_hostile_text_is_text_in_a_page(tmp_path: Path) -> None:
    Comparison([full(HOSTILE, HOSTILE)]).save(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    parts = Parts(page)
    assert "script" not in parts.tags
    assert any(line(HOSTILE) in words for words in parts.words)
    assert "\x1b" not in page and "\u202e" not in page
    for drawn in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(drawn)


def test_hostile_text_is_text_in_markdown(tmp_path: Path) -> None:
    Comparison([full(HOSTILE, HOSTILE)]).save(tmp_path / "r.md")
    written = (tmp_path / "r.md").read_text("utf-8")
    prose = re.sub(r"^```text\n.*?^```$", "", written, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)[<`]", prose)
    assert not re.search(r"(?<!\\)\]\(", prose)
    plots = sum(len(section.plots) for section in sections([full(HOSTILE, HOSTILE)]))
    assert len(re.findall(r"^```\s*$", written, re.MULTILINE)) == plots
    assert not re.search("^# .red", prose, re.MULTILINE)
    rows = [row for row in prose.splitlines() if row.startswith("|")]
    for row, below in zip(rows, rows[1:], strict=False):
        if re.fullmatch(r"[|\-: ]+", below):
            assert len(re.findall(r"(?<!\\)\|", row)) == below.count("|")


def test_hostile_text_is_text_at_a_terminal() -> None:
    console = Console(width=300, record=True, file=StringIO(), color_system=None)
    console.print(Comparison([full(HOSTILE, HOSTILE)]))
    shown = console.export_text()
    assert "\x1b" not in shown
    assert "[red]" in shown


def test_several_runs_stand_side_by_side_with_the_last_against_the_first(tmp_path: Path) -> None:
    before = measure("before", [tree(str(n), 0.0) for n in range(20)])
    after = measure("after", [tree(str(n), float(n < 12)) for n in range(20)])
    Comparison([before, after]).save(tmp_path / "r.md")
    written = (tmp_path / "r.md").read_text("utf-8").replace("\\", "")
    row = next(row for row in written.splitlines() if row.startswith("| solved |"))
    cells = "0.0 % [0, 16] (0/20) | 60.0 % [39, 78] (12/20)"
    assert row == f"| solved | {cells} | +60.0 [+33, +78] |"
    assert f"| shop | {cells} |" in written


def test_depths_are_in_the_order_of_numbers() -> None:
    runs = []
    for name, depths in (("before", ("4", "10")), ("after", ("3", "10"))):
        runs.append(measure(name, [tree("1", 1.0)]))
        runs[-1].depths = {depth: Rate(1, 2) for depth in depths}
    by_depth = next(s for s in sections(runs) if s.title == "solved by depth")
    assert [row[0] for row in by_depth.tables[0].rows] == ["3", "4", "10"]


def test_what_a_part_is_made_of_is_said(tmp_path: Path) -> None:
    notes = [note for section in sections([full("run", "a")]) for note in section.notes]
    assert any("0.25 planning + 0.35 tool use + 0.2 conclusion" in note for note in notes)
    assert any("without reflection, profile: no reference" in note for note in notes)
    assert any("1 turns could not be asked" in note for note in notes)


def test_a_plot_of_bars_and_of_a_curve() -> None:
    points = [("a", (Rate(1, 2), None)), ("b", (None, ONE)), ("c", (Rate(2, 2), ONE))]
    bars, curve = (Plot("t", ("x", "y"), points, curve) for curve in (False, True))
    drawn = ET.fromstring(svg(bars))
    rects = [r for r in drawn if r.tag.endswith("rect") and r.get("height") == "11"]
    assert [rect.get("width") for rect in rects] == ["110.0", "110.0", "220.0", "110.0"]
    lines = [part for part in ET.fromstring(svg(curve)) if part.tag.endswith("polyline")]
    assert [len((part.get("points") or "").split()) for part in lines] == [2, 2]
    told = text(bars).splitlines()
    assert told[0] == f"a | x  {'█' * 10}{'·' * 10}  50.0 % [9, 91] (1/2)"
    assert told[1] == f"a | y  {'·' * 20}  -"


def test_the_name_says_the_form(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"must end in \.html or \.md"):
        Comparison([full("a", "a")]).save(tmp_path / "r.pdf")


def test_a_full_report_goes_to_json_and_back() -> None:
    report = full("run", "a")
    assert Report.from_dict(report.to_dict()) == report


def test_a_report_is_readable_where_it_is_printed_and_in_a_notebook(tmp_path: Path) -> None:
    report = full("run", "a")
    assert repr(report.solved) == "50.0 % (1/2; 9 to 91)"
    assert repr(report).startswith("run: solved 50.0 % (1/2; 9 to 91), valid actions ")
    assert "\n" not in repr(report)
    cell = Parts(report._repr_html_())
    assert {"table", "svg"} <= set(cell.tags) and "html" not in cell.tags
    report.save(tmp_path / "r.md")
    assert (tmp_path / "r.md").read_text("utf-8").startswith("# Evaluation of run\n")
    assert "50.0 %" in repr(Comparison([report, report]))


def explored(folder: Path, mistake_rate: float) -> Report:
    """The report on a run of three tasks: all are solved at rate 0, none at rate 1."""
    config = Config(env="bird", teacher="demonstration", search=React(width=1))
    explore_config(replace(config, mistake_rate=mistake_rate), folder, selection=Selection(limit=3))
    return read_report(folder)


def test_a_page_tells_what_was_gained_with_links_to_the_trees(tmp_path: Path) -> None:
    runs = [explored(tmp_path / "before", 1.0), explored(tmp_path / "after #1", 0.0)]
    Comparison(runs).save(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    parts = Parts(page)
    words = [word for word in parts.words if word.strip()]
    assert "after #1 solves 3 of 3 tasks (100 %), 3 more than before" in words
    assert any("+100.0 percentage points" in word and "chance" in word for word in words)
    assert "gained: solved by after #1 alone (3)" in words and "all tasks (3)" in words
    assert any(word.startswith("wrong answer: SELECT") for word in words)
    assert any(word.startswith("solved: SELECT") for word in words)
    assert "lost: solved by before alone" not in page and "cost" in words
    links = [value or "" for name, value in parts.attributes if name == "href"]
    assert len(links) == 3 * 2 + 3
    for link in links:
        file, _, place = link.partition("#")
        task, _, node = place.partition("/")
        assert task in (tmp_path / unquote(file)).read_text("utf-8")
        assert task in runs[0].outcomes and int(node) > 0
    assert 'name="viewport"' in page and "prefers-color-scheme: dark" in page
    lost = Comparison(runs[::-1]).page(tmp_path / "r.md")
    assert lost.headline == "before solves 0 of 3 tasks (0 %), 3 fewer than after #1"
    assert [section.title for section in lost.summary][0] == "lost: solved by after #1 alone (3)"


def test_the_verdict_says_when_chance_may_explain_it() -> None:
    runs = [
        measure(str(hits), [tree(str(n), float(n < hits)) for n in range(8)]) for hits in (3, 4)
    ]
    assert verdict(runs).endswith(", which chance may explain.")
    assert verdict(runs[:1]) == "" and verdict([runs[0], measure("x", [tree("y", 1.0)])]) == ""
    assert headline([Report("references only")]) == ""


@pytest.mark.parametrize(
    ("step", "ending"),
    [
        ({"reward": 1.0, "terminated": True}, "solved"),
        ({"reward": 0.0, "terminated": True}, "wrong answer"),
        ({"reward": 0.25, "terminated": True}, "partly right (reward 0.25)"),
        ({"truncated": True, "info": {"cut": "depth"}}, "out of steps"),
        ({"terminated": True, "info": {"gave_up": True}}, "gave up"),
        ({"truncated": True, "info": {"error": "sql_error"}}, "ended with: sql error"),
        ({"truncated": True, "info": {"error": "not_offered"}}, "ended with: not offered"),
    ],
)
def test_an_ending_is_told_in_words(step: dict[str, Any], ending: str) -> None:
    one = Tree(Task("1", "?"), "student")
    one.add(ROOT, Step(Action("answer", {"sql": "SELECT 1"}), "", **step))
    found = task_result(one)
    assert (found.ending, found.answer, found.node) == (ending, "SELECT 1", 1)
