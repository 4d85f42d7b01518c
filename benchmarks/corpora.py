"""What a corpus costs: `python -m benchmarks.corpora [--part building opening reading kinds] [--tiny]`.

- building: a corpus of files of this Python's packages, cleaned and encoded, in megabytes a second of two cores
- opening: a corpus of 10 GB of tokens, sealed before
- reading: steps of a run fed from tokens on disk and from memory, in turns
- kinds: ordinary prose, code, Chinese without line breaks, one huge document, 10^5 small ones: what is dropped
  and why, written into docs/guides/own-corpus.md

Writes results/benchmarks/corpora.md. Other parts keep their measurements. `--tiny` tries everything with small
settings and writes nothing. CPU seconds are given as well as wall time, which a busy machine distorts.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import os
import random
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import ROOT
from benchmarks.sweeps import where
from scaling.data.atomic_files import write_between
from sweeps.config.execution import Execution
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find
from sweeps.training import train

PAGE = ROOT / "results/benchmarks/corpora.md"
GUIDE = ROOT / "docs/guides/own-corpus.md"
MARKS = ("<!-- kinds: python -m benchmarks.corpora --part kinds -->", "<!-- end of kinds -->")
PARTS = ("building", "opening", "reading", "kinds")
Line = tuple[str, str, str]  # what, measured, wanted


def sources() -> Iterator[str]:
    """The texts of this Python's own library and of installed packages, by path."""
    paths = sysconfig.get_paths()
    for root in dict.fromkeys((paths["stdlib"], paths["purelib"])):
        for path in sorted(Path(root).rglob("*.py")):
            try:
                yield path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue


def write_rows(path: Path, texts: Iterator[str], size: int) -> int:
    """Texts as jsonl until they hold `size` bytes. Returns how many they hold."""
    held = 0
    with path.open("w", encoding="utf-8") as file:
        for text in texts:
            held += len(text.encode())
            file.write(json.dumps({"text": text}) + "\n")
            if held >= size:
                break
    return held


