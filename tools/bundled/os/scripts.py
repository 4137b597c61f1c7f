"""Scripts that are broken or missing; they are tried with inputs that the agent never saw."""

from tools.bundled.os.family import Family, check

SCRIPTS = Family("scripts", "train")
MORE = Family("new-scripts", "test")

SUM = "#!/bin/bash\n# Print the sum of the numbers in a file, one a line.\ntotal=0\n"
SUM += 'while read n; do\n  total=$n\ndone < "$1"\necho $total\n'
SCRIPTS.operation(
    "sum",
    "sum.sh should print the sum of the numbers in the file that it is given, as in "
    "`bash sum.sh numbers.txt`. It prints something else. Repair it.",
    {"sum.sh": SUM, "numbers.txt": "4\n8\n15\n"},
    [
        check(
            "runs",
            command=["bash", "sum.sh", "in.txt"],
            prints="60",
            files={"in.txt": "10\n20\n30\n"},
        ),
        check(
            "runs", command=["bash", "sum.sh", "in.txt"], prints="-3", files={"in.txt": "4\n-7\n"}
        ),
    ],
    [
        ("Let me read it, and try it.", "cat sum.sh; bash sum.sh numbers.txt"),
        (
            "It forgets the sum so far.",
            "sed -i 's/total=$n/total=$((total + n))/' sum.sh",
            "sed -i 's/total=$n/total=$total+$n/' sum.sh",
            "sed -i 's/echo $total/echo 27/' sum.sh",
        ),
        ("Does it work?", "bash sum.sh numbers.txt"),
    ],
)
SPACES = "#!/bin/bash\n# Count the lines of each file in a folder.\nfor f in $(ls $1); do\n"
SPACES += '  echo "$f: $(wc -l < $1/$f)"\ndone\n'
SCRIPTS.operation(
    "spaces",
    "lines.sh prints, for each file in a folder, its name, a colon, a space and its number of "
    "lines, "
    "sorted by name. It fails for names with spaces. Repair it.",
    {"lines.sh": SPACES, "in/a.txt": "1\n2\n", "in/my list.txt": "1\n"},
    [
        check(
            "runs",
            command=["bash", "lines.sh", "given"],
            prints="b: 1\nlast one.txt: 3\nx y: 0\n",
            files={"given/x y": "", "given/last one.txt": "1\n2\n3\n", "given/b": "1\n"},
        )
    ],
    [
        ("Let me read it, and try it.", "cat lines.sh; bash lines.sh in"),
        (
            "A pattern keeps names whole; quotes do the rest.",
            "cat > lines.sh <<'END'\n#!/bin/bash\n# Count the lines of each file in a folder.\n"
            'for f in "$1"/*; do\n  echo "${f##*/}: $(wc -l < "$f")"\ndone\nEND',
            "sed -i 's/$1\\/$f/\"$1\\/$f\"/' lines.sh",
            "sed -i 's/$(ls $1)/\"$(ls $1)\"/' lines.sh",
        ),
        ("Does it work?", "bash lines.sh in"),
    ],
)
SCRIPTS.operation(
    "syntax",
    "greet.sh does not run. It should print Hello and the name that it is given, or `Hello you` "
    "without a name. Repair it.",
    {
        "greet.sh": (
            '#!/bin/bash\nif [ -z "$1" ] then\n  echo "Hello you"\nelse\n  echo "Hello $1"\nfi\n'
        ),
    },
    [
        check("runs", command=["bash", "greet.sh", "Ann Lee"], prints="Hello Ann Lee"),
        check("runs", command=["bash", "greet.sh"], prints="Hello you"),
    ],
    [
        ("What happens?", "bash greet.sh Ann; cat greet.sh"),
        (
            "A semicolon is missing before then.",
            "sed -i 's/\\] then/]; then/' greet.sh",
            "sed -i 's/ then//' greet.sh",
            "sed -i 's/-z/-n/; s/\\] then/]; then/' greet.sh",
        ),
        ("Does it work?", "bash greet.sh Ann; bash greet.sh"),
    ],
)
SCRIPTS.operation(
    "exit-status",
    "check.sh should end with the exit status 0 if the file that it is given holds the word ready, "
    "and with 1 if not, and print nothing. Repair it.",
    {"check.sh": '#!/bin/bash\ngrep ready "$1"\nexit 0\n', "state.txt": "ready\n"},
    [
        check("runs", command=["bash", "check.sh", "f"], prints="", files={"f": "all ready now\n"}),
        check(
            "runs", command=["bash", "check.sh", "f"], prints="", files={"f": "not yet\n"}, status=1
        ),
        check(
            "runs", command=["bash", "check.sh", "f"], prints="", files={"f": "already\n"}, status=1
        ),
    ],
    [
        ("Let me read it, and try it.", "cat check.sh; bash check.sh state.txt; echo $?"),
        (
            "grep -q is silent, -w takes whole words; its status is the script's.",
            "printf '#!/bin/bash\\ngrep -qw ready \"$1\"\\n' > check.sh",
            "sed -i 's/grep/grep -q/' check.sh",
            "printf '#!/bin/bash\\ngrep -q ready \"$1\"\\n' > check.sh",
        ),
        (
            "Does it work?",
            "bash check.sh state.txt; echo $?; echo no > n; bash check.sh n; echo $?; rm n",
        ),
    ],
)
SCRIPTS.operation(
    "largest",
    "Write max.sh: `bash max.sh 3 9 5` prints the largest of the whole numbers that it is given.",
    {"readme.txt": "max.sh is missing\n"},
    [
        check("runs", command=["bash", "max.sh", "3", "9", "5"], prints="9"),
        check("runs", command=["bash", "max.sh", "-8", "-30"], prints="-8"),
        check("runs", command=["bash", "max.sh", "100", "99", "7"], prints="100"),
    ],
    [
        (
            "sort -n orders numbers.",
            'printf \'#!/bin/bash\\nprintf "%%s\\\\n" "$@" | sort -n | tail -n 1\\n\' > max.sh',
            'printf \'#!/bin/bash\\nprintf "%%s\\\\n" "$@" | sort | tail -n 1\\n\' > max.sh',
            "printf '#!/bin/bash\\necho 9\\n' > max.sh",
        ),
        ("Does it work?", "cat max.sh; bash max.sh 3 9 5; bash max.sh 100 99"),
    ],
)
SCRIPTS.question(
    "why",
    "backup.sh ends with an exit status that tells why it failed. Run it: what is the status?",
    {
        "backup.sh": (
            "#!/bin/bash\n[ -d target ] || exit 4\n[ -w target/index ] || exit 7\necho done\n"
        ),
        "target/list": "a\n",
    },
    7,
    [
        ("Let me read it.", "cat backup.sh"),
        ("I run it.", "bash backup.sh; echo $?", "bash backup.sh && echo $?"),
    ],
    [0, 4, 1],
)

