"""Recipes: how the runs of a grid get from initial weights to a loss.

scratch    warm-up and decay from random weights.
two-stage  stage 1 at P = 1 with a constant learning rate (the flat part of WSD), shared by every P
           of a size and seed. Stage 2 grows its checkpoint to P streams and anneals (arXiv
           2505.10475, section 4). Stage 1's row says recipe stage-1.
continual  every parameter of a given checkpoint is trained on, with the streams grown onto it.
peft       the checkpoint's backbone stays frozen: only prefixes and aggregation are trained. P = 1 is its loss.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scaling.accounting import Shape
from sweeps.checkpoint import hf_config
from sweeps.config.model import ADDED, ModelConfig
from sweeps.config.run import RunConfig
from sweeps.corpora.sources.registry import token_shards
from sweeps.grids.axes import Axes
from sweeps.grids.scaling_rules import split_loops

STAGE2_SHARE = 0.02  # of the tokens: 20B of 1T in the paper
STAGE2_WARMUP = 0.1  # of stage 2's steps: its optimiser starts without moments


def apply(runs: list[RunConfig], axes: Axes) -> list[RunConfig]:
    """The grid's runs under the recipe that `axes` asks for."""
    recipe = axes.recipe or "scratch"
    if recipe == "scratch":
        return runs
    if recipe == "two-stage":
        return list(dict.fromkeys(staged for run in runs for staged in _two_stages(run, axes)))
    if recipe in ("continual", "peft"):
        return _from_checkpoint(runs, recipe, axes)
    raise ValueError(f"recipe={recipe!r}: choose one of scratch, two-stage, continual, peft")


def _two_stages(run: RunConfig, axes: Axes) -> list[RunConfig]:
    """Stage 1, the same for every P, and stage 2 at the run's P."""
    share = STAGE2_SHARE if axes.stage2_share is None else axes.stage2_share
    second = round(share * run.steps)
    if not 1 <= second < run.steps:
        raise ValueError(
            f"run {run.size}: stage 2 with {share:g} of {run.steps} steps has {second} of them. "
            "Raise --tokens or --stage2-share"
        )
    plain = replace(run.model, P=1)
    first = replace(
        run, model=plain, recipe="stage-1", steps=run.steps - second, schedule="wsd", decay_share=0.0
    )
    then = replace(
        run,
        recipe="two-stage",
        parent=first.run_id,
        start_step=first.steps,
        steps=second,
        schedule="linear",
        warmup=STAGE2_WARMUP,
        start=_start(run.model, axes),
    )
    return [first, then]


def _start(model: ModelConfig, axes: Axes) -> str:
    """How the streams of a model begin that is grown from one stream."""
    return (axes.start or "random") if model.P > 1 else "random"


def _from_checkpoint(runs: list[RunConfig], recipe: str, axes: Axes) -> list[RunConfig]:
    """The checkpoint's own shape with data and optimiser of the grid's size like it, or of its first size.

    peft has nothing to train at P = 1: that run is the loss of the backbone alone. The runs keep the size's name where the
    checkpoint has its shape, else they take the checkpoint's. Its folder is part of a run's identity as it
    is named: a relative one is seen from where the sweep is started.
    """
    if not axes.base:
        raise ValueError(f"recipe={recipe!r} starts from a checkpoint: name its folder with --base")
    base = Path(axes.base)
    shape = _read_shape(base)
    own = _own_tokenizer(base, axes, runs)
    found = []
    alike = (run.size for run in runs if _backbone(run.model) == _backbone(shape))
    size_of_base = next(alike, runs[0].size)
    for run in runs:
        if run.model.prefix_at_one and not shape.prefix_at_one:
            raise ValueError(f"{base}: recipe {recipe!r} cannot give P = 1 a prefix that its base lacks")
        if split_loops(run.size)[0] == split_loops(size_of_base)[0]:
            model = _on_base(shape, run.model, base)
            size = run.size if _backbone(model) == _backbone(run.model) else _named(base, run.model)
            start = _start(model, axes) if shape.P == 1 else "random"
            grown = replace(run, model=model, recipe=recipe, parent=str(base), start=start)
            found.append(replace(grown, size=size, tokenizer=own))
    return found


def _named(base: Path, wanted: ModelConfig) -> str:
    """What a run is called after its base, its loops included."""
    return base.resolve().name + (f"r{wanted.loops}" if wanted.loops > 1 else "")


def _own_tokenizer(base: Path, axes: Axes, runs: list[RunConfig]) -> str:
    """The base's tokenizer: its weights know no other, so that none is learnt for it.

    Where the corpora are tokens already, the one that made them is theirs to know.
    """
    path = base / "tokenizer.json"
    if axes.tokenizer == "bpe":
        raise ValueError(
            f"--tokenizer bpe learns new tokens, which the weights in {base} do not know. Leave it out"
        )
    if path.exists():
        return str(path)
    if not (axes.tokenizer or all(token_shards(run.corpus) for run in runs)):
        raise ValueError(
            f"--base {base} has no tokenizer.json, without which no text is in its tokens. "
            "Put its own there, or name it with --tokenizer"
        )
    return axes.tokenizer or "bpe"


def _backbone(model: ModelConfig) -> Shape:
    """The shape without what streams add."""
    return replace(model.shape, P=1, prefix_tokens=0)


def _on_base(base: ModelConfig, wanted: ModelConfig, where: Path) -> ModelConfig:
    """The base as it is where P is its own. Grown from one stream, with the prefixes the grid asks for.

    Its layers are looped as the grid asks, or as they are where the grid asks for no loops.
    """
    loops = {name: getattr(wanted, name) for name in ("loops", "loop_layers")} if wanted.loops > 1 else {}
    if wanted.P == base.P:
        return replace(base, **loops)
    if base.P > 1:
        raise ValueError(f"--base {where} has P = {base.P}: it can start P = {base.P} only")
    asked = {name: getattr(wanted, name) for name in ADDED}
    return replace(base, **asked, **loops, prefix_at_one=False)


def _read_shape(base: Path) -> ModelConfig:
    path = base / "config.json"
    if not path.exists():
        raise ValueError(f"--base {base}: it has no config.json. Name a checkpoint folder")
    return hf_config.from_json(hf_config.read_hf_json(path), where=str(path))
