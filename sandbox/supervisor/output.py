"""What a run writes: the first and the last of it, and how much there was."""

import os

CHUNK = 65536


class Output:
    """keep_bytes: half of it from either end."""

    def __init__(self, keep_bytes: int) -> None:
        self._half = keep_bytes // 2
        self._head, self._tail = bytearray(), bytearray()
        self.total = 0

    def drain(self, descriptor: int) -> bool:
        """Take what has come, a chunk at most; False at its end."""
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return True
        self.total += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room < len(data) else b""
        if len(self._tail) > self._half:
            del self._tail[: -self._half]
        return bool(data)

    def text(self) -> tuple[str, int]:
        """With a line in place of what was left out; and how many bytes that were."""
        missing = self.total - len(self._head) - len(self._tail)
        gap = f"\n... {missing} bytes left out ...\n".encode() if missing else b""
        return (self._head + gap + self._tail).decode("utf-8", "replace"), missing
