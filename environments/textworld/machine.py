"""The Z-machine: jericho's Frotz, which saves its whole state as bytes.

jericho is GPL, so it is an optional extra that users install, and no dependency.
"""

import itertools
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

SEED = 1
_STATUS = re.compile(r"\n?>[^\n]*\Z")  # the prompt, and the status line that Frotz draws behind it
_SCORE = re.compile(r"(\d+)/\d+\s*\Z")  # its end: score and moves
_FINAL_SCORE = re.compile(r"You scored (\d+) out of")
_BANNER = re.compile(r"\A(?:[ \t]*\n|[^a-z\n]*[$\\_|][^a-z\n]*\n)+")  # letters drawn with signs
_MENU = re.compile(r"\n+Would you like to RESTART.*\Z", re.DOTALL)
_BLANKS = re.compile(r"\n{3,}")
_END = re.compile(r"\*\*\* (.+?) \*\*\*")


class Machine:
    """Plays one story file at a time.

    Attributes:
        score: the points so far, by the game's own count.
        ended: the game's last words between stars ("The End", "You lost!"); "" while it goes on.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._frotz: Any = None
        self.score, self.ended = 0, ""

    def start(self, story: bytes) -> str:
        """Start a game; return its opening, without the banner."""
        # The interpreter takes a file of the name that it has for the game that it has.
        name = f"{next(self._numbers)}.z8"
        with tempfile.TemporaryDirectory(prefix="treegraft-") as folder:
            file = Path(folder, name)
            file.write_bytes(story)
            text = self._started(str(file))
        return _BANNER.sub("", self._read(text)).strip()

    def _started(self, file: str) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "not fully supported": the parts that we use are
            if self._frotz is None:
                from jericho import FrotzEnv

                self._frotz = FrotzEnv(file, seed=SEED)
            else:
                self._frotz.load(file, SEED)
            text, _ = self._frotz.reset()
        return str(text)

    def do(self, command: str) -> str:
        """Play a command; return what the game says."""
        text, *_ = self._frotz.step(command)
        return self._read(text)

    def save(self) -> tuple[Any, int, str]:
        """Return the state, about 40 kB."""
        return self._frotz.get_state(), self.score, self.ended

    def load(self, state: tuple[Any, int, str]) -> None:
        """Return to a state of the game that was started last."""
        memory, self.score, self.ended = state
        self._frotz.set_state(memory)

    def close(self) -> None:
        """Free the interpreter, any number of times."""
        frotz, self._frotz = self._frotz, None
        if frotz is not None:
            frotz.close()

    def _read(self, text: str) -> str:
        """Note score and end; return the text without prompt, status line and menu."""
        if found := _FINAL_SCORE.search(text) or _SCORE.search(text):
            self.score = int(found[1])
        ends = _END.findall(text)
        self.ended = ends[-1] if ends else ""
        return _BLANKS.sub("\n\n", _MENU.sub("", _STATUS.sub("", text))).strip()
