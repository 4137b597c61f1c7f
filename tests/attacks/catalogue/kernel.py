"""The kernel: rights, calls and tables that agent code has no use for."""

from tests.attacks.attack import CONTAINED, NOT_RUN, OPEN, STOPPED, Attack, expect
from tests.attacks.reach import leaked, to_be_taken

CALL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0 and ctypes.get_errno() in (1, 38):  # EPERM, ENOSYS
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""
"""What the kernel refuses for other reasons, it has looked at: the call was not stopped."""


def system_call(name: str, threat: str, number: int, *arguments: str) -> Attack:
    """Return an attack that makes a call (x86_64). All are refused everywhere; none does harm."""
    code = f"{CALL}call({', '.join([str(number), *arguments])})"
    return Attack(name, threat, (code,), expect(STOPPED))


CALLS = (
    system_call("mount", "hide or show files", 165, "b'none'", "b'/'", "b'tmpfs'", "0", "None"),
    system_call("new mount API", "hide or show files (fsopen)", 430, "b'tmpfs'", "0"),
    system_call("open_tree with a clone", "copy mounts", 428, "-100", "b'/'", "1"),
    system_call("open_tree_attr", "a call newer than the filter", 467, "-100", "b'/'", "1", "0"),
    system_call("user namespace by unshare", "get capabilities", 272, "0x10000000"),
    system_call("user namespace by clone", "get capabilities", 56, "0x10000011", "0", "0", "0"),
    system_call("chroot", "leave the root", 161, "b'/'"),
    system_call("setns", "go into another namespace", 308, "0", "0"),
    system_call("keyring: add_key", "leave a key", 248, "b'user'", "b'k'", "b'v'", "1", "-3"),
    system_call("keyring: keyctl", "read the user's keys", 250, "0", "-4", "1"),
    system_call("io_uring", "a large surface past the filter", 425, "8", "bytes(120)"),
    system_call("bpf", "load a program", 321, "0", "bytes(120)", "72"),
    system_call("perf_event_open", "measure others", 298, "bytes(128)", "0", "-1", "-1", "0"),
    system_call("userfaultfd", "hold up the kernel", 323, "1"),
    system_call("clock_settime", "change the clock", 227, "0", "b'\\xff' * 16"),
    system_call("sethostname", "rename the machine", 170, "b'x'", "-1"),
    system_call("reboot", "end the machine", 169, "0", "0", "0", "0"),
    system_call("syslog", "read the kernel's messages", 103, "99", "0", "0"),
    system_call("ptrace", "trace another process", 101, "16", "os.getppid()", "0", "0"),
    system_call("process_vm_readv", "read others", 310, "os.getppid()", "0", "0", "0", "0", "0"),
    system_call("process_vm_writev", "write others", 311, "os.getppid()", "0", "0", "0", "0", "0"),
    system_call("pidfd_getfd", "take a descriptor of another", 438, "0", "0", "0"),
    system_call("init_module", "load a module", 175, "b''", "0", "b''"),
    system_call("kexec_load", "replace the kernel", 246, "0", "0", "0", "0"),
    system_call("ioperm", "reach ports", 173, "0x80", "1", "1"),
    system_call("modify_ldt", "an old surface", 154, "0", "bytes(16)", "16"),
    system_call("open_by_handle_at", "open files by number", 304, "3", "bytes(16)", "0"),
    system_call("x32 calls", "the same calls by other numbers", 0x40000000 + 39),
)

