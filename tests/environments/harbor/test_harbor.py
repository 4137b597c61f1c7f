"""The world "harbor": task folders, their containers and states, their tests and rewards."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from environments import Action, DataError, ToolEnv, make
from environments.harbor.env import BUNDLED
from environments.harbor.folders import read_folder, task_folders
from environments.harbor.rewards import read_rewards, single
from environments.records import BadRecord, Faults
from environments.testing import check_env
from sandbox.docker import daemon
from sandbox.docker.task_images import plain_base
from sandbox.errors import SandboxError
from sandbox.owner import LABEL, owner
from sandbox.sweep import sweep
from tests.support import faults
from tests.support.parts import missing

TOML = "[environment]\nnetwork_mode = 'no-network'\n"


def folder(place: Path, settings: str = TOML, **files: str) -> Path:
    """A task folder; files are named with "__" for "/" and "_sh" for ".sh"."""
    texts = {
        "instruction.md": "Do it.",
        "tests/test.sh": "true",
        "environment/Dockerfile": "FROM x",
    }
    texts |= {name.replace("__", "/").replace("_sh", ".sh"): text for name, text in files.items()}
    for name, text in {"task.toml": settings, **texts}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


@pytest.fixture(scope="module")
def docker() -> None:
    if why := daemon.unavailable():
        missing("docker", why)


def sh(env: ToolEnv, command: str) -> str:
    return env.step(Action("bash", {"command": command}))[0]


def test_the_bundled_tasks_keep_the_contract_and_leave_no_state_behind(docker: None) -> None:
    env = make("harbor", split="test")
    assert check_env(env, trees=1) == []
    with daemon.connected() as client:
        left = {"label": f"{LABEL}={owner()}"}
        assert not client.images.list(all=True, filters=left)


KILLED = """
import sys, time
from environments import Action, make
from sandbox.owner import owner
env = make("harbor", data=sys.argv[1])
env.reset(options={"task": env.tasks[0]})
for number in range(3):  # each state is made of the one before
    env.step(Action("bash", {"command": f"echo {number} > /tmp/f"}))
    env.snapshot()
