"""The network: send data away, reach services of the machine and of its cloud."""

from tests.attacks.attack import CONTAINED, NOT_RUN, OPEN, SHARED, STOPPED, Attack, expect
from tests.attacks.reach import answered, connected

OUTSIDE = expect(STOPPED, process=OPEN)
SEND = "import socket\nwith socket.socket({}) as s:\n    s.settimeout(0.5)\n    s.connect({})\n"

NETWORK = (
    Attack(
        "TCP to a service on loopback",
        "use what listens on the machine only",
        (SEND.format("", "('127.0.0.1', bait.port)"),),
        OUTSIDE,
        connected,
    ),
    Attack(
        "TCP to the machine's address",
        "send data out",
        (SEND.format("", "(bait.outward, bait.port)"),),
        OUTSIDE,
        connected,
    ),
    Attack(
        "TCP by IPv6",
        "use what listens on the machine only",
        (SEND.format("socket.AF_INET6", "('::ffff:127.0.0.1', bait.port)"),),
        OUTSIDE,
        connected,
    ),
    Attack(
        "UDP to the machine's address",
        "send data out, as a name look-up does",
        (
            "import socket\nwith socket.socket(type=socket.SOCK_DGRAM) as s:\n"
            "    s.sendto(b'x', (bait.outward, bait.udp))",
        ),
        OUTSIDE,
        connected,
    ),
    Attack(
        "name look-up",
        "send data out in a name",
        ("import socket\nsocket.getaddrinfo('secret.invalid', 80)",),
        expect(STOPPED, process=NOT_RUN),
    ),
    Attack(
        "cloud metadata address",
        "get the machine's keys from its cloud",
        (SEND.format("", "('169.254.169.254', 80)"),),
        expect(STOPPED, process=NOT_RUN),
    ),
    Attack(
        "address on the internet",
        "send data out",
        (SEND.format("", "('192.0.2.1', 443)"),),
        expect(STOPPED, process=NOT_RUN),
    ),
    Attack(
        "abstract Unix socket",
        "use a service of the user's session",
        (SEND.format("socket.AF_UNIX", "'\\0' + bait.abstract"),),
        OUTSIDE,
        connected,
    ),
    Attack(
        "Unix socket in a folder",
        "use a service of the machine",
        (SEND.format("socket.AF_UNIX", "bait.path_socket"),),
        OUTSIDE,
        connected,
    ),
    Attack(
        "docker.sock",
        "start a container with the machine's root",
        (SEND.format("socket.AF_UNIX", "'/var/run/docker.sock'"),),
        expect(STOPPED, process=NOT_RUN),
    ),
    Attack(
        "vsock",
        "reach the host of a virtual machine",
        (SEND.format("40, socket.SOCK_STREAM", "(1, bait.vsock or 1)"),),
        expect(STOPPED),
        connected,
    ),
    Attack(
        "netlink",
        "change the network's settings",
        ("import socket\nsocket.socket(16, socket.SOCK_RAW, 0)",),
        expect(STOPPED),
    ),
    Attack(
        "raw packets",
        "listen to the network",
        ("import socket\nsocket.socket(17, socket.SOCK_RAW, 768)",),
        expect(STOPPED),
    ),
    Attack(
        "raw IP",
        "send packets of any kind",
        ("import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",),
        expect(STOPPED),
    ),
    Attack(
        "Bluetooth, kernel crypto and the rest",
        "reach rarely used code of the kernel",
        (
            "import socket\nopened, failed = [], None\nfor family in set(range(3, 46)) - {10}:\n"
            "    for kind in (1, 2, 3, 5):\n"
            "        try: socket.socket(family, kind).close()\n"
            "        except OSError as error: failed = error; continue\n"
            "        opened.append(family)\nprint(opened)\nif not opened: raise failed",
        ),
        expect(STOPPED),
    ),
    Attack(
        "service of our own",
        "be spoken to from outside, after the step",
        (
            "import socket\nserver = socket.create_server(('0.0.0.0', 0))\n"
            "print(server.getsockname()[1])",
        ),
        expect(CONTAINED, CONTAINED, STOPPED, OPEN),
        answered,
    ),
    Attack(
        "service that a sibling finds",
        "speak with another branch",
        (
            "import socket\nserver = socket.socket(socket.AF_UNIX)\n"
            "server.bind('\\0' + bait.mark)\nserver.listen()",
        ),
        expect(SHARED, SHARED, STOPPED, SHARED),
        lambda scene: (
            scene.probe(
                "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0' + bait.mark) or True"
            ).value
            == "True"
        ),
        within=True,
    ),
)
