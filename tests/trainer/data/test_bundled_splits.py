"""Bundled held-out tasks are read once, and again when a world's files are others."""

from pathlib import Path

import pytest

from environments import make
from trainer.data import bundled_splits
from trainer.data.bundled_splits import bundled


@pytest.fixture(autouse=True)
def one_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bundled_splits, "ENTRY_POINTS", ["kg"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def read() -> tuple[bundled_splits.Source, ...]:
    bundled.cache_clear()
    try:
        return bundled()
    finally:
        bundled.cache_clear()


def test_they_are_kept_and_the_same_when_read_again(tmp_path: Path) -> None:
    (first,) = read()
    assert [task.prompt for task in first.tasks] == [
        t.prompt for t in make("kg", split="test").tasks
    ]
    assert first.name == "kg's test split" and len(first.trained) > 100
    (file,) = (tmp_path / "treegraft" / "held-out").glob("*.json")
    written = file.stat().st_mtime_ns
    assert read() == (first,)
    assert file.stat().st_mtime_ns == written


def test_what_is_stale_damaged_or_cannot_be_written_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read()
    folder = tmp_path / "treegraft" / "held-out"
    (file,) = folder.glob("*.json")
    file.write_text("[")
    assert read() == found
    monkeypatch.setattr(bundled_splits, "_state", lambda: "another")
    assert read() == found
    assert [each.name for each in folder.glob("*.json")] == ["another.json"]
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert read() == found
