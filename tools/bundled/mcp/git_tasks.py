"""Tasks of the server for git: commit one of two changes, branch, read the history, unstage."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.bundled.mcp.task import call, task, wrong

DATE = "2025-03-01T12:00:00+0000"
SERVER = {
    "command": "mcp-server-git",
    "args": [],
    # All times are one: a commit has the same name whenever it is made.
    "env": {
        "GIT_AUTHOR_NAME": "Agent",
        "GIT_AUTHOR_EMAIL": "agent@example.org",
        "GIT_AUTHOR_DATE": DATE,
        "GIT_COMMITTER_NAME": "Agent",
        "GIT_COMMITTER_EMAIL": "agent@example.org",
        "GIT_COMMITTER_DATE": DATE,
    },
    "state": "folder",
}
CHECK = """\
import subprocess
def git(*words):
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
"""


@dataclass(frozen=True)
class Theme:
    """A repository with two files.

    Attributes:
        history: messages of commits, and what each writes into the first file.
        other: a branch, with its commits beyond the first.
    """

    name: str
    files: tuple[str, str]
    history: tuple[tuple[str, str], ...]
    other: str
    message: str
    branch: str


THEMES = [
    Theme(
        "recipes",
        ("soup.txt", "bread.txt"),
        (("Add soup", "leeks"), ("Salt the soup", "salt"), ("Thicken the soup", "cream")),
        "vegan",
        "Bake the bread longer",
        "winter-menu",
    ),
    Theme(
        "novel",
        ("chapter1.txt", "chapter2.txt"),
        (
            ("Begin the novel", "It rained."),
            ("Name the captain", "Captain Ruiz"),
            ("Add a storm", "Thunder."),
        ),
        "short-version",
        "Rewrite the second chapter",
        "happy-ending",
    ),
    Theme(
        "website",
        ("index.html", "about.html"),
        (
            ("Add a start page", "<h1>Hello</h1>"),
            ("Add a footer", "<footer>"),
            ("Link the shop", "<a>Shop</a>"),
        ),
        "dark-mode",
        "Correct the address",
        "spring-sale",
    ),
    Theme(
        "router",
        ("routes.cfg", "hosts.cfg"),
        (
            ("Add default route", "default via 10.0.0.1"),
            ("Add office", "office via 10.0.0.7"),
            ("Add lab", "lab via 10.0.0.9"),
        ),
        "backup-line",
        "Rename the printer",
        "new-office",
    ),
]
NAMES = [theme.name for theme in THEMES]
REPO = {"repo_path": "{work}"}


def tasks() -> Iterator[dict[str, Any]]:
    """Yield the tasks."""
    for theme in THEMES:
        for made in (_commit, _branch, _history, _unstage):
            fields = made(theme)
            setup = "".join(f"{line}\n" for line in [*_repository(theme), *fields.pop("more", [])])
            kind = made.__name__.strip("_")
            yield task("git", theme.name, kind, NAMES, setup=setup, **fields)


def _repository(theme: Theme) -> list[str]:
    first, second = theme.files
    lines = [
        f"export GIT_AUTHOR_DATE={DATE} GIT_COMMITTER_DATE={DATE}",
        "git init -q -b main .",
        "git config user.name Ada",
        "git config user.email ada@example.org",
        f"echo start > {second}",
    ]
    for number, (message, text) in enumerate(theme.history):
        lines += [f"echo {shlex.quote(text)} >> {first}", "git add ."]
        lines.append(f"git commit -q -m {shlex.quote(message)}")
        if number == 0:
            lines.append(f"git branch {theme.other}")
    return lines


def _commit(theme: Theme) -> dict[str, Any]:
    first, second = theme.files
    done = f"Only {second} belongs to it."
    add, commit = "git_add", "git_commit"
    return {
        "more": [f"echo more >> {first}", f"echo more >> {second}"],
        "prompt": f"Two files in the repository {{work}} have changed. Commit the change "
        f"of {second} alone, with the message '{theme.message}'.",
        "check": CHECK
        + f"assert git('log', '-1', '--format=%s') == {theme.message!r}\n"
        + f"assert git('show', '--name-only', '--format=') == {second!r}\n"
        + f"assert git('rev-list', '--count', 'HEAD') == '{len(theme.history) + 1}'\n"
        + f"assert git('diff', '--name-only') == {first!r}\n"
        + "assert git('diff', '--staged', '--name-only') == ''\n",
        "solution": [
            call("git_status", "See what has changed.", **REPO),
            call(add, done, **REPO, files=[second]),
            call(commit, "It is staged.", **REPO, message=theme.message),
        ],
        "mistakes": [
            wrong(1, add, "Stage the changes.", **REPO, files=[first, second]),
            wrong(1, add, "Stage the changes.", **REPO, files=["."]),
            wrong(1, commit, "Commit it.", **REPO, message=theme.message),
            wrong(2, commit, "It is staged.", **REPO, message=f"Update {second}"),
        ],
    }


def _branch(theme: Theme) -> dict[str, Any]:
    made, checkout = "git_create_branch", "git_checkout"
    return {
        "prompt": f"In the repository {{work}}, make a branch '{theme.branch}' that starts at the "
        f"branch '{theme.other}', and switch to it.",
        "check": CHECK
        + f"assert git('branch', '--show-current') == {theme.branch!r}\n"
        + f"assert git('rev-parse', 'HEAD') == git('rev-parse', {theme.other!r})\n"
        + "assert len(git('branch', '--format=%(refname)').split()) == 3\n",
        "solution": [
            call(
                made,
                f"It starts at {theme.other}, not at the current branch.",
                **REPO,
                branch_name=theme.branch,
                base_branch=theme.other,
            ),
            call(checkout, "Now switch to it.", **REPO, branch_name=theme.branch),
        ],
        "mistakes": [
            wrong(0, made, "Make the branch.", **REPO, branch_name=theme.branch),
            wrong(0, checkout, "Switch to it.", **REPO, branch_name=theme.branch),
            wrong(1, checkout, "Now switch to it.", **REPO, branch_name=theme.other),
        ],
    }


def _history(theme: Theme) -> dict[str, Any]:
    message, text = theme.history[1]
    show = "git_show"
    return {
        "prompt": f"Which commit on the branch main of the repository {{work}} added the line "
        f"'{text}' to {theme.files[0]}? Answer with its message alone.",
        "answer": message,
        "solution": [
            call("git_log", "See which commits there are.", **REPO),
            call(show, "It may be the second to last.", **REPO, revision="HEAD~1"),
        ],
        "mistakes": [
            wrong(1, show, "It may be the last.", **REPO, revision="HEAD"),
            wrong(2, "finish", "This must be it.", answer=theme.history[2][0]),
            wrong(2, "finish", "This must be it.", answer=theme.history[0][0]),
        ],
    }


def _unstage(theme: Theme) -> dict[str, Any]:
    first, second = theme.files
    add, commit, reset = "git_add", "git_commit", "git_reset"
    return {
        "more": [f"echo wrong >> {first}", f"echo right >> {second}", "git add ."],
        "prompt": f"In the repository {{work}} the changes of both files are staged. {first} must "
        f"not be committed. Commit {second} alone with the message '{theme.message}'; the "
        f"change of {first} stays in the folder, not staged.",
        "check": CHECK
        + f"assert git('log', '-1', '--format=%s') == {theme.message!r}\n"
        + f"assert git('show', '--name-only', '--format=') == {second!r}\n"
        + f"assert git('diff', '--name-only') == {first!r}\n"
        + "assert git('diff', '--staged', '--name-only') == ''\n",
        "solution": [
            call(reset, "First nothing should be staged.", **REPO),
            call(add, f"Only {second} is to be committed.", **REPO, files=[second]),
            call(commit, "Now only that file is staged.", **REPO, message=theme.message),
        ],
        "mistakes": [
            wrong(0, commit, "Commit what is staged.", **REPO, message=theme.message),
            wrong(1, add, "Stage it again.", **REPO, files=["."]),
        ],
    }
