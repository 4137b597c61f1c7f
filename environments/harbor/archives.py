"""Folders as tar archives for a container, and a solution as one command of the agent's."""

import base64
import io
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

END = "END_OF_FILE"


def archive(folder: Path, name: str) -> bytes:
    """Return a folder as a tar archive, owned by root; scripts can be run."""

    def root(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mode |= 0o755 if member.isdir() or member.name.endswith(".sh") else 0o644
        return member

    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as made:
        made.add(folder, name, filter=root)
    return held.getvalue()


def empty_folders(names: Sequence[str]) -> bytes:
    """Return an archive of folders that everybody can write."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as made:
        for name in names:
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o777
            made.addfile(member)
    return held.getvalue()


def solving_command(folder: Path, variables: Mapping[str, str]) -> str:
    """Return a command that writes the files of `solution/`, runs solve.sh and removes them.

    So the solution is in the container only while it is played, and the action is whole by itself.
    """
    lines = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        target = shlex.quote(f"/solution/{path.relative_to(folder)}")
        lines += [
            f"mkdir -p {shlex.quote(str(Path('/solution', path.relative_to(folder)).parent))}"
        ]
        lines += _written(path.read_bytes(), target)
    given = "".join(f"{name}={shlex.quote(value)} " for name, value in variables.items())
    return "\n".join([*lines, f"{given}bash /solution/solve.sh; rm -rf /solution"])


def _written(data: bytes, target: str) -> list[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or END in text or not text.endswith("\n"):
        encoded = base64.encodebytes(data).decode()
        return [f"base64 -d > {target} <<'{END}'", f"{encoded}{END}"]
    return [f"cat > {target} <<'{END}'", f"{text}{END}"]
