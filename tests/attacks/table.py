"""Run all attacks and write the table in docs/sandbox-attacks.md: `python -m tests.attacks.table`.

With `--expected`, the table comes from the catalogue, and nothing runs.
"""

import sys
from collections.abc import Mapping

from tests.attacks.attack import KINDS
from tests.attacks.bait import REPOSITORY
from tests.attacks.campaign import run
from tests.attacks.catalogue import THEMES, Case, cases

PAGE = REPOSITORY / "docs" / "sandbox-attacks.md"
BEGIN, END = "<!-- attacks: begin -->", "<!-- attacks: end -->"
Cells = Mapping[tuple[str, str, str], str]
"""By theme, attack and backend."""


def main(arguments: list[str]) -> int:
    """Return 1 if an outcome differs from the expected one, or a backend is missing."""
    if arguments == ["--expected"]:
        write(expected())
        return 0
    found = run(cases(KINDS))
    cells = dict(expected())
    wrong = 0
    for case, trial in found.items():
        cells[_key(case)] = trial.outcome
        if trial.outcome != case.attack.expected[case.backend] or trial.broken:
            wrong += 1
            print(f"{case.backend}: {case.attack.name}: {trial.outcome} {'; '.join(trial.broken)}")
    missing = set(KINDS) - {case.backend for case in found}
    if missing:
        print(f"not written: no {', '.join(sorted(missing))} here")
        return 1
    write(cells)
    return 1 if wrong else 0


def expected() -> Cells:
    return {_key(case): case.attack.expected[case.backend] for case in cases(KINDS)}


def render(cells: Cells) -> str:
    lines = [f"| attack | what for | {' | '.join(KINDS)} |", "|---" * (len(KINDS) + 2) + "|"]
    for theme, attacks in THEMES.items():
        lines.append(f"| **{theme}** |" + " |" * (len(KINDS) + 1))
        for attack in attacks:
            outcomes = (cells[theme, attack.name, kind] for kind in KINDS)
            lines.append(f"| {attack.name} | {attack.threat} | {' | '.join(outcomes)} |")
    return "\n".join(lines)


def write(cells: Cells) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{render(cells)}\n{END}{after}")


def written() -> str:
    """Return the table as it is in the document."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip("\n")


def _key(case: Case) -> tuple[str, str, str]:
    return case.theme, case.attack.name, case.backend


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