print(owner(), flush=True)
time.sleep(120)
"""


def test_states_of_a_killed_engine_are_swept(docker: None, tmp_path: Path) -> None:
    place = folder(tmp_path / "t", f"{TOML}docker_image = '{plain_base()}'\nworkdir = '/tmp'\n")
    with faults.python(KILLED, str(place)) as engine, daemon.connected() as client:
        left = {"label": f"{LABEL}={faults.said(engine)}"}
        assert len(client.images.list(all=True, filters=left)) == 3
        sweep()  # its engine is alive
        assert len(client.images.list(all=True, filters=left)) == 3
        engine.kill()
        engine.wait()
        swept = sweep()
        assert (len(swept.images), swept.trouble) == (3, "")
        assert not client.images.list(all=True, filters=left)


@pytest.fixture(scope="module")
def own(docker: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolEnv]:
    """A task of an image that is there, with a limit of one second for a command."""
    place = folder(
        tmp_path_factory.mktemp("own") / "own",
        f"[agent]\ntimeout_sec = 1\n{TOML}docker_image = '{plain_base()}'\nworkdir = '/tmp'\n"
        "[verifier]\ntimeout_sec = 30\n[verifier.env]\nWORD = 'given'\n",
        tests__test_sh="#!/bin/bash\npwd; ls /solution; cat /tmp/out\n"
        "[ -e /tmp/out ] && cp /tmp/out /logs/verifier/reward.json\n",
    )
    env = make("harbor", data=str(place))
    yield env
    env.close()


def test_a_stopped_command_did_nothing_and_branches_stay_apart(own: ToolEnv) -> None:
    own.reset(options={"task": own.tasks[0]})
    assert sh(own, "x=1; cd /var; sleep 60 & echo a > /tmp/f") == "(no output)"
    start = own.snapshot()
    assert "stopped after 1 s" in sh(own, "echo b > /tmp/f; x=2; sleep 60")
    look = "cat /tmp/f; echo $x; pwd; ls /tests /solution 2>/dev/null; ls -d /proc/[0-9]* | wc -l"
    seen = sh(own, look)
    assert seen.split()[:3] == ["a", "1", "/var"] and int(seen.split()[3]) < 6
    sh(own, "echo c > /tmp/f")
    own.restore(start)
    assert sh(own, "cat /tmp/f; (exit 3)") == "a\n[exit status 3]"


@pytest.mark.parametrize(
    ("left", "found"),
    [
        ('{"reward": 0.5, "speed": 1}', 0.5),
        ('{"a": 0.5, "b": 1}', 0.75),
        ("", "own: its tests left no reward.txt and no reward.json .*they said: /tmp.*ls: cannot"),
        ("3", "own: its tests left 'reward' = 3 in reward.json; a reward is a number from 0 to 1"),
    ],
)
def test_only_what_the_tests_leave_is_a_reward(own: ToolEnv, left: str, found: float | str) -> None:
    own.reset(options={"task": own.tasks[0]})
    sh(own, "mkdir -p /tests /solution; echo 1 > /logs/verifier/reward.txt")  # forged
    if left:
        sh(own, f"echo '{left}' > /tmp/out")
    if isinstance(found, str):
        with pytest.raises(DataError, match=found):
            own.step(Action("submit", {}))
        return
    _, reward, over, *_ = own.step(Action("submit", {}))
    assert (reward, over) == (found, True)


@pytest.mark.parametrize(
    ("as_json", "as_text", "found"),
    [
        (None, b"1\n", {"reward": 1.0}),
        (b'{"a": 0}', b"1", {"a": 0.0}),
        (b"0.25", None, {"reward": 0.25}),
        (None, None, "left no reward.txt"),
        (None, b"", "not a number"),
        (b"{}", None, "left no reward in"),
        (b'{"a": NaN}', None, "'a' = nan"),
        (b'{"a": "1"}', None, "'a' = '1'"),
        (None, b"-1", "from 0 to 1"),
    ],
)
def test_rewards(as_json: bytes | None, as_text: bytes | None, found: object) -> None:
    if isinstance(found, str):
        with pytest.raises(DataError, match=found):
            read_rewards("t", as_json, as_text)
    else:
        rewards = read_rewards("t", as_json, as_text)
        assert rewards == found and 0 <= single(rewards) <= 1


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("[[steps]]\nname = 'a'", "it needs several steps"),
        ("[environment]\ngpus = 1", "it needs GPUs"),
        ("[environment]\nos = 'Windows'", "it needs Windows"),
        ("[environment]\nnetwork_mode = 'allowlist'", "a list of allowed hosts"),
        ("[environment.env]\nKEY = '${KEY}'", r"environment.env.KEY is a variable of this machine"),
        ("[environment.healthcheck]\ncommand = 'x'", "it needs a health check"),
        ("[verifier]\nenvironment_mode = 'separate'", "a container of its own for the tests"),
        ("[environment]\nmemory_mb = 'much'", "field 'environment.memory_mb': 'much' is not"),
        ("agent = 3", "agent must be a table"),
        ("[agent", "not TOML"),
    ],
)
def test_what_cannot_be_played_is_left_out_and_named(
    settings: str, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder(tmp_path / "good")
    bad = folder(tmp_path / "bad", settings)
    with pytest.raises(BadRecord, match=why):
        read_folder(bad, Faults(), network=False)
    assert [task.id for task in make("harbor", data=str(tmp_path)).tasks] == ["good"]
    (line,) = caplog.messages
    assert str(bad) in line and line.endswith("left out")


def test_what_is_not_kept_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    faults = Faults()
    place = folder(
        tmp_path / "told",
        "[task]\nname = 'org/other'\n[agent]\nuser = 1000\n[verifier]\nuser = 'root'\n"
        "[environment]\nmemory = '1.5G'\nstorage_mb = 9\n[environment.env]\nA = '${A:-b}c'\n",
    )
    read = read_folder(place, faults, network=False)
    assert (read.memory_mb, read.agent_user, read.test_user) == (1536, "1000", "root")
    assert dict(read.variables) == {"A": "bc"} and read.networks == (False, False)
    told = [why for _, why, _ in faults.all()]
    assert len(told) == 2 and "storage_mb" in told[0] and "network=true" in told[1]
    assert read_folder(place, Faults(), network=True).networks == (True, True)


def test_bad_places_and_sandboxes_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no task.toml in it"):
        _ = make("harbor", data=str(tmp_path)).tasks
    env = make("harbor", sandbox="landlock")
    with pytest.raises(SandboxError, match="harbor needs --sandbox docker, not landlock"):
        env.reset(options={"task": env.tasks[0]})


def test_the_real_package_reads_our_tasks_and_we_read_its_template(tmp_path: Path) -> None:
    if find_spec("harbor") is None:
        missing("harbor")
    import harbor
    from harbor.models.task.config import TaskConfig

    for place in task_folders(BUNDLED):
        config = TaskConfig.model_validate_toml((place / "task.toml").read_text())
        ours = read_folder(place, Faults(strict=True), network=False)
        assert (config.environment.memory_mb, config.verifier.timeout_sec) == (
            ours.memory_mb,
            ours.test_seconds,
        )
    template = Path(str(harbor.__file__)).parent / "cli" / "template-task"
    shutil.copytree(template, tmp_path / "new")
    (tmp_path / "new" / "instruction.md").write_text("Do it.")
    read = read_folder(tmp_path / "new", Faults(), network=True)
    assert (read.agent_seconds, read.test_seconds) == (900.0, 900.0)
