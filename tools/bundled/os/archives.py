"""Archives and compressed files."""

from tools.bundled.os.family import Family, check

ARCHIVES = Family("archives", "train")

SITE = {
    "site/index.html": "<h1>Hello</h1>\n",
    "site/css/main.css": "h1 {color: red}\n",
    "site/css/print.css": "h1 {color: black}\n",
    "site/tmp/cache.txt": "old\n",
    "site/notes.bak": "draft\n",
}
LOOK = ("What is there?", "find site -type f | sort")

ARCHIVES.operation(
    "pack",
    "Pack the folder site into the compressed archive site.tar.gz, in the current folder. The "
    "names "
    "in it should begin with site/. Leave the folder as it is.",
    SITE,
    [
        check("archive", path="site.tar.gz", holds=SITE),
        check("text", path="site/index.html", is_=SITE["site/index.html"]),
    ],
    [
        LOOK,
        (
            "c makes, z compresses, f names the archive.",
            "tar czf site.tar.gz site",
            "tar czf site.tar.gz -C site .",
            "gzip -r site",
        ),
        ("What is in it?", "tar tzf site.tar.gz"),
    ],
)
ARCHIVES.operation(
    "pack-some",
    "Make styles.tar with the two .css files below site, and nothing else. The names in it should "
    "begin with css/.",
    SITE,
    [
        check(
            "archive",
            path="styles.tar",
            holds={
                name.removeprefix("site/"): text for name, text in SITE.items() if "css/" in name
            },
        )
    ],
    [
        LOOK,
        (
            "tar changes to the folder with -C.",
            "tar cf styles.tar -C site css/main.css css/print.css",
            "tar cf styles.tar site/css",
            "tar cf styles.tar -C site .",
        ),
        ("What is in it?", "tar tf styles.tar"),
    ],
)
ARCHIVES.operation(
    "leave-out",
    "Pack the folder site into clean.tar.gz, without its folder tmp and without the .bak "
    "files. The "
    "names in it should begin with site/.",
    SITE,
    [
        check(
            "archive",
            path="clean.tar.gz",
            holds={
                name: text
                for name, text in SITE.items()
                if "/tmp/" not in name and not name.endswith(".bak")
            },
        )
    ],
    [
        LOOK,
        (
            "--exclude leaves out by name.",
            "tar czf clean.tar.gz --exclude=site/tmp --exclude='*.bak' site",
            "tar czf clean.tar.gz --exclude='*.bak' site",
            "tar czf clean.tar.gz site/css",
        ),
        ("What is in it?", "tar tzf clean.tar.gz"),
    ],
)
ARCHIVES.operation(
    "round-trip",
    "Compress every file in the folder data with gzip, so that each NAME becomes NAME.gz and the "
    "uncompressed file is gone.",
    {"data/a.csv": "1,2\n", "data/b.csv": "3,4\n", "data/c.csv": "5,6\n", "other.csv": "7,8\n"},
    [
        *(check("absent", path=f"data/{name}.csv") for name in "abc"),
        *(
            check("runs", command=["gzip", "-dc", f"data/{name}.csv.gz"], prints=text)
            for name, text in (("a", "1,2\n"), ("b", "3,4\n"), ("c", "5,6\n"))
        ),
        check("text", path="other.csv", is_="7,8\n"),
    ],
    [
        ("What is there?", "ls data"),
        (
            "gzip replaces the files.",
            "gzip data/*.csv",
            "gzip -k data/*.csv",
            "tar czf data.csv.gz data && rm data/*.csv",
        ),
        ("And now?", "ls data"),
    ],
)
ARCHIVES.question(
    "checksum",
    "Two files in the folder copies have the same contents. Answer with their names, in the order "
    "of the alphabet, parted by a space.",
    {
        "copies/five": "the same old song\n",
        "copies/four": "the same old  song\n",
        "copies/one": "the same song\n",
        "copies/three": "the same old song\n",
        "copies/two": "the same old song\n\n",
    },
    "five three",
    [
        (
            "Files with the same contents have the same checksum.",
            "md5sum copies/* | sort",
            "wc -c copies/*",
            "cat copies/*",
        )
    ],
    ["five two", "four three", "five four"],
)
ARCHIVES.operation(
    "split",
    "Split numbers.txt into files of 4 lines each, called chunk_aa, chunk_ab and so on, in the "
    "current folder. Leave numbers.txt.",
    {"numbers.txt": "".join(f"{number}\n" for number in range(1, 11))},
    [
        check("text", path="chunk_aa", is_="1\n2\n3\n4\n"),
        check("text", path="chunk_ab", is_="5\n6\n7\n8\n"),
        check("text", path="chunk_ac", is_="9\n10\n"),
        check("absent", path="chunk_ad"),
        check("text", path="numbers.txt", is_="\n".join(map(str, range(1, 11)))),
    ],
    [
        (
            "split takes lines and a prefix.",
            "split -l 4 numbers.txt chunk_",
            "split -n 4 numbers.txt chunk_",
            "split -l 4 numbers.txt chunk",
        ),
        ("What came out?", "wc -l chunk_*"),
    ],
)
