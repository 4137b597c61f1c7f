"""A node's files, saved as layers of an overlay file system: a branch costs one mount.

Each node writes into its own layer, a tmpfs of bounded size, above the layers of its ancestors. All
of it is mounted where only the supervisor can go: an empty mount covers the layers' directory,
which is reached through our working directory.

Before a child may run, its parent's layers must be out of reach of what it inherits (open files,
the working directory): the parent's overlay is made read-only as a whole. If something holds a file
open for writing, its topmost layer is copied instead, and the copy kept. A node that goes on in
place, or is dropped, is spared that: it is done when another node's files are about to be shown.

Needs the right to mount, in its own user namespace (Linux 5.11). Inode numbers may differ between a
node and its children.
"""

import contextlib
import ctypes
import os
import shutil
import stat
from dataclasses import dataclass

from .base import FOLDERS, Full
from .safe_files import copy, reading, walk

NOSUID, NODEV, READ_ONLY, REMOUNT, MOVE, DETACH = 2, 4, 1, 32, 8192, 2
MAX_LAYERS = 100
"""Above which a node's layers are copied into one; the kernel takes 500, and 4 kB of options."""

_libc = ctypes.CDLL(None, use_errno=True)


def mount(kind: str, target: str, flags: int, options: str) -> None:
    """Mount a file system. Raises OSError."""
    done = _libc.mount(
        kind.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    if done:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind}: {os.strerror(number)}")


def move(mounted: str, target: str) -> None:
    """Move a mount to another place. Raises OSError."""
    if _libc.mount(mounted.encode(), target.encode(), None, ctypes.c_ulong(MOVE), None):
        number = ctypes.get_errno()
        raise OSError(number, f"move: {os.strerror(number)}")


def unmount(target: str) -> None:
    """Detach a mount. Raises OSError."""
    if _libc.umount2(target.encode(), DETACH):
        number = ctypes.get_errno()
        raise OSError(number, f"unmount: {os.strerror(number)}")


@dataclass(slots=True, eq=False)
class Layers:
    """Names of layers, the topmost first, which may yet be replaced by a copy."""

    names: tuple[str, ...]


