"""Branches: reach from one branch of the tree into another, which the same agent has prepared."""

from tests.attacks.attack import CONTAINED, SHARED, STOPPED, Attack, expect
from tests.attacks.reach import changed

BLIND = "import supervisor.interpreter as own\nown.Interpreter._look_around = lambda self: []\n"
"""The node does not tell what it holds open, so that its children inherit that as it is."""
PRIVATE = b"first"
FIRST = f"{BLIND}import os, mmap\nopen('own', 'wb').write({PRIVATE!r})\n"
OPEN_NODE = "import ctypes\nctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE\n"

LOCK = "import fcntl\nfcntl.flock(open('mark', 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB) is None"

BRANCHES = (
    Attack(
        "inherited descriptor, open for writing",
        "write a file of the parent",
        (FIRST + "held = os.open('own', os.O_RDWR)", "import os\nos.pwrite(held, b'second', 0)"),
        expect(CONTAINED),
        changed("own", PRIVATE),
    ),
    Attack(
        "inherited descriptor, opened again by /proc/self/fd",
        "write a file of the parent",
        (
            FIRST + "held = os.open('own', os.O_RDONLY)",
            "import os\ntry: os.write(os.open(f'/proc/self/fd/{held}', os.O_WRONLY), b'second')\n"
            "except OSError: pass",
        ),
        expect(CONTAINED),
        changed("own", PRIVATE),
    ),
    Attack(
        "inherited directory",
        "write a file of the parent by openat",
        (
            FIRST + "held = os.open('.', os.O_RDONLY)",
            "import os\ntry: os.write(os.open('own', os.O_WRONLY, dir_fd=held), b'second')\n"
            "except OSError: pass",
        ),
        expect(CONTAINED),
        changed("own", PRIVATE),
    ),
    Attack(
        "inherited working directory",
        "write a file of the parent by a relative path",
        (
            FIRST + "own.Interpreter._return_to_place = lambda self: None",
            "try: open('own', 'wb').write(b'second')\nexcept OSError: pass",
        ),
        expect(CONTAINED),
        changed("own", PRIVATE),
    ),
    Attack(
        "inherited shared mapping",
        "write a file of the parent in memory",
        (
            FIRST + "held = mmap.mmap(os.open('own', os.O_RDWR), 5)",
            "held[0:5] = b'other'\nheld.flush()",
        ),
        expect(CONTAINED),
        changed("own", PRIVATE),
    ),
    Attack(
        "inherited shared memory",
        "speak with a sibling by way of a mapping of the parent",
        (
            BLIND + "import mmap\nheld = mmap.mmap(-1, 4096)",
            "held[0:5] = b'other'",
        ),
        expect(SHARED),
        lambda scene: scene.probe("held[0:5] == b'other'", scene.attackers[0]).value == "True",
        within=True,
    ),
    Attack(
        "inherited pipe",
        "speak with a sibling by way of a pipe of the parent",
        (
            BLIND + "import os\nreading, writing = os.pipe()\nos.set_blocking(reading, False)",
            "import os\nos.write(writing, b'secret')",
        ),
        expect(SHARED),
        lambda scene: (
            "secret" in str(scene.probe("import os\nos.read(reading, 9)", scene.attackers[0]).value)
        ),
        within=True,
    ),
    Attack(
        "inherited nameless file",
        "speak with a sibling by way of a memfd of the parent",
        (
            BLIND + "import os\nheld = os.memfd_create('x')",
            "import os\nos.pwrite(held, b'secret', 0)",
        ),
        expect(SHARED),
        lambda scene: (
            "secret"
            in str(scene.probe("import os\nos.pread(held, 9, 0)", scene.attackers[0]).value)
        ),
        within=True,
    ),
    Attack(
        "hard link to a file of the parent",
        "write it under another name",
        (
            FIRST + "os.link('own', '../tmp/same')",
            "import os\nopen('../tmp/same', 'r+b').write(b'second')",
        ),
        expect(CONTAINED),
        changed("own", PRIVATE),
    ),
    Attack(
        "file of the parent changed in place, its times set back",
        "have the change go unnoticed",
        (
            FIRST,
            "import os, time\nseen = os.stat('own')\nopen('own', 'r+b').write(b'other')\n"
            "os.utime('own', ns=(seen.st_atime_ns, seen.st_mtime_ns))",
        ),
        expect(CONTAINED),
        changed("own", PRIVATE),
    ),
    Attack(
        "working directory of the parent by /proc",
        "write a file of the parent",
        (
            OPEN_NODE + FIRST,
            "import os\ntry: open(f'/proc/{os.getppid()}/cwd/own', 'wb').write(b'second')\n"
            "except OSError: pass",
        ),
        expect(CONTAINED),
        changed("own", PRIVATE),
    ),
    Attack(
        "memory of an honest parent",
        "change the memory of another branch (/proc/<pid>/mem)",
        ("import os\nopen(f'/proc/{os.getppid()}/mem', 'r+b')",),
        expect(STOPPED),
    ),
    Attack(
        "memory of a parent that lets itself be written",
        "change the memory of another branch (/proc/<pid>/mem)",
        (
            OPEN_NODE + "import os\nheld = bytearray(b'first')\nplace = ctypes.addressof("
            "ctypes.c_char.from_buffer(held))\nme = os.getpid()",
            "with open(f'/proc/{me}/mem', 'r+b', buffering=0) as memory:\n"
            "    memory.seek(place)\n    memory.write(b'other')",
        ),
        expect(STOPPED),
        lambda scene: "other" in str(scene.probe("bytes(held)", scene.attackers[0]).value),
    ),
    Attack(
        "descriptor of a parent by pidfd_getfd and /proc",
        "take an open file of another branch",
        (
            OPEN_NODE + FIRST + "held, me = os.open('own', os.O_RDWR), os.getpid()",
            "import os\nos.write(os.open(f'/proc/{me}/fd/{held}', os.O_WRONLY), b'second')",
        ),
        expect(STOPPED),
        changed("own", PRIVATE),
    ),
    Attack(
        "lock held by a stopped branch",
        "hang a sibling that wants the file",
        ("import fcntl\nheld = open('mark', 'r+')\nfcntl.flock(held, fcntl.LOCK_EX)",),
        expect(CONTAINED),
        lambda scene: scene.probe(LOCK).value != "True",
    ),
    Attack(
        "layers of the overlay",
        "reach the files of all nodes (mounts of the supervisor)",
        (
            "import os\nfound = [line.split()[4] for line in open('/proc/self/mountinfo')"
            " if 'layers' in line]\nhome = os.path.dirname(os.path.realpath(os.environ['HOME']))\n"
            "for path in [*found, home + '-layers']: print(os.listdir(path))",
        ),
        expect(STOPPED),
    ),
    Attack(
        "working directory of the supervisor by /proc",
        "reach the files of all nodes",
        (
            "import os\npid = os.getppid()\nfor _ in range(2):\n"
            "    pid = int(open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1])\n"
            "os.listdir(f'/proc/{pid}/cwd/')",
        ),
        expect(STOPPED),
    ),
)
