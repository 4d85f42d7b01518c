"""Build a corpus, or open the cached one, and describe it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parscale.cli.options import argument, option, switch
from parscale.cli.table_options import JsonOptions
from parscale.cli.train.sweep_options import TOKENIZER

if TYPE_CHECKING:
    from sweeps.corpora.corpus import Corpus

EXAMPLES = (
    "corpus stdlib",
    "corpus 'files:texts/*.txt' --vocab 4096",
    "corpus 'hf:NAME#most=2GB#column=body'",
    "corpus tokens:shards/ --verify",
    "corpus 'task:hops#hops=1,2,4'",
    "corpus 'mix:0.7*files:a.jsonl+0.3*tokens:shards'",
)
VOCAB = 2048  # entries if neither --vocab nor the tokenizer gives them
MOST = 12  # domains that are shown one by one
NAMES = "stdlib, code[-large], text[-debian], files:GLOB, hf:NAME, tokens:DIR, task:NAME, mix:W*NAME+W*NAME"


@dataclass(frozen=True, kw_only=True)
class Options(JsonOptions):
    """Options of `parscale corpus`."""

    name: str = argument(NAMES, metavar="NAME")
    tokenizer: str = option("bpe", TOKENIZER, metavar="T")
    vocab: int | None = option(None, "entries (default 2048, or as many as the tokenizer has)", type=int)
    drop_many: bool = switch("build it although more than a fifth of your documents are dropped")
    verify: bool = switch("hash every file of it again, not only those that have changed")


def run(options: Options) -> str | int:
    """Build or open a corpus and describe it. Returns 1 if --verify finds it damaged."""
    from parscale.cli.output import as_json
    from sweeps.corpora import build as corpora

    vocab = _vocab(options)
    built = corpora.open_corpus(
        options.name, vocab, report=_report, tokenizer=options.tokenizer, drop_many=options.drop_many
    )
    if options.verify:
        if fault := corpora.verify(built):
            _report(
                f"corpus {options.name}: {fault}. Remove {built.folder}, and the next call builds it again"
            )
            return 1
        _report(f"corpus {options.name}: every file is as it was hashed")
    if options.json:
        return as_json(built.manifest)
    _describe(options, vocab, built)
    return 0


def _describe(options: Options, vocab: int, built: Corpus) -> None:
    """Print what the corpus holds."""
    from sweeps.corpora import documents

    print(f"corpus {options.name}")
    title = f"tokenizer {options.tokenizer}, vocabulary {vocab:,}"
    if "mixture" in built.manifest:
        weights = ", ".join(f"{weight:.2%} {name}" for name, weight, _ in built.manifest["mixture"])
        _show_counts(f"{title}, validation", built.manifest["valid"]["domains"])
        print(f"a run reads {weights}")
    else:
        parts = {"training": built.manifest["train"], "validation": built.manifest["valid"]}
        _show_counts(
            title, {name: of for name, of in parts.items() if of["tokens"]}
        )  # a task generates its text as it is read
        domains = documents.domains_of(built.manifest)
        if len(domains) > 1:
            _show_counts(f"{len(domains)} domains", domains)
        print(*documents.described(built.manifest), sep="\n")
    print(f"hash {built.hash[:12]}, in {built.folder}")


def _report(line: str) -> None:
    """Progress goes to stderr: stdout is the description."""
    print(line, file=sys.stderr, flush=True)


def _vocab(options: Options) -> int:
    """The vocabulary asked for, else that of the tokenizer or the tokens, else the default."""
    from sweeps.corpora import tokens
    from sweeps.corpora.sources import huggingface
    from sweeps.corpora.sources.registry import own_vocabulary

    if options.vocab is not None:
        return options.vocab
    if options.tokenizer != "bpe":
        return tokens.entries(huggingface.tokenizer_file(options.tokenizer))
    return own_vocabulary(options.name) or VOCAB


def _show_counts(title: str, parts: dict[str, dict[str, Any]]) -> None:
    """Print documents, bytes, tokens and bytes a token of the largest parts, and of the others together."""
    import pandas as pd

    from parscale.cli.output import show

    order = sorted(parts, key=lambda name: -(parts[name]["bytes"] or parts[name]["tokens"]))
    rows = {name: parts[name] for name in order[:MOST]}
    if others := order[MOST:]:
        rest = {key: sum(parts[name][key] for name in others) for key in ("documents", "bytes", "tokens")}
        rows[f"{len(others)} more"] = rest
    columns: dict[str, list[str]] = {"": list(rows)}
    for key in ("documents", "bytes", "tokens"):
        columns[key] = ["-" if of[key] is None else f"{of[key]:,}" for of in rows.values()]
    each = ["-" if of["bytes"] is None else f"{of['bytes'] / of['tokens']:.2f}" for of in rows.values()]
    show(pd.DataFrame(columns | {"bytes a token": each}), title)
