"""A corpus by its name, cached or built, and what a run reads of it.

`open_corpus(name, vocab)` returns a `Corpus`: memory-mapped token files and their manifest. Its hash is part
of every run's configuration. So a run is opened by its hash alone, even if the text has changed or gone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaling.data.atomic_files import naming_full_disk
from sweeps.checkpoint import parents
from sweeps.config.run import RunConfig
from sweeps.corpora import building, sealing, tokens
from sweeps.corpora.corpus import SECOND, Corpus, open_folder, read_manifest
from sweeps.corpora.documents import Source
from sweeps.corpora.mixture import PREFIX, Ingredient, MixedWindows, mix_corpora, parts_of, shares_read
from sweeps.corpora.sources import huggingface
from sweeps.corpora.sources.registry import source_of
from sweeps.corpora.sources.token_shards import TokenShards
from sweeps.corpora.tasks.pairs import is_pairs, open_pairs, open_pairs_folder
from sweeps.corpora.tasks.task_corpus import open_task, open_task_folder
from sweeps.corpora.tasks.task_names import TASK
from sweeps.corpora.token_sealing import seal_shards

Report = Callable[[str], None]


def open_corpus(
    name: str,
    vocab: int,
    report: Report | None = None,
    tokenizer: str = "bpe",
    like: str = "",
    drop_many: bool = False,
) -> Corpus:
    """A corpus as tokens, from the cache or built.

    Args:
        name: stdlib, code, text, files:GLOB, hf:NAME, tokens:DIR, task:NAME or mix:W*NAME+W*NAME.
        vocab: entries of the vocabulary.
        report: gets one line for a build and for a damaged cache.
        tokenizer: bpe (trained on the corpus; of token shards their own), the path of a tokenizer.json, or hf:NAME.
        like: hash of the corpus that a sweep began with. A user's text is then read by the rules of that format.
        drop_many: build even if more than a fifth of a user's documents are dropped.

    Returns:
        The corpus: training and validation tokens as memory-mapped arrays.

    Raises:
        ValueError: for an unknown name, text that cannot be read, and a tokenizer that does not fit.
    """
    say = report or logging.getLogger(__name__).warning
    if name.startswith(PREFIX):
        return _open_mixture(name, vocab, say, tokenizer)
    if name.startswith(TASK):
        return open_task_folder(open_task(name, vocab, tokenizer, sealing.cache_folder()))
    if is_pairs(name):
        return open_pairs_folder(open_pairs(name, vocab, tokenizer, sealing.cache_folder()))
    wanted = _Wanted(name, vocab, tokenizer, sealing.cache_folder(), say, like, drop_many or bool(like))
    return open_folder(wanted.folder())


@dataclass(frozen=True)
class _Wanted:
    """A corpus that is asked for."""

    name: str
    vocab: int
    tokenizer: str
    root: Path  # the cache
    say: Report
    like: str
    drop_many: bool

    def folder(self) -> Path:
        """Its folder in the cache, built if need be."""
        first = bool(self.like) and not self.like.startswith(SECOND)
        source = source_of(self.name, first, self.say)
        if isinstance(source, TokenShards):
            return self._sealed(source)
        path = "bpe" if self.tokenizer == "bpe" else str(huggingface.tokenizer_file(self.tokenizer))
        recipe, state = tokens.recipe(path), source.state()
        entry = sealing.Entry.of(self.root, self.name, self.vocab, recipe, first)
        if state != "" and (known := entry.folder(state) or (state is None and self._by_hash())):
            if state is None:
                self.say(f"corpus {self.name}: its files are gone, its tokens in {known} are used")
            return known
        named = first or state == ""
        whole: dict[str, Any] = {"format": 1, "corpus": self.name} if named else {"format": 2}
        whole |= {"vocab": self.vocab, "tokenizer": recipe, "val_share": source.val_share}
        whole["source"] = source.recipe()
        folder = self._built(source, whole, path)
        # A file that the system refuses may be readable next time with the same size and time.
        entry.keep(folder, "" if "refused" in whole["source"] else state or "")
        return folder

    def _by_hash(self) -> Path | None:
        return sealing.folder_of_hash(self.root, self.like) if self.like else None

    def _place(self, recipe: dict[str, Any]) -> tuple[str, Path]:
        key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
        return key, self.root / "corpora" / f"{self.name.partition(':')[0]}-v{self.vocab}-{key}"

    def _built(self, source: Source, recipe: dict[str, Any], path: str) -> Path:
        """The folder of a recipe. A damaged one is built again."""
        key, folder = self._place(recipe)
        with sealing.one_builder(self.root, f"corpora-{key}"):
            if folder.exists():
                fault = sealing.fault(folder)
                if fault is None:
                    return folder
                self.say(f"corpus {self.name}: the cache in {folder} is damaged ({fault}). Building it again")
                shutil.rmtree(folder)
            tokens.check_vocabulary(self.tokenizer, self.vocab, path)
            self.say(f"corpus {self.name}: building it (vocabulary {self.vocab}) in {folder}")
            command = f"parscale corpus {shlex.quote(self.name)} --vocab {self.vocab}"
            command += "" if self.tokenizer == "bpe" else f" --tokenizer {shlex.quote(self.tokenizer)}"
            order = building.Order(
                self.name,
                source,
                recipe,
                self.vocab,
                path,
                folder,
                self.root / "downloads",
                drop_many=self.drop_many,
                remedy=f"{command} --drop-many builds it",
            )
            folder.parent.mkdir(parents=True, exist_ok=True)
            with naming_full_disk(folder.parent):
                building.build(order, self.say)
        return folder

    def _sealed(self, source: TokenShards) -> Path:
        """The folder with the seal of shards. They are read again if a file's size or time has changed."""
        own = self.tokenizer == "bpe"
        path = source.tokenizer if own else huggingface.tokenizer_file(self.tokenizer)
        if not own and source.tokenizer and tokens.recipe(str(path)) != tokens.recipe(str(source.tokenizer)):
            raise ValueError(
                f"corpus {self.name} has a tokenizer of its own, {source.tokenizer}, which is not "
                f"{self.tokenizer}. Leave --tokenizer out"
            )
        least = tokens.entries(path) if path else source.vocabulary
        if source.vocab_option is None and least > self.vocab:
            raise ValueError(
                f"corpus {self.name} has a vocabulary of {least:,}, the model one of {self.vocab:,}. "
                "Take a model with as many, or shards of its tokenizer"
            )
        key, folder = self._place({"tokens": str(source.folder), "vocab": self.vocab, "tokenizer": str(path)})
        entry = sealing.Entry.of(self.root, str(source.folder), source.vocab_option, self.vocab, str(path))
        state = source.state()
        with sealing.one_builder(self.root, f"corpora-{key}"):
            if (known := entry.folder(state)) is None:
                seal_shards(source, self.name, self.vocab, path, folder, self.say)
                entry.keep(folder, state)
                return folder
        return known


