"""A root file system made of this machine's own Python, for machines that cannot fetch an image.

It holds the interpreter, the standard library, the shared libraries that these need, a shell with a
few small tools, and chosen packages installed in this interpreter's environment.

Limitations: made for Linux with `ldd`. Version ranges of packages and their extras are not checked;
a dependency under a marker is copied if it is installed. A package installed in editable mode, or
by the system's package manager without a list of its files, cannot be copied.
"""

import functools
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import IO

from sandbox.errors import SandboxError
from sandbox.program import NODES_FOLDERS

LAYOUT = "2"
"""Raise it with every change here that makes another file system."""
PREFIX = Path("/opt/python")
"""Where Python is inside. It can be moved, because it finds its library relative to itself."""
LIBRARIES = Path("/usr/lib")
"""The one folder that every loader searches; the others are links to it."""
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib", "usr/lib64": "lib"}
LOADED_BY_NAME = ("libgcc_s.so.1", "libnss_files.so.2")
"""Opened while Python runs (at a thread's end, for user names), so that no file lists them."""
TOOLS = (
    *("sh", "bash", "env", "ls", "cat", "cp", "mv", "rm", "mkdir", "rmdir", "ln", "chmod", "touch"),
    *("head", "tail", "wc", "sort", "uniq", "cut", "tr", "grep", "sed", "find", "sleep", "du"),
    *("awk", "basename", "comm", "cmp", "date", "df", "diff", "dirname", "echo", "expand", "expr"),
    *("false", "fold", "getent", "gunzip", "gzip", "id", "install", "join", "md5sum", "mkfifo"),
    *("mktemp", "nl", "nproc", "numfmt", "od", "paste", "printf", "pwd", "readlink", "realpath"),
    *("rev", "seq", "sha256sum", "shuf", "split", "stat", "tac", "tar", "tee", "test", "timeout"),
    *("true", "truncate", "uname", "unlink", "which", "whoami", "xargs", "yes", "zcat"),
)
LEFT_OUT = {
    *("test", "tests", "idlelib", "ensurepip", "tkinter", "turtledemo", "lib2to3"),
    *("site-packages", "dist-packages"),
}
PASSWD = (
    "root:x:0:0::/nonexistent:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/sh\n",
    "root:x:0:\nnogroup:x:65534:\n",
)
ASK = """
import json, os, site, sys, sysconfig
prefix = sys.base_prefix
sites = [p for p in site.getsitepackages() if p.startswith(prefix + os.sep)]
print(json.dumps([os.path.realpath(sys.executable), prefix, sysconfig.get_path("stdlib"),
                  (sites or [sysconfig.get_path("purelib")])[0], sys.version]))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The real interpreter, also where a virtual environment is used.

    Attributes:
        prefix: `sys.base_prefix`.
        library: folder of the standard library.
        version: `sys.version`.
    """

    executable: Path
    prefix: Path
    library: Path
    site: Path
    version: str

    def moved(self, path: Path) -> Path:
        """Return where a path below the prefix is in the image."""
        return PREFIX / path.relative_to(self.prefix)


@functools.cache
def interpreter() -> Interpreter:
    """Return this interpreter. Raises SandboxError if it does not start in isolated mode."""
    command = [os.path.realpath(sys.executable), "-I", "-c", ASK]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(f"this Python cannot be copied into an image: {error}") from error
    executable, prefix, library, site, version = json.loads(done.stdout)
    return Interpreter(Path(executable), Path(prefix), Path(library), Path(site), version)


def identity(packages: Iterable[str]) -> str:
    """Return text that differs when the file system would; errors as for `distributions`."""
    found = interpreter()
    versions = [f"{d.metadata['Name']}=={d.version}" for d in distributions(packages)]
    return json.dumps([LAYOUT, str(found.executable), found.version, os.uname().machine, versions])


def distributions(packages: Iterable[str]) -> list[Distribution]:
    """Return the installed packages and their dependencies, by name.

    Raises:
        SandboxError: one is not installed here, has another version, or cannot be copied.
    """
    found: dict[str, Distribution] = {}
    waiting = [(text, True) for text in packages]
    while waiting:
        text, required = waiting.pop()
        match = re.match(r"\s*([A-Za-z0-9][\w.-]*)", text)
        name = re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""
        if name in found:
            continue
        installed = installed_package(text, name, required)
        if installed is None:
            continue
        found[name] = installed
        needs = [need for need in installed.requires or () if "extra ==" not in need]
        waiting += [(need.partition(";")[0], ";" not in need) for need in needs]
    for package in packages:
        require_version(package, found)
    return [found[name] for name in sorted(found)]


def installed_package(text: str, name: str, required: bool) -> Distribution | None:
    """Return the package if it can be copied; None if it is neither installed nor required."""
    try:
        package = distribution(name) if name else None
    except PackageNotFoundError:
        package = None
    if package is None:
        if required:
            raise SandboxError(
                f"no registry answers, and this Python has no package {text.strip()!r} to copy; "
                "install it here, or leave it out"
            )
        return None
    if '"editable": true' in (package.read_text("direct_url.json") or "") or not package.files:
        raise SandboxError(
            f"package {name!r} cannot be copied from this Python: it is installed in editable mode "
            "or without a list of its files; install it again with pip"
        )
    return package


