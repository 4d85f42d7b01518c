"""The LightningModule: one optimiser step as the configuration says, and the record of it.

Everything that a resumed run needs in addition to weights and optimiser state is `History`, plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.optim import Optimizer

from sweeps.checkpoint import released_format
from sweeps.config.learning_rate import learning_rate_factor
from sweeps.config.model import ADDED
from sweeps.config.run import RunConfig
from sweeps.corpora.mixture import MixedWindows
from sweeps.corpora.tokens import Windows
from sweeps.model.blocks import is_extra
from sweeps.model.chunked_loss import IGNORE
from sweeps.model.parscale import ParScaleLM
from sweeps.model.stream_initialisation import quiet_streams, reparameterise
from sweeps.training import strategies
from sweeps.training.compiling import compile_if_possible
from sweeps.training.evaluate import Evaluation
from sweeps.training.optimizers import build_optimizer
from sweeps.training.task_evaluation import pooled

QUIET_ROWS, QUIET_TOKENS = 16, 512  # of text that a quiet start is fitted to. Its scores are (T, T) a head


@dataclass
class History:
    """What has happened so far in a run."""

    points: list[dict[str, Any]] = field(default_factory=list)  # rows of the training curve
    losses: list[float] = field(default_factory=list)  # of each optimiser step
    best: float = math.inf  # lowest mean loss over an interval of the spike rule
    wall_s: float = 0.0  # spent in earlier sessions of this run
    diverged: str = ""  # why, once it has
    domains: dict[str, list[float]] = field(default_factory=dict)  # {domain: [loss, tokens]} at the end
    tasks: dict[str, dict[str, float]] = field(
        default_factory=dict
    )  # {domain: TaskScore.columns()} at the end

    def mean(self, steps: int) -> float:
        """Mean training loss over the last `steps` steps."""
        last = self.losses[-steps:]
        return math.fsum(last) / len(last) if last else math.nan


class ParScaleModule(L.LightningModule):
    """Trains a ParScaleLM on windows of a token file."""

    def __init__(self, run: RunConfig, model: ParScaleLM, windows: Windows | MixedWindows) -> None:
        super().__init__()
        self.run = run
        self.model = model
        self.windows = windows
        self.history = History()
        if run.compile:
            compile_if_possible(model)
        self._pending: list[Tensor] = []  # losses of this step's micro-batches
        self._grad_norm = self._norm_before = math.nan

    def configure_model(self) -> None:
        """Under FSDP2, which brings a mesh of devices: shard the model over it."""
        if self._device_mesh is not None and not strategies.is_sharded(self.model):
            strategies.shard(self.model, self._device_mesh["data_parallel"], self.run)

    def train_dataloader(self) -> Iterator[Tensor]:
        """(B, T + 1) token ids, ~id where not learnt, by micro-batches, from the step the run has reached."""
        return _Batches(self)  # type: ignore[return-value]

    def configure_optimizers(self) -> Optimizer:
        """AdamW, or Muon together with AdamW. The schedule is applied a step at a time."""
        return build_optimizer(self.model, self.run)

    def on_train_start(self) -> None:
        """Under DDP of more than two ranks: a backward pass whose gradients are dropped.

        After its first, DDP groups the gradients again, by when they are ready, and more than two ranks add up in an
        order that depends on the groups. So no step of a run has the first grouping, wherever a session begins.
        """
        if self.trainer.world_size <= 2 or self._device_mesh is not None:
            return
        batch = next(iter(self.train_dataloader()), None)
        if batch is not None:
            self.trainer.strategy.training_step(batch.to(self.device), 0).backward()  # type: ignore[union-attr]
            self.zero_grad()
            self._pending.clear()

    def on_train_batch_start(self, batch: Tensor, batch_idx: int) -> None:
        """Set the learning rates: a pure function of the step, so there is no scheduler to restore."""
        factor = learning_rate_factor(self.run, self.global_step)
        for group in self.optimizers(use_pl_optimizer=False).param_groups:  # type: ignore[union-attr]
            group["lr"] = group["peak"] * factor

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        """Mean loss of one micro-batch (B, T + 1), nats per token."""
        loss = self.model.loss(
            uncomplemented(batch[:, :-1]), batch[:, 1:].masked_fill(batch[:, 1:] < 0, IGNORE)
        )
        self._pending.append(loss.detach())
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Scale the gradient to norm `clip` if it is longer, and remember how long it was."""
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.run.clip)
        full = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        self._norm_before, self._grad_norm = self._grad_norm, float(full)

    def finish_step(self) -> bool:
        """Record the optimiser step just made and apply the divergence rule. False inside a step."""
        if len(self._pending) < self.run.accumulate:
            return False
        loss = torch.stack(self._pending).mean()
        self._pending.clear()
        if self.trainer.world_size > 1:
            loss = self.trainer.strategy.reduce(loss, reduce_op="mean")
        self.history.losses.append(float(loss))
        self._check_divergence()
        step, every = self.global_step, self.run.steps / self.run.log_points
        if step == self.run.steps or math.floor(step / every) > math.floor((step - 1) / every):
            self._record(step, max(1, math.ceil(every)))
        return True

    def _record(self, step: int, over: int) -> None:
        self.history.points.append(
            {
                "step": step,
                "tokens": (self.run.start_step + step) * self.run.batch_tokens,
                "lr": self.run.lr * learning_rate_factor(self.run, step - 1),
                "train_loss": self.history.mean(over),
                "val_loss": None,
                "grad_norm": self._grad_norm,
                "stream_similarity": None,
                **self._shares(step),
            }
        )

    def _shares(self, step: int) -> dict[str, float]:
        """The share of each corpus of a mixture in what the run has read, its stage 1 included."""
        if not isinstance(self.windows, MixedWindows):
            return {}
        shares = self.windows.shares(self.run.start_step + step)
        return {f"mix_{i}": share for i, share in enumerate(shares)}

    def record_evaluation(self, evaluation: Evaluation) -> None:
        """Add a validation loss and the state of the streams to the curve at this step."""
        if not self.history.points or self.history.points[-1]["step"] != self.global_step:
            self._record(self.global_step, 1)
        point = self.history.points[-1]
        point["val_loss"] = evaluation.loss
        for stream, weight in enumerate(evaluation.weights):
            point[f"weight_{stream}"] = weight
        if not math.isnan(evaluation.similarity):
            point["stream_similarity"] = evaluation.similarity
        if evaluation.tasks:
            whole = pooled(evaluation.tasks)
            point |= {"answer_loss": whole.answer_loss, "exact_match": whole.exact_match}
        self.keep_evaluation(evaluation)

    def keep_evaluation(self, evaluation: Evaluation) -> None:
        """Take an evaluation's losses by domain and scores by task for those of the run."""
        self.history.tasks = {name: score.columns() for name, score in evaluation.tasks.items()}
        self.history.domains = {name: list(value) for name, value in evaluation.domains.items()}

    def _check_divergence(self) -> None:
        """Diverged: a loss or gradient norm that is no number, or an interval's mean `spike` above the best one."""
        step, loss = self.global_step, self.history.losses[-1]
        over = max(10, round(self.run.spike_share * self.run.steps))
        if not math.isfinite(loss):
            self.history.diverged = f"the training loss is {loss} at step {step}{self._just_before()}"
        elif not math.isfinite(self._grad_norm):
            norm = f"the gradient norm is {self._grad_norm} at step {step}, where the training loss is {loss:.4g}"
            self.history.diverged = norm
        elif step % over == 0:
            mean = self.history.mean(over)
            if mean > self.history.best + self.run.spike:
                best = self.history.best
                self.history.diverged = (
                    f"the training loss averaged {mean:.4g} over {over} steps to {step}, more than "
                    f"{self.run.spike:g} (spike) above the best such mean, {best:.4g}"
                )
            self.history.best = min(self.history.best, mean)
        if self.history.diverged:
            self.trainer.should_stop = True

    def _just_before(self) -> str:
        """The last loss and gradient norm that were numbers, where there was such a step."""
        if len(self.history.losses) < 2:
            return ""
        norm = "" if math.isnan(self._norm_before) else f", gradient norm {self._norm_before:.3g},"
        return f". It was {self.history.losses[-2]:.4g}{norm} one step before"

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What was recorded, and what must be equal for the run to go on exactly."""
        if self._device_mesh is None:  # a frozen backbone is in a file of its own
            frozen = {f"model.{name}" for name, p in self.model.named_parameters() if not p.requires_grad}
            kept = {name: part for name, part in checkpoint["state_dict"].items() if name not in frozen}
            checkpoint["state_dict"] = kept
        checkpoint["history"] = asdict(self.history)
        checkpoint["run"] = self.run.to_json()
        checkpoint["torch"] = str(torch.__version__)
        checkpoint["rng"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what was recorded."""
        if self._device_mesh is None:
            checkpoint["state_dict"] = {**self.state_dict(), **checkpoint["state_dict"]}
        self.history = History(**checkpoint["history"])
        torch.set_rng_state(checkpoint["rng"])
        # Lightning counts micro-batches. The run may be gone on with in more or fewer a step than it was.
        counts = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for kind in ("total", "current"):
            counts[kind] = dict.fromkeys(counts[kind], checkpoint["global_step"] * self.run.accumulate)


