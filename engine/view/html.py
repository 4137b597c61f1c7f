"""The page: one document that needs nothing beside itself.

Its script and style are named by hash in the document's own policy, which forbids all else: no
network, no other script, whatever a model wrote. What a model wrote is in blocks of data that the
browser does not run, as JSON without "<"; large ones are compressed.
"""

import base64
import gzip
import hashlib
import json
from html import escape
from pathlib import Path
from typing import Any

from engine.view.data import Json

_ASSETS = Path(__file__).with_name("assets")
_SCRIPTS = (
    "dom", "source", "marks", "tasks", "layout", "tree", "node", "diff", "pairs", "charts", "main",
)  # fmt: skip
"""In the order in which they need each other."""


def head(title: str, *, live: bool) -> str:
    """The document up to its data. `live`: it may ask the server that it came from."""
    script, style = script_text(), asset("page.css")
    asked = "'self'" if live else "'none'"
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        f"img-src data:; connect-src {asked}; "
        "base-uri 'none'; form-action 'none'"
    )
    body = asset("page.html").partition("<!-- body -->\n")[2]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{style}</style>\n</head>\n{body}"
    )


def tail(run: Json) -> str:
    """The document after its trees: what the script starts from, and the script."""
    return f"{_block('run', plain(run))}<script>{script_text()}</script>\n</body>\n</html>\n"


def tree_block(number: int, detail: Json) -> str:
    """A tree in the document, as gzip in base 64."""
    text = gzip.compress(plain(detail).encode("ascii"), mtime=0)
    return _block(f"tree-{number}", base64.b64encode(text).decode("ascii"))


def plain(value: Any) -> str:
    """JSON in ASCII that may stand in HTML: without "<", ">" and "&" as such."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def script_text() -> str:
    """All scripts as one."""
    parts = "\n".join(asset(f"{name}.js") for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}\n}})();\n'


def asset(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


def _block(name: str, text: str) -> str:
    return f'<script type="application/octet-stream" id="{name}">{text}</script>\n'


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
