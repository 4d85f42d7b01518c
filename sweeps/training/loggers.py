"""Lightning's loggers by name. The curve in parquet is written whatever they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from sweeps.config.run import RunConfig


def loggers_of(names: str, run: RunConfig, folder: Path, step: int) -> list[Logger]:
    """The loggers of a run that goes on from `step`. Each writes below the run's folder."""
    made: list[Logger] = []
    for name in filter(None, names.split(",")):
        if name == "csv":
            made.append(CSVLogger(folder, name="", version="csv"))
        elif name == "tensorboard":  # what was written after the snapshot is dropped
            made.append(TensorBoardLogger(folder, name="", version="tensorboard", purge_step=step + 1))
        else:
            _end_wandb()
            same: dict[str, Any] = {"name": run.run_id, "id": run.run_id, "resume": "allow"}
            config = json.loads(run.to_json())
            made.append(WandbLogger(save_dir=folder, project=run.sweep, config=config, **same))
    return made


def _end_wandb() -> None:
    """End what an earlier run of this process has left open: Lightning would add this run's points to it."""
    import wandb

    if wandb.run is not None:
        wandb.finish()


def log_point(loggers: list[Logger], point: dict[str, Any]) -> None:
    """Pass one point of the curve on. What was not measured there is left out."""
    measured = {name: value for name, value in point.items() if value is not None and name != "step"}
    for logger in loggers:
        logger.log_metrics(measured, step=point["step"])
