"""The contract of environments, on tasks of three categories."""

from environments import make
from environments.testing import check_env


def test_the_contract() -> None:
    classes = "GorillaFileSystem,TwitterAPI"
    env = make("bfcl", split="test", categories="base,miss_func,miss_param", classes=classes)
    assert check_env(env, 12) == []