def build(name: str, folder: Path, vocab: int = 2048) -> tuple[dict[str, Any], float, float, float]:
    """`parscale corpus NAME` in a process: its manifest, seconds, CPU seconds, and the most memory in MB."""
    command = [
        sys.executable,
        "-m",
        "parscale",
        "corpus",
        name,
        "--vocab",
        str(vocab),
        "--json",
        "--drop-many",
    ]
    settings = os.environ | {"PARSCALE_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    with (folder / "said").open("w") as said:
        running = subprocess.Popen(command, env=settings, stdout=said, stderr=subprocess.DEVNULL)
    most, spent = 0, 0.0
    process = psutil.Process(running.pid)
    while running.poll() is None:
        several = [process, *process.children(recursive=True)] if process.is_running() else []
        most = max(most, sum(map(_resident, several)))
        spent = max(spent, _cpu_s(process))
        time.sleep(0.05)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {running.returncode}")
    return json.loads((folder / "said").read_text()), time.perf_counter() - start, spent, most / 1e6


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _cpu_s(process: psutil.Process) -> float:
    """CPU seconds of a process, its children that ended, and those that run."""
    try:
        times = process.cpu_times()
        running = [child.cpu_times() for child in process.children(recursive=True)]
        own = times.user + times.system + times.children_user + times.children_system
        return float(own + sum(child.user + child.system for child in running))
    except psutil.Error:
        return 0.0


def building(size: int, folder: Path) -> Line:
    """Megabytes a second on two cores, and the most memory."""
    held = write_rows(folder / "code.jsonl", sources(), size)
    manifest, wall, cpu, memory = build(f"files:{folder}/code.jsonl", folder)
    what = f"files: of {held / 1e6:,.0f} MB of Python, {manifest['train']['tokens']:,} training tokens kept"
    rate = (
        f"{held / 1e6 / (cpu / 2):.1f} MB a second of two cores ({cpu:.0f} CPU s; by the clock {wall:.0f} s)"
    )
    return what, f"{rate}, at most {memory:,.0f} MB", ">= 10 MB/s; < 2,000 MB"


def opening(size: int, folder: Path) -> Line:
    """Seconds to open a sealed corpus by its name, and by the hash that a run was planned with."""
    shards = folder / "shards"
    shards.mkdir()
    for number in range(4):
        with (shards / f"train_{number}.bin").open("wb") as file:
            file.truncate(size // 4)
    np.ones(10_000, np.uint32).tofile(shards / "val.bin")
    names = [f"train_{number}.bin" for number in range(4)]
    told = {"dtype": "uint32", "vocab": 512, "train": names, "validation": ["val.bin"]}
    (shards / "tokens.json").write_text(json.dumps(told))
    os.environ["PARSCALE_CACHE"] = str(folder / "cache")
    start = time.process_time()
    first = corpora.open_corpus(f"tokens:{shards}", 512, lambda line: None)
    sealed = time.process_time() - start
    (run,) = find("ci")(Axes(sizes=("32x1",), streams=(1,), corpora=(f"tokens:{shards}",)))
    run = replace(run, corpus_hash=first.hash)
    named = min(timed(lambda: corpora.open_corpus(f"tokens:{shards}", 512)) for _ in range(5))
    planned = min(timed(lambda: corpora.open_for(run)) for _ in range(5))
    what = f"tokens: of {size / 1e9:.1f} GB in four shards (files with holes)"
    rest = f"sealing it once {sealed:.0f} CPU s"
    return what, f"by name {named:.4f} s, by hash as a worker does {planned:.4f} s; {rest}", "< 0.1 s"


def timed(call: Callable[[], Any]) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def fed_from_shards(tokens: int, folder: Path) -> tuple[RunConfig, int]:
    """A run of so many tokens fed from seven shards of code, and the bytes of its text."""
    os.environ["PARSCALE_CACHE"] = str(folder / "cache")
    held = write_rows(folder / "code.jsonl", sources(), 8_000_000)
    built = corpora.open_corpus(f"files:{folder}/code.jsonl", 512, lambda line: None, drop_many=True)
    (shards := folder / "shards").mkdir()
    for number, part in enumerate(np.array_split(np.asarray(built.train), 7)):
        part.tofile(shards / f"train_{number}.bin")
    np.asarray(built.valid).tofile(shards / "val.bin")
    (shards / "tokenizer.json").write_bytes((built.folder / "tokenizer.json").read_bytes())
    axes = Axes(sizes=("64x1",), streams=(1,), corpora=(f"tokens:{shards}",), tokens=tokens)
    (run,) = corpora.bind(find("ci")(axes), lambda line: None)
    return replace(run, eval_tokens=512), held


def reading(tokens: int, turns: int, folder: Path) -> Line:
    """CPU seconds of a run fed from memory over those of one fed from shards on disk."""
    run, held = fed_from_shards(tokens, folder)
    on_disk = corpora.open_for

    def in_memory(*given: Any) -> Any:
        corpus = on_disk(*given)
        return replace(corpus, train=np.asarray(corpus.train[:]), valid=np.asarray(corpus.valid[:]))

    spent: dict[str, list[float]] = {"disk": [], "memory": []}
    losses = set()
    for turn in range(turns + 1):
        for name, opened in (("disk", on_disk), ("memory", in_memory)):
            corpora.open_for = opened
            start = time.process_time()
            row = train.train(
                run, folder / f"{name}-{turn}", execution=Execution(accelerator="cpu", threads=1)
            )
            spent[name].append(time.process_time() - start)
            losses.add(row["loss"])
    corpora.open_for = on_disk
    assert len(losses) == 1  # the same run either way
    pairs = [memory / disk for disk, memory in zip(spent["disk"][1:], spent["memory"][1:], strict=True)]
    what = f"ci 64x1 P=1, {run.steps:,} steps of 512 tokens from seven shards of {held / 1e6:.0f} MB of text"
    least, middle = min(pairs), sorted(pairs)[len(pairs) // 2]
    return what, f"{middle:.1%} of the step rate from memory (lowest of {turns} turns {least:.1%})", ">= 95%"


@cache
def prose() -> list[str]:
    """The first 2,000 of the docstrings."""
    return list(islice(docstrings(), 2000))


def docstrings() -> Iterator[str]:
    """Prose: the longer docstrings of the library and the packages, a paragraph a line."""
    for text in sources():
        try:
            nodes = [
                node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.Module)
            ]
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in nodes:
            told = ast.get_docstring(node) or ""
            if len(told) > 800 and ">>>" not in told:
                yield "\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", told))