class Overlay:
    """Files of nodes as layers; see `Files`."""

    name = "overlay"

    def __init__(self, home: str, layer_bytes: int, layer_files: int) -> None:
        """Mount the first layer, with limits of one node; raise `OSError` if that is refused."""
        self._home = home
        self._options = f"size={layer_bytes},nr_inodes={layer_files},mode=755"
        self._users: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._count = self.held = 0
        self._frozen = False
        self._last = Layers(())
        """What `save` returned last."""
        self._left: list[str] = []
        """Mounts that are not needed any more."""
        _go_into_hiding(home)
        top = self._layer()
        os.setxattr(top, "user.overlay.probe", b"")  # tmpfs can since Linux 6.6
        for folder in FOLDERS:
            os.mkdir(f"{top}/files/{folder}", 0o755)
        self._shown: tuple[str, ...] = (top,)
        """Layers that home shows, the topmost first; in use as long as it does."""
        self._use(self._shown)
        self._mount()

    def initial(self) -> Layers:
        """See `Files`."""
        return self.save()

    def detach(self) -> None:
        """Make sure that what home shows, if it is saved, changes no more. Raises Full."""
        top = self._shown[0]
        if self._users[top] == 1 or self._frozen or self._freeze():
            return
        # Something is open for writing.
        copied = (self._copied(f"{top}/files"), *self._shown[1:])
        self._use(copied)
        self.release(Layers(self._last.names))
        self._last.names = copied

    def show(self, kept: Layers) -> None:
        """See `Files`."""
        self._replace((self._layer(), *kept.names))

    def show_to_read(self, kept: Layers) -> None:
        """See `Files`."""
        if self._frozen or self._shown != kept.names:
            self.show(kept)

    def resume(self, kept: Layers) -> None:
        """See `Files`."""
        if self._shown != kept.names or self._users[kept.names[0]] > 2:  # by home and by `kept`
            self.show(kept)
        elif self._frozen:
            mount("overlay", self._home, REMOUNT | NOSUID | NODEV, "")
            self._frozen = False
        self.release(kept)

    def save(self) -> Layers:
        """See `Files`."""
        if len(self._shown) > MAX_LAYERS:
            self._replace((self._copied(self._home),))
        top = self._shown[0]
        self.held -= self._sizes.pop(top, 0)
        self._sizes[top] = _used(top)
        self.held += self._sizes[top]
        self._use(self._shown)
        self._last = Layers(self._shown)
        return self._last

    def clean_up(self, most: int) -> None:
        """Unmount old mounts: each time the kernel waits until nobody reads there any more."""
        for name in self._left[:most]:
            unmount(name)
            os.rmdir(name)
        del self._left[:most]

    def release(self, kept: Layers) -> None:
        """See `Files`."""
        for name in kept.names:
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name]
                self.held -= self._sizes.pop(name, 0)
                self._left.append(name)

    def _use(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._users[name] = self._users.get(name, 0) + 1

    def _freeze(self) -> bool:
        try:
            mount("overlay", self._home, REMOUNT | READ_ONLY | NOSUID | NODEV, "")
        except OSError:
            return False
        self._frozen = True
        return True

    def _replace(self, names: tuple[str, ...]) -> None:
        """Show other layers."""
        self._use(names)
        self._put_away()
        self.release(Layers(self._shown))
        self._shown = names
        self._mount()

    def _put_away(self) -> None:
        """Move what home shows out of sight, which takes no time, unlike unmounting it."""
        self._count += 1
        place = f"{self._count:x}"
        os.mkdir(place)
        move(self._home, place)
        self._left.append(place)

    def _mount(self) -> None:
        top, *below = self._shown
        lower = ":".join(f"{name}/files" for name in below) or "nothing"
        options = f"lowerdir={lower},upperdir={top}/files,workdir={top}/scratch,userxattr"
        mount("overlay", self._home, NOSUID | NODEV, options)
        self._frozen = False

    def _layer(self) -> str:
        self._count += 1
        name = f"{self._count:x}"
        os.mkdir(name)
        mount("tmpfs", name, NOSUID | NODEV, self._options)
        os.mkdir(f"{name}/files", 0o755)
        os.mkdir(f"{name}/scratch")
        return name

    def _copied(self, source: str) -> str:
        """Return a new layer with what `source` holds. Raises Full."""
        fresh = self._layer()
        try:
            _copy_layer(source, f"{fresh}/files")
        except Full:
            self._left.append(fresh)
            raise
        return fresh


def _go_into_hiding(home: str) -> None:
    """Change to a directory that only our working directory leads to."""
    place = f"{home}-layers"
    os.makedirs(place, exist_ok=True)
    mount("tmpfs", place, NOSUID | NODEV, "size=1m,mode=700")
    os.mkdir(f"{place}/nothing")
    inside = os.open(place, os.O_DIRECTORY | os.O_CLOEXEC)
    mount("tmpfs", place, NOSUID | NODEV | READ_ONLY, "size=4k,mode=000")
    os.fchdir(inside)  # by number: the path ends at the cover now
    os.close(inside)


def _used(layer: str) -> int:
    found = os.statvfs(layer)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _copy_layer(source: str, target: str) -> None:
    """Copy a layer, with whiteouts and the marks of opaque directories. Raises Full."""
    try:
        _copy_marks(source, target)
        for path, seen in walk(source):
            there, here = f"{source}/{path}", f"{target}/{path}"
            if stat.S_ISDIR(seen.st_mode):
                os.mkdir(here, stat.S_IMODE(seen.st_mode) | 0o700)
                _copy_marks(there, here)
            elif stat.S_ISLNK(seen.st_mode):
                os.symlink(os.readlink(there), here)
            elif stat.S_ISREG(seen.st_mode):
                _copy_file(there, here, seen)
            else:
                os.mknod(here, seen.st_mode, seen.st_rdev)
    except OSError as error:
        raise Full(str(error)) from error


def _copy_file(source: str, target: str, seen: os.stat_result) -> None:
    with reading(source) as reader:
        writer = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            copy(reader, writer)
        finally:
            os.close(writer)
    shutil.copystat(source, target)


def _copy_marks(source: str, target: str) -> None:
    for name in os.listxattr(source):
        if name.startswith("user.overlay."):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
