"""Pairs over random forests: halves differ, the chosen one earned more, the parting is found."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.export.export import ExportSettings, export_rows, pair_rows
from engine.export.filters import NO_ANNOTATIONS, Counts, Filters
from engine.export.no_rows import why_no_rows
from engine.export.pairs import find_pairs
from engine.export.rows import RowBuilder
from environments import Action, Step, Task
from search import ROOT, Node, Tree
from tests.support import commands
from tests.support.configs import make_config
from tests.support.viewed import WORLD, answer, look, run_of

TASK = Task("t1", "Who?")
BUILDERS = [
    RowBuilder.for_run(
        "r", {"config": make_config("arms", template=name).to_dict(), "world": WORLD}
    )
    for name in ("native", "react", "hermes")
]


def grown(*branches: tuple[int, Step]) -> Tree:
    tree = Tree(TASK, "m", stopped="solved")
    for parent, step in branches:
        tree.add(parent, step)
    return tree


def chains(*paths: list[Step]) -> Tree:
    """A tree as `react` makes it: every chain begins at the start state."""
    tree = Tree(TASK, "m", stopped="exhausted")
    for path in paths:
        at = ROOT
        for step in path:
            at = tree.add(at, step).id
    return tree


def thought(step: Step, text: str) -> Step:
    call = Action(step.action.tool, step.action.arguments, text)
    return Step(call, step.observation, step.reward, step.terminated, step.truncated, step.info)


CUT = Step(Action.malformed("I will", "cut", finish="length"), "e", info={"finish": "length"})


@pytest.mark.parametrize("kind", ["step", "trajectory"])
def test_chains_part_where_their_actions_do(kind: str) -> None:
    """The second action, although the first ones are different nodes with different thoughts."""
    tree = chains(
        [look("a"), answer("wrong")],
        [thought(look("a"), "hm"), answer("right", 1.0)],
        [look("a"), thought(answer("wrong"), "so")],
    )
    settings = ExportSettings("dpo", pairs=kind)
    [(pair, row)] = pair_rows(tree, BUILDERS[0], settings, NO_ANNOTATIONS, Counts())
    assert (pair.chosen.id, pair.rejected.id, row["depth"]) == (4, 6, 1)
    assert row["prompt"][2]["content"] == "hm"  # of the chosen path, for both halves
    assert [len(row[half]) for half in ("chosen", "rejected")] == [1, 1]


def test_the_same_action_with_another_result_is_no_choice() -> None:
    """Nor is it a failed one where it succeeded once."""
    luck = chains([look("a", "1"), answer("x")], [look("a", "2"), answer("y", 1.0)])
    assert not list(find_pairs(luck, Filters(), Counts()))
    also = chains(
        [look("a", "1"), answer("x")], [look("a", "2"), answer("y", 1.0)], [answer("z", 1.0)]
    )
    assert not list(find_pairs(also, Filters(), Counts()))


@pytest.mark.parametrize(
    "success",
    [
        [look("a"), look("a"), answer("x", 1.0)],  # a loop
        [answer("RIGHT", 1.0)],  # a near-duplicate
        [answer("x", 1.0, gave_up=True)],
        [Step(Action("look", {"at": "x"}), "", 1.0, truncated=True)],
    ],
)
def test_a_success_that_a_filter_drops_is_not_rejected(success: list[Step]) -> None:
    tree, counts = chains([answer("right", 1.0)], success), Counts()
    assert not list(find_pairs(tree, Filters(), counts)) and counts.passed == 1
    assert counts.dropped.total() == 1


def test_partial_rewards() -> None:
    """Below --min-reward is a failure; above it is none, whatever another path earned."""
    tree = grown((ROOT, answer("a", 0.4)), (ROOT, answer("b", 0.6)), (ROOT, answer("c", 1.0)))
    found = {
        least: [(p.chosen.id, p.rejected.id) for p in find_pairs(tree, Filters(least), Counts())]
        for least in (0.0, 0.5, 1.0)
    }
    assert found == {0.0: [], 0.5: [(2, 1), (3, 1)], 1.0: [(3, 1), (3, 2)]}


def test_a_reply_that_was_cut_off_is_neither_half() -> None:
    counts = Counts()
    tree = grown((ROOT, CUT), (1, answer("a")), (ROOT, answer("b", 1.0)))
    assert not list(find_pairs(tree, Filters(), counts)) and counts.dropped["incomplete"] == 1
    tree = grown((ROOT, CUT), (1, answer("b", 1.0)), (ROOT, answer("a")))
    assert not list(find_pairs(tree, Filters(), Counts()))


def test_halves_that_read_the_same_are_no_pair() -> None:
    """A reply that could not be read may look like a call in another template."""
    call = look("a").action
    said = BUILDERS[1].templates[0].render(BUILDERS[1].world, TASK, [Step(call, "o")])[2]["content"]
    unread = Step(Action.malformed(said, "no call"), "error", 0.0, truncated=True)
    tree, counts = grown((ROOT, unread), (ROOT, look("a")), (2, answer("b", 1.0))), Counts()
    for kind in ("step", "trajectory"):
        settings = ExportSettings("dpo", pairs=kind)
        assert not list(pair_rows(tree, BUILDERS[1], settings, NO_ANNOTATIONS, counts))
    assert counts.dropped["equal halves"] == 2


STEPS = st.builds(
    lambda at, seen, said, end: (
        thought(answer(at, end, gave_up=True), said)
        if end == 0.25
        else thought(look(at, seen), said)
        if end is None
        else Step(Action("answer", {"at": at}, said), "s", end, end != 0.75, end == 0.75)
    ),
    st.sampled_from("ab"),
    st.sampled_from("12"),
    st.sampled_from(["", "hm"]),
    st.sampled_from([None, None, None, 0.0, 0.25, 0.5, 0.75, 1.0]),
)
OTHER = st.sampled_from([CUT, Step(Action.malformed("what?", "no call"), "error")])


@st.composite
def forests(draw: st.DrawFn) -> Tree:
    """A tree whose siblings may be alike, as chains are."""
    tree = Tree(TASK, "m", stopped="exhausted")
    for _ in range(draw(st.integers(1, 12))):
        inner = [ROOT, *(node.id for node in tree.nodes if not node.step.ended)]
        tree.add(draw(st.sampled_from(inner)), draw(STEPS | STEPS | STEPS | OTHER))
    return tree


def state(tree: Tree, node: Node) -> str:
    """What the state before `node` is told by: what was done, and what was seen."""
    return str([(step.action.key, step.observation) for step in tree.path(node.parent)])


def partings(tree: Tree, least: float) -> Iterator[tuple[str, str, str]]:
    """State, good action, failed action: by brute force, from their definition."""
    ends = [node for node in tree.nodes if not tree.children(node.id)]
    below = {n.id: [end for end in ends if n in tree.lineage(end.id)] for n in tree.nodes}
    taken = {node.id: (state(tree, node), node.step.action.key) for node in tree.nodes}
    for good, bad in product(tree.nodes, tree.nodes):
        of_good, of_bad = taken[good.id], taken[bad.id]
        if of_good[0] != of_bad[0] or of_good[1] == of_bad[1]:
            continue
        alike = [end for n in tree.nodes if taken[n.id] == of_bad for end in below[n.id]]
        failed = all(end.step.ended and end.step.reward < least for end in alike)
        won = any(end.step.ended and end.step.reward >= least for end in below[good.id])
        if won and failed and not (good.step.incomplete or bad.step.incomplete):
            yield (*of_good, of_bad[1])


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(tree=forests(), least=st.sampled_from([0.0, 0.5, 1.0]), builder=st.sampled_from(BUILDERS))
def test_properties_of_pairs(tree: Tree, least: float, builder: RowBuilder) -> None:
    every = Filters(least, loops=True, give_ups=True, near_duplicates=True)
    for filters in (every, Filters(least)):
        for kind in ("step", "trajectory"):
            found = set()
            how = ExportSettings("dpo", filters, pairs=kind)
            for pair, row in pair_rows(tree, builder, how, NO_ANNOTATIONS, Counts()):
                assert row["chosen"] != row["rejected"] and row["chosen"][0] != row["rejected"][0]
                assert row["chosen_reward"] > row["rejected_reward"] < least
                assert state(tree, pair.chosen) == state(tree, pair.rejected)
                keys = pair.chosen.step.action.key, pair.rejected.step.action.key
                parting = (state(tree, pair.chosen), *keys)
                assert kind == "trajectory" or parting not in found
                found.add(parting)
            wanted = set(partings(tree, least))
            assert found <= wanted
            truncated = any(n.step.truncated and n.step.reward >= least for n in tree.nodes)
            assert filters is not every or truncated or found == wanted


ONE = [look("a"), answer("right", 1.0)]


LOOP = [look("a"), look("a"), answer("x", 1.0)]


@pytest.mark.parametrize(
    ("kind", "paths", "wanted", "told"),
    [
        ("sft", [], Filters(), ["holds no tree"]),
        ("sft", [[look("a")]], Filters(), ["no path has ended", "--task-budget-calls"]),
        (
            "sft",
            [[answer("x")], [answer("y", 0.5)]],
            Filters(),
            ["less reward than --min-reward 1 (2)"],
        ),
        ("sft", [[answer("x", 1.0, gave_up=True)]], Filters(), ["gave up (1; --give-ups"]),
        ("sft", [LOOP, [answer("x")]], Filters(), ["repeats an action", "--loops", "less reward"]),
        ("sft", [ONE], Filters(min_mark=3), ["no mark from --min-mark 3 on (1)"]),
        ("sft", [[replace(CUT, truncated=True)]], Filters(0.0), ["holds no reply to train on (1)"]),
        ("dpo", [[answer("x")]], Filters(), ["no path passes the filters: less reward"]),
        ("dpo", [LOOP, [answer("x")]], Filters(), ["no path passes", "--loops", "less reward"]),
        ("dpo", [ONE], Filters(), ["no other action was tried beside the path (1)", "--width"]),
        (
            "dpo",
            [ONE, [answer("other", 1.0)]],
            Filters(),
            ["led to success too (2)", "--temperature"],
        ),
        ("dpo", [ONE, [look("b")]], Filters(), ["not played to an end (1): raise"]),
        ("dpo", [ONE, [CUT, answer("x")]], Filters(), ["a reply that was cut off", "(1)"]),
        ("dpo", [ONE, [answer("x")]], Filters(0.0), ["with --min-reward 0 no path has failed"]),
        ("dpo", [ONE, [answer("x")]], Filters(corrected=True), ["no path passes", "--corrected"]),
        (
            "dpo",
            [ONE, [look("b")], [answer("other", 1.0)]],
            Filters(),
            ["(2) parts from", "success too (2)", "to an end (2)"],
        ),
    ],
)
def test_an_export_without_rows_says_why(
    kind: str, paths: list[list[Step]], wanted: Filters, told: list[str], tmp_path: Path
) -> None:
    run = run_of(tmp_path / "r", *([chains(*paths)] if paths else []))
    settings, counts = ExportSettings(kind, wanted), Counts()
    assert not list(export_rows([run], settings, counts))
    said = why_no_rows(settings, counts)
    assert all(words in said for words in told) and "\n" not in said, said


def test_the_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(tmp_path / "r", chains(ONE))
    commands.run("engine export", run, "--to", "dpo", "--output", tmp_path / "o.jsonl")
    said = capsys.readouterr().err
    assert "no row was written: no path that passes the filters (1) parts from a failed" in said
    assert "no other action was tried beside the path (1): explore with a higher --temp" in said
