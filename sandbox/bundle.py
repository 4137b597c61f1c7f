"""Send modules of ours into an interpreter that has none of our packages, as one text."""

from dataclasses import dataclass
from pathlib import Path

LOADER = """
def install(package, sources):
    import sys
    parent = sys.modules[package] = type(sys)(package)
    parent.__path__ = []
    for name, source in sources.items():
        module = sys.modules[package + "." + name] = type(sys)(package + "." + name)
        module.__package__ = package
        exec(compile(source, "<%s>" % name, "exec", dont_inherit=True), module.__dict__)
install({package!r}, {sources!r})
del install
"""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Modules that need the standard library only.

    Attributes:
        package: the package that they belong to there.
        files: their files; each comes after those that it imports, which it does relatively.
    """

    package: str
    files: tuple[Path, ...]

    def code(self) -> str:
        """Return code that installs the modules."""
        sources = {file.stem: file.read_text("utf-8") for file in self.files}
        return LOADER.format(package=self.package, sources=sources)

    def call(self, function: str, arguments: str = "") -> str:
        """Return code that calls a function, such as "grader.verdict", once they are installed."""
        module, _, name = function.partition(".")
        return f"__import__('sys').modules[{f'{self.package}.{module}'!r}].{name}({arguments})"