MORE.operation(
    "reverse",
    "Write reverse.sh: `bash reverse.sh FILE` prints the lines of the file in reverse order, the "
    "last one first.",
    {"sample.txt": "one\ntwo\nthree\n"},
    [
        check(
            "runs", command=["bash", "reverse.sh", "f"], prints="c\na\nb", files={"f": "b\na\nc\n"}
        ),
        check(
            "runs", command=["bash", "reverse.sh", "g h"], prints="1\n2", files={"g h": "2\n1\n"}
        ),
    ],
    [
        (
            "tac does that; the name may hold spaces.",
            "echo 'tac \"$1\"' > reverse.sh",
            "echo 'sort -r \"$1\"' > reverse.sh",
            "echo 'rev \"$1\"' > reverse.sh",
            "echo 'tac $1' > reverse.sh",
        ),
        ("Does it work?", "bash reverse.sh sample.txt"),
    ],
)
MORE.operation(
    "count-by-end",
    "Write ends.sh: `bash ends.sh FOLDER` prints how many regular files with the ending .txt are "
    "below the folder, at any depth.",
    {"a/x.txt": "", "a/b/y.txt": "", "a/b/z.md": "", "a/c.txt/": ""},
    [
        check(
            "runs",
            command=["bash", "ends.sh", "t"],
            prints="2",
            files={"t/1.txt": "", "t/u/2.txt": "", "t/u/txt": "", "t/v.txt/3.md": ""},
        )
    ],
    [
        (
            "find goes through all folders; -type f leaves out folders.",
            'echo \'find "$1" -type f -name "*.txt" | wc -l\' > ends.sh',
            'echo \'find "$1" -name "*.txt" | wc -l\' > ends.sh',
            "echo 'ls \"$1\"/*.txt | wc -l' > ends.sh",
        ),
        ("Does it work?", "bash ends.sh a"),
    ],
)
MORE.operation(
    "off-by-one",
    "countdown.sh should print the numbers from the one that it is given down to 1, one a line. "
    "Repair it.",
    {
        "countdown.sh": (
            "#!/bin/bash\ni=$1\nwhile [ $i -gt 1 ]; do\n  echo $i\n  i=$((i - 1))\ndone\n"
        ),
    },
    [
        check("runs", command=["bash", "countdown.sh", "3"], prints="3\n2\n1"),
        check("runs", command=["bash", "countdown.sh", "1"], prints="1"),
        check("runs", command=["bash", "countdown.sh", "0"], prints=""),
    ],
    [
        ("Let me read it, and try it.", "cat countdown.sh; bash countdown.sh 3"),
        (
            "It stops one too early.",
            "sed -i 's/-gt 1/-ge 1/' countdown.sh",
            "sed -i 's/-gt 1/-ge 0/' countdown.sh",
            "echo 'echo 1' >> countdown.sh",
        ),
        ("Does it work?", "bash countdown.sh 3"),
    ],
)
MORE.operation(
    "default-value",
    "port.sh prints the value of the environment variable PORT. If the variable is not set or "
    "empty, it should print 8080. Change it.",
    {"port.sh": '#!/bin/bash\necho "$PORT"\n'},
    [
        check("runs", command=["bash", "port.sh"], prints="8080"),
        check("runs", command=["env", "PORT=9", "bash", "port.sh"], prints="9"),
        check("runs", command=["env", "PORT=", "bash", "port.sh"], prints="8080"),
    ],
    [
        ("Let me read it.", "cat port.sh"),
        (
            "The shell has a form for defaults.",
            "sed -i 's/$PORT/${PORT:-8080}/' port.sh",
            "sed -i 's/$PORT/${PORT-8080}/' port.sh",
            "sed -i 's/$PORT/8080/' port.sh",
        ),
        ("Does it work?", "bash port.sh; PORT=9 bash port.sh; PORT= bash port.sh"),
    ],
)
