from importlib.util import find_spec

import pytest

from tests.support.parts import missing


@pytest.fixture
def openenv() -> None:
    """The package is installed, or the test ends here."""
    if find_spec("openenv") is None:
        missing("openenv")
