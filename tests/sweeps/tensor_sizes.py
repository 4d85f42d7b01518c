"""A model with a large vocabulary, and how large its tensors get."""

from dataclasses import replace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM

B, T, V = 4, 128, 1 << 15
CONFIG = ModelConfig(vocab=V, width=16, ffn=32, layers=3, heads=2, kv_heads=1, prefix_tokens=3)


class Largest(TorchDispatchMode):
    """Notes how many elements the largest new tensor has: a view shares its memory with what it is given."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        given = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if torch.is_tensor(t)}
        for made in tree_leaves(found):
            if torch.is_tensor(made) and made.untyped_storage().data_ptr() not in given:
                self.elements = max(self.elements, made.numel())
        return found


def model_and_batch(P):
    torch.manual_seed(0)
    return ParScaleLM(replace(CONFIG, P=P)).train(), *torch.randint(V, (2, B, T))
