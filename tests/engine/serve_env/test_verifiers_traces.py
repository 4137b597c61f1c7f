"""Traces that the real package verifiers writes now become trees."""

from importlib.util import find_spec
from pathlib import Path

from tests.engine.interop.test_verifiers import check
from tests.support.parts import missing
from tests.support.verifiers_traces import write


def test_the_packages_own_file_is_read(tmp_path: Path) -> None:
    if find_spec("verifiers") is None:
        missing("verifiers")
    check(write(tmp_path / "traces").parent, tmp_path / "run")
