"""Laws in a user's own Python file, as `FILE.py:CLASS`. Such a file is code: naming it runs it, as a grid file."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from scaling.laws.base import Law

_SPEC = re.compile(r"(?P<file>.+\.py)(?::(?P<name>[A-Za-z_]\w*)(?!\s*=))?(?::(?P<fixed>.*))?", re.DOTALL)


def in_file(given: str) -> tuple[str, str, str] | None:
    """File, class ("" if none is named) and fixed values of "FILE.py:CLASS:E=1.6". None for other text."""
    found = _SPEC.fullmatch(given.strip())
    return (found["file"], found["name"] or "", found["fixed"] or "") if found else None


def short_name(given: str) -> str:
    """A law's name in file names: its name on the command line, without the folder and file of a user's law."""
    found = in_file(given)
    if found is None:
        return given
    file, name, fixed = found
    return ":".join(filter(None, (name or Path(file).stem, fixed)))


def law_of_file(file: str, name: str = "") -> type[Law]:
    """The law of that class name in a Python file, by default its only law. The file is run.

    Raises ValueError if there is no such file or law, or if the file raises.
    """
    laws = {
        n: one for n, one in vars(_module(file)).items() if isinstance(one, type) and issubclass(one, Law)
    }
    own = {n: one for n, one in laws.items() if one.__module__ == _key(file)}
    if name in laws:
        return laws[name]
    if not name and len(own) == 1:
        return next(iter(own.values()))
    have = f"It has {', '.join(own)}" if own else "Derive a class from scaling.Law there"
    what = f"no law {name!r}" if name else f"{len(own)} laws, and one is to be named"
    raise ValueError(f"{file}: {what}. {have}, written as {file}:{next(iter(own), 'CLASS')}.")


def file_of(law: type[Law]) -> str:
    """The file that a law was read from by name, relative to the working folder if inside it. Else ""."""
    module = sys.modules.get(law.__module__)
    if module is None or not law.__module__.startswith(_PREFIX):
        return ""
    path = Path(str(module.__file__))
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


_PREFIX = "law_file_"


class _FromText(SourceFileLoader):
    """Reads a file's text each time: cached bytecode is matched by size and second, so it may be of older text."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _key(file: str) -> str:
    """The name of a file's module, different for different text."""
    path = Path(file).resolve()
    return _PREFIX + hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()[:16]


def _module(file: str) -> ModuleType:
    """A file's module, run once."""
    if not Path(file).is_file():
        raise ValueError(f"{file}: no such file. Give a law of your own as FILE.py:CLASS.")
    key = _key(file)
    if key in sys.modules:
        return sys.modules[key]
    path = Path(file).resolve()
    spec = importlib.util.spec_from_file_location(key, path, loader=_FromText(key, str(path)))
    if spec is None or spec.loader is None:
        raise ValueError(f"{file}: not a Python file. Give a law of your own as FILE.py:CLASS.")
    module = sys.modules[key] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[key]
        raise ValueError(
            f"{file} cannot be run: {type(error).__name__}: {error}. Correct the file."
        ) from error
    return module
