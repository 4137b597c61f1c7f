"""Settings: environment variables and configuration files."""

from tools.bundled.os.family import Family, check

VARIABLES = Family("variables", "train")
CONFIGURATION = Family("configuration", "test")

ENV = "# database\nDB_HOST=localhost\nDB_PORT=5432\n#DB_USER=root\nAPP_MODE=debug\nDB_NAME=shop\n"
VARIABLES.operation(
    "env-file",
    "env.sh is read with `. ./env.sh`. Change it so that afterwards the variable GREETING is "
    "`good day` in every program that is started, too. Keep what it sets already.",
    {"env.sh": "export LEVEL=3\n"},
    [
        check(
            "runs",
            command=["bash", "-c", ". ./env.sh; bash -c 'echo \"$GREETING|$LEVEL\"'"],
            prints="good day|3",
        )
    ],
    [
        ("Let me read it.", "cat env.sh"),
        (
            "export hands it on; the quotes are for the space.",
            "echo 'export GREETING=\"good day\"' >> env.sh",
            "echo 'GREETING=\"good day\"' >> env.sh",
            "echo 'export GREETING=good day' >> env.sh",
            "echo 'export GREETING=\"good day\"' > env.sh",
        ),
        ("Does it work?", ". ./env.sh; bash -c 'echo \"$GREETING $LEVEL\"'"),
    ],
)
VARIABLES.question(
    "how-many",
    "How many variables whose names begin with DB_ does the file app.env set? Lines that begin "
    "with "
    "# are comments.",
    {"app.env": ENV},
    sum(line.startswith("DB_") for line in ENV.splitlines()),
    [
        ("Let me read it.", "cat app.env"),
        ("At the beginning of a line.", "grep -c '^DB_' app.env", "grep -c DB_ app.env"),
    ],
    [4, 2, 6],
)
VARIABLES.operation(
    "to-exports",
    "Write exports.sh from app.env: each line that sets a variable, with `export ` before it, "
    "in the "
    "same order; no comments.",
    {"app.env": ENV},
    [
        check(
            "text",
            path="exports.sh",
            is_="".join(
                f"export {line}\n" for line in ENV.splitlines() if not line.startswith("#")
            ),
        )
    ],
    [
        ("Let me read it.", "cat app.env"),
        (
            "grep leaves out comments, sed adds the word.",
            "grep -v '^#' app.env | sed 's/^/export /' > exports.sh",
            "sed 's/^/export /' app.env > exports.sh",
            "grep '^DB_' app.env | sed 's/^/export /' > exports.sh",
        ),
        ("Is it right?", "cat exports.sh"),
    ],
)
VARIABLES.question(
    "which-wins",
    "The files conf/1.sh, conf/2.sh and conf/3.sh are read one after the other by `. FILE`. "
    "What is "
    "the value of COLOUR afterwards?",
    {
        "conf/1.sh": "COLOUR=red\nSIZE=4\n",
        "conf/2.sh": ': "${COLOUR:=blue}"\nSIZE=5\n[ $SIZE -gt 4 ] && COLOUR=${COLOUR}dish\n',
        "conf/3.sh": "SIZE=6\n: ${COLOUR:-green}\n",
    },
    "reddish",
    [
        ("Let me read them.", "head conf/*.sh"),
        ("I read them and look.", 'for f in conf/?.sh; do . "$f"; done; echo "$COLOUR"'),
    ],
    ["red", "green", "bluedish"],
)
VARIABLES.operation(
    "path",
    "The folder tools holds a command called hello. Write setup.sh so that after `. "
    "./setup.sh` the "
    "command can be called by its name from any folder, and the commands of the system still work.",
    {"tools/hello": "#!/bin/bash\necho hi there\n"},
    [
        check(
            "runs",
            command=["bash", "-c", ". ./setup.sh; cd /; hello; ls -d /"],
            prints="hi there\n/",
        )
    ],
    [
        ("Is it executable?", "ls -l tools"),
        (
            "The absolute path goes in front of PATH.",
            'echo "export PATH=\\"$PWD/tools:\\$PATH\\"" > setup.sh',
            "echo 'export PATH=tools:$PATH' > setup.sh",
            'echo "export PATH=$PWD/tools" > setup.sh',
        ),
        ("Does it work?", "cat setup.sh; (. ./setup.sh; cd /; hello)"),
    ],
    modes={"tools/hello": "755"},
)

