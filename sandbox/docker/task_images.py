"""Images of tasks: built from a folder with a Dockerfile, or named; found again by their contents.

They carry the label of the sandbox's own images, so `engine sandbox clean` removes them, too.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.docker import daemon, image
from sandbox.docker.backend import START_SECONDS
from sandbox.errors import SandboxError
from sandbox.program import NODES_FOLDERS

if TYPE_CHECKING:
    from docker import DockerClient

NAME = "treegraft-task"
PLAIN = """\
FROM {base}
USER 0
RUN rm -f {links} && mkdir -p {folders} && chmod 1777 /tmp
"""
"""Our own image with folders in the place of the links that branching needs (`NODES_FOLDERS`)."""


@dataclass(frozen=True, slots=True)
class TaskImage:
    """An image to run tasks in.

    Attributes:
        folder: with a Dockerfile; None for an image that is only named.
        name: of an image that is there or can be fetched; "" where `folder` is built.
        arguments: build arguments.
        seconds: a build may take.
        offline: whether a build may use no network.
    """

    folder: Path | None = None
    name: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 600.0
    offline: bool = False


def ensure(wanted: TaskImage) -> tuple[str, str]:
    """Return the id of an image, and its user; build or fetch it if it is not there.

    Raises:
        SandboxError: it cannot be had.
    """
    with daemon.connected(START_SECONDS) as client:
        tag = wanted.name or tag_of(wanted)
        if not image.exists(client, tag):
            with image.one_at_a_time():
                if not image.exists(client, tag):
                    _get(client, wanted, tag)
        found = client.api.inspect_image(tag)
    return str(found["Id"]), str(found["Config"].get("User") or "0")


def tag_of(wanted: TaskImage) -> str:
    """Return the tag of a folder: a hash of its files and of the build arguments."""
    assert wanted.folder is not None
    hashed = hashlib.sha256(repr(sorted(wanted.arguments.items())).encode())
    for path in sorted(wanted.folder.rglob("*")):
        about = (str(path.relative_to(wanted.folder)), path.lstat().st_mode)
        hashed.update(repr(about).encode())
        if path.is_symlink():
            hashed.update(os.readlink(path).encode())
        elif path.is_file():
            hashed.update(path.read_bytes())
    return f"{NAME}:{hashed.hexdigest()[:12]}"


def plain_base() -> str:
    """Return the tag of an image like any distribution's, with this machine's Python and tools."""
    from io import BytesIO

    with daemon.connected(START_SECONDS) as client:
        base = image.ensure(client)
        links = list(NODES_FOLDERS)
        text = PLAIN.format(base=base, links=" ".join(links), folders=" ".join(links))
        tag = f"{NAME}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        if not image.exists(client, tag):
            options = {"fileobj": BytesIO(text.encode()), "network_mode": "none"}
            _build(client, tag, options, 600.0)
    return tag


def _get(client: "DockerClient", wanted: TaskImage, tag: str) -> None:
    if wanted.folder is None or wanted.name:
        for event in client.api.pull(tag, stream=True, decode=True):
            if "error" in event:
                why = daemon.first_line(str(event["error"]))
                raise SandboxError(f"cannot fetch the image {tag}: {why}")
        return
    options = {
        "path": str(wanted.folder),
        "buildargs": dict(wanted.arguments),
        "network_mode": "none" if wanted.offline else None,
    }
    _build(client, tag, options, wanted.seconds)


def _build(client: "DockerClient", tag: str, options: Mapping[str, object], seconds: float) -> None:
    events = client.api.build(
        tag=tag,
        rm=True,
        forcerm=True,
        decode=True,
        timeout=max(1, round(seconds)),
        labels={image.LABEL: "1"},
        **options,
    )
    said = ""
    for event in events:
        if "error" in event:
            why = daemon.first_line(str(event["error"]))
            raise SandboxError(f"cannot build the image {tag}: {why}{said and f' ({said[:200]})'}")
        said = str(event.get("stream", "")).strip() or said