def chinese(count: int) -> Iterator[str]:
    """Made from seed 0: characters of GB2312's first level and marks, 2,000 in each text, no line break."""
    generator = random.Random(0)
    common = [bytes([0xB0 + i // 94, 0xA1 + i % 94]).decode("gb2312") for i in range(3755 - 5)]
    for _ in range(count):
        yield (
            "".join(generator.choice(common) if generator.random() < 0.92 else "，" for _ in range(2000))
            + "。"
        )


def small(count: int) -> Iterator[str]:
    """Sentences of the docstrings, numbered."""
    numbers = iter(range(count))
    while True:
        for text in prose():
            for sentence in re.split(r"(?<=\.)\s", text):
                number = next(numbers, None)
                if number is None:
                    return
                yield f"{number}. {sentence}"


def _first_characters(texts: Iterator[str], count: int) -> str:
    """The first ASCII texts, as one of so many characters."""
    found, held = [], 0
    while held < count:
        text = next(text for text in texts if text.isascii())
        found.append(text)
        held += len(text) + 1
    return "\n".join(found)[:count]


def kinds(share: float, folder: Path) -> Line:
    """What is dropped of five kinds of text. The table goes into the guide."""
    huge = _first_characters(sources(), round(95_000_000 * share))
    given = {
        "prose, a paragraph a line": islice(prose(), round(2000 * share)),
        "code": islice(sources(), round(1500 * share)),
        "Chinese without line breaks (made)": chinese(round(3000 * share)),
        f"one document of {len(huge) / 1e6:.0f} MB among 300": iter([huge, *prose()[:300]]),
        "small ones, a sentence each": small(round(100_000 * share)),
    }
    del huge
    columns = "documents | kept | empty | duplicates | near-duplicates | generated | MB/s of two cores | MB of memory"
    lines = [f"| text | {columns} |", "|---" * 9 + "|"]
    most = 0.0
    for number, (kind, texts) in enumerate(given.items()):
        (work := folder / str(number)).mkdir()
        suffix = "py.jsonl" if kind == "code" else "jsonl"
        held = write_rows(work / f"d.{suffix}", texts, 10**12)
        manifest, _, cpu, memory = build(f"files:{work}/d.{suffix}", work)
        kept = sum(manifest[part]["documents"] for part in ("train", "valid"))
        dropped = [
            manifest["dropped"].get(why, 0) for why in ("empty", "duplicate", "near_duplicate", "generated")
        ]
        cells = [kept + sum(dropped), kept, *dropped]
        rate = f"{held / 1e6 / (cpu / 2):.1f}"
        lines.append(f"| {kind} | {' | '.join(f'{n:,}' for n in cells)} | {rate} | {memory:,.0f} |")
        most = max(most, memory)
    if share == 1:
        write_between(GUIDE, MARKS, "\n".join(lines))
    print("\n".join(lines))
    return "five kinds of text, in docs/guides/own-corpus.md", f"at most {most:,.0f} MB", "< 2,000 MB"


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(
        description=inspect.getdoc(sys.modules[__name__]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--part", nargs="*", default=list(PARTS), choices=PARTS, help="default all")
    parser.add_argument("--tiny", action="store_true", help="try everything, write nothing")
    args = parser.parse_args()
    few = args.tiny
    works: dict[str, Callable[[Path], Line]] = {
        "building": lambda folder: building(2_000_000 if few else 100_000_000, folder),
        "opening": lambda folder: opening(10**7 if few else 10**10, folder),
        "reading": lambda folder: reading(*((20_000, 1) if few else (400_000, 5)), folder),
        "kinds": lambda folder: kinds(0.1 if few else 1.0, folder),
    }
    known = PAGE.read_text().splitlines() if PAGE.exists() and not few else []
    rows = {
        line.split(" | ")[0][2:]: line for line in known if line.startswith(tuple(f"| {p} |" for p in PARTS))
    }
    for part in args.part:
        with tempfile.TemporaryDirectory() as folder:
            rows[part] = f"| {part} | {' | '.join(works[part](Path(folder)))} | {where()} |"
        write_page(rows, few)


def write_page(rows: dict[str, str], few: bool) -> None:
    """Print what was measured so far, now or before, and keep it."""
    head = "| part | what | measured | wanted | where |\n" + "| --- " * 5 + "|"
    lines = [rows[part] for part in PARTS if part in rows]
    text = "\n".join(("# Corpora: what they cost\n\n`python -m benchmarks.corpora`\n", head, *lines, ""))
    print(text)
    if not few:
        PAGE.write_text(text)


if __name__ == "__main__":
    main()
