"""Send modules of ours into an interpreter that has none of our packages, as one text."""

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


def bundle(package: str, folder: Path, *names: str) -> str:
    """Return code that installs modules there, as modules of a package called `package`.

    Args:
        folder: where their files are.
        names: of modules that need the standard library only; each comes after those that it
            imports, which it does relatively.
    """
    sources = {name: (folder / f"{name}.py").read_text("utf-8") for name in names}
    return LOADER.format(package=package, sources=sources)
