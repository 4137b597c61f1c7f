"""The channel: forge messages, confuse or break the supervisor and the engine."""

from tests.attacks.attack import CONTAINED, HANGS, STOPPED, Attack, expect
from tests.attacks.reach import ended_others, runs_on, supervisor_holds

LINK = """
import json, os, socket, struct, sys, time
import supervisor.interpreter as own
_frame = sys._getframe()
while not isinstance(_frame.f_locals.get("self"), own.Interpreter): _frame = _frame.f_back
link = _frame.f_locals["self"]._link
def frame(data):
    return struct.pack('!I', len(data)) + data
def forge(data):
    link.socket.sendall(frame(data))
"""
REPLY = b'{"value": "forged", "exception": null, "unforkable": []}'
DESCRIPTORS = 40
"""More open files than the supervisor of a sandbox that tests use has."""


def forged(name: str, threat: str, data: str, *, stopped: bool, then: str = "") -> Attack:
    """A forged reply, given as Python code that makes the bytes of it."""
    code = f"{LINK}forge({data})\n{then}"
    return Attack(name, threat, (code,), expect(STOPPED if stopped else CONTAINED))


def promises(name: str, threat: str, status: str) -> Attack:
    """A parent that lies about how its child ended."""
    code = f"import supervisor.interpreter as own\nown._ended = lambda pid: {status}"
    return Attack(name, threat, (code, "import os\nos._exit(3)"), expect(STOPPED))


