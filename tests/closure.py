"""What a list of requirements brings with it, as the installed packages state it."""

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def parts(wanted: Requirement, here: bool) -> Iterator[Requirement]:
    """What an installed requirement asks for: on this machine and Python, or on any."""
    extras = {"", *wanted.extras}
    for part in map(Requirement, requires(wanted.name) or []):
        marker = part.marker
        of_extra = re.search(r"extra == ['\"]([\w.-]+)", str(marker or ""))
        asked = of_extra is None or of_extra[1] in wanted.extras
        if marker is None or (any(marker.evaluate({"extra": e}) for e in extras) if here else asked):
            yield part


def closure(begin: Iterable[Requirement], here: bool) -> set[str]:
    """Names of everything that is asked for, and of what that asks for in turn."""
    todo, seen = list(begin), set()
    while todo:
        wanted = todo.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key not in seen and key[0] != "parscale":
            seen.add(key)
            try:
                todo += parts(wanted, here)
            except PackageNotFoundError:
                assert not here, f"{key[0]} is not installed"
    return {name for name, _ in seen}
