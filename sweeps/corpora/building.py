"""Build a corpus in bounded memory: documents are cleaned, de-duplicated, split and tokenised.

Three passes: read documents into buckets on disk, clean each bucket, encode each bucket. The disk needs room
for the text and its tokens.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.data.atomic_files import sha256
from sweeps.corpora import bucket_work, cleaning, sealing, spool, tokens
from sweeps.corpora.cleaning import Dropped
from sweeps.corpora.documents import Source

MOST_DROPPED = 0.2  # share of a user's documents that may be dropped without asking
EVERY_S = (5.0, 30.0)  # seconds between two reports of progress: at first, after a minute

Say = Callable[[str], None]
Counts = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """What is to be built."""

    name: str  # as the user calls it
    source: Source
    recipe: dict[str, Any]  # its `format` says which rules
    vocab: int
    tokenizer: str  # bpe, or the path of a tokenizer.json
    folder: Path  # the corpus's folder
    downloads: Path
    drop_many: bool = False  # continue if more than MOST_DROPPED of a user's documents are dropped
    remedy: str = ""  # the command that says so

    @property
    def first_format(self) -> bool:
        """Whether the rules are those of format 1."""
        return bool(self.recipe["format"] == 1)


class Progress:
    """Reports at growing intervals."""

    def __init__(self, name: str, say: Say) -> None:
        self.name, self.say = name, say
        self.began = self.last = time.monotonic()

    def __call__(self, words: Callable[[], str]) -> None:
        """Report progress, if it is time to."""
        now = time.monotonic()
        if now - self.last > EVERY_S[now - self.began > 60]:
            self.last = now
            self.say(f"corpus {self.name}: {words()}, {now - self.began:.0f} s")


def build(order: Order, say: Say) -> None:
    """Build in a temporary folder next to the final one, then rename. No corpus is ever half-built.

    Raises:
        ValueError: too few documents, or too many of a user's dropped.
        OSError: the disk is full, or a process was killed.

    """
    order.folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=order.folder.parent))
    made, buckets = scratch / "corpus", scratch / "buckets"
    progress = Progress(order.name, say)
    try:
        made.mkdir()
        dropped = Dropped()
        _clean(order, buckets, dropped, progress)
        ends = cleaning.held_out_below(buckets, order.source.val_share)
        _check_split(buckets, ends, order.source.val_share)
        _tokenizer(order, buckets, ends, made / "tokenizer.json")
        dtype = "uint16" if order.vocab <= 2**16 else "uint32"
        job: bucket_work.Job = {"tokenizer": str(made / "tokenizer.json"), "dtype": dtype, "ends": ends}
        job["literal"] = not order.first_format
        told = _share(progress, "encoded")
        bucket_work.work_all("encode", buckets, job, told)
        manifest = _join(buckets, made) | {"recipe": order.recipe, "dtype": dtype}
        manifest |= {"dropped": dropped.shown()} if order.first_format else _told(order, dropped)
        manifest["sha256"] = {path.name: sha256(path) for path in sorted(made.iterdir())}
        (made / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        sealing.seal_corpus(made, list(manifest["sha256"]))
        made.rename(order.folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _told(order: Order, dropped: Dropped) -> dict[str, Any]:
    """Format 2: what a manifest says in addition to what identifies the tokens."""
    return {"format": 2, "name": order.name, "dropped": dropped.shown(), "examples": dropped.examples}


def _share(progress: Progress, done: str) -> Callable[[float], None]:
    return lambda share: progress(lambda: f"{share:.0%} {done}")


def _clean(order: Order, buckets: Path, dropped: Dropped, progress: Progress) -> None:
    """Deal the documents to buckets and decide which are kept."""
    documents = dropped.readable(order.source.documents(order.downloads))
    if order.first_format:
        documents = cleaning.clean_in_order(documents, dropped)
    dealt = spool.Spool(buckets)
    for document in documents:
        dealt.add(document)
        progress(lambda: f"{dealt.count:,} documents read, {dealt.bytes / 1e6:,.0f} MB")
    dealt.close()
    if not order.first_format:
        told = _share(progress, "cleaned")
        bucket_work.work_all("inspect", buckets, {"sample": cleaning.sample_of(dealt.bytes)}, told)
        cleaning.drop_near_duplicates(buckets, dealt.bytes)
        cleaning.count_fates(buckets, dropped)
        _check_dropped(order, dropped, dealt.count + dropped.counts["unreadable"])


def _check_dropped(order: Order, dropped: Dropped, total: int) -> None:
    """Refuse to drop much of a user's text in silence."""
    lost = sum(dropped.counts.values())
    if not total or lost <= MOST_DROPPED * total or order.drop_many:
        return
    counts = ", ".join(f"{reason.replace('_', '-')} {n:,}" for reason, n in dropped.counts.most_common() if n)
    shown = [
        f"{reason.replace('_', '-')}: {told}" for reason, each in dropped.examples.items() for told in each
    ]
    shown += [f"unreadable: {name}: {reason}" for name, reason in dropped.unreadable[: cleaning.EXAMPLES]]
    raise ValueError(
        f"corpus {order.name}: {lost:,} of {total:,} documents would be dropped ({counts}), such as\n  "
        + "\n  ".join(shown)
        + (f"\nif that is right, {order.remedy}" if lost < total else "")
    )


