"""Whether the files that tasks are played on are those that a run began with."""

from collections.abc import Mapping

from engine.runs.store import Store

KEY = "data_state"


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the files of both mappings (see `ToolEnv.data_state`) whose state differs."""
    return [file for file, state in before.items() if now.get(file, state) != state]


def note_data(store: Store, now: Mapping[str, str]) -> list[str]:
    """Keep the state of files that the run has not seen before; return those that have changed."""
    known: dict[str, str] = store.meta().get(KEY) or {}
    if now.keys() - known.keys():
        store.set_meta({KEY: {**now, **known}})
    return changed(known, now)
