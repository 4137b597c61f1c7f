"""What the commands share: the --json flag, messages to a person, and how they end."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from sandbox.errors import SandboxError
from treegraft.errors import TreegraftError
from treegraft.file_errors import concerns, reason

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
    from sandbox.check import is_for_trusted_code, resolved

    resolved(sandbox)
    if not unsafe and is_for_trusted_code(sandbox):
        raise SandboxError(
            f"--sandbox {sandbox} confines nothing: agent code could read and change your files; "
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


_ABOUT_NAMES = ("embedded null byte", "embedded null character", "Symlink loop from ")
"""What Python says about a file's name, but not as an OSError."""


def guarded(application: Any, arguments: Sequence[str] | None = None) -> int:
    """Run a typer application; an error that the user can fix is one line and exit code 2.

    Such errors are those that our code raises for it; and what the system says about a file that
    the command line names, or about the disk. Any other exception is a defect and passes.

    Args:
        application: Called without arguments.
        arguments: The command line; default: this process's.
    """
    _accept_every_character()
    try:
        try:
            application()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except TreegraftError as error:
        return _refuse(error.line)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _drop_output()
        return 1
    except OSError as error:
        if not concerns(error, _named_files(sys.argv[1:] if arguments is None else arguments)):
            raise
        _drop_output()
        place = error.filename or "standard output, or a file"
        return _refuse(f"{os.fsdecode(place)}: {reason(error)}")
    except (ValueError, RuntimeError) as error:
        if not any(words in str(error) for words in _ABOUT_NAMES):
            raise
        return _refuse(f"{error}: name another file or folder")
    return 0


def _refuse(text: str) -> int:
    say(f"error: {' '.join(text.splitlines())}")
    return 2


def _accept_every_character() -> None:
    """Show "?" for what the terminal's encoding lacks, instead of an exception."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _drop_output() -> None:
    """Let Python's last flush of standard output succeed: it can be written no more."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _named_files(arguments: Sequence[str]) -> list[str]:
    """Return what may be names of files in a command line: FLAG=FILE, @FILE, FILE.py:Class."""
    parts = [part for argument in arguments for part in (argument, argument.partition("=")[2])]
    parts += [part.rpartition(":")[0] for part in parts]
    return ["runs", *(named for part in parts if (named := part.removeprefix("@")))]