def _check_split(buckets: Path, ends: dict[str, int], val_share: float) -> None:
    """Refuse documents so few that nothing is held out, or nothing left."""
    held = total = 0
    for bucket in spool.buckets(buckets):
        records = spool.read_index(buckets, bucket)
        records = records[records["fate"] == 0]
        total += len(records)
        held += int(cleaning.is_held_out(buckets, records, ends).sum())
    if not 0 < held < total:
        raise ValueError(f"{total} documents are too few to hold out {val_share:.0%} of them. Add documents")


def _tokenizer(order: Order, buckets: Path, ends: dict[str, int], path: Path) -> None:
    """Learn the tokenizer from the training documents, or copy the file as it is."""
    if order.tokenizer == "bpe":
        tokens.train_tokenizer(_training_texts(buckets, ends), order.vocab).save(str(path))
    else:  # unchanged, so that a copy next to a run's weights gives the same corpus
        shutil.copyfile(order.tokenizer, path)


def _training_texts(buckets: Path, ends: dict[str, int]) -> Iterator[str]:
    """The texts of the training documents, in the order of their hashes."""
    for bucket in spool.buckets(buckets):
        records = spool.read_index(buckets, bucket)
        train = (records["fate"] == 0) & ~cleaning.is_held_out(buckets, records, ends)
        yield from spool.texts(buckets, bucket, records[train])


def _join(buckets: Path, made: Path) -> dict[str, Any]:
    """Put the buckets' tokens together: the training ones one after the other, the validation ones by domain."""
    order = spool.buckets(buckets)
    found = {
        bucket: json.loads((buckets / f"{bucket:03}.json").read_text(encoding="utf-8")) for bucket in order
    }
    with (made / "train.bin").open("wb") as file:
        for bucket in order:
            with (buckets / f"{bucket:03}.train").open("rb") as part:
                shutil.copyfileobj(part, file, 1 << 20)
    with (made / "valid.bin").open("wb") as file:
        for domain in sorted({name for each in found.values() for name in each["valid"]}):
            for bucket in order:
                if counts := found[bucket]["valid"].get(domain):
                    _copy(buckets / f"{bucket:03}.valid", counts, found[bucket]["valid"], file)
    licences: Counter[str] = Counter()
    for each in found.values():
        for part in each.values():
            for domain, counts in part.items():
                licences.update({f"{domain}: {name}": n for name, n in counts["licences"].items()})
    return {part: _sums(found, part) for part in ("train", "valid")} | {"licences": dict(licences)}


def _copy(path: Path, counts: Counts, all_counts: dict[str, Counts], file: Any) -> None:
    """Copy one domain's span of a bucket's validation tokens."""
    item = path.stat().st_size // max(each["last"] for each in all_counts.values())
    with path.open("rb") as part:
        part.seek(counts["first"] * item)
        file.write(part.read((counts["last"] - counts["first"]) * item))


def _sums(found: dict[int, dict[str, dict[str, Counts]]], part: str) -> Counts:
    """Documents, bytes and tokens of all and of each domain, and where each domain is."""
    domains: dict[str, dict[str, int]] = {}
    spans: dict[str, tuple[int, int]] = {}
    total = 0
    for bucket in found:
        for domain, counts in found[bucket][part].items():
            seen = domains.setdefault(domain, {"documents": 0, "bytes": 0, "tokens": 0})
            for key in seen:
                seen[key] += counts[key]
            first = spans.get(domain, (total + counts["first"], 0))[0]
            spans[domain] = (first, total + counts["last"])
        total += sum(counts["tokens"] for counts in found[bucket][part].values())
    if part == "valid":
        total, spans = 0, {}
        for domain in sorted(domains):
            spans[domain] = (total, total + domains[domain]["tokens"])
            total = spans[domain][1]
    sums = {key: sum(d[key] for d in domains.values()) for key in ("documents", "bytes", "tokens")}
    return {**sums, "domains": domains, "spans": spans}
