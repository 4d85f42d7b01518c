"""A rank of a run, as a process: `python -m sweeps.rank`, started by `sweeps.ranks`.

It reads the run from its standard input and stops when that closes; rank 0 says on standard output what
comes of it, a JSON object a line.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeps.config import RunConfig
from sweeps.execution import Execution
from sweeps.interrupt import Interrupted

Say = Callable[[Any], None]


def main() -> int:
    """A rank: read the run, train it, say what came of it."""
    asked = threading.Event()
    spec = json.loads(sys.stdin.readline())

    def listen() -> None:
        while os.read(0, 1):  # a word or the end: both mean stop
            break
        asked.set()

    threading.Thread(target=listen, daemon=True).start()
    say: Say = (lambda fact: print(json.dumps(fact), flush=True)) if _first() else (lambda fact: None)
    from sweeps.train import train as train_here

    run = RunConfig.from_json(spec["run"])
    try:
        row = train_here(
            run,
            Path(spec["folder"]),
            execution=Execution(**spec["execution"]),
            stop=asked.is_set,
            progress=(lambda now: say({"progress": now})) if _first() else None,
            report=lambda line: say({"report": line}),
        )
        say({"row": row})
    except Interrupted as stopped:
        say({"interrupted": str(stopped)})
    except Exception as error:
        say(
            {"error": {"kind": type(error).__name__, "text": str(error), "errno": getattr(error, "errno", 0)}}
        )
        raise
    return 0


def _first() -> bool:
    return os.environ["PARSCALE_RANK"] == "0"


if __name__ == "__main__":
    sys.exit(main())
