"""Processes and time: run for ever, get away, end or slow down others."""

from sandbox.protocol import StepLimits
from tests.attacks.attack import (
    CONTAINED,
    HANGS,
    NOT_RUN,
    OPEN,
    STOPPED,
    Attack,
    expect,
)
from tests.attacks.reach import (
    appears,
    runs_on,
    starves_neighbour,
)

DAEMON = """
import os, subprocess
def daemon(*command):
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.execvp(command[0], command)
        os._exit(0)
daemon('sleep', '600')
daemon('sh', '-c', 'trap "" HUP TERM INT; while :; do sleep 600; done')
"""
MANY = StepLimits(seconds=0.5, memory_bytes=8 << 30)
"""Memory that forks share is counted for each; here the number of processes should be the limit."""
MANY_IN_TIME = StepLimits(seconds=5.0, memory_bytes=8 << 30)
"""As MANY, for code that ends by itself: 200 forks may take a slow machine over half a second."""
SELF = "import supervisor.interpreter as own, os, sys, time, ctypes\n"
VFORK = "ctypes.CDLL(None).syscall(56, 0x4000 | 17, 0, 0, 0, 0)"
"""clone with CLONE_VFORK: the caller cannot be stopped while the child lives. x86_64."""

PROCESSES = (
    Attack("infinite loop", "never end", ("while True: pass",), expect(STOPPED), limits=HANGS),
    Attack(
        "ignored signals",
        "not be stopped",
        (
            "import signal\n"
            "for number in set(range(1, 65)) - {9, 19, 32, 33}: signal.signal(number, 1)\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
            "while True:\n    try: pass\n    except BaseException: pass",
        ),
        expect(STOPPED),
        limits=HANGS,
    ),
    Attack(
        "fork bomb",
        "take every process number and all processor time",
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",),
        expect(STOPPED, STOPPED, NOT_RUN),
        limits=MANY,
    ),
    Attack(
        "fork bomb that reports done",
        "outrun the sweep after the step",
        (
            "import os\nif not os.fork():\n    os.setsid()\n    while True:\n"
            "        try:\n            if os.fork(): os._exit(0)\n"
            "        except OSError: pass",
        ),
        expect(CONTAINED, CONTAINED, NOT_RUN),
        runs_on,
        MANY,
    ),
    Attack(
        "every process number taken",
        "leave none for the next step",
        (
            "import os, time\n"
            "try:\n    for _ in range(200):\n        if not os.fork(): time.sleep(600)\n"
            "except OSError: pass",
        ),
        expect(CONTAINED, CONTAINED, NOT_RUN),
        runs_on,
        MANY_IN_TIME,
    ),
    Attack(
        "process numbers of another sandbox",
        "have nothing else on the machine fork",
        ("1",),
        expect(CONTAINED, CONTAINED, NOT_RUN),
        starves_neighbour,
    ),
    Attack(
        "daemon that outlives a time-out",
        "run on beside the tree",
        (DAEMON + "while True: pass",),
        expect(STOPPED),
        runs_on,
        HANGS,
    ),
    Attack(
        "daemon that outlives a step",
        "run on beside the tree",
        (DAEMON,),
        expect(CONTAINED),
        runs_on,
    ),
    Attack(
        "daemon that writes later",
        "change the files of another branch",
        (
            "import os, time\nif not os.fork():\n    os.setsid()\n"
            "    if os.fork(): os._exit(0)\n"
            "    while True:\n        open(os.environ['HOME'] + '/late', 'w').close()\n",
        ),
        expect(CONTAINED),
        appears("late"),
    ),
    Attack(
        "thread that runs on",
        "change the files of another branch",
        (
            "import threading, os\nhome = os.environ['HOME']\n"
            "def write():\n    while True: open(home + '/late', 'w').close()\n"
            "threading.Thread(target=write, daemon=True).start()",
        ),
        expect(CONTAINED),
        appears("late"),
    ),
    Attack(
        "timer that fires later",
        "run code after the step",
        (
            "import signal, os\nhome = os.environ['HOME']\n"
            "signal.signal(signal.SIGALRM, lambda *_: open(home + '/late', 'w').close())\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.1, 0.01)",
        ),
        expect(CONTAINED),
        appears("late"),
    ),
    Attack(
        "child that cannot be stopped",
        "hang the sweep with a process that waits in the kernel",
        (
            SELF + f"import threading\nthreading.Thread(target=lambda: {VFORK} or time.sleep(600),"
            " daemon=True).start(); time.sleep(0.1)",
        ),
        expect(CONTAINED),
        runs_on,
    ),
    Attack(
        "parent that cannot be stopped",
        "hang the next fork: its parent waits in the kernel",
        (
            SELF + "def branch(self, descriptors):\n"
            f"    if {VFORK} == 0: time.sleep(600)\n"
            "own.Interpreter._branch = branch",
            "1",
        ),
        expect(STOPPED),
        overtime=30.0,
    ),
    Attack(
        "parent that does not fork",
        "hang the next fork: the parent does not answer",
        (
            SELF + "own.Interpreter._branch = lambda self, descriptors: time.sleep(600)",
            "1",
        ),
        expect(STOPPED),
        overtime=30.0,
    ),
    Attack(
        "exit in mid-step",
        "make an end look like a success",
        ("import os\nos._exit(0)",),
        expect(STOPPED),
    ),
    Attack(
        "list the machine's processes",
        "see the command lines of others",
        (
            "import os\nfound = []\nfor name in filter(str.isdigit, os.listdir('/proc')):\n"
            "    try: found.append(open(f'/proc/{name}/cmdline', errors='replace').read())\n"
            "    except OSError: pass\n"
            "[line for line in found if 'confine.drop_capabilities' in line]",  # the victims'
        ),
        expect(CONTAINED, landlock=OPEN),
        lambda scene: "confine.drop_capabilities" in scene.value,
    ),
    Attack(
        "constant that takes for ever to compile",
        "hang before any code runs",
        ("x = 7 ** 7 ** 9 ** 9",),
        expect(STOPPED),
        limits=HANGS,
    ),
)