OTHERS = (
    Attack(
        "32-bit calls",
        "the same calls by another gate (int 0x80)",
        (
            "import ctypes, mmap\n"
            "code = mmap.mmap(-1, 4096, prot=7)\n"
            "code.write(bytes.fromhex('b814000000cd80c3'))  # getpid\n"
            "at = ctypes.addressof(ctypes.c_char.from_buffer(code))\n"
            "ctypes.CFUNCTYPE(ctypes.c_int)(at)()",
        ),
        expect(STOPPED),
    ),
    Attack(
        "setuid program of our own",
        "become another user",
        (
            "import os, shutil, subprocess\nshutil.copy('/bin/cat', 'cat')\n"
            "os.chmod('cat', 0o6755)\n"
            "subprocess.run(['./cat', bait.private], capture_output=True, text=True,"
            " check=True).stdout",
        ),
        expect(STOPPED, process=OPEN),
        leaked,
    ),
    Attack(
        "setuid programs of the system",
        "become root",
        (
            "import subprocess, os\ndone = subprocess.run(['su', '-c', 'cat ' + bait.private],"
            " capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=1)\n"
            "if done.returncode: raise OSError(done.stderr)\ndone.stdout",
        ),
        expect(STOPPED),
        leaked,
    ),
    Attack(
        "change of user",
        "become root",
        ("import os\nos.setgroups([0])\nos.setresuid(1, 1, 1)\nos.setresuid(0, 0, 0)",),
        expect(STOPPED),
    ),
    Attack(
        "device node",
        "reach the machine's disks and memory",
        ("import os, stat\nos.mknod('memory', stat.S_IFCHR | 0o666, os.makedev(1, 1))",),
        expect(STOPPED),
    ),
    Attack(
        "overlay whiteout",
        "remove files of layers below",
        ("import os, stat\nos.mknod('white', stat.S_IFCHR | 0o666, 0)", "1"),
        expect(CONTAINED, STOPPED, CONTAINED),
    ),
    Attack(
        "extended attributes of the overlay",
        "lead the file system elsewhere",
        ("import os\nos.setxattr('mark', 'user.overlay.redirect', b'/etc')",),
        expect(STOPPED),
    ),
    Attack(
        "extended attributes by a newer call",
        "lead the file system elsewhere (setxattrat)",
        (
            CALL + "value = ctypes.create_string_buffer(b'/etc')\n"
            "import struct\n"
            "given = struct.pack('QII', ctypes.addressof(value), 4, 0)\n"
            "call(463, -100, b'mark', 0, b'user.overlay.redirect', given, 16)",
        ),
        expect(STOPPED),
    ),
    Attack(
        "settings of the kernel",
        "change the machine (/proc/sys)",
        (
            "import os\n"
            "for name in ('kernel/core_pattern', 'kernel/hostname', 'vm/overcommit_memory'):\n"
            "    try: os.close(os.open(f'/proc/sys/{name}', os.O_WRONLY))\n"
            "    except OSError: continue\n    print('opened', name)\n"
            "open('/proc/sysrq-trigger', 'a').close()",
        ),
        expect(STOPPED, process=NOT_RUN),
        lambda scene: "opened" in scene.output,
    ),
    Attack(
        "control groups",
        "lift the bounds on memory",
        (
            "import os\nfor folder, _, names in os.walk('/sys/fs/cgroup'):\n"
            "    for name in names:\n        try: os.close(os.open(f'{folder}/{name}', 1))\n"
            "        except OSError: continue\n        print('opened', folder, name)\n"
            "    break\nos.mkdir('/sys/fs/cgroup/mine')",
        ),
        expect(STOPPED, process=NOT_RUN),
        lambda scene: "opened" in scene.output,
    ),
    Attack(
        "oom_score_adj of others",
        "have the kernel end another process for us",
        ("open(f'/proc/{YOUNGER}/oom_score_adj', 'w').write('1000')",),
        expect(STOPPED, process=OPEN),
        to_be_taken,
    ),
    Attack(
        "filter of our own",
        "undo the filter with another (seccomp cannot)",
        (
            CALL
            + "import struct\nallow = ctypes.create_string_buffer(struct.pack('=HBBI', 6, 0, 0,"
            " 0x7fff0000))\nprogram = struct.pack('HxxxxxxQ', 1, ctypes.addressof(allow))\n"
            "call(157, 22, 2, ctypes.c_char_p(program), 0, 0)\ncall(272, 0x10000000)",
        ),
        expect(STOPPED),
    ),
    Attack(
        "TIOCSTI",
        "type into the user's terminal",
        (
            "import fcntl, os\nfailed = None\n"
            "for path in ('/dev/tty', '/proc/self/fd/0', '/proc/self/fd/1', '/dev/console'):\n"
            "    try: fcntl.ioctl(os.open(path, os.O_RDWR | os.O_NOCTTY), 0x5412, b'x')\n"
            "    except OSError as error: failed = error; continue\n"
            "    print('typed')\nraise failed",
        ),
        expect(STOPPED),
        lambda scene: "typed" in scene.output,
    ),
    Attack(
        "TIOCSTI on a terminal of our own",
        "have a way to type into terminals",
        ("import fcntl, os\n_, end = os.openpty()\nfcntl.ioctl(end, 0x5412, b'x')",),
        expect(STOPPED),
    ),
    Attack(
        "/proc/1/environ",
        "read keys in the environment of pid 1",
        ("open('/proc/1/environ').read()",),
        expect(STOPPED, process=NOT_RUN),
        leaked,
    ),
    Attack(
        "/proc/1/fd",
        "use the descriptors of pid 1",
        ("import os\nopen(f'/proc/1/fd/{os.listdir(\"/proc/1/fd\")[0]}')",),
        expect(STOPPED, process=NOT_RUN),
    ),
    Attack(
        "/proc/1/root",
        "read the machine's files by way of pid 1",
        ("open('/proc/1/root' + bait.canary).read()",),
        expect(STOPPED, process=NOT_RUN),
        leaked,
    ),
    Attack(
        "/proc/1/mem",
        "write the memory of pid 1",
        ("open('/proc/1/mem', 'r+b')",),
        expect(STOPPED, process=NOT_RUN),
    ),
    Attack(
        "environment of a process outside",
        "read its keys",
        ("open(f'/proc/{bait.victim}/environ').read()",),
        expect(STOPPED, process=OPEN),
        leaked,
    ),
    Attack(
        "memory of a process outside",
        "read its secrets",
        (
            "with open(f'/proc/{bait.victim}/mem', 'rb', buffering=0) as memory:\n"
            "    memory.seek(bait.memory)\n    print(memory.read(200))",
        ),
        expect(STOPPED, process=OPEN),
        leaked,
    ),
    Attack(
        "environment of the engine",
        "read its keys",
        ("import os\n''.join([*os.environ.values()])",),
        expect(CONTAINED),
        leaked,
    ),
)

KERNEL = (*CALLS, *OTHERS)