class _Batches:
    """Micro-batches of a module's windows, read where its trainer is."""

    def __init__(self, module: ParScaleModule) -> None:
        self.module = module

    def __iter__(self) -> Iterator[Tensor]:
        run, trainer = self.module.run, self.module.trainer
        for step in range(trainer.global_step, run.steps):
            place = run.start_step + step
            ids = self.module.windows.step(place, trainer.global_rank, trainer.world_size)
            yield from torch.from_numpy(ids).chunk(run.accumulate)


def build_model(
    run: RunConfig, base: Path | None = None, windows: Windows | MixedWindows | None = None
) -> ParScaleLM:
    """The model a run starts from: per seed the same backbone for every P.

    With a `base` checkpoint the backbone is its own, and what ParScale adds is drawn from the seed, or
    made quiet on the first of the run's `windows`. peft freezes the backbone.
    """
    torch.manual_seed(run.seed)
    model = ParScaleLM(run.model) if base is None else _grown(run, base)
    if run.start == "quiet" and windows is not None:
        quiet_streams(model, _text(run, windows))
    if run.recipe == "peft":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(is_extra(name))
    if run.prefix_mlp and run.model.K:
        reparameterise(model, run.prefix_mlp)
    return model


def _text(run: RunConfig, windows: Windows | MixedWindows) -> Tensor:
    """The first of what the run reads, enough to see what its queries look like: (rows, tokens)."""
    steps = range(run.start_step, run.start_step + math.ceil(QUIET_ROWS / run.batch))
    rows = torch.cat([torch.from_numpy(windows.step(step)) for step in steps])
    return uncomplemented(rows[:QUIET_ROWS, :QUIET_TOKENS])


def uncomplemented(ids: Tensor) -> Tensor:
    """Token ids where those that are not to be learnt are written as their complement, ~id."""
    return torch.where(ids < 0, ~ids, ids)


def _grown(run: RunConfig, base: Path) -> ParScaleLM:
    """The base checkpoint's model with the run's streams."""
    model = released_format.load_checkpoint(base, dtype=torch.float32)
    want = run.model
    model.config = replace(model.config, mup_base=want.mup_base)  # streams are drawn as at its width
    if want.P != model.config.P:
        if model.config.P > 1:
            raise ValueError(f"{base} has P = {model.config.P}: it can start P = {model.config.P} only")
        added = {name: getattr(want, name) for name in ADDED}
        model = released_format.grow(model, **added)
    if model.config.shape != want.shape:
        raise ValueError(f"{base} is {model.config.shape}, run {run.size} wants {want.shape}")
    if model.config.K != want.K:
        raise ValueError(f"{base} has {model.config.K} prefix tokens, run {run.size} wants {want.K}")
    return model.set_loops(want.loops, want.loop_layers).train()
