"""Dynamic P: one backbone, several sets of (prefixes, aggregation), P chosen at every call."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from scaling.data.atomic_files import replacing
from sweeps.checkpoint import released_format as checkpoint
from sweeps.checkpoint.hf_config import CheckpointError, hf_json
from sweeps.checkpoint.shards import write_shard
from sweeps.checkpoint.weight_checks import fit_tensors, refuse_not_finite
from sweeps.checkpoint.weight_files import BACKBONE, STREAMS, backbone_of, read_shard
from sweeps.model.blocks import is_extra
from sweeps.model.parscale import ParScaleLM


def share_backbone(model: ParScaleLM, backbone: ParScaleLM) -> ParScaleLM:
    """Put the backbone's own parameters, not copies, in the place of the model's."""
    mine, theirs = dict(model.named_parameters()), dict(backbone.named_parameters())
    for name, parameter in theirs.items():
        if is_extra(name):
            continue
        if name not in mine or mine[name].shape != parameter.shape:
            raise ValueError(f"these models have different backbones: {name}")
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, parameter)
    return model


def view(model: ParScaleLM, P: int = 1) -> ParScaleLM:
    """A model of P streams on the very parameters of `model`. P = 1 is its backbone."""
    with torch.device("meta"):
        made = ParScaleLM(replace(model.config, P=P, prefix_at_one=False))
    for name, parameter in list(made.named_parameters()):
        if is_extra(name):
            owner, _, leaf = name.rpartition(".")
            empty = torch.empty(parameter.shape, dtype=model.head.dtype, device=model.head.device)
            setattr(made.get_submodule(owner), leaf, nn.Parameter(empty))
    return share_backbone(made, model).train(model.training)


class StreamBank(nn.Module):
    """A frozen backbone that runs with any of the stream sets put into it.

    `bank(input_ids, P=4)` gives logits. `bank.at(4)` is the whole `ParScaleLM` for generation or for
    training its set. The backbone exists once, whatever the number of sets.
    """

    def __init__(self, backbone: ParScaleLM) -> None:
        super().__init__()
        base = view(backbone, P=1)
        base.requires_grad_(False)
        self.sets = nn.ModuleDict({"1": base})

    def at(self, P: int) -> ParScaleLM:
        """The model of P streams."""
        if str(P) not in self.sets:
            raise ValueError(f"no set for P = {P} here: there are {', '.join(self.sets)}")
        found = self.sets[str(P)]
        assert isinstance(found, ParScaleLM)
        return found

    def add(self, model: ParScaleLM) -> ParScaleLM:
        """Take a model's prefixes and aggregation, and give up its backbone for this one."""
        self.sets[str(model.config.P)] = share_backbone(model, self.at(1))
        return model

    def new(self, P: int, prefix_tokens: int = 48) -> ParScaleLM:
        """A freshly drawn set (std .02), ready to be trained."""
        return self.add(checkpoint.grow(self.at(1), P, prefix_tokens))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, P: int = 1) -> Tensor:
        """Logits (B, T, V) of P streams."""
        logits: Tensor = self.at(P)(input_ids, attention_mask)
        return logits

    @property
    def memory_bytes(self) -> int:
        """All the parameters, each counted once."""
        stored = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in self.parameters()}
        return sum(stored.values())

    def save(self, folder: str | Path) -> Path:
        """The backbone as a plain checkpoint, each set in a folder P<streams> of its own."""
        folder = checkpoint.save_checkpoint(self.at(1), folder)
        for P, model in self.sets.items():
            assert isinstance(model, ParScaleLM)
            if P != "1":
                write_streams(model, folder / f"P{P}", "..")
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> StreamBank:
        """What `save` wrote, or a backbone that `save_apart` left with the sets next to it."""
        bank = cls(checkpoint.load_checkpoint(folder))
        backbone = dict(bank.at(1).named_parameters())
        found: dict[int, Path] = {}
        for place in places(Path(folder)):
            config = checkpoint.read_config(place)
            if config.P in found:
                both = f"{found[config.P]} and {place}"
                raise CheckpointError(f"{folder}: two sets for P = {config.P}, {both}: load the one you want")
            found[config.P] = place
            extras, _ = read_shard(place / STREAMS)
            kept = fit_tensors(config, backbone | extras, str(place))
            refuse_not_finite(extras, str(place))
            with torch.device("meta"):
                model = ParScaleLM(config)
            model.load_state_dict(kept, assign=True)
            bank.add(model.eval())
        return bank


def places(backbone: Path) -> list[Path]:
    """The folders of stream sets that name this backbone: within it, or next to it."""
    whole = backbone.resolve()
    near = [*whole.glob(f"P*/{STREAMS}"), *whole.parent.glob(f"*/{STREAMS}")]
    return sorted(path.parent for path in near if _named(path.parent) == whole)


def _named(folder: Path) -> Path | None:
    """The backbone that a folder of streams names. None of one that cannot be read: it is not asked for."""
    try:
        found = backbone_of(folder)
    except CheckpointError:
        return None
    return found and found.resolve()


def write_streams(model: ParScaleLM, folder: Path, backbone: str) -> None:
    """What ParScale adds to a backbone, whose folder is named as seen from this one."""
    folder.mkdir(parents=True, exist_ok=True)
    extras = {name: tensor for name, tensor in checkpoint.merged_state(model).items() if is_extra(name)}
    with replacing(folder / STREAMS) as temporary:
        write_shard(extras, temporary, {"format": "pt", BACKBONE: backbone})
    checkpoint.write_json(folder / "config.json", hf_json(model.config, "float32"))


def save_apart(model: ParScaleLM, folder: Path, name: str, tokenizer: Path | None) -> Path:
    """Save what was trained on a frozen backbone, and the backbone once, as `name`, for all folders next to it.

    Whoever comes first writes it: it is the same for all. Returns its folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backbone = folder.resolve().parent / name
    if not backbone.exists():
        with tempfile.TemporaryDirectory(dir=backbone.parent, prefix=f".{name}-", suffix=".tmp") as scratch:
            made = checkpoint.save_checkpoint(view(model), Path(scratch) / name, tokenizer=tokenizer)
            try:
                made.replace(backbone)
            except OSError:
                if not backbone.exists():  # else another run wrote it first
                    raise
    write_streams(model, folder, f"../{name}")
    if tokenizer is not None:
        with replacing(folder / "tokenizer.json") as temporary:
            shutil.copyfile(tokenizer, temporary)
    return backbone
