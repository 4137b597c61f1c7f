"""The image that sandboxes run in: built at the first use, found again by a hash of its contents.

There are two kinds: one from the official Python image with packages from the registry; and, if no
registry answers, one from this machine's own Python (`host_python`). Both have `python3` on PATH,
an empty `/node` for a tmpfs (which takes over its mode, whatever the mount says), `/tmp`, `/work`
and a few others (`NODES_FOLDERS`) as links into it, no set-user-id file, and no environment
variable but PATH.

Limitation: processes of one user build one after the other, and find what the first has built;
processes of two users build twice, and the image that is named last stays.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sandbox.docker import daemon, host_python
from sandbox.errors import SandboxError
from sandbox.program import HOME, NODES_FOLDERS

if TYPE_CHECKING:
    from docker import DockerClient

NAME = "treegraft-sandbox"
LABEL = "treegraft.image"
BASE = (
    "python:3.12.11-slim-bookworm"
    "@sha256:519591d6871b7bc437060736b9f7456b8731f1499a57e22e6c285135ae657bf7"
)
"""For amd64 and arm64. `docker buildx imagetools inspect python:<tag>` prints another's digest."""
SILENCE_SECONDS = 5
"""How long the registry may be silent before it counts as absent."""
PULL_SECONDS = 900.0
BUILD_SECONDS = 1800
PATH = "PATH=/usr/local/bin:/usr/bin:/bin"

DOCKERFILE = """\
FROM {base} AS build
USER 0
{install}
RUN python3 -m compileall -q --invalidation-mode unchecked-hash \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" || true
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {{}} + \
    && rm -rf {folders} {home} && mkdir -m 1777 {home} \
    && {links}
LABEL {label}=stage

# A new stage, so that neither set-user-id files nor the environment of the base are in it.
FROM scratch
COPY --from=build / /
ENV {path}
LABEL {label}=1
USER 65534:65534
WORKDIR /
"""


def ensure(
    client: "DockerClient", packages: Iterable[str] = (), offline: bool | None = None
) -> str:
    """Return the tag of an image with these packages; build it if it does not exist.

    Args:
        packages: as for `pip install`; in an offline image, name or name==version.
        offline: False takes the registry, True this machine's Python. None takes whichever image
            exists; else the registry; else, if none answers, this machine's Python.

    Raises:
        SandboxError: it cannot be built; the message says what to do.
    """
    chosen = sorted({package.strip() for package in packages})
    require_names(chosen)
    with daemon.explained():
        if tag := find(client, chosen, offline):
            return tag
        with one_at_a_time():
            return find(client, chosen, offline) or build(client, chosen, offline)


def find(client: "DockerClient", packages: list[str], offline: bool | None) -> str:
    """Return the tag of an existing image, of either kind that will do; "" if there is none."""
    if offline is not True and exists(client, online_tag(packages)):
        return online_tag(packages)
    if offline is False:
        return ""
    try:
        tag = offline_tag(packages)
    except SandboxError:
        if offline:
            raise
        return ""  # this machine lacks a package; the registry may have it
    return tag if exists(client, tag) else ""


def build(client: "DockerClient", packages: list[str], offline: bool | None) -> str:
    """Build an image that `find` did not find; return its tag."""
    trouble = "" if offline else pull_base(client)
    if offline or (trouble and offline is None):
        return build_offline(client, packages)
    if trouble:
        raise SandboxError(
            f"cannot fetch the base image ({trouble}); connect, or build with --offline"
        )
    return build_online(client, packages)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold back other threads and processes of this user that want to build."""
    path = os.path.join(tempfile.gettempdir(), f"{NAME}-{os.getuid()}.lock")
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def require_names(packages: Iterable[str]) -> None:
    """Refuse what pip would take for an option, and what is not one line of plain text."""
    for package in packages:
        if not package or package.startswith("-") or not package.isprintable():
            raise SandboxError(f"{package!r} is not a package; write it as for pip install")


def online_tag(packages: list[str]) -> str:
    """Return the tag of the image from the registry."""
    return tag_of(dockerfile(packages))


def offline_tag(packages: list[str]) -> str:
    """Return the tag of the image from this machine's Python; errors as for `identity`."""
    return tag_of(host_python.identity(packages))


