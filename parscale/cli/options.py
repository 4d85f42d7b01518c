"""Options as the fields of a frozen dataclass: each field holds what argparse needs to know of it."""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace
from dataclasses import MISSING, field, fields
from typing import Any, TypeVar

T = TypeVar("T")


class Joined(Action):
    """An option of several values: given more than once, it has them all."""

    def __call__(self, parser: Any, namespace: Namespace, values: Any, flag: str | None = None) -> None:
        """Add the values of one more time."""
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, values if before == self.default else f"{before},{values}")


def option(default: Any, help: str, *flags: str, **how: Any) -> Any:
    """A field that is an option. Its flag is --NAME unless `flags` are given. `how` goes to argparse."""
    return field(default=default, metadata={"flags": flags, "help": help, **how})


def switch(help: str) -> Any:
    """A field that is an option without a value, False unless given."""
    return option(False, help, action="store_true")


def required(help: str, **how: Any) -> Any:
    """A field that is an option which must be given."""
    return field(metadata={"flags": (), "help": help, "required": True, **how})


def argument(help: str, **how: Any) -> Any:
    """A field that is a positional argument. One with `nargs` may be left out."""
    default = {"?": None, "*": ()}.get(how.get("nargs", ""), MISSING)
    return field(default=default, metadata={"flags": None, "help": help, **how})


def add_options(parser: ArgumentParser, options: type) -> None:
    """Add every field of an options class to a command's parser."""
    for one in fields(options):
        how = dict(one.metadata)
        flags = how.pop("flags")
        if flags is None:
            parser.add_argument(one.name, **how)
            continue
        default = None if one.default is MISSING else one.default
        if how.get("metavar", "").endswith(",..."):
            how["action"] = Joined
        names = flags or (f"--{one.name.replace('_', '-')}",)
        parser.add_argument(*names, dest=one.name, default=default, **how)


def read_options(options: type[T], given: Namespace) -> T:
    """The options of one call, from what argparse parsed."""
    values = {one.name: getattr(given, one.name) for one in fields(options)}  # type: ignore[arg-type]
    return options(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
