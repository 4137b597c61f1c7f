"""A server on loopback that speaks the upload API of the Hugging Face Hub, and keeps what comes."""

import base64
import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

TOKEN = "hf_" + "a" * 34


class HubServer(ThreadingHTTPServer):
    """Keeps repositories in memory.

    files: by kind and name of the repository ("datasets/me/rows") and branch, the files.
    private: the repositories that are private.
    asked: every request, as "POST /api/repos/create".
    refuse: status with which requests are refused whose path holds the key.
    upload_mode: "lfs" or "regular", for all files but README.md.
    """

    daemon_threads = True

    def __init__(self, refuse: Mapping[str, int] | None = None, upload_mode: str = "lfs") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[tuple[str, str], dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.asked: list[str] = []
        self.refuse, self.upload_mode = dict(refuse or {}), upload_mode
        self.objects: dict[str, bytes] = {}
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def write(self, repo: str, folder: Path, branch: str = "main") -> None:
        """Write the files of a repository into a folder."""
        for name, content in self.files[repo, branch].items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, format: str, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self._body()
        path, hub = self.path.partition("?")[0], self.server
        hub.asked.append(f"{self.command} {path}")
        if status := next((code for part, code in hub.refuse.items() if part in path), 0):
            return self._answer(status, {"error": f"refused for {self.headers['Authorization']}"})
        if path.startswith("/lfs/"):  # storage takes signed addresses, no token
            assert hashlib.sha256(body).hexdigest() == path.removeprefix("/lfs/")
            hub.objects[path.removeprefix("/lfs/")] = body
            return self._answer(200, {})
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self._answer(401, {"error": "Invalid username or password."})
        return self._answer(*self._hub(path.strip("/").split("/"), body))

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _hub(self, parts: list[str], body: bytes) -> tuple[int, Any]:
        hub = self.server
        match parts:
            case ["api", "whoami-v2"]:
                return 200, {"name": "me", "type": "user"}
            case ["api", "validate-yaml"]:
                return 200, {"errors": [], "warnings": []}
            case ["api", "repos", "create"]:
                return self._create(json.loads(body))
            case ["api", kind, user, name, "branch", branch]:
                hub.files[f"{kind}/{user}/{name}", branch] = {}
                return 200, {}
            case ["api", kind, user, name, "preupload", _]:
                return 200, {
                    "files": [self._mode(one["path"]) for one in json.loads(body)["files"]]
                }
            case ["api", kind, user, name, "commit", branch]:
                return self._commit(f"{kind}/{user}/{name}", branch, body)
            case [*_, "info", "lfs", "objects", "batch"]:
                return 200, {"objects": [self._upload(one) for one in json.loads(body)["objects"]]}
            case ["api", kind, user, name, *_] if (f"{kind}/{user}/{name}", "main") in hub.files:
                return 200, {"id": f"{user}/{name}", "sha": "0" * 40, "siblings": []}
        return 404, {"error": "no such thing"}

    def _create(self, asked: Any) -> tuple[int, Any]:
        kind, user = f"{asked.get('type', 'model')}s", asked.get("organization") or "me"
        repo = f"{kind}/{user}/{asked['name']}"
        if asked.get("private") or asked.get("visibility") == "private":
            self.server.private.add(repo)
        status = 409 if (repo, "main") in self.server.files else 200
        self.server.files.setdefault((repo, "main"), {})
        place = repo.removeprefix("models/")
        return status, {"url": f"{self.server.url}/{place}", "id": f"{user}/{asked['name']}"}

    def _mode(self, path: str) -> dict[str, Any]:
        mode = "regular" if path == "README.md" else self.server.upload_mode
        return {"path": path, "uploadMode": mode, "shouldIgnore": False}

    def _upload(self, asked: Any) -> dict[str, Any]:
        upload = {"href": f"{self.server.url}/lfs/{asked['oid']}", "header": {}}
        return {"oid": asked["oid"], "size": asked["size"], "actions": {"upload": upload}}

    def _commit(self, repo: str, branch: str, body: bytes) -> tuple[int, Any]:
        files = self.server.files[repo, branch]
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
        url = f"{self.server.url}/{repo}/commit/{'1' * 40}"
        return 200, {"success": True, "commitUrl": url, "commitOid": "1" * 40, "hookOutput": ""}

    def _answer(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