INI = (
    "[server]\nport = 80\nhost = example.org\n\n[client]\nport = 99\n# port = 1\n\n"
    "[log]\nlevel = info\nfile = out.log\n"
)
CONFIGURATION.operation(
    "server-port",
    "In app.ini, change the port of the section [server] to 8080. Nothing else changes, also not "
    "the port of [client].",
    {"app.ini": INI},
    [check("text", path="app.ini", is_=INI.replace("port = 80\n", "port = 8080\n"))],
    [
        ("Let me read it.", "cat app.ini"),
        (
            "Only in the lines from [server] to the next section.",
            "sed -i '/^\\[server\\]/,/^$/ s/^port = .*/port = 8080/' app.ini",
            "sed -i 's/^port = .*/port = 8080/' app.ini",
            "sed -i 's/port = 80/port = 8080/; s/port = 99/port = 8080/' app.ini",
        ),
        ("And now?", "cat app.ini"),
    ],
)
CONFIGURATION.question(
    "client-port",
    "What is the port of the section [client] in app.ini?",
    {"app.ini": INI},
    99,
    [
        (
            "I print that section.",
            "sed -n '/^\\[client\\]/,/^$/p' app.ini",
            "grep port app.ini | head -n 1",
        )
    ],
    [80, 1],
)
CONFIGURATION.operation(
    "comment-out",
    "In hosts.txt, put `# ` before every line that ends in .test and is no comment yet. Other "
    "lines "
    "stay as they are.",
    {
        "hosts.txt": (
            "10.0.0.1 a.test\n10.0.0.2 b.org\n# 10.0.0.3 c.test\n"
            "10.0.0.4 test.net\n10.0.0.5 d.test\n"
        ),
    },
    [
        check(
            "text",
            path="hosts.txt",
            is_="# 10.0.0.1 a.test\n10.0.0.2 b.org\n# 10.0.0.3 c.test\n10.0.0.4 test.net\n"
            "# 10.0.0.5 d.test\n",
        )
    ],
    [
        ("Let me read it.", "cat hosts.txt"),
        (
            "Lines that do not begin with # and end in .test.",
            "sed -i '/^[^#].*\\.test$/ s/^/# /' hosts.txt",
            "sed -i '/test/ s/^/# /' hosts.txt",
            "sed -i '/\\.test$/ s/^/# /' hosts.txt",
        ),
        ("And now?", "cat hosts.txt"),
    ],
)
CONFIGURATION.operation(
    "merge",
    "default.conf and user.conf hold lines of a name, = and a value. Write merged.conf with every "
    "name once, sorted by name; where both files have a name, the value of user.conf counts.",
    {
        "default.conf": "size=10\ncolour=red\nfont=mono\nlang=en\n",
        "user.conf": "lang=de\nsize=12\ntabs=4\n",
    },
    [check("text", path="merged.conf", is_="colour=red\nfont=mono\nlang=de\nsize=12\ntabs=4\n")],
    [
        ("Let me see both.", "head *.conf"),
        (
            "The first value of a name wins, so user.conf comes first.",
            "awk -F= '!seen[$1]++' user.conf default.conf | sort > merged.conf",
            "awk -F= '!seen[$1]++' default.conf user.conf | sort > merged.conf",
            "sort -u default.conf user.conf > merged.conf",
        ),
        ("Is it right?", "cat merged.conf"),
    ],
)
