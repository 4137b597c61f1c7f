"""Make the bundled games: `python -m tools.bundled.textworld`, with TextWorld installed.

A game is kept if its own walkthrough takes 3 to 14 commands.
"""

import io
import json
import lzma
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import textworld
from textworld.challenges import CHALLENGES
from textworld.generator import compile_game

FILE = Path(__file__).parents[3] / "environments" / "textworld" / "games.tar.xz"
TRAIN, TEST = 8, 4
"""Games of each kind and split."""
LENGTHS = range(3, 15)


def custom(seed: int, options: textworld.GameOptions) -> textworld.Game:
    """Return a house with a chain of things to do."""
    options.nb_rooms, options.nb_objects = 2 + seed % 4, 6 + seed % 5
    options.chaining.max_length = options.quest_length = 4 + seed % 4
    return textworld.generator.make_game(options)


def challenge(name: str, settings: dict[str, Any], options: textworld.GameOptions) -> Any:
    """Return a game of one of TextWorld's own challenges."""
    return CHALLENGES[name][1](settings, options)


def cooking(seed: int, options: textworld.GameOptions) -> textworld.Game:
    """Return a kitchen and a recipe."""
    settings = {
        "recipe": 1 + seed % 3,
        "take": 1 + seed % 2,
        "go": (1, 6)[seed % 2],
        "open": True,
        "cook": seed % 3 > 0,
        "cut": seed % 3 == 2,
        "drop": False,
        "recipe_seed": seed,
        "split": "train",
    }
    return challenge("tw-cooking", settings, options)


def treasure(seed: int, options: textworld.GameOptions) -> textworld.Game:
    """Return rooms with a treasure, behind doors that may be locked."""
    return challenge("tw-treasure_hunter", {"level": 3 + seed % 15}, options)


def coin(seed: int, options: textworld.GameOptions) -> textworld.Game:
    """Return rooms with a coin somewhere, some of them dead ends."""
    return challenge("tw-coin_collector", {"level": 104 + seed % 5}, options)


KINDS = {"quest": custom, "cooking": cooking, "treasure": treasure, "coin": coin}


def main() -> None:
    """Write the archive: a story file for each game, and games.json about all."""
    about, stories = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, make in KINDS.items():
            kept, seed = 0, 100
            while kept < TRAIN + TEST:
                seed += 1
                options = textworld.GameOptions()
                options.seeds, options.path = seed, str(Path(folder, f"{kind}-{seed}.z8"))
                options.force_recompile = True
                game = make(seed, options)
                walkthrough = list(game.metadata.get("walkthrough") or game.walkthrough)
                if len(walkthrough) not in LENGTHS:
                    continue
                name = f"{kind}-{seed}"
                stories[f"{name}.z8"] = Path(compile_game(game, options)).read_bytes()
                split = "train" if kept < TRAIN else "test"
                about.append(
                    {
                        "name": name,
                        "kind": kind,
                        "split": split,
                        "objective": game.objective,
                        "walkthrough": walkthrough,
                    }
                )
                kept += 1
                print(name, split, len(walkthrough), flush=True)
    stories["games.json"] = json.dumps(about, indent=1).encode()
    preset = 9 | lzma.PRESET_EXTREME
    with lzma.open(FILE, "wb", preset=preset) as packed, tarfile.open(None, "w", packed) as archive:
        for name, content in sorted(stories.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    main()
