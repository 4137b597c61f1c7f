"""The machine's Docker daemon behind a relay that lets some requests wait."""

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from sandbox import daemon


@contextlib.contextmanager
def slow_docker(path: bytes, seconds: float) -> Iterator[tuple[str, threading.Event]]:
    """What DOCKER_HOST has to be, and what is set when a request for `path` has come.

    It reaches the daemon `seconds` later, whether or not the one who asks is still there.
    """
    asked, ready, done = threading.Event(), threading.Event(), threading.Event()
    behind = str(daemon.socket_path())

    async def pump(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            if path in data.partition(b"\r\n")[0]:
                asked.set()
                await asyncio.sleep(seconds)
            to.write(data)
            await to.drain()
        to.write_eof()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_daemon, there = await asyncio.open_unix_connection(behind)
        dropped = contextlib.suppress(OSError, asyncio.CancelledError)
        with dropped, contextlib.closing(writer), contextlib.closing(there):
            await asyncio.gather(pump(reader, there), pump(to_daemon, writer))

    async def serve(address: Path) -> None:
        async with await asyncio.start_unix_server(relay, address):
            ready.set()
            await asyncio.to_thread(done.wait)

    with tempfile.TemporaryDirectory() as folder:
        address = Path(folder, "docker.sock")
        thread = threading.Thread(target=asyncio.run, args=(serve(address),))
        thread.start()
        try:
            assert ready.wait(10.0)
            yield f"unix://{address}", asked
        finally:
            done.set()
            thread.join()
