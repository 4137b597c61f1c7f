"""How a node gets the files of its parent: the interface of `copies` and `overlay`."""

from typing import Any, Protocol

FOLDERS = ("work", "tmp")
"""What `home` holds at first."""

Kept = Any
"""The saved files of a node; only the `Files` that made it can read it."""


class Full(Exception):
    """A node's files cannot be saved."""


class Files(Protocol):
    """How a node gets the files of its parent; `held` counts the bytes saved."""

    name: str
    held: int

    def initial(self) -> Kept:
        """Save the root's files: what `home` holds at the start."""

    def detach(self) -> None:
        """Make what `save` returned last safe from everything that still runs.

        Called before other files are shown. Raises Full if it cannot be, and is lost.
        """

    def show(self, kept: Kept) -> None:
        """Make `home` hold these files; nothing done to them afterwards harms `kept`."""

    def show_to_read(self, kept: Kept) -> None:
        """As `show`, if we only read them, and no node runs before the next call."""

    def resume(self, kept: Kept) -> None:
        """As `show`, for the node itself, which goes on; `kept` is given up."""

    def save(self) -> Kept:
        """Save what `home` holds. Raises Full if there is too much of it."""

    def release(self, kept: Kept) -> None:
        """Give up what `save` or `initial` returned."""

    def clean_up(self, most: int) -> None:
        """Dispose of at most `most` things that were given up; called while there is time."""
