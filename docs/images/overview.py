"""Draws docs/images/overview.svg: a tree, the rows made of it, and what a student learned.

    python docs/images/overview.py

The bars are measured: benchmarks/results/2026-11-30-demo.md.
"""

from html import escape
from pathlib import Path

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2937 } 
.title { font-weight: 600; font-size: 15px }
.mono { font-family: ui-monospace, monospace; font-size: 12px } .grey { fill: #6b7280 }
.line { stroke: #9ca3af; fill: none } .good { fill: #15803d } .bad { fill: #b91c1c }
.box { fill: #f9fafb; stroke: #d1d5db } .trained { fill: #bbf7d0 } .bar { fill: #2563eb }
@media (prefers-color-scheme: dark) {
text { fill: #e5e7eb } .grey { fill: #9ca3af } .box { fill: #1f2937; stroke: #4b5563 }
.good { fill: #4ade80 } .bad { fill: #f87171 } .trained { fill: #14532d } .bar { fill: #60a5fa } }
"""
NODES = {
    "start": (20, 70, "Which pets are older than five?", ""),
    "tables": (40, 110, "list_tables {}", ""),
    "wrong": (60, 150, 'run_sql "SELECT nam ..."', ""),
    "failed": (80, 190, 'answer "Rex"  ✗', "bad"),
    "schema": (60, 230, 'describe_table "pets"', ""),
    "solved": (80, 270, 'answer "Rex, Tom"  ✓', "good"),
}
EDGES = (
    ("start", "tables"),
    ("tables", "wrong"),
    ("wrong", "failed"),
    ("tables", "schema"),
    ("schema", "solved"),
)
ROW = (
    ("SFT row", False, True),
    ("user: Which pets are older than five?", False, False),
    ("list_tables {}", True, False),
    ("tool: pets, owners", False, False),
    ('describe_table "pets"', True, False),
    ("tool: name, age", False, False),
    ('answer "Rex, Tom"', True, False),
)
PAIR = (
    ("DPO pair", False, True),
    ('chosen: describe_table "pets" ...', True, False),
    ('rejected: run_sql "SELECT nam ..." ...', True, False),
)
BARS = (("untrained", 0.0, 0, 9), ("240 rows", 17.5, 9, 32), ("480 rows", 27.5, 16, 43))
"""Solved held-out tasks in per cent, and their 95 % interval."""


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """A line of text."""
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'


def tree() -> list[str]:
    """The left third."""
    parts = [text(20, 35, "1. A teacher searches: a tree", "title")]
    for above, below in EDGES:
        (x, y, *_), (to_x, to_y, *_) = NODES[above], NODES[below]
        parts.append(f'<path class="line" d="M{x + 4} {y + 6} V{to_y - 4} H{to_x - 3}"/>')
    return parts + [text(x, y, words, f"mono {kind}") for x, y, words, kind in NODES.values()]


def rows() -> list[str]:
    """The middle third."""
    parts = [text(330, 35, "2. Its paths become rows and pairs", "title")]
    for top, lines in ((50, ROW), (225, PAIR)):
        height = 22 * len(lines) + 8
        parts.append(f'<rect class="box" x="330" y="{top}" width="290" height="{height}" rx="6"/>')
        for number, (words, trained, head) in enumerate(lines):
            y = top + 20 + 22 * number
            if trained:
                parts.append(
                    f'<rect class="trained" x="336" y="{y - 14}" width="278" height="19"/>'
                )
            parts.append(text(342, y, words, "grey" if head else "mono"))
    return [*parts, text(330, 318, "green: what the loss is on", "grey")]


def student() -> list[str]:
    """The right third."""
    parts = [
        text(660, 35, "3. A small student learns", "title"),
        text(660, 60, "held-out tasks solved, with 95 % intervals", "grey"),
    ]
    for number, (name, value, low, high) in enumerate(BARS):
        x, scale, floor = 680 + 95 * number, 4.2, 275
        top = floor - scale * value
        parts += [
            f'<rect class="bar" x="{x}" y="{top}" width="44" height="{floor - top}"/>',
            f'<path class="line" d="M{x + 22} {floor - scale * low} V{floor - scale * high}"/>',
            text(x - 6, floor + 20, name, "grey"),
            text(x + 28, top - 8, f"{value:g} %"),
        ]
    return [*parts, '<path class="line" d="M660 275 H950"/>']


if __name__ == "__main__":
    body = "\n".join([*tree(), *rows(), *student()])
    Path(__file__).with_suffix(".svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 970 335" role="img" '
        'aria-label="A tree, its rows, and how many tasks a student solves">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n",
        "utf-8",
    )
