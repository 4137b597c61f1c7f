"""Plausible wrong versions of a program: what a careless student writes.

Each mistake edits the text in one place. It is not generated from the syntax tree, because another
layout would teach a student to tell right from wrong by the layout.
"""

import ast
from collections.abc import Callable, Iterator
from itertools import chain, zip_longest

from environments.types import Task

Edit = tuple[int, int, str]
"""Start and end in bytes of the text, and the replacement."""
Maker = Callable[["Source"], Iterator[Edit]]

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
}
OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "//"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "//"),
}
OTHER_NAMES = {
    "max": "min", "min": "max", "any": "all", "all": "any", "sum": "len", "append": "extend",
    "lower": "upper", "upper": "lower", "union": "intersection", "floor": "ceil", "ceil": "floor",
    "lstrip": "rstrip", "startswith": "endswith", "endswith": "startswith", "keys": "values",
}  # fmt: skip


class Source:
    """A program's text, tree and node positions; raises `SyntaxError` if it is not Python."""

    def __init__(self, text: str, before: str = "") -> None:
        """Parse `text`, the completion of `before`, which no edit touches."""
        self.data = (before + text).encode()
        self.begin = len(before.encode())
        self.tree = ast.parse(self.data)
        lengths = [len(line) for line in self.data.splitlines(keepends=True)]
        self._starts = [sum(lengths[:number]) for number in range(len(lengths) + 1)]

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return the start and end of `node` in the text."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset

    def between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> Iterator[Edit]:
        """Replace the operator `old` between two operands by `new`."""
        start, end = self.span(left)[1], self.span(right)[0]
        place = self.data[start:end].find(old.encode())
        if place >= 0:
            yield start + place, start + place + len(old), new

    def after(self, edit: Edit) -> str:
        """Return the completion or program after an edit."""
        start, end, new = edit
        return (self.data[self.begin : start] + new.encode() + self.data[end:]).decode()


def wrong_programs(code: str, task: Task) -> list[str]:
    """Return `code` after single edits, one of each maker in turn; all parse as Python."""
    try:
        source = Source(code, task.details.get("stub", ""))
    except SyntaxError:
        return []
    turns = zip_longest(*(make(source) for make in MAKERS))
    same = ast.dump(source.tree)
    found: dict[str, None] = {}
    for edit in filter(None, chain.from_iterable(turns)):
        if edit[0] < source.begin:
            continue
        wrong = source.after(edit)
        try:
            differs = ast.dump(ast.parse(source.data[: source.begin].decode() + wrong)) != same
        except (SyntaxError, ValueError):
            continue
        if differs:
            found.setdefault(wrong)
    return list(found)


def off_by_one(source: Source) -> Iterator[Edit]:
    """Change a number by one, or end a range too early."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value < 1000:
            start, end = source.span(node)
            if source.data[start:end].isdigit():
                yield start, end, str(node.value - 1 if node.value > 1 else node.value + 1)
        elif isinstance(node, ast.Call) and _is_range(node):
            end = source.span(node.args[min(1, len(node.args) - 1)])[1]
            yield end, end, " - 1"


def _is_range(call: ast.Call) -> bool:
    """Return whether it is a range whose end is computed."""
    named = isinstance(call.func, ast.Name) and call.func.id == "range"
    return named and bool(call.args) and not isinstance(call.args[-1], ast.Constant)


def other_operator(source: Source) -> Iterator[Edit]:
    """Swap a comparison's border, a sign, or `and` and `or`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for left, right, kind in zip(sides, sides[1:], node.ops, strict=False):
                if type(kind) in COMPARISONS:
                    yield from source.between(left, right, *COMPARISONS[type(kind)])
        elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            yield from source.between(node.left, node.right, *OPERATORS[type(node.op)])
        elif isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            yield from source.between(node.values[0], node.values[1], old, new)


def other_name(source: Source) -> Iterator[Edit]:
    """Use another variable of the same function, or the opposite function."""
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
        bound = [argument.arg for argument in function.args.args]
        bound += [node.id for node in names if isinstance(node.ctx, ast.Store)]
        known = list(dict.fromkeys(bound))
        for node in reversed(names):
            if node.id in known and isinstance(node.ctx, ast.Load) and len(known) > 1:
                yield *source.span(node), known[known.index(node.id) - 1]
    yield from _opposites(source)


def _opposites(source: Source) -> Iterator[Edit]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id in OTHER_NAMES:
            yield *source.span(node), OTHER_NAMES[node.id]
        elif isinstance(node, ast.Attribute) and node.attr in OTHER_NAMES:
            end = source.span(node)[1]
            yield end - len(node.attr.encode()), end, OTHER_NAMES[node.attr]


def missing_case(source: Source) -> Iterator[Edit]:
    """Drop a special case or a condition."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.If) and not node.orelse:
            start, end = source.span(node)
            if source.data[start : start + 2] == b"if":
                yield start, end, "pass"
        elif isinstance(node, ast.comprehension):
            for condition in node.ifs:
                yield *source.span(condition), "True"
        elif isinstance(node, ast.BoolOp):
            yield source.span(node.values[0])[1], source.span(node)[1], ""


def lost_result(source: Source) -> Iterator[Edit]:
    """Drop a `return`, or indent it one level too deep."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Return) and node.value is not None:
            yield source.span(node)[0], source.span(node.value)[0], ""


MAKERS: tuple[Maker, ...] = (off_by_one, other_operator, other_name, missing_case, lost_result)
