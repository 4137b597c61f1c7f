"""Run one step of agent code, in the process that calls this: for fork backends of your own.

It imports the standard library only, so the file can be sent to another machine and imported there.
"""

import ast
import os
import sys
import tempfile
import traceback
from typing import Any


def run_step(
    code: str, world: dict[str, Any], output_bytes: int, value_chars: int
) -> dict[str, Any]:
    """Run `code` in the namespace `world`; return the fields of a `sandbox.protocol.Result`.

    What it writes to its standard output and error, and what programs that it starts write there,
    is caught; too much is cut in its middle.
    """
    with tempfile.TemporaryFile() as caught:
        streams = (sys.stdout, sys.stderr)
        kept = [os.dup(descriptor) for descriptor in (1, 2)]
        try:
            for descriptor in (1, 2):
                os.dup2(caught.fileno(), descriptor)
            value, exception = _execute(code, world, value_chars)
            for stream in streams:
                stream.flush()
        finally:
            for descriptor, saved in zip((1, 2), kept, strict=True):
                os.dup2(saved, descriptor)
                os.close(saved)
        caught.seek(0)
        data = caught.read()
    left_out = max(0, len(data) - output_bytes)
    if left_out:
        half = output_bytes // 2
        data = data[:half] + f"\n... {left_out} bytes left out ...\n".encode() + data[-half:]
    output = data.decode("utf-8", "replace")
    return {"output": output, "truncated": left_out, "value": value, "exception": exception}


def _execute(code: str, world: dict[str, Any], value_chars: int) -> tuple[str | None, str | None]:
    value = None
    try:
        tree = compile(code, "<step>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        assert isinstance(tree, ast.Module)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "<step>", "exec", dont_inherit=True), world)
        if isinstance(last, ast.Expr):
            found = eval(compile(ast.Expression(last.value), "<step>", "eval"), world)
            value = None if found is None else repr(found)[:value_chars]
    except BaseException as error:  # noqa: BLE001  (whatever the agent raises is its observation)
        own = error.__traceback__
        lines = traceback.format_exception(type(error), error, own.tb_next if own else None)
        return None, "".join(lines)
    return value, None
