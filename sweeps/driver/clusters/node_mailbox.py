"""How the nodes of one run exchange messages: through files in a folder that all of them see.

The first node holds the run and requests ranks, attempt after attempt. The others start their share of
them (`sweeps.driver.ranks.serve_node`). Each message is a file: `request.json` says which ranks are wanted now,
`failed-KEY` that a rank of the attempt KEY has failed, `closed` that no more will be wanted.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.store.checksums import write_text

VARIABLE = "PARSCALE_NODES"  # names the first node's mailbox to the worker on it


@dataclass(frozen=True)
class NodeMailbox:
    """The folder of one group of nodes."""

    folder: Path

    @classmethod
    def mine(cls) -> NodeMailbox:
        """That of the group whose first node this is."""
        if VARIABLE not in os.environ:
            raise ValueError(
                "this node belongs to no group: only --launcher slurm starts a run on several nodes"
            )
        return cls(Path(os.environ[VARIABLE]))

    def request(self, spec: dict[str, Any]) -> None:
        """Request the ranks of an attempt."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / "request.json", json.dumps(spec))

    def withdraw(self) -> None:
        """Want no ranks until the next request."""
        (self.folder / "request.json").unlink(missing_ok=True)

    def requested(self) -> dict[str, Any]:
        """The attempt whose ranks are wanted. Empty if there is none."""
        try:
            return dict(json.loads((self.folder / "request.json").read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return {}

    def report_failure(self, key: str, code: int) -> None:
        """Report that a rank of an attempt has ended with this code."""
        write_text(self.folder / f"failed-{key}", str(code))

    def failure(self, key: str) -> int:
        """The code with which another node's rank of the attempt has ended. 0 if none has."""
        try:
            return int((self.folder / f"failed-{key}").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def close(self) -> None:
        """Want no ranks any more: the other nodes end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "closed").touch()

    @property
    def closed(self) -> bool:
        """True once no more ranks will be wanted."""
        return (self.folder / "closed").exists()
