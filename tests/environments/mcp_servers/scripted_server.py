"""A server over stdio that misbehaves as it is told: `python scripted_server.py [MODE]`.

Standard library only. Its tools: `count` counts in the process's memory; `write` writes a file;
`fail` does what its argument `how` says.
"""

import json
import os
import sys
import time
from typing import Any


def say(**message: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0"} | message), flush=True)


def text(of: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": of}]} | more


def tool(name: str, *arguments: str) -> dict[str, Any]:
    properties = {argument: {"type": "string"} for argument in arguments}
    schema = {"type": "object", "properties": properties, "required": list(arguments)}
    return {"name": name, "description": f"Does {name}.", "inputSchema": schema}


def listed(mode: str) -> list[dict[str, Any]]:
    tools = [tool("count"), tool("write", "path", "text"), tool("fail", "how"), tool("finish")]
    return [*tools, tool(f"new{time.time_ns()}")] if mode == "changes-tools" else tools


def fail(how: str) -> dict[str, Any]:
    break_off(how)
    match how:
        case "noise":
            print("listening on stdio...", flush=True)
        case "ask":
            params = {"messages": [], "maxTokens": 5}
            say(id="mine", method="sampling/createMessage", params=params)
            answer = json.loads(sys.stdin.readline())
            return text("no model" if "error" in answer else "a model")
        case "not-a-result":
            return {"content": "nothing"}
        case "wrong":
            return text("no such thing", isError=True)
        case "picture":
            return {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]}
        case "large":
            return text("y" * 200000)
        case "clock":
            return text(str(time.time_ns()))
    return text("done")


def break_off(how: str) -> None:
    match how:
        case "hang":
            time.sleep(60)
        case "flood":
            while True:
                say(method="notifications/message", params={"level": "info", "data": "x" * 400_000})
        case "long-line":
            while True:
                sys.stdout.write("x" * 1_000_000)
        case "exit":
            print("Traceback\nDiskError: the disk is full", file=sys.stderr)
            sys.exit(3)
        case "html":
            print("<html><body>502 Bad Gateway</body></html>", flush=True)
            time.sleep(60)


def main(mode: str) -> None:
    counted = 0
    if mode == "ends-at-start":
        sys.exit("no database was given")
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        params, result = message.get("params", {}), {}
        match message["method"], params.get("name"):
            case "initialize", _:
                info = {"name": "scripted", "version": "1"}
                version = params["protocolVersion"]
                result = {"protocolVersion": version, "capabilities": {"tools": {}}}
                result["serverInfo"] = info
            case "tools/list", _:
                result = {"tools": listed(mode)}
            case "tools/call", "count":
                counted += 1
                result = text(f"counted to {counted} in {os.getcwd()}")
            case "tools/call", "write":
                with open(params["arguments"]["path"], "w") as file:
                    file.write(params["arguments"]["text"])
                result = text("written")
            case "tools/call", "fail":
                result = fail(params["arguments"]["how"])
            case _:
                error = {"code": -32601, "message": "there is no such method"}
                say(id=message["id"], error=error)
                continue
        say(id=message["id"], result=result)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