def require_version(package: str, found: dict[str, Distribution]) -> None:
    """Refuse a chosen package unless it is asked for by name, or in the installed version."""
    match = re.fullmatch(r"([A-Za-z0-9][\w.-]*?)(?:==([\w.+!-]+))?", package.strip())
    if match is None:
        raise SandboxError(f"without a registry, say {package!r} as name or name==version")
    version = found[re.sub(r"[-_.]+", "-", match[1]).lower()].version
    if match[2] not in (None, version):
        raise SandboxError(
            f"no registry answers, and this Python has {match[1]}=={version}, not {match[2]}"
        )


def write(packages: Iterable[str], out: IO[bytes]) -> None:
    """Write the file system as a tar archive; errors as for `distributions` and `needed_by`."""
    found = interpreter()
    files = dict(program_files(found)) | dict(package_files(found, distributions(packages)))
    sources = {source.resolve() for source in files.values()}
    programs = {s for t, s in files.items() if ".so" in s.suffixes or t.parent.name == "bin"}
    for library in needed_by(programs):
        if library.resolve() not in sources:  # packages contain some, and find them by themselves
            files[LIBRARIES / library.name] = library
    with tarfile.open(fileobj=out, mode="w") as tar:
        archive = Archive(tar)
        for target in sorted(files):
            archive.file(target, files[target])
        archive.skeleton(found)


def program_files(found: Interpreter) -> Iterator[tuple[Path, Path]]:
    """Yield paths inside and outside: the interpreter, its library, the tools."""
    yield PREFIX / "bin" / found.executable.name, found.executable
    for parent, folders, names in os.walk(found.library):
        folders[:] = [f for f in folders if f not in LEFT_OUT and not f.startswith("config-")]
        for name in names:
            if not name.endswith((".opt-1.pyc", ".opt-2.pyc", ".a", ".o", ".exe")):
                path = Path(parent, name)
                yield found.moved(path), path
    for tool in TOOLS:
        if path_of_tool := shutil.which(tool, path="/usr/bin:/bin"):
            yield Path("/usr/bin", tool), Path(path_of_tool).resolve()


def package_files(
    found: Interpreter, packages: Iterable[Distribution]
) -> Iterator[tuple[Path, Path]]:
    """Yield paths inside and outside of the packages' modules; their commands are left out."""
    for package in packages:
        for file in package.files or ():
            path = Path(str(file.locate()))
            if ".." not in file.parts and path.is_file():
                yield found.moved(found.site) / file, path


def needed_by(programs: Iterable[Path]) -> set[Path]:
    """Return the shared libraries that programs need; raise `SandboxError` if `ldd` is missing."""
    command = ["ldd", *sorted(map(str, programs))]
    try:
        # It fails for scripts, but still lists the libraries of all others.
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(f"cannot look for shared libraries; install `ldd` ({error})") from error
    libraries = {Path(path) for path in re.findall(r"(/\S+) \(0x", done.stdout)}
    for folder in {library.parent for library in libraries}:
        libraries |= {folder / name for name in LOADED_BY_NAME if (folder / name).exists()}
    return libraries


class Archive:
    """A tar archive in which everything belongs to root and nobody else can write."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._folders = {Path("/")}

    def file(self, target: Path, source: Path) -> None:
        """Add a file.

        Set-user-id bits are dropped; times stay, because compiled modules are checked by them.
        """
        self.folder(target.parent)
        status = source.stat()
        entry = tarfile.TarInfo(str(target).lstrip("/"))
        entry.size, entry.mtime = status.st_size, int(status.st_mtime)
        entry.mode = 0o755 if status.st_mode & 0o111 else 0o644
        with source.open("rb") as data:
            self._tar.addfile(entry, data)

    def folder(self, target: Path, mode: int = 0o755) -> None:
        """Add a folder and its parents, once."""
        if target in self._folders:
            return
        self.folder(target.parent)
        self._folders.add(target)
        entry = tarfile.TarInfo(str(target).lstrip("/"))
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        self._tar.addfile(entry)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        entry = tarfile.TarInfo(path)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(entry)

    def text(self, path: str, content: str) -> None:
        """Add a file with this content."""
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content.encode()), 0o644
        self._tar.addfile(entry, io.BytesIO(content.encode()))

    def skeleton(self, found: Interpreter) -> None:
        """Add what else a root file system has: links, users, and the nodes' place."""
        for folder in ("/dev", "/etc", "/proc", "/sys", "/usr/local/bin", "/var"):
            self.folder(Path(folder))
        self.folder(Path("/node"), 0o1777)
        for folder, place in NODES_FOLDERS.items():
            self.link(folder.lstrip("/"), place)
        for path, target in LINKS.items():
            self.link(path, target)
        for name in ("python3", "python"):
            self.link(f"usr/local/bin/{name}", f"{PREFIX}/bin/{found.executable.name}")
        for name, content in zip(("passwd", "group"), PASSWD, strict=True):
            self.text(f"etc/{name}", content)
