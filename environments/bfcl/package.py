"""The installed package `bfcl-eval`: its data, and the classes that simulate the APIs.

Nothing here is imported before a task needs it. The classes need mpmath, and no other of the
package's many dependencies.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from environments.errors import DataError

INSTALL = "pip install --no-deps bfcl-eval && pip install 'treegraft[bfcl]'"
SOURCES = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code"
MODULES = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "TwitterAPI": "posting_api",
    "VehicleControlAPI": "vehicle_control",
}
"""The modules of the classes; their functions' definitions are files of the same names."""
STATELESS = frozenset({"MathAPI"})
"""Classes that load no scenario."""


def data_folder() -> Path:
    """Return the package's folder of data; raise `DataError` if it is not installed."""
    spec = find_spec("bfcl_eval")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"bfcl: the package bfcl-eval is not installed: {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / "data"


def new_object(name: str) -> Any:
    """Return a new object of the class `name`; raise `DataError` if it cannot be imported."""
    data_folder()
    try:
        return getattr(import_module(f"{SOURCES}.{MODULES[name]}"), name)()
    except ImportError as error:
        raise DataError(f"bfcl: the class {name} cannot be imported ({error}): {INSTALL}") from None
