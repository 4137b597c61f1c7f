"""A server that counts in its memory, by the official SDK: `python counting_server.py`.

`count` counts; `wait` does so later; `write` writes a file; `fail` does what `how` says.
"""

import asyncio
import os
import sys
import threading

from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError

server = MCPServer("counting")
counted = 0


@server.tool()
def count() -> str:
    """Count."""
    global counted
    counted += 1
    return f"counted to {counted} in {os.getcwd()}"


@server.tool()
async def wait(seconds: float) -> str:
    """Wait, and count."""
    await asyncio.sleep(seconds)
    return count()


@server.tool()
def write(path: str, text: str) -> str:
    """Write a file."""
    with open(path, "w") as file:
        file.write(text)
    return "written"


@server.tool()
async def fail(how: str, ctx: Context) -> str:  # type: ignore[type-arg]
    """Fail."""
    if how == "exit":
        print("the disk is full", file=sys.stderr)
        os._exit(3)
    if how == "thread":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return count()
    if how == "ask":
        try:
            await ctx.session.create_message(messages=[], max_tokens=5)
        except MCPError as error:
            return f"no model: {error}"
    if how == "forever":
        await asyncio.Event().wait()
    if how == "large":
        return "y" * 2_000_000
    raise ValueError(how)


if __name__ == "__main__":
    server.run()
