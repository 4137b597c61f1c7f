"""Environments of a user's own: from a module or a file, with whatever their `__init__` takes."""

from pathlib import Path

import pytest

import environments
from environments import UnknownEnvironment
from environments.registry import options_of

HEAD = """
from environments import Outcome, Task, ToolEnv


class Room(ToolEnv):
    def load_tasks(self):
        return [Task("t", "Go.")]

    def act(self, action):
        return Outcome("")


"""


def written(folder: Path, text: str, name: str = "rooms.py") -> Path:
    file = folder / name
    file.write_text(HEAD + text)
    return file


def test_a_class_is_loaded_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_rooms.py").write_text("NAME = 'own'\n")
    file = written(tmp_path, "from beside_rooms import NAME\nclass Own(Room):\n    name = NAME\n")
    found = environments.make(f"{file}:Own")
    assert found.tasks[0].id == "t" and found.name == "own"
    monkeypatch.chdir(tmp_path)
    for name in ("rooms.py:Own", "./rooms.py:Own", f"../{tmp_path.name}/rooms.py:Own"):
        assert type(environments.make(name)) is type(found)  # the same module, loaded once


def test_a_file_may_be_called_like_a_module_of_ours(tmp_path: Path) -> None:
    file = written(tmp_path, "", "json.py")
    assert type(environments.make(f"{file}:Room")).__name__ == "Room"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("gone.py:Room", "", "no file {folder}/gone.py"),
        ("rooms.py:Hall", "", "has no 'Hall'; its classes: Room"),
        ("rooms.py:", "", "has no ''"),
        ("rooms.py:Task", "", "is not a subclass of environments.ToolEnv"),
        ("rooms.py:Room", "def f(:\n", "rooms.py, line 13: invalid syntax"),
        ("rooms.py:Room", "import no_such_package\n", "rooms.py, line 13: No module named"),
        ("rooms.py:Room", "1 / 0\n", "rooms.py, line 13: ZeroDivisionError: division by zero"),
        ("rooms.py:Room", "\n\nundefined\n", "rooms.py, line 15: NameError"),
        (".:Room", "", "cannot load"),
        ("no.such.module:Room", "", "No module named 'no'"),
        (":Room", "", "cannot load"),
        ("..:Room", "", "cannot load"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_one_line(
    name: str, text: str, told: str, tmp_path: Path
) -> None:
    written(tmp_path, text)
    spelled = f"{tmp_path}/{name}" if ".py" in name else name
    with pytest.raises(UnknownEnvironment) as refused:
        environments.make(spelled)
    message = str(refused.value)
    assert "\n" not in message
    assert told.format(folder=tmp_path) in message or (
        name == ".:Room" and "cannot load" in message
    )


@pytest.mark.parametrize(
    ("init", "options", "told"),
    [
        ("", {}, ""),
        ("def __init__(self): super().__init__()", {}, ""),
        ("def __init__(self): super().__init__()", {"data": "x"}, "takes no --data"),
        ("def __init__(self): super().__init__()", {"split": "x"}, "takes no --split"),
        ("def __init__(self): super().__init__()", {"sandbox": "process"}, ""),
        ("def __init__(self): super().__init__()", {"size": 2}, "has no option 'size'"),
        ("def __init__(self, split=None): super().__init__(split=split)", {"split": "x"}, ""),
        ("def __init__(self, size=2): super().__init__()", {"size": 3}, ""),
        ("def __init__(self, size): super().__init__()", {}, "needs --env-arg size=..."),
        ("def __init__(self, data): super().__init__(data=data)", {}, "needs --data"),
        ("def __init__(self): pass", {}, "its __init__ must call super().__init__()"),
        ("def __init__(self, size: 'Unknown' = 2): super().__init__()", {"size": "3"}, ""),
    ],
)
def test_an_environment_is_called_with_what_it_takes(
    init: str, options: dict[str, object], told: str, tmp_path: Path
) -> None:
    file = written(tmp_path, f"class Own(Room):\n    {init or 'pass'}\n")
    name = f"{file}:Own"
    given = {"data": None, "split": None, "sandbox": "auto", **options}
    if told:
        with pytest.raises(UnknownEnvironment, match=told.replace("(", r"\(").replace(")", r"\)")):
            environments.make(name, **given)
    else:
        assert environments.make(name, **given).tasks
        options_of(name)
