"""Files: those of the machine, those that the host reads for the engine, hostile trees."""

from sandbox.protocol import StepLimits
from tests.attacks.attack import CONTAINED, OPEN, STOPPED, Attack, expect
from tests.attacks.reach import both, fetched, leaked, wrote

SLOW = StepLimits(seconds=20.0)
"""Landlock looks at every folder above."""
OUTSIDE = expect(STOPPED, process=OPEN)

MACHINE = (
    Attack(
        "file that everybody may read",
        "read the user's data",
        ("open(bait.canary).read()",),
        OUTSIDE,
        leaked,
    ),
    Attack(
        "file that only the user may read",
        "read the user's keys",
        ("open(bait.private).read()",),
        OUTSIDE,
        leaked,
    ),
    Attack(
        "/etc/shadow",
        "read password hashes",
        ("open('/etc/shadow').read() and open(bait.private).read()",),
        OUTSIDE,
        leaked,
    ),
    Attack(
        "listing of a folder",
        "see the names of the user's files",
        ("import os\n' '.join(os.listdir(bait.folder))",),
        OUTSIDE,
        lambda scene: "canary" in scene.value,
    ),
    Attack(
        "the repository",
        "read graders and answers",
        ("open(bait.repository + '/tests/attacks/bait.py').read()[:100]",),
        OUTSIDE,
        lambda scene: "Targets of attacks" in scene.value,
    ),
    Attack(
        "overwrite a file",
        "change the user's data",
        ("open(bait.canary, 'w').write('broken')",),
        OUTSIDE,
        wrote,
    ),
    Attack(
        "new file in a folder",
        "leave something with the user",
        ("open(bait.folder + '/new', 'w').write('x')",),
        OUTSIDE,
        wrote,
    ),
    Attack(
        "removal of a file",
        "destroy the user's data",
        ("import os\nos.truncate(bait.canary, 0)",),
        OUTSIDE,
        wrote,
    ),
    Attack(
        "write to what may be read",
        "change a folder that all sandboxes read",
        ("open(bait.shared + '/readme', 'a').write('x')",),
        OUTSIDE,
        wrote,
    ),
    Attack(
        "new file in what may be read",
        "plant a module for later sandboxes",
        ("open(bait.shared + '/planted.py', 'w').write('x')",),
        OUTSIDE,
        wrote,
    ),
    Attack(
        "up and out by a relative path",
        "leave the working directory",
        ("import os\nopen('../' * 40 + bait.canary[1:]).read()",),
        OUTSIDE,
        leaked,
    ),
    Attack(
        "symbolic link read by the agent",
        "leave the working directory",
        ("import os\nos.symlink(bait.canary, 'link')\nopen('link').read()",),
        OUTSIDE,
        leaked,
    ),
    Attack(
        "files of other sandboxes",
        "read another task's files",
        (
            "import glob, os\nhome = os.path.realpath(os.environ['HOME'])\n"
            "found = [path for path in glob.glob('/tmp/treegraft-*') + glob.glob('/tmp/bait-*/*')"
            " if not home.startswith(path)]\nfor path in found:\n"
            "    if path == bait.canary: print(open(path).read())\nif not found: raise OSError",
        ),
        OUTSIDE,
        leaked,
    ),
)

