"""Memory, disk, output: use more than allowed; crash; leave things that outlive."""

from sandbox.protocol import StepLimits
from tests.attacks.attack import CONTAINED, NOT_RUN, OPEN, STOPPED, Attack, expect
from tests.attacks.reach import found_by, larger, left_behind, runs_on, shared_memory

GREEDY = StepLimits(seconds=3.0, flood_bytes=8 << 20, memory_bytes=96 << 20)
DISK, INODES = 16 << 20, 2000
FLOOD = StepLimits(seconds=10.0)

MEMORY_AND_DISK = (
    Attack(
        "memory bomb of one process",
        "take the machine's memory",
        ("held = []\nwhile True: held.append(bytearray(b'x') * (1 << 20))",),
        expect(STOPPED),
        limits=GREEDY,
    ),
    Attack(
        "memory bomb of many processes",
        "take the machine's memory past a limit for each",
        (
            "import os, time\nfor _ in range(8):\n    if not os.fork():\n"
            "        held = [bytearray(b'x') * (1 << 20) for _ in range(24)]\n"
            "        time.sleep(600)\ntime.sleep(600)",
        ),
        expect(STOPPED),
        runs_on,
        GREEDY,
    ),
    Attack(
        "memory bomb in one call",
        "take 100 GB at once",
        ("b'x' * (100 << 30)",),
        expect(STOPPED),
    ),
    Attack(
        "memory in a nameless file",
        "hide memory from what is counted of a process (memfd)",
        (
            "import os\nfile = os.memfd_create('x')\n"
            "for _ in range(1024): os.write(file, b'x' * (1 << 20))",
        ),
        expect(STOPPED),
        limits=GREEDY,
    ),
    Attack(
        "disk fill by one file",
        "fill the machine's disk",
        ("with open('big', 'wb') as file:\n    while True: file.write(b'x' * (1 << 20))",),
        expect(STOPPED),
        larger(DISK + (1 << 20)),
    ),
    Attack(
        "disk fill by many files",
        "fill the machine's disk past a limit for each file",
        (
            "for number in range(4):\n    with open(f'big{number}', 'wb') as file:\n"
            "        for _ in range(12): file.write(b'x' * (1 << 20))",
        ),
        expect(CONTAINED, STOPPED, OPEN, OPEN),
        larger(DISK + (1 << 20)),
    ),
    Attack(
        "inode fill",
        "take every inode of the machine's disk",
        ("for number in range(6000): open(f'f{number}', 'w').close()",),
        expect(CONTAINED, STOPPED, OPEN, OPEN),
        larger(DISK, INODES + 100),
        StepLimits(seconds=3.0),
    ),
    Attack(
        "sparse file of 1 TB",
        "have it copied in full",
        ("import os\nos.truncate(os.open('huge', os.O_CREAT | os.O_RDWR), 1 << 40)",),
        expect(STOPPED),
        larger(DISK),
    ),
    Attack(
        "sparse file within the limit",
        "have its holes copied",
        ("import os\nos.truncate(os.open('huge', os.O_CREAT | os.O_RDWR), 15 << 20)", "1"),
        expect(CONTAINED),
        larger(2 * DISK),
    ),
    Attack(
        "endless output without a newline",
        "fill the engine's memory",
        ("import os\nwhile True: os.write(1, b'x' * 65536)",),
        expect(STOPPED),
    ),
    Attack(
        "flood of 64 MB at the usual limits",
        "fill the engine's memory",
        ("import os\nfor _ in range(2000): os.write(2, b'x' * 65536)",),
        expect(STOPPED),
        limits=FLOOD,
    ),
    Attack(
        "huge value and exception",
        "fill the engine's memory with a reply",
        ("raise Exception('x' * (30 << 20))",),
        expect(STOPPED),
        lambda scene: len(str(scene.results)) > 100_000,
    ),
    Attack(
        "huge value",
        "fill the engine's memory with a reply",
        ("'x' * (30 << 20)",),
        expect(CONTAINED),
        lambda scene: len(str(scene.results)) > 100_000,
    ),
    Attack(
        "deep recursion",
        "crash the interpreter",
        ("def again(n): return again(n + 1)\nagain(0)",),
        expect(STOPPED),
    ),
    Attack(
        "recursion past the stack",
        "crash the interpreter",
        (
            "import sys\nsys.setrecursionlimit(1 << 30)\n"
            "class Deep:\n    def __repr__(self): return repr(self)\nrepr(Deep())",
        ),
        expect(STOPPED),
        limits=GREEDY,
    ),
    Attack(
        "segmentation fault",
        "crash the interpreter",
        ("import ctypes\nctypes.string_at(0)",),
        expect(STOPPED),
    ),
    Attack(
        "core dump",
        "write memory to the machine's disk",
        (
            "import os, resource\ntry: resource.setrlimit(resource.RLIMIT_CORE, (1 << 30,) * 2)\n"
            "except ValueError: pass\nos.abort()",
        ),
        expect(STOPPED),
        found_by("import os; any('core' in name for name in os.listdir('.'))"),
    ),
    Attack(
        "limits raised again",
        "lift the bounds on files and processes",
        ("import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40))",),
        expect(STOPPED),
    ),
    Attack(
        "file in /dev/shm",
        "leave something for other branches and for the judge",
        ("open(f'/dev/shm/{bait.mark}', 'w').write('x')",),
        expect(CONTAINED, CONTAINED, STOPPED, OPEN),
        lambda scene: left_behind(f"/dev/shm/{scene.bait.mark}")(scene),
    ),
    Attack(
        "/dev/shm filled",
        "take memory that no file limit counts",
        (
            "import os\nfor number in range(64):\n"
            "    with open(f'/dev/shm/{bait.mark}{number}', 'wb') as file:\n"
            "        file.write(b'x' * (1 << 20))",
        ),
        expect(STOPPED, STOPPED, STOPPED, NOT_RUN),
        found_by("import os; any(bait.mark in name for name in os.listdir('/dev/shm'))"),
    ),
    Attack(
        "System V shared memory",
        "leave something for other branches and for the judge",
        (
            "import ctypes, os\n"
            "if ctypes.CDLL(None).shmget(745921, 4096, 0o1666) < 0: raise OSError",
        ),
        expect(STOPPED),
        shared_memory(745921),
    ),
    Attack(
        "POSIX message queue",
        "leave something for other branches and for the judge",
        (
            "import ctypes\n"
            "lib = ctypes.CDLL(None, use_errno=True)\n"
            "if lib.mq_open(b'/' + bait.mark.encode(), 0o102, 0o666, None) < 0:\n"
            "    raise OSError(ctypes.get_errno())",
        ),
        expect(STOPPED),
        found_by("import ctypes\nctypes.CDLL(None).mq_open(b'/' + bait.mark.encode(), 0) >= 0"),
    ),
)