CHANNEL = (
    Attack(
        "forged replies on every descriptor",
        "answer the engine in the supervisor's place",
        (
            "import json, os, struct\n"
            "line = json.dumps({'ready': {}, 'why': '', 'output': 'forged',"
            " 'value': 'forged', 'unforkable': [], 'pids': 0}).encode() + b'\\n'\n"
            "for descriptor in range(3, 1024):\n"
            "    for data in (line, struct.pack('!I', len(line)) + line):\n"
            "        try: os.write(descriptor, data)\n        except OSError: pass",
            "1",
        ),
        expect(STOPPED),
    ),
    forged(
        "forged reply, then run on",
        "be taken for done and go on",
        repr(REPLY),
        stopped=False,
        then="while True: pass",
    ),
    forged(
        "forged reply and the honest one",
        "have the next request answered by this one's reply",
        repr(REPLY) + " * 1",
        stopped=False,
        then=f"forge({REPLY!r})\nforge({REPLY!r})",
    ),
    Attack(
        "forged reply in the next step's place",
        "answer a request before it comes",
        (LINK + f"for _ in range(9): forge({REPLY!r})", "1"),
        expect(CONTAINED),
        in_place=True,
    ),
    forged("reply of 2 MB", "fill memory", "b'[' + b'0,' * (1 << 20) + b'0]'", stopped=True),
    forged(
        "length of 4 GB",
        "fill memory",
        "b''",
        stopped=True,
        then="link.socket.sendall(b'\\xff\\xff\\xff\\xff')\ntime.sleep(9)",
    ),
    forged("reply that is no JSON", "break the parser", "b'\\xff\\xfe{'", stopped=True),
    forged("reply that is no object", "break the parser", "b'[1]'", stopped=True),
    forged("reply that nests", "overflow the stack", "b'[' * 400000", stopped=True),
    forged(
        "nested list in a reply",
        "overflow the stack of what shows them",
        "b'{\"unforkable\": [' + b'[' * 960 + b']' * 960 + b']}'",
        stopped=False,
    ),
    forged(
        "fields of the wrong kind",
        "break what reads them",
        'json.dumps({"value": {}, "exception": 7, "unforkable": {"a": 1}, "why": 1}).encode()',
        stopped=False,
    ),
    forged(
        "endless list in a reply",
        "fill memory",
        'json.dumps({"unforkable": ["x" * 9000] * 90}).encode()',
        stopped=False,
    ),
    forged(
        "numbers without end",
        "break the parser",
        "b'{\"value\": ' + b'9' * 90000 + b'}'",
        stopped=True,
    ),
    forged(
        "half a reply",
        "hang the supervisor",
        "b''",
        stopped=True,
        then="link.socket.sendall(b'\\0\\0\\1')\ntime.sleep(9)",
    ),
    Attack(
        "lone surrogates in what is told",
        "break what writes it to a file",
        ("print('\\ud800'.encode('utf-8', 'surrogatepass'))\nraise Exception('\\ud800')",),
        expect(STOPPED),
        lambda scene: not _encodes("".join(str(result.exception) for result in scene.results)),
    ),
    Attack(
        "output that is not UTF-8",
        "break what reads it",
        ("import os\nos.write(1, bytes(range(256)) * 99 + b'\\xed\\xa0\\x80')",),
        expect(CONTAINED),
        lambda scene: not _encodes(scene.output),
    ),
    Attack(
        "escape sequences in the output",
        "command the user's terminal",
        ("print('\\x1b]0;x\\x07\\x1b[2J\\x1bP')",),
        expect(CONTAINED),
        lambda scene: scene.output != "\x1b]0;x\x07\x1b[2J\x1bP\n",
    ),
    Attack(
        "descriptors sent to the supervisor",
        "take all of its open files",
        (
            LINK + "held = [os.open('/dev/null', os.O_RDONLY) for _ in range(200)]\n"
            f"for _ in range(2): socket.send_fds(link.socket, [frame({REPLY!r})], held)",
            LINK + "held = [os.open('/dev/null', os.O_RDONLY) for _ in range(200)]\n"
            f"for _ in range(2): socket.send_fds(link.socket, [frame({REPLY!r})], held)",
        ),
        expect(CONTAINED),
        supervisor_holds(DESCRIPTORS),
    ),
    Attack(
        "descriptors sent in answer to a fork",
        "take all of the supervisor's open files",
        (
            LINK + "def branch(self, descriptors):\n"
            "    if own._fork(): return\n"
            "    self._link = own.Link(socket.socket(fileno=descriptors[0]), 1 << 20)\n"
            "    held = [os.open('/dev/null', os.O_RDONLY) for _ in range(200)]\n"
            "    socket.send_fds(self._link.socket, [frame(b'{}')], held)\n"
            "own.Interpreter._branch = branch",
            "1",
        ),
        expect(CONTAINED),
        supervisor_holds(DESCRIPTORS),
    ),
    Attack(
        "parent that answers in its child's place",
        "have one process be two nodes",
        (
            LINK + "def branch(self, descriptors):\n"
            "    os.write(descriptors[0], frame(b'{\"ready\": true}'))\n"
            "own.Interpreter._branch = branch",
            "1",
        ),
        expect(STOPPED),
    ),
    Attack(
        "child that ends as it is born",
        "have a node that is no process",
        (
            LINK + "def branch(self, descriptors):\n"
            "    child = own._fork()\n    if not child:\n"
            "        os.write(descriptors[0], frame(b'{\"ready\": true}'))\n        os._exit(0)\n"
            "    os.waitpid(child, 0)\nown.Interpreter._branch = branch",
            "1",
        ),
        expect(STOPPED),
    ),
    Attack(
        "two children for one fork",
        "have a process beside the tree",
        (
            LINK + "honest = own.Interpreter._branch\ndef branch(self, descriptors):\n"
            "    if not own._fork():\n        os.setsid()\n        while True: time.sleep(1)\n"
            "    honest(self, descriptors)\nown.Interpreter._branch = branch",
            "1",
        ),
        expect(CONTAINED),
        runs_on,
    ),
    Attack(
        "loop that raises",
        "have a node run what the supervisor does at its own end",
        (
            LINK + "def run(self, message, descriptors): raise RuntimeError\n"
            "own.Interpreter._run = run",
            "1",
        ),
        expect(STOPPED),
        ended_others,
        in_place=True,
    ),
    promises("forged end: no signal", "break what tells how a step ended", "126"),
    promises("forged end: huge number", "break what tells how a step ended", "10 ** 30"),
    promises("forged end: no number", "break what tells how a step ended", "[[]]"),
    Attack(
        "every descriptor closed",
        "be lost to the supervisor",
        ("import os\nos.closerange(0, 1024)",),
        expect(STOPPED),
    ),
    Attack(
        "every descriptor taken",
        "leave none for the next fork",
        (
            "import os\nheld = []\ntry:\n"
            "    while True: held.append(os.open('/dev/null', os.O_RDONLY))\n"
            "except OSError: pass",
            "1",
        ),
        expect(STOPPED),
    ),
    Attack(
        "node that stops itself",
        "never report",
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",),
        expect(STOPPED),
        limits=HANGS,
    ),
    Attack(
        "supervisor's descriptors by /proc",
        "write to the engine",
        (
            "import os\npid = os.getppid()\nfor _ in range(2):\n"
            "    pid = int(open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1])\n"
            "os.write(os.open(f'/proc/{pid}/fd/1', os.O_WRONLY), b'{}\\n')",
        ),
        expect(STOPPED),
    ),
    Attack(
        "code that cannot be parsed",
        "break the interpreter's loop",
        ("\0", "'\\ud800'.encode()", "(" * 5000),
        expect(STOPPED),
    ),
    Attack(
        "exceptions that cannot be shown",
        "break the interpreter's loop",
        (
            "class Bad(BaseException):\n    def __str__(self): raise SystemExit\n"
            "    __repr__ = __str__\nraise Bad",
        ),
        expect(STOPPED),
    ),
)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
