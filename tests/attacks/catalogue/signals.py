"""Signals and priorities: end, wake, move or slow down other processes."""

from tests.attacks.attack import CONTAINED, NOT_RUN, OPEN, SHARED, STOPPED, Attack, expect
from tests.attacks.reach import harmed, supervisor_slowed

SIGNALS = (
    Attack(
        "SIGKILL to the parent node",
        "end another branch",
        ("import os\nos.kill(os.getppid(), 9)",),
        expect(CONTAINED),
    ),
    Attack(
        "SIGKILL to pid 1 and the supervisor",
        "end the sandbox",
        (
            "import os\nfailed = []\nroot = int(open(f'/proc/{os.getppid()}/stat').read()"
            ".rpartition(')')[2].split()[1])\n"
            "top = int(open(f'/proc/{root}/stat').read().rpartition(')')[2].split()[1])\n"
            "for pid in {1, top, root}:\n    try: os.kill(pid, 9)\n"
            "    except OSError as error: failed.append(error)\n"
            "if len(failed) == len({1, top, root}): raise failed[0]",
        ),
        expect(STOPPED, STOPPED, NOT_RUN),
    ),
    Attack(
        "SIGKILL to every process by number",
        "end siblings and the supervisor",
        (
            "import os\nfor name in os.listdir('/proc'):\n"
            "    if name.isdigit() and int(name) != os.getpid():\n"
            "        try: os.kill(int(name), 9)\n        except OSError: pass",
        ),
        expect(CONTAINED, CONTAINED, NOT_RUN),
        harmed,
    ),
    Attack(
        "kill(-1)",
        "end everything",
        ("import os\nos.kill(-1, 9)",),
        expect(STOPPED, STOPPED, NOT_RUN),
        harmed,
    ),
    Attack(
        "kill of older process groups",
        "end the supervisor's group",
        (
            "import os\nfor group in range(1, os.getsid(0)):\n"
            "    try: os.killpg(group, 9)\n    except OSError: pass",
        ),
        expect(CONTAINED, CONTAINED, NOT_RUN),
        harmed,
    ),
    Attack(
        "the session and group of others",
        "be signalled with, or signal, the root's group",
        (
            "import os\nroot = int(open(f'/proc/{os.getppid()}/stat').read()"
            ".rpartition(')')[2].split()[1])\nif os.fork() == 0:\n"
            "    try: os.setpgid(0, root)\n    except OSError: os._exit(1)\n"
            "    os.kill(0, 9)\nif os.wait()[1] == 256: raise OSError",
        ),
        expect(STOPPED, STOPPED, NOT_RUN),
    ),
    Attack(
        "SIGCONT to a sibling with a handler",
        "run code in another branch",
        (
            "import os, signal\nme, seen = os.getpid(), []\n"
            "signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))",
            "import os, signal, time\nos.kill(me, signal.SIGUSR1)\n"
            "os.kill(me, signal.SIGCONT)\ntime.sleep(0.2)",
        ),
        expect(SHARED),
        lambda scene: scene.probe("bool(seen)", scene.attackers[0]).value == "True",
        within=True,
    ),
    Attack(
        "signal to an older process outside",
        "end a process of the user",
        ("import os\nos.kill(bait.victim, 9)",),
        expect(STOPPED),
        harmed,
    ),
    Attack(
        "signal to a younger process outside",
        "end a process of the user",
        ("import os\nos.kill(YOUNGER, 9)",),
        expect(STOPPED, process=OPEN),
        harmed,
    ),
    Attack(
        "signal by way of a descriptor",
        "have the kernel signal a process outside (F_SETOWN)",
        (
            "import fcntl, os\nreading, writing = os.pipe()\n"
            "fcntl.fcntl(reading, fcntl.F_SETSIG, 9)\n"
            "fcntl.fcntl(reading, fcntl.F_SETOWN, YOUNGER)\n"
            "fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC)\nos.write(writing, b'x')",
        ),
        expect(STOPPED),
        harmed,
    ),
    Attack(
        "priority of a process outside",
        "starve a process of the user",
        ("import os\nos.setpriority(os.PRIO_PROCESS, YOUNGER, 19)",),
        expect(STOPPED),
        harmed,
    ),
    Attack(
        "limits of a process outside",
        "starve a process of the user (prlimit)",
        ("import resource\nresource.prlimit(YOUNGER, resource.RLIMIT_NOFILE, (0, 0))",),
        expect(STOPPED),
        harmed,
    ),
    Attack(
        "priority and processors of the supervisor",
        "slow the supervisor down",
        (
            "import os\npids = [1, os.getppid()]\nfor _ in range(2):\n"
            "    pids.append(int(open(f'/proc/{pids[-1]}/stat').read()"
            ".rpartition(')')[2].split()[1]))\n"
            "for pid in pids[1:]:\n    try:\n        os.sched_setaffinity(pid, {0})\n"
            "        os.setpriority(os.PRIO_PROCESS, pid, 19)\n    except OSError: pass",
        ),
        expect(CONTAINED),
        supervisor_slowed,
    ),
)
