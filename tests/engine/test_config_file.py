"""`engine explore --config FILE`, and the file that each run keeps."""

import json
import tomllib
from pathlib import Path

import pytest

from engine.runs.store import Store
from tests.support.chat_server import ChatServer, SqlPlayer
from tests.support.commands import engine

FILE = """
env = "bird"
split = "train"
limit = 2
search = "beam"
width = 3
beam-size = 1
sampling = { top_p = 0.5, tags = ["x"] }
observation-chars = 4000
output = "runs/first"

[env-arg]
schema = "prompt"
"""


def config(folder: Path) -> dict[str, object]:
    with Store.open(folder) as store:
        found: dict[str, object] = store.meta()["config"]
    return found


def test_flags_override_the_file_and_the_run_keeps_both(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(FILE)
    with ChatServer(SqlPlayer()) as server:
        url = server.base_url.replace("//", "//me:hush123@")
        teacher = f"--teacher=player --base-url={url}".split()
        done = engine("explore", "--config=run.toml", "--width=2", *teacher, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert {"top_p": 0.5, "tags": ["x"]}.items() <= server.requests[0].items()
        first, kept = tmp_path / "runs/first", "runs/first/config.toml"
        one = config(first)
        assert (one["search"], one["width"], one["beam_size"]) == ("beam", 2, 1)
        assert one["env_args"] == {"schema": "prompt", "observation_chars": 4000}
        text = (tmp_path / kept).read_text()
        assert "hush" not in text and "# base-url holds a password" in text
        assert tomllib.loads(text)["width"] == 2

        sent = len(server.requests)
        again = engine("explore", "--config", kept, *teacher, "--json", cwd=tmp_path)
        assert (json.loads(again.stdout)["trees"], len(server.requests)) == (2, sent)
        more = ["--output", "runs/second", "--env-arg", "schema=tools", "--limit", "1"]
        done = engine("explore", "--config", kept, *teacher, *more, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    second = config(tmp_path / "runs/second")
    assert second["env_args"] == {"schema": "tools", "observation_chars": 4000}
    assert {**second, "env_args": 0} == {**one, "env_args": 0}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("widht = 3", "has no key 'widht', nor has `engine explore`; did you mean 'width'?"),
        ("budget-usdd = 3", "has no key 'budget-usdd', nor has `engine explore`; did you mean"),
        ("depth = 'deep'", "depth is 'deep'; it must be a valid integer"),
        ("depth = true", "depth: it is true; it must be a number"),
        ("depth = 0", "depth is 0; it must be greater than or equal to 1"),
        ("teacher = 4", "teacher is 4; it must be a valid string"),
        ("data = ['x']", "data is ['x']; it must be a valid string"),
        ("student-threshold = 1", "student_threshold is 1; it must be less than or equal to 0"),
        ("beam-size = 2", "--search dfsdt takes no --beam-size"),
        ("env-arg = 3", "env-arg must be a table"),
        ("[env-arg]\ngoals = 3", "bird has no option 'goals'"),
        ("[explore]\nwidth = 3", "has no key 'explore'"),
        ("width = ", "cannot read run.toml"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_names_the_key(
    line: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "run.toml").write_text(f"env = 'bird'\noutput = 'r'\n{line}\n")
    done = engine("explore", "--config", "run.toml", cwd=tmp_path)
    assert done.returncode == 2 and not (tmp_path / "r").exists()
    (told,) = [each for each in done.stderr.splitlines() if each]
    assert told.startswith("error: ") and says in told
