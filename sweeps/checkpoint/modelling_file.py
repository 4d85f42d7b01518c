"""The modelling file of an export, made of the sources of the model itself.

An export computes with the code that trained it: the forward pass is that of `sweeps.model`, word for word, and
`transformers_model` is what transformers needs around it. The file imports torch and transformers alone.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from sweeps.model import attention, blocks
from sweeps.model.chunked_loss import compute_dtype

NAME = "modeling_parscale.py"  # as such files are called
FRAME = Path(__file__).with_name("transformers_model.py")  # read, not imported: transformers may be missing
STAND_INS = {"ModelConfig": "ParScaleConfig", "LayerCache": "CacheLayer"}  # our types, and theirs in the file
NOTES = re.compile(r"  # (noqa|type: ignore).*")  # to our linters
HEADER = '''"""A ParScale language model (arXiv 2505.10475) for transformers: P streams through one Transformer.

AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True) loads it. Written by `parscale export` from the
sources that trained the weights (Apache-2.0). Shapes: B batch, T tokens, S tokens cached before them, P streams,
R = P*B rows, K prefix tokens, h width, f inner width, n query heads, m key and value heads, d head dimension,
E experts, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention.bias import causal_lower_right
from torch.utils.checkpoint import checkpoint
'''


def modelling_source() -> str:
    """The text of the modelling file: the same for every model that these sources train."""
    frame = FRAME.read_text(encoding="utf-8")
    check, _, classes = body(frame).partition("\n\n\n")  # of the version of transformers. What needs it
    parts = [check, inspect.getsource(compute_dtype)]
    parts += [body(inspect.getsource(module)) for module in (attention, blocks)]
    text = HEADER + "\n" + "\n\n\n".join(part.strip() for part in [*parts, classes]) + "\n"
    for ours, theirs in STAND_INS.items():
        text = re.sub(rf"\b{ours}\b", theirs, text)
    return NOTES.sub("", text)


def body(source: str) -> str:
    """A module's text after its docstring and the imports it begins with."""
    tree = ast.parse(source)
    begin = 0
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr):
            break
        begin = node.end_lineno or begin
    return "\n".join(source.splitlines()[begin:])
