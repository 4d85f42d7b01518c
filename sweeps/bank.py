"""Dynamic P: one backbone, several sets of (prefixes, aggregation), P chosen at every call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from . import checkpoint
from .hf_config import to_json
from .layers import is_extra
from .model import ParScaleLM


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
    """A model of P streams on the very parameters of `model`; P = 1 is its backbone."""
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

    `bank(input_ids, P=4)` gives logits; `bank.at(4)` is the whole `ParScaleLM` for generation or for
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

    def new(self, P: int, prefix_tokens: int = 48, smoothing: float = 0.1) -> ParScaleLM:
        """A freshly drawn set (std .02), ready to be trained."""
        return self.add(checkpoint.grow(self.at(1), P, prefix_tokens, smoothing))

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
        folder = checkpoint.save(self.at(1), folder)
        for P, model in self.sets.items():
            assert isinstance(model, ParScaleLM)
            if P != "1":
                (folder / f"P{P}").mkdir(exist_ok=True)
                extras = {n: t for n, t in checkpoint.merged_state(model).items() if is_extra(n)}
                save_file(extras, folder / f"P{P}" / "streams.safetensors")
                about = to_json(model.config, "float32")
                checkpoint.write_json(folder / f"P{P}" / "config.json", about)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> StreamBank:
        """What `save` wrote."""
        bank = cls(checkpoint.load(folder))
        backbone = dict(bank.at(1).named_parameters())
        for place in sorted(Path(folder).glob("P*/streams.safetensors")):
            extras, _ = checkpoint.read_shard(place)
            with torch.device("meta"):
                model = ParScaleLM(checkpoint.read_config(place.parent))
            kept = checkpoint.fit_tensors(model, backbone | extras, str(place))
            model.load_state_dict(kept, assign=True)
            bank.add(model.eval())
        return bank
