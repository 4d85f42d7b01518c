"""The real trainer, with pauses between its steps: runs that last without work for the processor."""

from __future__ import annotations

import os
import time
from typing import Any

from sweeps.training import train as trained


def train(*arguments: Any, progress: Any, **named: Any) -> dict[str, Any]:
    """`sweeps.training.train.train` with a pause of PACE seconds per step."""
    pause = float(os.environ.get("PACE", "0"))

    def paced(now: dict[str, Any]) -> None:
        progress(now)
        time.sleep(pause)

    return trained.train(*arguments, progress=paced, **named)
