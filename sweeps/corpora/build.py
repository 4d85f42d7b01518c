"""A corpus, built once: cleaned, de-duplicated, split, tokenised, cached, verified on reuse.

`open_corpus(name, vocab)` returns a `Corpus`: memory-mapped token files and their manifest. The manifest's
hash covers the recipe and the files' SHA-256, and is part of every run's configuration.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scaling.data.atomic_files import sha256
from sweeps.checkpoint import parents
from sweeps.config.run import RunConfig
from sweeps.corpora import tokens
from sweeps.corpora.cleaning import clean, split_documents
from sweeps.corpora.documents import Source
from sweeps.corpora.sources import huggingface
from sweeps.corpora.sources.registry import source_of

FORMAT = 1  # raised when cleaning, splitting or the files' layout change

Report = Callable[[str], None]
Spans = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Corpus:
    """Token files and what they are."""

    folder: Path
    manifest: dict[str, Any]
    train: npt.NDArray[np.integer[Any]]  # (tokens,), memory-mapped
    valid: npt.NDArray[np.integer[Any]]  # (tokens,), memory-mapped, domain after domain

    @property
    def hash(self) -> str:
        """What identifies the tokens: SHA-256 of the canonical manifest."""
        return manifest_hash(self.manifest)

    @property
    def valid_spans(self) -> Spans:
        """Where each domain stands in `valid`: {domain: (first token, one past the last)}."""
        return {name: (int(a), int(b)) for name, (a, b) in self.manifest["valid"]["spans"].items()}

    def bytes_per_token(self, domain: str | None = None) -> float:
        """Of the held-out text; bits per byte = loss / ln 2 / bytes_per_token compares tokenizers."""
        counts = self.manifest["valid"] if domain is None else self.manifest["valid"]["domains"][domain]
        return float(counts["bytes"] / counts["tokens"])


def manifest_hash(manifest: dict[str, Any]) -> str:
    """SHA-256 of the manifest's canonical JSON."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def cache_folder() -> Path:
    """Where built corpora live: $PARSCALE_CACHE, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("PARSCALE_CACHE") or platformdirs.user_cache_dir("parscale"))


def open_corpus(name: str, vocab: int, report: Report | None = None, tokenizer: str = "bpe") -> Corpus:
    """The corpus under `name` tokenised with `vocab` entries: from the cache if it verifies, else built.

    `tokenizer` is bpe, trained on the corpus, the path of a tokenizer.json, or hf:NAME. `report` is
    told, in one line each, of a build and of a cache that failed its checksums.
    """
    say = report or logging.getLogger(__name__).warning
    source = source_of(name)
    path = "bpe" if tokenizer == "bpe" else str(huggingface.tokenizer_file(tokenizer))
    recipe = {"format": FORMAT, "corpus": name, "vocab": vocab, "tokenizer": tokens.recipe(path)}
    recipe |= {"val_share": source.val_share, "source": source.recipe()}
    key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    root = cache_folder()
    folder = root / "corpora" / f"{name.partition(':')[0]}-v{vocab}-{key}"
    with _exclusive(root, f"corpora-{key}.lock"):
        if folder.exists():
            fault = _fault(folder)
            if fault is None:
                return _open(folder)
            say(f"corpus {name}: the cache in {folder} is damaged ({fault}); building it again")
            shutil.rmtree(folder)
        tokens.check_vocabulary(tokenizer, vocab, path)
        say(f"corpus {name}: building it (vocabulary {vocab}); kept in {folder}")
        _build(source, recipe, vocab, path, folder, root / "downloads")
    return _open(folder)


def bind(configs: Iterable[RunConfig], report: Report | None = None) -> list[RunConfig]:
    """The configurations with their corpora's hashes filled in; builds corpora that are not cached.

    A run that wants more tokens than its corpus holds is refused here, before any is trained.
    """
    built: dict[tuple[str, int, str], Corpus] = {}
    bound: list[RunConfig] = []
    renamed: dict[str, str] = {}
    most: dict[str, float] = {}  # {corpus: how often a run reads it}
    for config in sorted(configs, key=lambda config: bool(config.parent)):  # a stage 1 before its stages 2
        key = (config.corpus, config.model.vocab, config.tokenizer)
        if key not in built:
            built[key] = open_corpus(config.corpus, config.model.vocab, report, config.tokenizer)
        windows = windows_of(config, built[key])
        epochs = windows.epochs(config.start_step + config.steps)
        most[config.corpus] = max(most.get(config.corpus, 0.0), epochs)
        parent = renamed.get(config.parent, config.parent)
        of_parent = "" if not parent or config.parent in renamed else parents.parent_fingerprint(Path(parent))
        new = replace(config, corpus_hash=built[key].hash, parent=parent, parent_hash=of_parent)
        renamed[config.run_id] = new.run_id
        bound.append(new)
    for name, epochs in most.items():
        if epochs > 1 and report:
            report(f"corpus {name} is read up to {epochs:.1f} times by a run")
    return bound


def open_for(run: RunConfig, report: Report | None = None) -> Corpus:
    """The run's corpus, refused if it is not the one the configuration was made with.

    `report` is told of a build, and of text that the run reads again.
    """
    corpus = open_corpus(run.corpus, run.model.vocab, report, run.tokenizer)
    if run.corpus_hash and corpus.hash != run.corpus_hash:
        raise ValueError(
            f"corpus {run.corpus}: its tokens differ from those the run was planned with "
            f"({corpus.hash[:12]}, planned {run.corpus_hash[:12]}); plan the sweep in a new folder"
        )
    if run.repeat and report:
        epochs = windows_of(run, corpus).epochs(run.start_step + run.steps)
        if epochs > 1:
            report(f"run {run.size} P={run.model.P} seed {run.seed} reads its corpus {epochs:.1f} times")
    return corpus


def windows_of(run: RunConfig, corpus: Corpus) -> tokens.Windows:
    """The run's training windows; more tokens than there are is refused unless the run repeats."""
    windows = tokens.Windows(corpus.train, run.seq_len, run.batch, run.seed)
    if windows.count < 1 or (windows.epochs(run.start_step + run.steps) > 1 and not run.repeat):
        raise ValueError(
            f"corpus {run.corpus} holds {len(corpus.train):,} training tokens, "
            f"run {run.size} P={run.model.P} wants {run.D:,}; "
            "lower --tokens, take a larger corpus, or allow repetition with --repeat"
        )
    return windows


