"""The Dockerfile builds, and what it makes works with the options that compose.yaml gives it.

No registry is needed: the base is made of this machine's Python, bubblewrap and packages.
"""

import contextlib
import os
import shutil
import socket
import tarfile
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sandbox.docker import daemon, host_python
from sandbox.docker.backend import Docker
from sandbox.program import NODES_FOLDERS
from tests.support.parts import missing

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

ROOT = Path(__file__).parents[2]
NAME = "treegraft-test"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
PATH = "ENV PATH=/opt/python/bin:/usr/local/bin:/usr/bin:/bin"
PIP_OPTIONS = "--no-index --no-build-isolation"


def requirements() -> list[str]:
    """Names of the packages that the image installs, and of those that build the wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = [need.partition(">=")[0] for need in project["dependencies"]]
    return [*names, "pip", "hatchling", "psycopg", "psycopg-binary"]


def write_base(archive: Any) -> None:
    """Write a root file system with Python, these packages, bubblewrap, and a place for files."""
    host_python.write(requirements(), archive)
    archive.seek(0)
    program = Path(shutil.which("bwrap") or missing("bubblewrap"))
    with tarfile.open(fileobj=archive, mode="a") as tar:
        known = set(tar.getnames())
        tar.add(program, "usr/bin/bwrap")
        for library in host_python.needed_by([program]):
            if (name := f"usr/lib/{library.name}") not in known:
                tar.add(library.resolve(), name)
        for place in NODES_FOLDERS.values():
            folder = tarfile.TarInfo(f"node/{Path(place).name}")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(folder)


@pytest.fixture(scope="module")
def client() -> Iterator["DockerClient"]:
    if why := Docker().unavailable():
        missing("docker", why)
    with daemon.connected(300) as connected:
        yield connected


@pytest.fixture(scope="module")
def image(client: "DockerClient") -> Iterator[str]:
    """The tag of the image, built from a base of our own."""
    with tempfile.TemporaryFile() as archive:
        write_base(archive)
        archive.seek(0)
        client.api.import_image(src=archive, repository=NAME, tag="base", changes=[PATH])
    arguments = {"BASE": f"{NAME}:base", "PIP_OPTIONS": PIP_OPTIONS}
    try:
        client.images.build(
            path=str(ROOT), tag=f"{NAME}:built", buildargs=arguments, rm=True, forcerm=True
        )
        yield f"{NAME}:built"
    finally:
        stages = {"dangling": True, "label": "treegraft.stage=wheel"}
        for left in (*client.images.list(NAME), *client.images.list(filters=stages)):
            for name in left.tags or [left.id]:
                client.api.remove_image(name, force=True)


def start(client: "DockerClient", image: str, service: dict[str, Any], runs: Path) -> "Container":
    """Start a service of compose.yaml as Compose would."""
    given = set(service.get("security_opt", ()))
    config = client.api.create_host_config(
        binds=[f"{runs}:/data/runs"],
        network_mode=service.get("network_mode"),
        security_opt=sorted(given - {"systempaths=unconfined"}),
    )
    if "systempaths=unconfined" in given:
        config |= {"MaskedPaths": [], "ReadonlyPaths": []}
    user = f"{os.getuid() or 1000}:{os.getgid() or 1000}"
    made = client.api.create_container(
        image, service["command"].split(), user=user, host_config=config
    )
    container = client.containers.get(made["Id"])
    container.start()
    return container


def test_engine_and_viewer_of_the_compose_file(
    client: "DockerClient", image: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    engine, viewer = COMPOSE["services"]["engine"], COMPOSE["services"]["viewer"]
    explore = "explore --env python --teacher demonstration --limit 1 --sandbox bubblewrap"
    container = start(
        client, image, engine | {"command": f"{explore} --output runs/first"}, tmp_path
    )
    try:
        code = container.wait(timeout=120)["StatusCode"]
        said = container.logs().decode()
        assert code == 0 and "1 of 1 tasks solved" in said, said
    finally:
        container.remove(force=True)
    port = free_port()
    command = viewer["command"].replace("${RUN:-runs/first}", "runs/first")
    command = command.replace("--port 8765", f"--port {port}")
    container = start(client, image, viewer | {"command": command}, tmp_path)
    try:
        assert "first" in page(f"http://127.0.0.1:{port}/", container)
    finally:
        container.remove(force=True)


def free_port() -> int:
    """A port of loopback that nobody uses at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def page(address: str, container: "Container") -> str:
    """What the viewer serves, once it does."""
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=10) as answer:
            return str(answer.read().decode())
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.2)
