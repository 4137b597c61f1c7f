"""Every attack has the outcome that docs/sandbox-attacks.md lists, on every backend here."""

import os
from collections import Counter

import pytest

from sandbox.check import check
from tests.attacks.attack import KINDS, Attack, Outcome, Trial
from tests.attacks.campaign import remains, run
from tests.attacks.catalogue import THEMES, Case, cases
from tests.attacks.table import expected, render, written
from tests.support.parts import missing

CASES = cases(KINDS)
LEAST = 50


def test_the_catalogue_is_sound() -> None:
    names = Counter(attack.name for attacks in THEMES.values() for attack in attacks)
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) >= LEAST
    assert all(tuple(case.attack.expected) == KINDS for case in CASES)


def test_only_what_confines_little_is_open() -> None:
    for case in CASES:
        if case.attack.expected[case.backend] is Outcome.OPEN:
            assert case.backend in ("landlock", "process"), case


def test_what_is_shared_is_shared_within_the_tree() -> None:
    for case in CASES:
        if case.attack.expected[case.backend] is Outcome.SHARED:
            assert isinstance(case.attack, Attack) and case.attack.within, case


def test_the_document_holds_the_table() -> None:
    assert written() == render(expected()), "run: python -m tests.attacks.table"


@pytest.mark.skipif("CI" not in os.environ, reason="outside CI a backend may be missing")
@pytest.mark.parametrize("backend", KINDS)
def test_ci_has_every_backend(backend: str) -> None:
    assert not check(backend).trouble


NEEDS_ROOT = {("process", "/etc/shadow")}
"""Attacks that reach their aim without a sandbox only as root."""


def _case(item: pytest.Item) -> Case | None:
    """What a test of this module is about."""
    if isinstance(item, pytest.Function) and item.function is test_attack:
        found = item.callspec.params["case"]
        assert isinstance(found, Case)
        return found
    return None


@pytest.fixture(scope="session")
def campaign(request: pytest.FixtureRequest) -> tuple[dict[Case, Trial], set[str]]:
    """What came of the attacks that are to be tested, and what was there before."""
    before = remains()
    chosen = [case for item in request.session.items if (case := _case(item)) is not None]
    return run(chosen), before


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.backend}: {case.attack.name}")
def test_attack(case: Case, campaign: tuple[dict[Case, Trial], set[str]]) -> None:
    trials, _ = campaign
    if case not in trials:
        missing(case.backend, check(case.backend).trouble)
    if os.geteuid() and (case.backend, case.attack.name) in NEEDS_ROOT:
        missing("root")
    trial = trials[case]
    if trial.unseen:
        assert not trial.broken, trial.seen
        missing("root", trial.unseen)
    assert (trial.outcome, trial.broken) == (case.attack.expected[case.backend], ()), trial.seen


def test_nothing_is_left(campaign: tuple[dict[Case, Trial], set[str]]) -> None:
    _, before = campaign
    assert remains() <= before
