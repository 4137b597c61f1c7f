"""The commands of `engine` and `trainer`, and their flags, from their own tables of parameters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from typer.core import TyperGroup
from typer.utils import get_params_from_function

from engine.cli.lazy import load
from treegraft.commands import ENGINE, TRAINER


@dataclass(frozen=True)
class Flag:
    """A flag or an argument of a command.

    Attributes:
        command: The command, such as "engine cache list".
        name: The parameter's name, such as "older_than_days".
        spelled: How it is written; "" for an argument.
        type: Its annotation, of a list that of one value.
        low: Its least value, if that is stated.
        high: Its greatest value, if that is stated.
        required: Whether the command needs it.
    """

    command: str
    name: str
    spelled: str
    type: Any
    low: float | None
    high: float | None
    required: bool

    def given(self, value: str) -> list[str]:
        return [f"{self.spelled}={value}"] if self.spelled else [value]

    def __str__(self) -> str:
        return f"{self.command} {self.spelled or self.name.upper()}"


COMMANDS: dict[str, Any] = {}
for program, table in (("engine", ENGINE), ("trainer", TRAINER)):
    for name, (target, _) in table.items():
        loaded = load(name, target)
        names = loaded.list_commands(None) if isinstance(loaded, TyperGroup) else []
        children: Mapping[str, Any] = {each: loaded.get_command(None, each) for each in names}
        COMMANDS |= {f"{program} {name} {child}": each for child, each in children.items()}
        COMMANDS |= {} if children else {f"{program} {name}": loaded}


def flags(command: str) -> list[Flag]:
    declared = get_params_from_function(COMMANDS[command].callback)
    found = []
    for each in COMMANDS[command].params:
        if each.name in declared:
            info: Any = declared[each.name].default
            spelled = max(each.opts, key=len) if each.param_type_name == "option" else ""
            hint = _plain(declared[each.name].annotation)
            low, high = getattr(info, "min", None), getattr(info, "max", None)
            found.append(Flag(command, each.name, spelled, hint, low, high, each.required))
    return found


def _plain(hint: Any) -> Any:
    """Return a type without `| None` and `list[]`."""
    inner = [each for each in get_args(hint) if each is not type(None)]
    return inner[0] if len(inner) == 1 else hint


def all_flags() -> Iterator[Flag]:
    for command in COMMANDS:
        yield from flags(command)


def needed(command: str, besides: str) -> list[str]:
    """Values of the required flags of a command, all but one of them."""
    found = [each for each in flags(command) if each.required and each.name != besides]
    return [part for each in found for part in each.given("bird" if each.name == "env" else "x")]
