"""Hooks of mkdocs: README and what the pages link to outside docs/ become part of the site.

Pages link to files by relative paths, which also work where the repository itself is read.
"""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
LINK = re.compile(r"\[([^\[\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README as the first page, and every file outside docs/ that some page links to."""
    todo = [ROOT / "README.md", *(Path(file.abs_src_path or "") for file in files)]
    added = set[Path]()
    while todo:
        source = todo.pop()
        if source.suffix != ".md":
            continue
        text = source.read_text("utf-8")
        for target in (_target(source, path) for _, path, _ in LINK.findall(text)):
            if target.is_file() and not target.is_relative_to(DOCS) and target not in added:
                added.add(target)
                todo.append(target)
    for path in sorted({ROOT / "README.md", *added}):
        files.append(File.generated(config, _uri(path), abs_src_path=str(path)))
    return files


def on_page_markdown(text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between files of the site."""
    source = Path(page.file.abs_src_path or "")

    def replaced(link: re.Match[str]) -> str:
        target = _target(source, link[2])
        if target.is_dir():
            return link[1]  # a folder of the source code is no page: keep its name
        place = os.path.relpath(_uri(target), Path(page.file.src_uri).parent)
        return f"[{link[1]}]({place}{link[3] or ''})"

    return LINK.sub(replaced, text)


def _target(source: Path, path: str) -> Path:
    return Path(os.path.normpath(source.parent / path))


def _uri(path: Path) -> str:
    if path == ROOT / "README.md":
        return "index.md"
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    return f"repository/{path.relative_to(ROOT).as_posix()}"
