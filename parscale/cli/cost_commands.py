"""What `parscale cost` and `parscale advise` do with their parsed arguments; each returns the exit code."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pandas as pd

import scaling
from analysis import figures
from analysis.costs import advise as advice
from analysis.costs.hardware import read_hardware
from analysis.costs.shapes import FamilyShape, shape_of
from analysis.costs.training_cost import training_cost
from analysis.inference_cost import GIB, estimate
from analysis.output import figure_style
from analysis.paper.published_numbers import FOLDER, STACK, read_published
from analysis.sweep.verdict import show, terminal
from scaling.data.units import count_text, parse_bytes, parse_seconds, parse_size
from scaling.fitting import save
from scaling.uncertainty.base import check_level


def amount(text: str, option: str) -> float:
    """A number from 2.8e9 or "2.8B"; ValueError names the option."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def counts(text: str, option: str) -> list[int]:
    """Whole numbers >= 1 from "1,2,4"; ValueError names the option."""
    values = [amount(part, option) for part in text.split(",")]
    bad = next((v for v in values if not (v >= 1 and v % 1 == 0)), None)  # inf % 1 is nan
    if bad is not None:
        raise ValueError(f"{option} {text}: {bad:g} is no whole number of at least 1")
    return [int(v) for v in values]


def cost(args: Any) -> int:
    """Memory and latency of inference; with --train D also what training costs."""
    axes = itertools.product(args.N.split(","), counts(args.P, "--P"), counts(args.batch, "--batch"))
    published = read_published(FOLDER).architectures if Path(FOLDER).is_dir() else None
    shapes = {N: shape_of(amount(N, "--N"), published) for N in args.N.split(",")}
    hardware = read_hardware(args.gpu)
    frame = pd.DataFrame([{"N": N} | _cost_of(args, shapes[N], P, batch, hardware) for N, P, batch in axes])
    if args.json:
        print(save.dumps(frame.to_dict("records")))
        return 0
    show(frame, f"{args.input_tokens} tokens in, {args.output_tokens} out, {args.dtype}, {args.gpu}", keys=3)
    return 0


def _cost_of(args: Any, shape: FamilyShape, P: int, batch: int, hardware: Any) -> dict[str, Any]:
    tokens = {"input_tokens": args.input_tokens, "output_tokens": args.output_tokens}
    found = estimate(
        width=shape.width, ffn=shape.ffn, P=P, batch=batch, hardware=hardware, dtype=args.dtype, **tokens
    )
    memory, latency = float(found.memory_bytes) / GIB, float(found.latency_s)
    row = {"P": P, "batch": batch, "memory GiB": memory, "latency s": latency}
    return row | _training(args, shape, P, batch, hardware) if args.train else row


def _training(args: Any, shape: FamilyShape, P: int, batch: int, hardware: Any) -> dict[str, float]:
    out: dict[str, float] = {}
    how = {"D": amount(args.train, "--train"), "batch": batch, "hardware": hardware, "dtype": args.dtype}
    for checkpointing, name in ((False, "train"), (True, "recomputing")):
        found = training_cost(shape.accounting(P), checkpointing=checkpointing, **how)
        out |= {f"{name} FLOPs": found.flops, f"{name} GiB": found.memory_bytes / GIB}
        out |= {f"{name} device h": found.seconds / 3600}
    return out


def advise(args: Any) -> int:
    """The cheapest (N, P) that meets the limits under a fitted law and the cost model; 1 where none does."""
    batch, *more = counts(args.batch, "--batch")
    if more:
        raise ValueError(f"--batch {args.batch}: advise takes one batch size")
    D = amount(args.tokens, "--tokens") if args.tokens else None
    hardware = read_hardware(args.gpu)
    work = advice.Workload(batch, args.input_tokens, args.output_tokens, hardware, args.dtype, D)
    check_level(args.level, "--level ")
    limits: dict[str, Any] = {
        "memory_bytes": parse_bytes(args.memory) if args.memory else None,
        "latency_s": parse_seconds(args.latency) if args.latency else None,
        "training_flops": amount(args.flops, "--flops") if args.flops else None,
    }
    fit = scaling.Fit.load(args.fit) if args.fit else _published_fit()
    found = advice.advise(fit, loss=args.loss, **limits, workload=work, level=args.level)
    if args.json:
        answer = {"chosen": found.chosen, "reason": found.reason, "why": found.why}
        print(save.dumps(answer | {"options": found.options.to_dict("records")}))
        return int(found.chosen is None)
    table = found.options.assign(memory_gib=found.options["memory_bytes"] / GIB).drop(columns="memory_bytes")
    table["broken"] = table["broken"].map(_in_gib)
    show(table.dropna(axis="columns", how="all"), f"options under {fit.form.__name__} ({fit.status})")
    terminal().print(_answer(found), highlight=False)
    figure = figures.frontier(advice.frontier(fit, found, work), budget=found.limits)
    target = Path(args.out) if args.out else _figures_of(args.fit)
    for path in figure_style.save(
        figure, target / "frontier", command="parscale advise", data=args.fit or str(FOLDER)
    ):
        print(path)
    return int(found.chosen is None)


def _figures_of(fit: str | None) -> Path:
    """Where figures about a fit go: figures/ beside the folder fits/ it lies in, else beside the file."""
    if fit is None:
        return Path("results/figures")
    folder = Path(fit).parent
    return folder.parent / "figures" if folder.name == "fits" else folder


def _in_gib(words: str) -> str:
    """Words with the memory's column called as the table shown calls it."""
    return words.replace("memory_bytes", "memory_gib")


def _answer(found: advice.Advice) -> str:
    best = found.chosen
    if best is None:
        return _in_gib(found.reason)
    outside = "" if best["inside"] else "; outside the runs, so the interval takes the law's form for granted"
    what = f"take N = {count_text(best['N'])}, P = {best['P']:.0f}"
    interval = f"{best['loss']:.4f} ({best['loss_lower']:.4f} to {best['loss_upper']:.4f})"
    cost = f"{best['latency_s']:.3g} s, {best['memory_bytes'] / GIB:.3g} GiB"
    return f"{what}: loss {interval}, {cost}{outside}\n{found.why}"


def _published_fit() -> scaling.Fit:
    losses = read_published(FOLDER).losses
    return scaling.fit(scaling.ParallelLaw, losses[losses["corpus"] == STACK])
