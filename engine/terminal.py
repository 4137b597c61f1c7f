"""What the commands share: the --json flag, messages to a person, and how they end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from sandbox.errors import SandboxError
from treegraft.errors import TreegraftError

Unsafe = Annotated[
    bool, typer.Option(help="Allow --sandbox process, which confines nothing.", show_default=False)
]
RunFolder = Annotated[Path, typer.Argument(help="A run's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


def say(text: str) -> None:
    """Print a line for the person at the terminal; standard output is for results."""
    print(text, file=sys.stderr)


@contextmanager
def results_only() -> Iterator[None]:
    """Keep what libraries print (DeepSpeed logs there) out of standard output."""
    with redirect_stdout(sys.stderr):
        yield


def confirmed(sandbox: str, unsafe: bool) -> str:
    """Return `sandbox`.

    Raises:
        SandboxError: There is none of that name; or it confines nothing, and the user did not
            allow that with --unsafe.
    """
    from sandbox.check import resolved

    resolved(sandbox)
    if sandbox == "process" and not unsafe:
        raise SandboxError(
            "--sandbox process confines nothing: agent code could read and change your files; "
            "add --unsafe if that is what you want"
        )
    return sandbox


def sandbox_line(sandbox: str, env: str, used: bool) -> str:
    """Return a line for a user who named a sandbox that the environment does not use, else ""."""
    if used or sandbox == "auto":
        return ""
    return f"--sandbox {sandbox} is not used: {env} runs nothing of the agent's in a sandbox"


@contextmanager
def resumable() -> Iterator[None]:
    """Exit with code 130 at Ctrl-C during work that the same command continues later."""
    try:
        yield
    except KeyboardInterrupt:
        say("stopped; nothing is lost: run the same command to go on")
        raise typer.Exit(130) from None


def guarded(application: Any) -> int:
    """Run a typer application; an error that the user can fix is one line and exit code 2."""
    try:
        application()
    except TreegraftError as error:
        say(f"error: {error}")
        return 2
    return 0