@contextmanager
def _exclusive(root: Path, name: str) -> Iterator[None]:
    """One builder at a time on this machine; the lock goes with the process."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fault(folder: Path) -> str | None:
    """What is wrong with a cached corpus, or None."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        for name, wanted in manifest["sha256"].items():
            if sha256(folder / name) != wanted:
                return f"{name} fails its checksum"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (ValueError, KeyError, TypeError, AttributeError):
        return "manifest.json is not a manifest"
    return None


def _open(folder: Path) -> Corpus:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    train, valid = (
        tokens.open_tokens(folder / f"{part}.bin", manifest["dtype"]) for part in ("train", "valid")
    )
    return Corpus(folder, manifest, train, valid)


def _build(
    source: Source, recipe: dict[str, Any], vocab: int, tokenizer: str, folder: Path, downloads: Path
) -> None:
    """Build in a temporary folder beside the final one, then rename: never a half-built corpus."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    kept, dropped = clean(source.documents(downloads))
    parts = split_documents(kept, source.val_share)
    scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        encoder = tokens.make_tokenizer(tokenizer, [d.text for d in parts["train"]], vocab)
        if tokenizer == "bpe":
            encoder.save(str(scratch / "tokenizer.json"))
        else:  # the file as it is, so that a corpus is the same by the copy beside a run's weights
            shutil.copyfile(tokenizer, scratch / "tokenizer.json")
        dtype = "uint16" if vocab <= 2**16 else "uint32"
        counts = {
            part: tokens.write_tokens(encoder, parts[part], scratch / f"{part}.bin", dtype) for part in parts
        }
        if (more := dropped["unreadable"] - len(dropped["unreadable_documents"])) > 0:
            dropped["unreadable_unlisted"] = more  # the list ends; not that there were no more
        manifest = {"recipe": recipe, "dtype": dtype, "dropped": dropped, **counts}
        manifest["licences"] = dict(Counter(f"{d.domain}: {d.licence}" for d in kept).most_common())
        manifest["sha256"] = {path.name: sha256(path) for path in sorted(scratch.iterdir())}
        (scratch / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        scratch.chmod(0o755)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
