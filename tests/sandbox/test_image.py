"""The sandbox image, made of this machine's Python, or by the Dockerfile from another base."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import SandboxError
from sandbox.docker import daemon, host_python, image
from sandbox.docker.backend import Docker
from sandbox.program import Program
from tests.support.parts import missing

if TYPE_CHECKING:
    from docker import DockerClient

LOOK = """
import ctypes, hashlib, json, lzma, os, pwd, sqlite3, ssl, stat, subprocess, sys, threading
assert not [p for d, _, fs in os.walk("/") if not d.startswith(("/proc", "/sys")) for p in fs
            if os.lstat(os.path.join(d, p)).st_mode & (stat.S_ISUID | stat.S_ISGID)]
import cmd, struct
with open(cmd.__cached__, "rb") as compiled:
    _, flags, made, _ = struct.unpack("<IIII", compiled.read(16))
print(json.dumps({
    "node": [oct(os.stat("/node").st_mode & 0o7777), os.listdir("/node")],
    "links": [os.readlink(path) for path in ("/tmp", "/work", "/home", "/var/log")],
    "user": [os.getuid(), pwd.getpwuid(65534).pw_name],
    "shell": subprocess.run("echo $((1 + 1)) && ls -d /etc | cat", shell=True,
                            capture_output=True, text=True).stdout,
    "environment": sorted(os.environ),
    "cached": flags == 1 or made == int(os.stat(cmd.__file__).st_mtime),
}))
"""
SEEN = (
    '{"node": ["0o1777", []], "links": ["node/tmp", "node/work", "node/home", "../node/log"], '
    '"user": [65534, "nobody"], '
    '"shell": "2\\n/etc\\n", "environment": ["HOME", "HOSTNAME", "PATH"], "cached": true}'
)


@pytest.fixture(scope="module")
def client() -> Iterator["DockerClient"]:
    if why := Docker().unavailable():
        missing("docker", why)
    with daemon.connected() as connected:
        yield connected


def run(client: "DockerClient", tag: str, code: str) -> str:
    """What the code prints in a container of the image, as the image itself would have it."""
    output: bytes = client.containers.run(
        tag, ["python3", "-I", "-c", code], remove=True, network_mode="none", stderr=True
    )
    return output.decode().strip()


def test_an_image_of_this_machines_python(client: "DockerClient") -> None:
    tag = image.ensure(client, offline=True)
    assert tag.startswith("treegraft-sandbox:") and len(tag.partition(":")[2]) == 12
    assert run(client, tag, LOOK) == SEEN
    assert client.images.get(tag).labels == {"treegraft.image": "1"}


def test_the_dockerfile_builds(client: "DockerClient") -> None:
    """From a base that is here in place of the official one; without packages, as no network is."""
    base = image.ensure(client, offline=True)
    tag = image.build_online(client, [], base)
    try:
        stages = {"dangling": True, "label": f"{image.LABEL}=stage"}
        assert not client.images.list(filters=stages)
        assert run(client, tag, LOOK) == SEEN
        assert client.images.get(tag).labels == {"treegraft.image": "1"}
    finally:
        client.api.remove_image(tag, force=True)


def test_an_image_that_is_there_is_used_without_asking_a_registry(client: "DockerClient") -> None:
    tag = image.ensure(client, offline=True)
    client.api.tag(tag, image.NAME, image.online_tag([]).partition(":")[2])
    try:
        assert image.ensure(client) == image.ensure(client, offline=False) == image.online_tag([])
    finally:
        client.api.remove_image(image.online_tag([]))
    assert image.ensure(client) == image.ensure(client, offline=True) == tag


def test_packages_come_with_what_they_need(client: "DockerClient") -> None:
    tag = image.ensure(client, ["jsonschema"], offline=True)
    try:
        code = "import jsonschema; jsonschema.validate(1, {'type': 'integer'}); print('fine')"
        assert run(client, tag, code) == "fine"
        assert tag != image.ensure(client, offline=True)
        absent = "import importlib.util as u; print(u.find_spec('docker'), u.find_spec('pytest'))"
        assert run(client, tag, absent) == "None None"
    finally:
        client.api.remove_image(tag, force=True)


def test_two_that_build_at_once(client: "DockerClient") -> None:
    tags: list[str] = []

    def nameless() -> set[str]:
        filters = {"dangling": True, "label": image.LABEL}
        return {found.id for found in client.images.list(filters=filters)}

    before = nameless()

    def build() -> None:
        with daemon.connected() as own:
            tags.append(image.ensure(own, ["tenacity"], offline=True))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tags == [image.offline_tag(["tenacity"])] * 2
    deadline = time.monotonic() + 30  # what another test builds at the moment has no name either
    while not nameless() <= before:
        assert time.monotonic() < deadline, "one of them built in vain"
        time.sleep(0.2)
    assert run(client, tags[0], "import tenacity; print(1)") == "1"
    client.api.remove_image(tags[0], force=True)


def test_an_image_that_was_deleted_is_built_again(client: "DockerClient") -> None:
    backend = Docker(packages=("tenacity",), offline=True)
    program = Program("test", ("-I", "-c", "import tenacity\nprint(tenacity.__name__)"))
    for _ in range(2):
        channel = backend.start(program)
        try:
            assert channel.receive(10, 100) == b"tenacity"
        finally:
            channel.kill()
        client.api.remove_image(image.offline_tag(["tenacity"]), force=True)


@pytest.mark.parametrize(
    ("package", "why"),
    [
        ("no-such-package-here", "no package 'no-such-package-here'"),
        ("tenacity==0.0.1", "not 0.0.1"),
        ("tenacity>=1", "name or name==version"),
        ("--index-url=x", "not a package"),
        ("a\nRUN b", "not a package"),
        ("treegraft", "editable"),
    ],
)
def test_packages_that_cannot_be_had(client: "DockerClient", package: str, why: str) -> None:
    with pytest.raises(SandboxError, match=why):
        image.ensure(client, [package], offline=True)


def test_the_version_that_is_here_can_be_asked_for() -> None:
    version = host_python.distribution("tenacity").version
    assert host_python.identity([f"tenacity=={version}"]) == host_python.identity(["tenacity"])


def test_the_tag_follows_from_the_content() -> None:
    assert image.online_tag([]) != image.online_tag(["tenacity"])
    assert image.offline_tag([]) != image.offline_tag(["tenacity"])
    assert image.online_tag([]) != image.offline_tag([])


def test_a_name_that_is_no_command() -> None:
    """Packages are arguments of pip, never text of a shell."""
    assert 'RUN ["python3", "-m", "pip"' in image.dockerfile(["a; rm -rf /"])
    assert '"a; rm -rf /"]' in image.dockerfile(["a; rm -rf /"])


def test_no_registry_is_found_out_quickly(client: "DockerClient") -> None:
    if image.exists(client, image.BASE) or not image.pull_base(client):
        pytest.skip("the registry answers")
    with pytest.raises(SandboxError, match="--offline"):
        image.ensure(client, ["no-such-package-here"], offline=False)
    with pytest.raises(SandboxError, match="no registry answers"):
        image.ensure(client, ["no-such-package-here"])


def test_the_interpreter_is_the_real_one() -> None:
    found = host_python.interpreter()
    assert not found.executable.is_symlink() and (found.library / "os.py").is_file()
    assert found.moved(found.library).is_relative_to(Path("/opt/python"))
