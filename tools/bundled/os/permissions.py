"""Permissions: read them, set them, tell who may do what."""

from tools.bundled.os.family import Family, check

PERMISSIONS = Family("permissions", "train")

FILES = {
    "bin/start.sh": "#!/bin/sh\necho started\n",
    "bin/stop.sh": "#!/bin/sh\necho stopped\n",
    "bin/notes.txt": "run start first\n",
    "keys/id": "k1\n",
    "keys/id.pub": "k2\n",
    "share/a.txt": "a\n",
    "share/sub/b.txt": "b\n",
    "share/sub/c.sh": "#!/bin/sh\n",
}
MODES = {
    "bin/start.sh": "755",
    "bin/stop.sh": "644",
    "keys/id": "644",
    "keys/id.pub": "666",
    "share/a.txt": "664",
    "share/sub/b.txt": "646",
    "share/sub/c.sh": "775",
}
LOOK = ("What are the permissions?", "ls -lR .")

PERMISSIONS.operation(
    "make-executable",
    "bin/stop.sh cannot be started. Give everybody the right to execute it, and change no other "
    "right.",
    FILES,
    [
        check("mode", path="bin/stop.sh", is_="755"),
        check("mode", path="bin/notes.txt", is_="644"),
    ],
    [
        ("What are the permissions?", "ls -l bin"),
        (
            "I add x for all.",
            "chmod a+x bin/stop.sh",
            "chmod u+x bin/stop.sh",
            "chmod 777 bin/stop.sh",
            "chmod a+x bin/*",
        ),
        ("Is it right now?", "ls -l bin/stop.sh"),
    ],
    modes=MODES,
)
PERMISSIONS.operation(
    "private-key",
    "Only the owner may read and write keys/id, and nobody may execute it. keys/id.pub may be read "
    "by all and written by the owner only. Set the permissions.",
    FILES,
    [check("mode", path="keys/id", is_="600"), check("mode", path="keys/id.pub", is_="644")],
    [
        ("What are the permissions?", "ls -l keys"),
        (
            "600 is for the owner alone, 644 for all to read.",
            "chmod 600 keys/id && chmod 644 keys/id.pub",
            "chmod 600 keys/*",
            "chmod 644 keys/id && chmod 600 keys/id.pub",
            "chmod 700 keys/id && chmod 644 keys/id.pub",
        ),
        ("And now?", "ls -l keys"),
    ],
    modes=MODES,
)
PERMISSIONS.question(
    "world-writable",
    "How many regular files below the current folder may be written by everybody (others)?",
    FILES,
    sum(int(mode[-1]) & 2 > 0 for mode in MODES.values()),
    [
        LOOK,
        (
            "find can ask for one bit.",
            "find . -type f -perm -o=w | wc -l",
            "find . -type f -perm 666 | wc -l",
            "find . -type f -perm -g=w | wc -l",
        ),
    ],
    [1, 3, 0],
    modes=MODES,
)
PERMISSIONS.question(
    "octal",
    "What are the permissions of share/a.txt as an octal number of three digits?",
    FILES,
    664,
    [
        (
            "stat prints them as a number.",
            "stat -c %a share/a.txt",
            "stat -c %A share/a.txt",
            "ls -l share/a.txt",
        )
    ],
    [644, 666, 640],
    modes=MODES,
)
PERMISSIONS.operation(
    "shared-folder",
    "Below share, every folder should have the permissions 750 and every file 640, whatever they "
    "have now; share itself, too.",
    FILES,
    [
        check("mode", path="share", is_="750"),
        check("mode", path="share/sub", is_="750"),
        check("mode", path="share/a.txt", is_="640"),
        check("mode", path="share/sub/b.txt", is_="640"),
        check("mode", path="share/sub/c.sh", is_="640"),
        check("mode", path="bin/start.sh", is_="755"),
    ],
    [
        ("What are the permissions?", "ls -lR share"),
        (
            "Folders and files are changed apart.",
            "find share -type d -exec chmod 750 {} + && find share -type f -exec chmod 640 {} +",
            "chmod -R 750 share",
            "chmod 750 share && chmod 640 share/*",
        ),
        ("And now?", "ls -ld share; ls -lR share"),
    ],
    modes=MODES,
)
PERMISSIONS.operation(
    "copy-rights",
    "Give bin/stop.sh the permissions that share/sub/b.txt has, and leave those of "
    "share/sub/b.txt.",
    FILES,
    [
        check("mode", path="bin/stop.sh", is_="646"),
        check("mode", path="share/sub/b.txt", is_="646"),
    ],
    [
        (
            "chmod can take them from another file.",
            "chmod --reference=share/sub/b.txt bin/stop.sh",
            "chmod --reference=bin/stop.sh share/sub/b.txt",
            "cp -p share/sub/b.txt bin/stop.sh.new",
        ),
        ("Are they equal?", "stat -c '%a %n' bin/stop.sh share/sub/b.txt"),
    ],
    modes=MODES,
)
