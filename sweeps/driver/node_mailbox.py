"""How the nodes of one run speak to each other: through files in a folder that all of them see.

The first node holds the run and calls for ranks, attempt after attempt; the others answer with their
share (`sweeps.driver.ranks.answer`). A file a word: `call.json` says which ranks are wanted now, `dead-KEY` that
one of the attempt KEY has died, `over` that none will be wanted any more.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.store.checksums import write_text

VARIABLE = "PARSCALE_NODES"  # names the first node's box to the worker on it


@dataclass(frozen=True)
class Box:
    """The folder of one group of nodes."""

    folder: Path

    @classmethod
    def mine(cls) -> Box:
        """That of the group whose first node this is."""
        if VARIABLE not in os.environ:
            raise ValueError(
                "this node belongs to no group: only --launcher slurm starts a run on several nodes"
            )
        return cls(Path(os.environ[VARIABLE]))

    def call(self, spec: dict[str, Any]) -> None:
        """Ask for the ranks of an attempt."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / "call.json", json.dumps(spec))

    def hang_up(self) -> None:
        """Ask for none until the next call."""
        (self.folder / "call.json").unlink(missing_ok=True)

    def wanted(self) -> dict[str, Any]:
        """The attempt whose ranks are wanted; empty if there is none."""
        try:
            return dict(json.loads((self.folder / "call.json").read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return {}

    def mourn(self, key: str, code: int) -> None:
        """Say that a rank of an attempt has ended with this code."""
        write_text(self.folder / f"dead-{key}", str(code))

    def mourned(self, key: str) -> int:
        """The code with which another node's rank of the attempt has ended; 0 if none has."""
        try:
            return int((self.folder / f"dead-{key}").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def close(self) -> None:
        """Let the other nodes go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "over").touch()

    @property
    def over(self) -> bool:
        """True once it has been closed."""
        return (self.folder / "over").exists()
