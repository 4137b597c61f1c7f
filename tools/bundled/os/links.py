"""Symbolic and hard links."""

from tools.bundled.os.family import Family, check

LINKS = Family("links", "train")

RELEASES = {
    "releases/1.0/app": "one\n",
    "releases/1.1/app": "one one\n",
    "releases/2.0/app": "two\n",
    "docs/guide.txt": "read me\n",
}
CURRENT = {"current": "releases/1.0", "docs/app": "../releases/2.0/app", "docs/gone": "nowhere"}
LOOK = ("What is there?", "ls -l . docs")

LINKS.operation(
    "switch-release",
    "The symbolic link current leads to releases/1.0. Make it lead to releases/1.1 instead. Change "
    "nothing in the folder releases.",
    RELEASES,
    [
        check("link", path="current", to="releases/1.1"),
        check("tree", folder="releases/1.0", holds={"app": "one"}),
    ],
    [
        LOOK,
        (
            "-n, so that the new link replaces the old one.",
            "ln -sfn releases/1.1 current",
            "ln -sf releases/1.1 current",
            "ln -s releases/1.1 current",
            "mv releases/1.1 releases/1.0",
        ),
        ("Where does it lead?", "readlink current; ls -l current/"),
    ],
    links=CURRENT,
)
LINKS.question(
    "broken",
    "Which symbolic link below the current folder leads to nothing? Answer with its path.",
    RELEASES,
    ["docs/gone", "./docs/gone", "gone", "/work/docs/gone"],
    [
        LOOK,
        (
            "-xtype l are links that lead nowhere.",
            "find . -xtype l",
            "find . -type l",
            "find . -type l -maxdepth 1",
        ),
    ],
    ["docs/app", "current", "nowhere"],
    links=CURRENT,
)
LINKS.operation(
    "repair",
    "Remove every symbolic link below the current folder that leads to nothing. Keep the other "
    "links "
    "and all files.",
    RELEASES,
    [
        check("absent", path="docs/gone"),
        check("absent", path="lost"),
        check("link", path="current", to="releases/1.0"),
        check("link", path="docs/app", to="releases/2.0/app"),
        check("text", path="docs/guide.txt", is_="read me"),
    ],
    [
        LOOK,
        (
            "find can delete what it finds.",
            "find . -xtype l -delete",
            "find . -type l -delete",
            "find docs -xtype l -delete",
        ),
        ("What is left?", "find . -type l | sort"),
    ],
    links=CURRENT | {"lost": "releases/3.0"},
)
LINKS.operation(
    "link-all",
    "In the folder bin, which you have to make, put a symbolic link for each of the three apps: "
    "app-1.0, app-1.1 and app-2.0. Each leads to the file app of that release.",
    RELEASES,
    [
        check("link", path=f"bin/app-{version}", to=f"releases/{version}/app")
        for version in ("1.0", "1.1", "2.0")
    ],
    [
        ("What is there?", "find releases -type f | sort"),
        (
            "A relative target is seen from the folder of the link.",
            "mkdir bin && for v in 1.0 1.1 2.0; do ln -s ../releases/$v/app bin/app-$v; done",
            "mkdir bin && for v in 1.0 1.1 2.0; do ln -s releases/$v/app bin/app-$v; done",
            "mkdir bin && for v in 1.0 1.1 2.0; do cp releases/$v/app bin/app-$v; done",
        ),
        ("Do they work?", "head bin/*"),
    ],
)
LINKS.operation(
    "hard-link",
    "Make second.txt a hard link to first.txt, so that both names are one file.",
    {"first.txt": "one file\n"},
    [
        check("same_file", path="second.txt", other="first.txt"),
        check("text", path="first.txt", is_="one file"),
    ],
    [
        (
            "ln without -s makes a hard link.",
            "ln first.txt second.txt",
            "ln -s first.txt second.txt",
            "cp first.txt second.txt",
        ),
        ("How many names has it?", "stat -c '%h %n' first.txt second.txt"),
    ],
)
LINKS.operation(
    "real-file",
    "config is a symbolic link. Replace it by a regular file with the same contents, and leave the "
    "file that it leads to as it is.",
    {"shared/config.ini": "[main]\ncolor = green\n"},
    [
        check("runs", command=["find", "config", "-type", "f"], prints="config"),
        check("text", path="config", is_="[main]\ncolor = green"),
        check("text", path="shared/config.ini", is_="[main]\ncolor = green"),
    ],
    [
        ("Where does it lead?", "ls -l config"),
        (
            "--remove-destination removes the link first.",
            "cp --remove-destination shared/config.ini config",
            "cp shared/config.ini config",
            "mv shared/config.ini config",
        ),
        ("And now?", "ls -l config shared"),
    ],
    links={"config": "shared/config.ini"},
)
