"""How a node gets the files of its parent: the interface of `copies` and `overlay`."""

from typing import Any, Protocol

FOLDERS = ("work", "tmp")
"""What `home` holds at first."""

Kept = Any
"""What a `Files` has put away of a node; opaque to all others."""


class Full(Exception):
    """A node's files cannot be kept."""


class Files(Protocol):
    """How a node gets the files of its parent."""

    name: str
    held: int
    """Bytes put away."""

    def first(self) -> Kept:
        """The root's files: what `home` holds at the start."""

    def leave(self) -> None:
        """Before others are shown: what `keep` returned last is harmed by nothing that still runs.

        Raises Full: it cannot be, and is lost.
        """

    def show(self, kept: Kept) -> None:
        """Let `home` hold these files; nothing done to them afterwards harms `kept`."""

    def show_to_read(self, kept: Kept) -> None:
        """As `show`, if only we look at them, and no node runs before the next call."""

    def resume(self, kept: Kept) -> None:
        """As `show`, for the node itself, which goes on; `kept` is given up."""

    def keep(self) -> Kept:
        """Put away what `home` holds. Raises Full: there is too much of it."""

    def free(self, kept: Kept) -> None:
        """Give up what `keep` or `first` returned."""

    def tidy(self, most: int) -> None:
        """End `most` of what was given up; to be called while there is time."""
