"""The page as one self-contained HTML document.

The document's own Content-Security-Policy allows its script and style by hash and forbids
everything else: no network and no other script, whatever a model wrote. What a model wrote stands
in data blocks, which the browser does not run, as JSON without "<"; trees are compressed.
"""

import base64
import gzip
import hashlib
import json
from html import escape
from pathlib import Path
from typing import Any

from engine.runs.codec import json_value
from engine.view.data import Json

_ASSETS = Path(__file__).with_name("assets")
_SCRIPTS = {
    "page": (
        *("dom", "source", "link", "marks", "outcomes", "contents", "filters", "tasks", "layout"),
        *("tree", "jumps", "node", "correct", "diff", "pairs", "charts", "main"),
    ),
    "index": ("dom", "link", "outcomes", "index"),
}
"""By page, in order of dependency: each uses only those before it, until an event calls it."""


def page_start(title: str, *, live: bool, page: str = "page") -> str:
    """Return the document up to its data; a `live` page may query the server it came from."""
    script, style = _script_text(page), _asset("page.css")
    sources = "'self'" if live else "'none'"
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        f"img-src data:; connect-src {sources}; "
        "base-uri 'none'; form-action 'none'"
    )
    body = _asset(f"{page}.html").partition("<!-- body -->\n")[2]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{style}</style>\n</head>\n{body}"
    )


def page_end(run: Json, page: str = "page") -> str:
    """Return the document after its trees: the data that the script starts from, and the script."""
    data = _block("run", html_safe_json(run))
    return f"{data}<script>{_script_text(page)}</script>\n</body>\n</html>\n"


def tree_block(number: int, detail: Json) -> str:
    """Return the data block of a tree, gzip in base 64."""
    text = gzip.compress(html_safe_json(detail).encode("ascii"), mtime=0)
    return _block(f"tree-{number}", base64.b64encode(text).decode("ascii"))


def html_safe_json(value: Any) -> str:
    """Return `value` as ASCII JSON with "<", ">" and "&" escaped, to stand in HTML."""
    text = json.dumps(json_value(value), separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _script_text(page: str) -> str:
    """Return all scripts of a page as one."""
    parts = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS[page])
    return f'"use strict";\n(() => {{\n{parts}\n}})();\n'


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


def _block(name: str, text: str) -> str:
    return f'<script type="application/octet-stream" id="{name}">{text}</script>\n'


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
