"""A model as a folder that other tools open: configuration, weights, tokenizer, and code where they need it.

What plain Qwen2, Qwen3 and Qwen3-MoE models say is all there is to say is written so. Any other model brings its
modelling file. The same model and files give the same bytes.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from scaling.data.atomic_files import replacing
from sweeps.checkpoint import modelling_file
from sweeps.checkpoint.hf_config import CheckpointError, auto_map, end_tokens, hf_json
from sweeps.checkpoint.released_format import write_json, write_weights
from sweeps.config.model import ModelConfig
from sweeps.inspect.generate import ends_of_text, load_tokenizer
from sweeps.model.parscale import ParScaleLM
from sweeps.store.checksums import Damaged, read_row

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
GENERATION = "generation_config.json"
OF_TEXT = (  # what may be next to a tokenizer.json, and is copied as it is
    TOKENIZER, TOKENIZER_CONFIG, GENERATION, "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "chat_template.jinja",
)  # fmt: skip
OURS = ("config.json", "model*.safetensors", "model.safetensors.index.json", modelling_file.NAME, *OF_TEXT)


def export_model(model: ParScaleLM, source: str | Path, out: str | Path) -> Path:
    """Write a model to a folder of its own, whole or not at all.

    Args:
        model: any P.
        source: the folder it was loaded from: its tokenizer and the end of its texts are written too, and where
            it is a run's the length of the run's sequences, as the longest text that the model is made for.
        out: the new folder. One that is there must be empty, or hold these very bytes.

    Raises:
        CheckpointError: `out` holds something else, which stays as it is.

    """
    source, out = Path(source), Path(out)
    config = replace(model.config, context=model.config.context or trained_length(source))
    with whole_folder(out) as folder:
        dtype = write_weights(model, folder)
        ends = write_text_files(source, folder, config)
        about = hf_json(config, dtype, ends) | auto_map(config, Path(modelling_file.NAME).stem)
        if "auto_map" in about:
            with replacing(folder / modelling_file.NAME) as temporary:
                temporary.write_text(modelling_file.modelling_source(), encoding="utf-8")
        write_json(folder / "config.json", about)
    return out


def trained_length(source: Path) -> int | None:
    """Tokens a sequence of the run that left its weights here. None where no run's row is next to them."""
    try:
        return int(read_row(source / "row.json")["seq_len"])
    except (FileNotFoundError, KeyError, Damaged):
        return None


def write_text_files(source: Path, folder: Path, config: ModelConfig) -> Sequence[int]:
    """The tokenizer and how texts end. Returns the tokens that end them.

    What the source says is copied. Where it says nothing the tokenizer pads on the left, as generation needs,
    with the token that ends a text.
    """
    for name in OF_TEXT:
        if (source / name).is_file():
            with replacing(folder / name) as temporary:
                shutil.copyfile(source / name, temporary)
    found = load_tokenizer(source) if (source / TOKENIZER).exists() else None
    ends = end_tokens(source) if found is None else ends_of_text(source, found)
    special: dict[str, Any] = {}
    if ends:
        tokens: dict[str, Any] = {"eos_token_id": list(ends) if len(ends) > 1 else ends[0]}
        if not (folder / GENERATION).exists():
            write_json(folder / GENERATION, tokens | {"pad_token_id": ends[0]})
        if found is not None and (end := found.id_to_token(ends[0])) is not None:
            special = {"eos_token": end, "pad_token": end}
    if found is not None and not (folder / TOKENIZER_CONFIG).exists():
        longest = {} if config.context is None else {"model_max_length": config.context}
        plain = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
        write_json(folder / TOKENIZER_CONFIG, {**plain, **special, **longest, "padding_side": "left"})
    return ends


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder next to `out` to write into, which takes its place at the end. Nothing is left of a failure."""
    out = out.resolve()
    there = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if any(not any(fnmatch(name, ours) for ours in OURS) for name in there):
        raise _occupied(out, there)
    scratch = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(scratch, ignore_errors=True)  # of a killed process
    scratch.mkdir(parents=True)
    try:
        yield scratch
        made = sorted(path.name for path in scratch.iterdir())
        if there and (there != made or filecmp.cmpfiles(scratch, out, made, shallow=False)[0] != made):
            raise _occupied(out, there)
        if not there:
            scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _occupied(out: Path, there: list[str]) -> CheckpointError:
    more = f" and {len(there) - 4:,} more" if len(there) > 4 else ""
    return CheckpointError(
        f"{out} holds {', '.join(there[:4])}{more}: nothing was written there. Choose a new folder, or empty it"
    )
