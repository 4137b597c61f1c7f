"""The backends of this machine, for tests that run over each of them."""

from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.check import check
from sandbox.protocol import Quota
from tests.support.parts import missing

SMALL = Quota(memory_bytes=256 << 20, disk_bytes=16 << 20, inodes=2000)


def require(name: str) -> None:
    """End a test whose backend does not work on this machine."""
    report = check(name)
    if not report.works:
        missing(name, report.trouble)


def sandbox(name: str, quota: Quota = SMALL, prelude: str = "") -> BranchingSandbox:
    """A sandbox of the backend `name`."""
    require(name)
    return BranchingSandbox(BACKENDS[name](), quota, prelude)
