"""The distribution `treegraft-masks`: its wheel and what that requires are enough for the command.

Nothing else is on the path of the process that runs it: no torch, no Gymnasium, no Docker.
"""

import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

from tests.support.rows import dialogue, write
from trainer.runtime.embedded_model import resolve

SOURCES = Path(__file__).parents[3]
FOLDER = SOURCES / "packages" / "treegraft-masks"
LEFT_OUT = {"deepspeed", "docker", "gymnasium", "networkx", "openai", "torch", "trl", "datasets"}
RUN = """
import json, sys
sys.path[:0] = sys.argv[1:3]
sys.argv = ["trainer", *sys.argv[3:]]
from treegraft.commands import trainer
try:
    trainer()
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def closure(requirements: list[str]) -> set[str]:
    """The names of the distributions that these need, and those that they need; no extras."""
    names: set[str] = set()
    for one in map(Requirement, requirements):
        if (one.marker is None or one.marker.evaluate({"extra": ""})) and one.name not in names:
            names |= {one.name, *closure(distribution(one.name).requires or [])}
    return names


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel, unpacked, and the packages that it requires."""
    made = tmp_path_factory.mktemp("masks")
    (wheel,) = WheelBuilder(str(FOLDER)).build(directory=str(made / "dist"))
    ours, others = made / "ours", made / "others"
    with ZipFile(wheel) as archive:
        archive.extractall(ours)
    (metadata,) = ours.glob("*.dist-info/METADATA")
    required = re.findall(r"^Requires-Dist: (.+)$", metadata.read_text("utf-8"), re.MULTILINE)
    needed = closure(required)
    assert not needed & LEFT_OUT
    others.mkdir()
    for name in needed:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            if not (others / top).exists():
                (others / top).symlink_to(Path(str(found.locate_file(top))))
    return ours, others


def test_it_is_enough_to_check_masks(installed: tuple[Path, Path], tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [{"messages": dialogue("Hi?", "Hello.")}])
    arguments = ["mask", "--dataset", str(file), "--model", resolve("smollm2"), "--github"]
    arguments += ["--for", "axolotl"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", RUN, *map(str, installed), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "every mask is exact" in done.stdout
    assert "compared with axolotl token by token: no difference" in done.stdout
    assert not LEFT_OUT & set(done.stderr.splitlines()[-1].strip('["]').split('", "'))