def tag_of(content: str) -> str:
    """Return the tag for an image made from `content`."""
    return f"{NAME}:{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def exists(client: "DockerClient", tag: str) -> bool:
    """Return whether there is an image with this tag."""
    from docker.errors import ImageNotFound

    try:
        client.api.inspect_image(tag)
    except ImageNotFound:
        return False
    return True


def dockerfile(packages: Iterable[str], base: str = BASE) -> str:
    """Return the Dockerfile of the online image."""
    chosen = list(packages)
    pip = ["python3", "-m", "pip", "install", "--no-cache-dir", "--root-user-action=ignore"]
    install = f"RUN {json.dumps(pip + chosen)}" if chosen else "# no packages"
    links = " && ".join(f"ln -s {place} {folder}" for folder, place in NODES_FOLDERS.items())
    return DOCKERFILE.format(
        base=base,
        install=install,
        path=PATH,
        label=LABEL,
        home=HOME,
        folders=" ".join(NODES_FOLDERS),
        links=links,
    )


def pull_base(client: "DockerClient") -> str:
    """Fetch the base image unless it exists; return why it cannot be fetched, or ""."""
    if exists(client, BASE):
        return ""
    started = time.monotonic()
    try:
        with daemon.connected(SILENCE_SECONDS) as impatient:
            for event in impatient.api.pull(BASE, stream=True, decode=True):
                if "error" in event:
                    return daemon.first_line(str(event["error"]))
                if time.monotonic() - started > PULL_SECONDS:
                    return f"not fetched within {PULL_SECONDS:g} s"
    except SandboxError as error:
        return str(error)
    return ""


def build_online(client: "DockerClient", packages: list[str], base: str = BASE) -> str:
    """Build from the base image; return the tag, or raise `SandboxError` if a package is wrong."""
    text = dockerfile(packages, base)
    problem = ""
    events = client.api.build(
        fileobj=io.BytesIO(text.encode()),
        tag=tag_of(text),
        rm=True,
        forcerm=True,
        decode=True,
        timeout=BUILD_SECONDS,
    )
    for event in events:
        if "error" in event:
            raise SandboxError(
                f"cannot build the sandbox image: {daemon.first_line(problem or event['error'])}; "
                "check the names of the packages, or build with --offline"
            )
        line = str(event.get("stream", "")).strip()
        problem = line if "ERROR" in line else problem
    drop_stages(client)
    return tag_of(text)


def drop_stages(client: "DockerClient") -> None:
    """Remove what a build leaves of its first stage; Docker would keep it for ever."""
    from docker.errors import APIError

    for left in client.images.list(filters={"dangling": True, "label": f"{LABEL}=stage"}):
        with contextlib.suppress(APIError):  # another build uses it
            client.api.remove_image(left.id)


def remove_all(client: "DockerClient") -> tuple[str, ...]:
    """Remove the images that no container uses; return their tags."""
    from docker.errors import APIError

    removed: list[str] = []
    for found in client.images.list(filters={"label": f"{LABEL}=1"}):
        for tag in found.tags:
            with contextlib.suppress(APIError):
                client.api.remove_image(tag)
                removed.append(tag)
    return tuple(removed)


def build_offline(client: "DockerClient", packages: list[str]) -> str:
    """Make the image of this machine's Python; return its tag.

    Raises:
        SandboxError: a package is not installed here, or Docker has no space.
    """
    tag = offline_tag(packages)
    changes = [f"ENV {PATH}", f"LABEL {LABEL}=1", "USER 65534:65534", "WORKDIR /"]
    with tempfile.TemporaryFile(prefix=NAME) as archive:
        host_python.write(packages, archive)
        archive.seek(0)
        name, _, version = tag.partition(":")
        with daemon.connected(BUILD_SECONDS) as patient:
            answer = patient.api.import_image(
                src=archive, repository=name, tag=version, changes=changes
            )
    if not exists(client, tag):
        raise SandboxError(f"cannot import the sandbox image: {daemon.explain(OSError(answer))}")
    return tag
