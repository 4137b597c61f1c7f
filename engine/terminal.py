"""What the commands share: the --json flag, what they say to a person, and how they end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Annotated, Any

import typer

from sandbox.errors import SandboxError
from treegraft.errors import TreegraftError

Unsafe = Annotated[
    bool, typer.Option(help="Allow --sandbox process, which confines nothing.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


def say(text: str) -> None:
    """A line for the person at the terminal; standard output is for results."""
    print(text, file=sys.stderr)


@contextmanager
def results_only() -> Iterator[None]:
    """Around work whose libraries print on standard output (DeepSpeed logs there)."""
    with redirect_stdout(sys.stderr):
        yield


def confirmed(sandbox: str, unsafe: bool) -> str:
    """The sandbox to use.

    Raises:
        SandboxError: one that confines nothing, without the user's own word for it.
    """
    if sandbox == "process" and not unsafe:
        raise SandboxError(
            "--sandbox process confines nothing: agent code could read and change your files; "
            "add --unsafe if that is what you want"
        )
    return sandbox


@contextmanager
def resumable() -> Iterator[None]:
    """Around work that the same command goes on with after Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        say("stopped; nothing is lost: run the same command to go on")
        raise typer.Exit(130) from None


def guarded(application: Any) -> int:
    """Run a typer application; what a user can mend is one line and exit code 2."""
    try:
        application()
    except TreegraftError as error:
        say(f"error: {error}")
        return 2
    return 0
