"""The garbage collector is held back while tasks are searched, and restored afterwards."""

import gc

import pytest

from engine.executors.gc_pause import YOUNG, gc_paused


def test_the_collector_is_held_back_and_then_restored():
    before = gc.get_threshold()
    with pytest.raises(KeyError), gc_paused():
        assert gc.get_threshold() == (YOUNG, *before[1:])
        assert gc.get_freeze_count() > 0
        raise KeyError
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
