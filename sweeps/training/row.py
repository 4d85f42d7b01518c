"""The row a run leaves in the runs table: its numbers, its cost, its stamp."""

from __future__ import annotations

import json
import math
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch

from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.corpora.corpus import Corpus
from sweeps.store.compatibility import TRAINING_VERSION
from sweeps.training.evaluate import Evaluation
from sweeps.training.lightning_module import ParScaleModule
from sweeps.training.peak_memory import peak_memory_bytes
from sweeps.training.task_evaluation import pooled

STOPPED = "stopped"  # status of a run that was ended on purpose before its last step


def row_of(
    run: RunConfig,
    module: ParScaleModule,
    evaluation: Evaluation | None,
    started_at: str,
    corpus: Corpus,
) -> dict[str, Any]:
    """The row of the runs table, its columns in the order of the table."""
    model, history, wall_s = run.model, module.history, module.history.wall_s
    share = max(1, round(run.train_loss_share * run.steps))
    return {
        **{name: getattr(run, name) for name in ("run_id", "sweep", "recipe", "corpus", "size")},
        "N": model.N,
        "N_active": model.active_N,
        "P": model.P,
        "D": run.D,
        "C": math.nan if run.frozen else run.C,
        "loss": evaluation.loss if evaluation else math.nan,
        "loss_se": evaluation.loss_se if evaluation else math.nan,
        "bits_per_byte": bits_per_byte(evaluation.loss, corpus) if evaluation else math.nan,
        **({} if evaluation is None else _answers(evaluation)),
        "train_loss": history.mean(share),
        "epochs": module.windows.epochs(run.start_step + run.steps),
        **{name: getattr(run, name) for name in ("seed", "steps", "batch_tokens", "seq_len", "lr")},
        **{name: getattr(model, name) for name in ("vocab", "layers", "width", "heads", "kv_heads", "ffn")},
        "prefix_tokens": model.K,
        **_parts(model),
        "precision": run.precision,
        "wall_s": wall_s,
        "tokens_per_s": len(history.losses) * run.batch_tokens / max(wall_s, 1e-9),
        "peak_memory_bytes": peak_memory_bytes(torch.device("cuda" if torch.cuda.is_available() else "cpu")),
        **_ending(run, module),
        "started_at": started_at,
        "git_commit": git_commit(),
        "versions": json.dumps(versions()),
        "config": run.to_json(),
    }


def _parts(model: ModelConfig) -> dict[str, int]:
    """What laws over experts and loops read, under their names for it."""
    once = model.N - model.N_recurrent
    return {
        "experts": max(1, model.experts),
        "r": model.loops,
        "N_once": once,
        "N_recurrent": model.N_recurrent,
    }


def _ending(run: RunConfig, module: ParScaleModule) -> dict[str, Any]:
    """How the run ended. Of one that did not come to its end the step it came to, and why."""
    step, why = len(module.history.losses), module.history.diverged
    if run.frozen or (not why and step >= run.steps):
        return {"status": "ok"}
    ended = {"status": "diverged" if why else STOPPED, "ended_step": step}
    return {**ended, "ended_why": why or f"stopped at step {step} of {run.steps}"}


def _answers(evaluation: Evaluation) -> dict[str, float]:
    """What a run on a corpus with answers says of them, over all difficulties."""
    if not evaluation.tasks:
        return {}
    whole = pooled(evaluation.tasks)
    names = ("answer_loss", "exact_match", "exact_match_se")
    return {name: getattr(whole, name) for name in names}


def bits_per_byte(loss: float, corpus: Corpus) -> float:
    """A validation loss in nats per token as bits per byte of the validation text: so tokenizers compare."""
    return loss / math.log(2) / corpus.bytes_per_token()


@cache
def git_commit() -> str:
    """The commit of the code, with `+` if files differ from it. Empty outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """What a row was made with."""
    cpu = torch.backends.cpu.get_cpu_capability()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu {cpu}"
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "lightning": str(L.__version__),
        "numpy": np.__version__,
        "device": device,
        "threads": str(torch.get_num_threads()),
        "training_version": str(TRAINING_VERSION),
    }
