"""Commands called with options, without the command line."""

from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

LOSSES = str(Path(__file__).parents[2] / "results" / "published" / "losses.csv")


def run(command: ModuleType, **more: Any) -> Any:
    """What a command returns, of the published losses where it reads runs; by default but for `more`."""
    known = {one.name for one in fields(command.Options)}
    return command.run(command.Options(**({"runs": LOSSES} if "runs" in known else {}) | more))
