"""Run one command of the agent in a bash of its own, and carry the shell's state as text.

A bash that lives on between two steps would end with the step. So each command starts one, which
first reads the state that the command before left: the folder, umask, options, aliases, functions
and variables. A trap writes the new state, after `exit` too; a shell that replaces itself (`exec`),
sets an EXIT trap of its own or is killed leaves the old one.

Observations should not depend on the machine, nor on the way to a state. The environment is fixed.
Two folders have the same names everywhere, `/work` and `/tmp`: in commands and output they stand
for the real ones. After `show_root`, so do the folders of a root file system, and those that a
command makes beside them: nothing there is the sandbox's own. A file that a command touched gets
the time of a clock that counts commands. In a folder of a tmpfs, which lists the newest entry
first, the entries are put in order.
"""

import calendar
import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

HOME = os.path.realpath(os.environ.get("HOME", "/"))
NODE = os.path.dirname(HOME)
"""The folder of all files that a state consists of."""
LOG = f"{NODE}/log"
REAL = {"/work": HOME, "/tmp": f"{NODE}/tmp"}
"""Real names, by those that the agent sees."""
ENVIRONMENT = {
    "HOME": HOME,
    "HOSTNAME": "sandbox",
    "LC_ALL": "C",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PWD": HOME,
    "SHELL": "/bin/bash",
    "TERM": "dumb",
    "TMPDIR": REAL["/tmp"],
    "TZ": "UTC",
    "USER": "agent",
}
ROOT = ("/etc", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/usr", "/var")
"""Folders of a root file system that the agent has of its own, for tasks that want them."""
SYSTEM = {
    *("bin", "boot", "dev", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys"),
    *(f"usr/{name}" for name in ("bin", "games", "include", "lib", "lib32", "lib64", "libexec")),
    *(f"usr/{name}" for name in ("libx32", "sbin", "share", "src")),
}
"""Folders that are the sandbox's own, and so cannot be written."""
AT_FIRST = {
    "/etc/group": "root:x:0:\nagent:x:1000:\n",
    "/etc/hostname": "sandbox\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n",
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nagent:x:1000:1000::/root:/bin/bash\n",
    "/etc/shells": "/bin/sh\n/bin/bash\n",
}
FOLDERS_AT_FIRST = ("/usr/local/bin", "/usr/local/lib", "/var/lib", "/var/log", "/var/tmp")
CREATING = re.compile(
    r"\b(cp|install|ln|mkdir|mv|tar|tee|touch)\b[^\n;&|]*|>\s*\S+|(?<![\w-])\w+=\S+"
)
"""Where a command may name something new at the top."""
TOP = re.compile(r"""(?<![\w.\-/~}*?\])])/(\w[\w.-]*)""")
FIRST = 1_704_096_000
"""The time of files at the start, 2024-01-01 08:00; each command adds a minute."""
STATE_IN, STATE_OUT = 250, 251
"""Descriptors of the shell's state."""
KEPT = 24_000
"""Bytes of output at most, a third of them from its end."""
LONGEST = 30_000
"""Characters of a command at most; the kernel takes 128 kB in one argument."""
WHOLE = "# whole"
FIRST_STATE = "shopt -s expand_aliases\numask 022\nRANDOM=1\n"
NOT_CARRIED = (
    "BASH*|COMP_WORDBREAKS|DIRSTACK|EPOCH*|EUID|FUNCNAME|GROUPS|HISTCMD|HOSTTYPE|LINENO|MACHTYPE|"
    "OPTERR|OSTYPE|PIPESTATUS|PPID|PS4|PWD|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|UID|_"
)
SAVE = f"""
__save() {{
  {{
    builtin printf '__options() {{\\n'
    builtin set +o
    builtin printf '}}\\n'
    builtin set +eu
    builtin printf 'builtin cd -- %q\\n' "$PWD"
    builtin umask -p
    builtin printf 'RANDOM=%s\\n' "$RANDOM"
    builtin shopt -p
    builtin declare -f
    builtin compgen -v | while IFS= builtin read -r __name; do
      case $__name in {NOT_CARRIED}|__name) ;; *) builtin declare -p "$__name" ;; esac
    done
    builtin alias -p
    builtin printf '%s\\n' __options 'builtin unset -f __options' 'builtin set +nvx' '{WHOLE}'
  }} >&{STATE_OUT}
}}
"""
"""Writes the state. Functions come before aliases, which would be put into them once more."""


class State:
    """The state of the agent's shell in this interpreter, and so in its forks."""

    def __init__(self) -> None:
        """Be a fresh shell's."""
        self.text = FIRST_STATE
        self.commands = 0
        self.closed: dict[str, int] = {}
        """Modes of folders that the sandbox opened to save what is in them."""


STATE = State()


def prepare(spec: str) -> str:
    """Write the files of a task; return "" or what is wrong.

    spec: JSON of an object with "files" (contents by path), and optionally "links" (targets by
    path), "modes" (octal, by path), "times" ("2024-01-31 12:00", by path), "init" (scripts), and
    "root" (whether there is a root file system besides /work and /tmp).
    """
    given = json.loads(spec)
    try:
        if given.get("root"):
            show_root()
            _furnish()
        _write(given)
    except (OSError, ValueError) as error:
        return f"its files cannot be written: {error}"
    for language, script in given.get("init", ()):
        status, said = call(language, script, [])
        if status:
            return f"its init script ended with exit status {status}: {said.strip()[-200:]}"
    for path, _ in _entries():
        _set_time(path, FIRST)
    for path, text in given.get("times", {}).items():
        _set_time(path, _seconds(text))
    return ""


def _write(given: dict[str, Any]) -> None:
    os.umask(0o022)
    for path, text in given.get("files", {}).items():
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if path.endswith("/"):
            continue
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    for path, target in given.get("links", {}).items():
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        os.symlink(target, path)
    for path, mode in given.get("modes", {}).items():
        os.chmod(path, int(mode, 8))


def show_root() -> None:
    """Translate the agent's names of the folders of `ROOT`, and of others at the top, too."""
    for name in ROOT:
        REAL[name] = NODE + name
        os.makedirs(REAL[name], exist_ok=True)
    ENVIRONMENT["HOME"] = REAL["/root"]
    ENVIRONMENT["PATH"] = f"{REAL['/usr']}/local/bin:/usr/bin:/bin"
    _show_new({*os.listdir(NODE)} - {os.path.basename(LOG)})


def _furnish() -> None:
    for name in FOLDERS_AT_FIRST:
        os.makedirs(_real(name), exist_ok=True)
    for name, text in AT_FIRST.items():
        with open(_real(name), "w", encoding="utf-8") as file:
            file.write(text)
    if os.path.realpath("/var/log") == LOG:  # as in Docker's image
        os.symlink("var/log", LOG)
    links = [f"/{name}" for name in SYSTEM if name.startswith("usr/")]
    with contextlib.suppress(OSError):  # a sandbox may have none
        links += [f"/usr/local/bin/{name}" for name in os.listdir("/usr/local/bin")]
    for path in filter(os.path.lexists, links):
        os.symlink(path, NODE + path)


def _show_new(names: Iterable[str]) -> None:
    """Translate names at the top that are not the system's."""
    REAL.update({f"/{name}": f"{NODE}/{name}" for name in names if name not in SYSTEM})


def call(language: str, script: str, arguments: Sequence[str]) -> tuple[int, str]:
    """Run a script of the data with the agent's environment; return its status and its output."""
    programs = {"bash": ["bash", "-c"], "python": [sys.executable, "-c"]}
    after = ["--"] if language == "bash" else []
    done = subprocess.run(
        [*programs[language], _real(script), *after, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        check=False,
    )
    return done.returncode, _shown(done.stdout.decode("utf-8", "replace"))


def run(command: str) -> str:
    """Run `command`; return JSON with "status", "output" and "left_out" (bytes of it)."""
    command = command.encode("utf-8", "replace").decode().replace("\0", "")  # as a terminal would
    if len(command) > LONGEST:
        return json.dumps({"status": 1, "output": "the command is too long", "left_out": 0})
    STATE.commands += 1
    for path, mode in STATE.closed.items():
        with contextlib.suppress(OSError):
            os.chmod(path, mode)
    _put_in_order()
    started = time.time() - 1
    with _memory("output") as output:
        status = _bash(_real(command), output)
        text, left_out = _both_ends(output)
    for path, seen in _entries():
        if seen.st_mtime >= started:
            _set_time(path, FIRST + 60 * STATE.commands)
    STATE.closed = {path: mode for path, mode in _modes() if mode & 0o700 != 0o700}
    return json.dumps({"status": status, "output": _shown(text), "left_out": left_out})


def _bash(command: str, output: int) -> int:
    """Run `command` in the state that was left; return its exit status, as a shell tells it."""
    start = f". /dev/fd/{STATE_IN} 2>/dev/null; "
    start += "builtin trap '{ __save; } 2>/dev/null' EXIT; "
    with _memory("state") as before, _memory("state") as after:
        os.write(before, (SAVE + STATE.text).encode("utf-8", "surrogateescape"))
        os.lseek(before, 0, os.SEEK_SET)
        os.dup2(before, STATE_IN)
        os.dup2(after, STATE_OUT)
        try:
            child = subprocess.Popen(
                ["bash", "--norc", "--noprofile", "-c", f"{start}eval {quoted(command)}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=HOME,
                env=ENVIRONMENT,
                pass_fds=(STATE_IN, STATE_OUT),
                start_new_session=True,
            )
            status = child.wait()
        finally:
            os.close(STATE_IN)
            os.close(STATE_OUT)
        with contextlib.suppress(OSError):  # what it left in the background ends with it
            os.killpg(child.pid, signal.SIGKILL)
        left = _read(after, 0, os.fstat(after).st_size).decode("utf-8", "surrogateescape")
    if left.rstrip().endswith(WHOLE):
        STATE.text = left
    return 128 - status if status < 0 else status


def quoted(command: str) -> str:
    """Return `command` as one word of bash in one line, so that its own lines count from 1."""
    escaped = command.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"$'{escaped}'"


@contextlib.contextmanager
def _memory(name: str) -> Iterator[int]:
    """Open a nameless file: nothing that runs on in the background keeps us waiting, as a pipe."""
    descriptor = os.memfd_create(name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(descriptor: int, start: int, size: int) -> bytes:
    found = b""
    while len(found) < size and (data := os.pread(descriptor, size - len(found), start)):
        found += data
        start += len(data)
    return found


def _both_ends(output: int) -> tuple[str, int]:
    """Return the output, without its middle if it is long, and how much that was."""
    size = os.fstat(output).st_size
    left_out = max(0, size - KEPT)
    head = _read(output, 0, min(size, KEPT) if not left_out else KEPT * 2 // 3)
    tail = _read(output, size - KEPT // 3, KEPT // 3) if left_out else b""
    gap = f"\n... {left_out} bytes left out ...\n".encode() if left_out else b""
    return (head + gap + tail).decode("utf-8", "replace"), left_out


def _real(command: str) -> str:
    """Return `command` with the real names of the agent's folders."""
    if "/etc" in REAL:
        for found in CREATING.finditer(command):
            _show_new(TOP.findall(found[0]))
    names = "|".join(map(re.escape, REAL))
    path = rf"(?<![\w.\-/~}}*?\]])({names})(?![\w.-])"  # whole, or with more after a slash
    return re.sub(path, lambda found: REAL[found[0]], command)


def _shown(text: str) -> str:
    for name, real in REAL.items():
        text = re.sub(rf"{re.escape(real)}(?![\w-])", name, text)
    return text


def _on_tmpfs() -> bool:
    with open("/proc/self/mounts") as mounts:
        return any(line.split()[1:3] == [NODE, "tmpfs"] for line in mounts)


def _put_in_order() -> None:
    """Make folders of a tmpfs list what they hold by name, whatever order it was made in."""
    if not _on_tmpfs():
        return
    for folder, _, _ in os.walk(NODE):
        with contextlib.suppress(OSError):
            names = os.listdir(folder)
            if names == sorted(names):
                continue
            seen = os.stat(folder)
            for name in sorted(names, reverse=True):
                path, aside = os.path.join(folder, name), os.path.join(folder, ".moved")
                os.rename(path, aside)
                os.rename(aside, path)
            os.utime(folder, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def _entries() -> Iterator[tuple[str, os.stat_result]]:
    """Yield all of the state's files, folders and links."""
    for folder, folders, files in os.walk(NODE):
        for name in (*folders, *files, "."):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                yield path, os.lstat(path)


def _modes() -> Iterator[tuple[str, int]]:
    for path, seen in _entries():
        if stat.S_ISDIR(seen.st_mode) and not path.endswith("/."):
            yield path, stat.S_IMODE(seen.st_mode)


def _set_time(path: str, seconds: int) -> None:
    with contextlib.suppress(OSError):
        os.utime(path, (seconds, seconds), follow_symlinks=False)


def _seconds(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M"))
