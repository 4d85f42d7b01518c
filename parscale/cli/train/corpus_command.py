"""Build a corpus, or verify the cached one, and describe it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from parscale.cli.options import argument, option
from parscale.cli.table_options import JsonOptions
from parscale.cli.train.sweep_options import TOKENIZER

EXAMPLES = ("corpus stdlib", "corpus 'files:texts/*.txt' --vocab 4096")
VOCAB = 2048  # entries where neither --vocab nor the tokenizer says
MOST = 12  # domains that are shown one by one


@dataclass(frozen=True, kw_only=True)
class Options(JsonOptions):
    """Options of `parscale corpus`."""

    name: str = argument("stdlib, code[-large], text[-debian], files:GLOB, hf:NAME", metavar="NAME")
    tokenizer: str = option("bpe", TOKENIZER, metavar="T")
    vocab: int | None = option(None, "entries (default 2048, or as many as the tokenizer has)", type=int)


def run(options: Options) -> str | int:
    """Build or verify a corpus and describe it."""
    from parscale.cli.output import as_json
    from sweeps.corpora import build as corpora
    from sweeps.corpora import documents

    vocab = _vocab(options)
    built = corpora.open_corpus(options.name, vocab, report=_report, tokenizer=options.tokenizer)
    if options.json:
        return as_json(built.manifest)
    parts = {"training": built.manifest["train"], "held out": built.manifest["valid"]}
    print(f"corpus {options.name}")
    _show_counts(f"tokenizer {options.tokenizer}, vocabulary {vocab:,}", parts)
    domains = documents.domains_of(built.manifest)
    if len(domains) > 1:
        _show_counts(f"{len(domains)} domains", domains)
    print(*documents.described(built.manifest), f"hash {built.hash[:12]}, in {built.folder}", sep="\n")
    return 0


def _report(line: str) -> None:
    """Progress goes to stderr: stdout is the description."""
    print(line, file=sys.stderr, flush=True)


def _vocab(options: Options) -> int:
    """The vocabulary asked for; else the tokenizer's own; else the default."""
    from sweeps.corpora import tokens
    from sweeps.corpora.sources import huggingface

    own = options.tokenizer != "bpe" and tokens.entries(huggingface.tokenizer_file(options.tokenizer))
    return options.vocab if options.vocab is not None else own or VOCAB


def _show_counts(title: str, parts: dict[str, dict[str, int]]) -> None:
    """Print documents, bytes, tokens and bytes a token of the largest parts, and of the others together."""
    import pandas as pd

    from parscale.cli.output import show

    order = sorted(parts, key=lambda name: -parts[name]["bytes"])
    rows = {name: parts[name] for name in order[:MOST]}
    if others := order[MOST:]:
        rest = {key: sum(parts[name][key] for name in others) for key in ("documents", "bytes", "tokens")}
        rows[f"{len(others)} more"] = rest
    columns: dict[str, list[str]] = {"": list(rows)}
    columns |= {key: [f"{of[key]:,}" for of in rows.values()] for key in ("documents", "bytes", "tokens")}
    columns["bytes a token"] = [f"{of['bytes'] / of['tokens']:.2f}" for of in rows.values()]
    show(pd.DataFrame(columns), title)
