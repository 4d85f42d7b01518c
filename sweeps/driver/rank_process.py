"""A rank of a run, as a process that `sweeps.driver.ranks` starts. Rank 0 sends progress and the result."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sweeps.config.execution import Execution
from sweeps.config.run import RunConfig
from sweeps.driver.process_pool import Send
from sweeps.training.interrupt import Interrupted


def run_rank(text: str, stop: Callable[[], bool], send: Send) -> int:
    """Train a run (`text` is JSON: run, folder, execution) until it is done or asked to stop."""
    from sweeps.training.train import train as train_here

    spec = json.loads(text)
    first = os.environ["PARSCALE_RANK"] == "0"
    report: Send = send if first else (lambda value: None)
    given = Execution(**spec["execution"])
    execution = replace(given, threads=max(1, (given.threads or 1) // given.devices))  # its share
    try:
        row = train_here(
            RunConfig.from_json(spec["run"]),
            Path(spec["folder"]),
            execution=execution,
            snapshot=Path(spec["folder"]) / spec["snapshot"] if spec["snapshot"] else None,
            stop=stop,
            progress=(lambda now: report({"progress": now})) if first else None,
            report=lambda line: report({"report": line}),
        )
        report({"row": row})
    except Interrupted as stopped:
        report({"interrupted": str(stopped)})
    except Exception as error:
        kind, number = type(error).__name__, getattr(error, "errno", 0)
        text, place = getattr(error, "strerror", None) or str(error), getattr(error, "filename", None)
        report({"error": {"kind": kind, "text": text, "errno": number, "place": place}})
        raise
    return 0
