"""The backends of this machine, for tests that run over each of them."""

import os

import pytest

from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.check import check
from sandbox.protocol import Quota

SMALL = Quota(memory_bytes=256 << 20, disk_bytes=16 << 20, inodes=2000)


def require(name: str) -> None:
    """A backend that does not work fails in CI, else skips."""
    report = check(name)
    if not report.works:
        if "CI" in os.environ:
            pytest.fail(f"{name}: {report.trouble}")
        pytest.skip(f"{name}: {report.trouble}")


def sandbox(name: str, quota: Quota = SMALL, prelude: str = "") -> BranchingSandbox:
    """A sandbox of the backend `name`."""
    require(name)
    return BranchingSandbox(BACKENDS[name](), quota, prelude)