def _open_mixture(name: str, vocab: int, say: Report, tokenizer: str) -> Corpus:
    """The corpora of a mixture, all with one tokenizer: that of tokens in it, else learnt from the heaviest."""
    parts = parts_of(name)
    order = sorted(parts, key=lambda part: (not part.name.startswith(("tokens:", TASK)), -part.weight))
    found: dict[str, Corpus] = {}
    for part in order:
        opened = open_corpus(part.name, vocab, say, tokenizer)
        if tokenizer == "bpe" and opened.tokenizer:
            tokenizer = str(opened.tokenizer)
        elif opened.tokenizer is None and any(not p.name.startswith("tokens:") for p in parts):
            raise ValueError(
                f"corpus {part.name} has no tokenizer.json, with which to encode the text mixed with it"
            )
        found[part.name] = opened
    return _keep_mixture(name, parts, [found[part.name] for part in parts])


def _keep_mixture(name: str, parts: list[Ingredient], corpora: list[Corpus]) -> Corpus:
    """The mixture, noted in the cache so that its hash finds it."""
    root = sealing.cache_folder()
    mixture = mix_corpora(root, name, parts, corpora)
    folder = root / "corpora" / f"mix-{mixture.hash.removeprefix(SECOND)[:16]}"
    if not folder.exists() or sealing.fault(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text(json.dumps(mixture.manifest, indent=1), encoding="utf-8")
        sealing.seal_corpus(folder, [], {})
    for corpus in corpora:
        sealing.keep_hash(root, corpus.hash, corpus.folder)
    sealing.keep_hash(root, mixture.hash, folder)
    return replace(mixture, folder=folder)


def _open_hash(code: str) -> Corpus | None:
    """The corpus of a hash, if the cache holds it whole: no text is looked for, nothing is hashed."""
    root = sealing.cache_folder()
    folder = sealing.folder_of_hash(root, code)
    if folder is None:
        return None
    manifest = read_manifest(folder)
    if "mixture" not in manifest:
        called = str(manifest.get("name"))
        if called.startswith(TASK) or is_pairs(called):
            return (open_pairs_folder if is_pairs(called) else open_task_folder)(folder)
        return open_folder(folder)
    corpora = [_open_hash(of) for _, _, of in manifest["mixture"]]
    parts = [Ingredient(name, weight) for name, weight, _ in manifest["mixture"]]
    whole = [corpus for corpus in corpora if corpus]
    return mix_corpora(folder, manifest["name"], parts, whole) if len(whole) == len(parts) else None


def verify(corpus: Corpus) -> str | None:
    """Hash every file of a corpus again: what is wrong with it, or None."""
    several = getattr(corpus, "corpora", None) or (corpus,)
    return next((fault for one in several if (fault := sealing.fault(one.folder, every=True))), None)


def bind(
    configs: Iterable[RunConfig], report: Report | None = None, known: Mapping[str, RunConfig] | None = None
) -> list[RunConfig]:
    """The configurations with the hashes of their corpora filled in. Corpora that are not cached are built.

    Args:
        configs: of the runs.
        report: gets one line per build.
        known: runs of a resumed sweep by run_id. A corpus with the content of one of theirs takes its name, so that text
            may be moved.

    Returns:
        The configurations, in the same order.

    Raises:
        ValueError: for a run that wants more tokens than its corpus holds, before any training.
    """
    begun = list((known or {}).values())
    ids = {run.identity: run_id for run_id, run in (known or {}).items()}
    planned = {(run.corpus, run.model.vocab, run.tokenizer): run.corpus_hash for run in begun}
    built: dict[tuple[str, int, str], Corpus] = {}
    bound: list[RunConfig] = []
    renamed: dict[str, str] = {}
    most: dict[str, float] = {}  # {corpus: how often a run reads it}
    for config in sorted(configs, key=lambda config: bool(config.parent)):  # a stage 1 before its stages 2
        key = (config.corpus, config.model.vocab, config.tokenizer)
        if key not in built:
            name, vocab, tokenizer = key
            built[key] = open_corpus(name, vocab, report, tokenizer, planned.get(key, ""))
        windows = windows_of(config, built[key])
        epochs = windows.epochs(config.start_step + config.steps)
        most[config.corpus] = max(most.get(config.corpus, 0.0), epochs)
        parent = renamed.get(config.parent, config.parent)
        of_parent = "" if not parent or config.parent in renamed else parents.parent_fingerprint(Path(parent))
        corpus = _known_name(config.corpus, built[key].hash, begun)
        new = replace(
            config, corpus=corpus, corpus_hash=built[key].hash, parent=parent, parent_hash=of_parent
        )
        renamed[config.run_id] = ids.get(new.identity, new.run_id)
        bound.append(new)
    for name, epochs in most.items():
        if epochs > 1 and report:
            report(f"corpus {name} is read up to {epochs:.1f} times by a run")
    return bound


def _known_name(name: str, code: str, known: list[RunConfig]) -> str:
    """The sweep's name for a corpus of this content, if it has one, else the corpus's own."""
    names = [run.corpus for run in known if run.corpus_hash == code]
    return name if name in names or not names else names[0]


def open_for(run: RunConfig, report: Report | None = None) -> Corpus:
    """The run's corpus, refused if it is not the one the configuration was made with.

    `report` gets a line for a build, for text that the run repeats, and for a mixture's shares.
    """
    corpus = _open_hash(run.corpus_hash) if run.corpus_hash else None
    if corpus is None:
        corpus = open_corpus(run.corpus, run.model.vocab, report, run.tokenizer, run.corpus_hash)
    if run.corpus_hash and corpus.hash != run.corpus_hash:
        raise ValueError(
            f"corpus {run.corpus}: its tokens differ from those the run was planned with "
            f"({corpus.hash[:12]}, planned {run.corpus_hash[:12]}). Plan the sweep in a new folder"
        )
    if report:
        _tell_reading(run, corpus, report)
    return corpus


def _tell_reading(run: RunConfig, corpus: Corpus, report: Report) -> None:
    """Report how much of the corpus a run reads, unless it is at most one pass."""
    which = f"run {run.size} P={run.model.P} seed {run.seed}"
    windows, steps = windows_of(run, corpus), run.start_step + run.steps
    if isinstance(windows, MixedWindows):
        shares = shares_read(run.corpus, steps * run.batch)
        report(f"{which} reads " + ", ".join(f"{share:.2%} of {name}" for name, share in shares.items()))
    if run.repeat and (epochs := windows.epochs(steps)) > 1:
        report(f"{which} reads its corpus {epochs:.1f} times")


def windows_of(run: RunConfig, corpus: Corpus) -> tokens.Windows | MixedWindows:
    """The run's training windows. Raises ValueError if it wants more tokens than there are, unless it repeats them."""
    windows = corpus.windows(run.seq_len, run.batch, run.seed)
    if windows.count < 1 or (windows.epochs(run.start_step + run.steps) > 1 and not run.repeat):
        raise ValueError(
            f"corpus {run.corpus} holds {windows.tokens_held:,} training tokens, "
            f"run {run.size} P={run.model.P} wants {run.D:,}. "
            "Lower --tokens, take a larger corpus, or allow repetition with --repeat"
        )
    return windows