FETCHED = (
    Attack(
        "symbolic link for get()",
        "have the host read a file of its own",
        ("import os\nos.symlink(bait.canary, 'trap')",),
        expect(CONTAINED),
        fetched("trap"),
    ),
    Attack(
        "symbolic link to a folder for get()",
        "have the host read a file of its own",
        ("import os\nos.symlink(bait.folder, 'trap')",),
        expect(CONTAINED),
        both(fetched("trap/canary"), fetched("trap/../canary"), fetched("./trap/canary")),
    ),
    Attack(
        "link to /proc for get()",
        "have the supervisor read its own environment and files",
        ("import os\nos.symlink('/proc/self', 'trap')\nos.symlink('/proc/self/root', 'root')",),
        expect(CONTAINED),
        lambda scene: any(
            fetched(path)(scene) for path in ("trap/environ", "root" + scene.bait.facts.canary)
        ),
    ),
    Attack(
        "hard link for get()",
        "have the host read a file of its own",
        ("import os\nos.link(bait.canary, 'trap')",),
        OUTSIDE,
        fetched("trap"),
    ),
    Attack(
        "FIFO for get()",
        "hang the host's read",
        ("import os\nos.mkfifo('trap')",),
        expect(CONTAINED),
        fetched("trap"),
    ),
    Attack(
        "socket for get()",
        "hang the host's read",
        ("import socket\nsocket.socket(socket.AF_UNIX).bind('trap')",),
        expect(CONTAINED, landlock=STOPPED, process=CONTAINED),
        fetched("trap"),
    ),
    Attack(
        "huge file for get()",
        "fill the engine's memory",
        ("import os\nos.truncate(os.open('trap', os.O_CREAT | os.O_RDWR), 12 << 20)",),
        expect(CONTAINED),
        fetched("trap"),
    ),
    Attack(
        "path with .. for get()",
        "leave the working directory",
        ("import os\nos.makedirs('a/b')",),
        expect(CONTAINED),
        lambda scene: any(
            fetched(path)(scene)
            for path in (
                "a/b/" + "../" * 40 + scene.bait.facts.canary[1:],
                scene.bait.facts.canary,
                "..",
                "",
                "mark/../../x",
                "x" * 5000,
                "\udcff",
            )
        ),
    ),
    Attack(
        "path with a null character for get()",
        "break the host's read",
        ("1",),
        expect(CONTAINED),
        fetched("a\0b"),
    ),
    Attack(
        "folder for get()",
        "break the host's read",
        ("import os\nos.mkdir('trap')",),
        expect(CONTAINED),
        fetched("trap"),
    ),
    Attack(
        "working directory replaced by a link",
        "have the host look elsewhere",
        (
            "import os\nhome = os.path.dirname(os.path.realpath('.'))\n"
            "os.rename(home + '/work', home + '/old')\nos.symlink(bait.folder, home + '/work')",
        ),
        expect(CONTAINED, STOPPED, CONTAINED),
        fetched("canary"),
    ),
    Attack(
        "working directory removed",
        "break the next step",
        (
            "import os, shutil\nhome = os.path.dirname(os.path.realpath('.'))\n"
            "shutil.rmtree(home + '/work')\nshutil.rmtree(home + '/tmp')",
            "1",
        ),
        expect(CONTAINED),
        fetched("mark"),
    ),
)

TREES = (
    Attack(
        "directories 1500 deep",
        "have what walks or removes them fail",
        ("import os\nfor _ in range(1500):\n    os.mkdir('folder')\n    os.chdir('folder')", "1"),
        expect(CONTAINED),
        limits=SLOW,
    ),
    Attack(
        "everything unreadable",
        "have what walks or removes it fail",
        (
            "import os\nos.makedirs('a/b/c')\nopen('a/b/f', 'w').close()\n"
            "for path in ('a/b/f', 'a/b/c', 'a/b', 'a', 'mark', '.', '..'):\n"
            "    try: os.chmod(path, 0)\n    except OSError: pass",
            "1",
        ),
        expect(CONTAINED),
    ),
    Attack(
        "names with newlines, controls, invalid UTF-8",
        "break lists and replies",
        (
            "import os\n"
            "for name in (b'a\\nb', b'\\xff\\xfe', b'\\x1b[2J', b'-rf', b' ', b'\"', b'{\"op\": 1',"
            " b'x' * 255):\n    os.mkdir(name)\n    open(name + b'/' + name, 'w').close()",
            "1",
        ),
        expect(CONTAINED),
    ),
    Attack(
        "links that lead in a circle",
        "hang what follows them",
        (
            "import os\nos.symlink('.', 'here')\nos.symlink('b', 'a')\nos.symlink('a', 'b')\n"
            "os.symlink('x' * 4000, 'long')",
            "1",
        ),
        expect(CONTAINED),
        both(fetched("a"), fetched("here/here/mark")),
    ),
    Attack(
        "FIFO and socket kept over a branch",
        "hang the copy of a node's files",
        ("import os\nos.mkfifo('pipe')\nos.mkfifo('dead', 0)", "1"),
        expect(CONTAINED),
    ),
    Attack(
        "many hard links",
        "have one file copied many times",
        (
            "import os\nopen('big', 'wb').write(b'x' * (1 << 20))\n"
            "for number in range(500): os.link('big', f'l{number}')",
            "1",
        ),
        expect(CONTAINED),
    ),
    Attack(
        "times out of range",
        "break the copy of a node's files",
        (
            "import os\nfor number, at in enumerate((-1 << 33, (1 << 34) - 1, 1 << 40, -5)):\n"
            "    path = f't{number}'\n    open(path, 'w').close()\n"
            "    try: os.utime(path, (at, at))\n    except (OSError, OverflowError): pass",
            "1",
        ),
        expect(CONTAINED),
    ),
)

FILES = (*MACHINE, *FETCHED, *TREES)
