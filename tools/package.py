"""Build the sdist and the wheels, check them, and try the wheel in fresh environments.

python -m tools.package [--out dist] [--installer uv] [--python python3.11 ...]

The wheel is built from the sdist, so what the sdist lacks is missing there too. Needs git, and the
packages of `treegraft[dev]`.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
MASKS = ROOT / "packages" / "treegraft-masks"
PACKAGES = ("sandbox", "environments", "search", "engine", "trainer", "treegraft")
MEBIBYTE = 1 << 20
CODE_BYTES = 2 * MEBIBYTE
"""What a wheel may hold, compressed, besides the bundled tasks."""
WHEEL_BYTES = 4 * MEBIBYTE
DATA = re.compile(r"/data/|/games\.tar\.xz$")
"""Files of bundled tasks."""
EXPLORE = "explore --env bird --teacher demonstration --limit 2 --output run"
TRIES = (["--help"], EXPLORE.split())


def build(out: Path) -> tuple[Path, Path, Path]:
    """Return the sdist, the wheel made from it, and the wheel of treegraft-masks."""
    from hatchling.builders.sdist import SdistBuilder
    from hatchling.builders.wheel import WheelBuilder

    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(out))
    with tempfile.TemporaryDirectory() as temp, tarfile.open(sdist) as archive:
        archive.extractall(temp, filter="data")
        (unpacked,) = Path(temp).iterdir()
        (wheel,) = WheelBuilder(str(unpacked)).build(directory=str(out))
    (masks,) = WheelBuilder(str(MASKS)).build(directory=str(out))
    return Path(sdist), Path(wheel), Path(masks)


def known_to_git(*folders: str) -> set[str]:
    """Names of the files below these folders that git keeps or does not ignore."""
    kinds = ["--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        ["git", "ls-files", "-z", *kinds, "--", *folders],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return {name for name in names if name and (ROOT / name).is_file()}


def differences(what: str, found: set[str], expected: set[str]) -> list[str]:
    """Say, one a line, which files are missing and which should not be there."""
    lines = [f"{what} lacks {name}" for name in sorted(expected - found)]
    return lines + [
        f"{what} holds {name}, which git does not know" for name in sorted(found - expected)
    ]


def wheel_faults(wheel: Path) -> list[str]:
    """Say what is wrong with the contents and the size of the wheel."""
    with ZipFile(wheel) as archive:
        files = [file for file in archive.infolist() if ".dist-info/" not in file.filename]
    code = sum(file.compress_size for file in files if not DATA.search(file.filename))
    print(
        f"{wheel.name}: {wheel.stat().st_size / MEBIBYTE:.2f} MiB, "
        f"{code / MEBIBYTE:.2f} MiB without the bundled tasks"
    )
    faults = differences("the wheel", {file.filename for file in files}, known_to_git(*PACKAGES))
    for what, bytes_, most in (
        ("the wheel", wheel.stat().st_size, WHEEL_BYTES),
        ("the wheel without the bundled tasks", code, CODE_BYTES),
    ):
        if bytes_ > most:
            faults.append(f"{what} has {bytes_} bytes, more than {most}")
    return faults


def sdist_faults(sdist: Path) -> list[str]:
    """Say what the sdist lacks, and what it should not hold."""
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    return differences("the sdist", names - {"PKG-INFO"}, known_to_git())


def version_faults(version: str) -> list[str]:
    """Say which files name another version than pyproject.toml."""
    places = {
        "CHANGELOG.md": f"## {version}",
        "CITATION.cff": f"version: {version}",
        "packages/treegraft-masks/pyproject.toml": f'version = "{version}"',
    }
    texts = {name: (ROOT / name).read_text("utf-8") for name in places}
    return [f"{name} lacks {line!r}" for name, line in places.items() if line not in texts[name]]


def metadata_faults(*files: Path) -> list[str]:
    """Say what an index would refuse, and what it could not show."""
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [f"twine check: {done.stdout}{done.stderr}"] if done.returncode else []


def install(wheel: Path, python: str, installer: str, folder: Path) -> None:
    """Install the wheel in a fresh environment of this Python."""
    environment = str(folder / "environment")
    if installer == "uv":
        uv = [sys.executable, "-m", "uv", "--quiet"]
        run([*uv, "venv", "--python", python, environment])
        run([*uv, "pip", "install", "--python", environment, str(wheel)])
    else:
        run([python, "-m", "venv", environment])
        run([f"{environment}/bin/pip", "install", "--quiet", str(wheel)])


def try_it(folder: Path) -> None:
    """Run the installed engine in an empty folder, where it cannot see these sources."""
    empty = folder / "empty"
    empty.mkdir()
    for arguments in TRIES:
        said = run([str(folder / "environment/bin/engine"), *arguments], empty)
    print(f"    {said.strip().splitlines()[-1]}")


def run(command: list[str], folder: Path | None = None) -> str:
    """Return what a command prints; leave with its errors if it fails."""
    known = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=known, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--installer", choices=("uv", "pip"), default="uv")
    parser.add_argument("--python", nargs="*", default=[sys.executable])
    chosen = parser.parse_args()
    sdist, wheel, masks = build(chosen.out)
    version = wheel.name.split("-")[1]
    faults = [*wheel_faults(wheel), *sdist_faults(sdist), *version_faults(version)]
    faults += metadata_faults(sdist, wheel, masks)
    if faults:
        sys.exit("\n".join(faults))
    for python in chosen.python:
        with tempfile.TemporaryDirectory() as temp:
            print(f"{python}, {chosen.installer}:", flush=True)
            install(wheel, python, chosen.installer, Path(temp))
            try_it(Path(temp))


if __name__ == "__main__":
    main()
