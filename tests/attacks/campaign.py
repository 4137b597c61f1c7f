"""Run attacks on backends: a sandbox for each theme and backend, several at once."""

import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.check import check
from sandbox.docker import daemon
from sandbox.errors import SandboxError
from sandbox.owner import LABEL, SCRATCH, owner
from tests.attacks.attack import STOPPED, Attack, Query, Trial
from tests.attacks.bait import VARIABLE, Bait
from tests.attacks.catalogue import Case
from tests.attacks.scene import Scene
from tests.attacks.sql_scene import SqlScene

AT_ONCE = 6
SECONDS = 10.0
"""How long the Docker daemon may take to answer."""


def run(cases: Iterable[Case]) -> dict[Case, Trial]:
    """Run attacks; return their results. Backends that do not work here are left out."""
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.theme, case.backend), []).append(case)
    working = [group for group in groups.values() if check(group[0].backend).works]
    os.environ[VARIABLE] = f"secret-{os.urandom(8).hex()}"
    found: dict[Case, Trial] = {}
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for trials in pool.map(_attack, working):
                found |= trials
    finally:
        del os.environ[VARIABLE]
    return found


def _attack(cases: list[Case]) -> dict[Case, Trial]:
    """Run all attacks of one theme on one backend."""
    bait = Bait()
    try:
        if isinstance(cases[0].attack, Query):
            return _attack_queries(cases, bait)
        return _attack_code(cases, bait)
    except SandboxError as error:
        trial = Trial(STOPPED, (f"the sandbox does not start: {error}",))
        return dict.fromkeys(cases, trial)
    finally:
        bait.close()


def _attack_code(cases: list[Case], bait: Bait) -> dict[Case, Trial]:
    scene = Scene(cases[0].backend, bait)
    trials: dict[Case, Trial] = {}
    try:
        for case in cases:
            assert isinstance(case.attack, Attack)
            trials[case] = scene.attempt(case.attack)
    finally:
        left = scene.close()
    return trials | {cases[-1]: _blamed(trials[cases[-1]], left)}


def _attack_queries(cases: list[Case], bait: Bait) -> dict[Case, Trial]:
    scene = SqlScene(cases[0].backend, bait)
    trials: dict[Case, Trial] = {}
    try:
        for case in cases:
            assert isinstance(case.attack, Query)
            trials[case] = scene.attempt(case.attack)
    finally:
        left = scene.close()
    return trials | {cases[-1]: _blamed(trials[cases[-1]], left)}


def _blamed(trial: Trial, left: list[str]) -> Trial:
    """Blame the last attack for what is left in the end."""
    return Trial(trial.outcome, (*trial.broken, *left), trial.seen, trial.seconds)


def remains() -> set[str]:
    """Return containers, scratch folders and mounts of this process's sandboxes."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found = {line.split()[4] for line in mounts if "treegraft" in line}
    for name in os.listdir(tempfile.gettempdir()):
        scratch = SCRATCH.fullmatch(name)
        if scratch is not None and scratch[1] == owner():
            found.add(name)
    return found | _containers()


def _containers() -> set[str]:
    if not check("docker").works:
        return set()
    with daemon.connected(SECONDS) as client:
        listed = client.api.containers(all=True, filters={"label": f"{LABEL}={owner()}"})
    return {container["Names"][0] for container in listed}
