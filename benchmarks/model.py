"""Speed and memory of the model in training and in decoding, beside a straightforward implementation.

    python -m benchmarks.model [--shape w128] [--P 1 8] [--seconds 6] [--no-decoding]

Writes results/benchmarks/model_training.csv and model_decoding.csv. Every measurement is a process of
its own, so that peak memory is its own. The GEMM rate is that of the step's own matrix products, timed in
the same process. OMP_NUM_THREADS sets the threads; load_average says whether the machine was quiet.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import psutil
import torch

from scaling.accounting import forward_flops_per_token
from sweeps.compiling import compile_if_possible
from sweeps.config import ModelConfig
from sweeps.generate import generate
from sweeps.local import KEEP_FREED
from sweeps.model import ParScaleLM

from . import model_plain

OUT = Path("results/benchmarks")
SHAPES = {
    "w128": ModelConfig(vocab=4096, width=128, ffn=384, layers=6, heads=4, kv_heads=2),
    "w512": ModelConfig(vocab=4096, width=512, ffn=1408, layers=8, heads=8, kv_heads=2),
    "100m": ModelConfig(vocab=8192, width=768, ffn=3072, layers=12, heads=12, kv_heads=2),
}
BATCH, TOKENS = 8, 256
VARIANTS = ("plain", "eager", "eager+checkpointing", "compiled", "compiled+checkpointing")


def best(work: Callable[[], object], seconds: float, at_least: int = 3) -> float:
    """Shortest time of one call, over repetitions that last `seconds` together; the first is not counted."""
    work()
    times: list[float] = []
    while len(times) < at_least or sum(times) < seconds:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def gemm_rate(config: ModelConfig, seconds: float) -> float:
    """FLOP/s of bf16 products of the step's shapes: every matrix, forward and its two backward ones."""
    h, f, d, rows = config.width, config.ffn, config.shape.head_size, config.P * BATCH * TOKENS
    kv = config.kv_heads * d
    shapes = {(h, config.heads * d): 1, (h, kv): 2, (config.heads * d, h): 1, (h, f): 2, (f, h): 1}
    flops = total = 0.0
    for (inner, outer), count in shapes.items():
        x, w = torch.randn(rows, inner).bfloat16(), torch.randn(outer, inner).bfloat16()
        y = torch.randn(rows, outer).bfloat16()
        for a, b in ((x, w.T), (y, w), (y.T, x)):
            flops += count * 2 * rows * inner * outer
            total += count * best(lambda a=a, b=b: a @ b, seconds / 15)
    return flops / total


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def training_step(config: ModelConfig, variant: str, tokens: int = TOKENS) -> Callable[[], None]:
    """Forward and backward pass of one batch, no optimiser, bf16 autocast."""
    model = ParScaleLM(config).train()
    model.gradient_checkpointing = variant.endswith("checkpointing")
    if variant.startswith("compiled") and not compile_if_possible(model):
        raise SystemExit("no C++ compiler: nothing to measure compiled")
    ids, targets = torch.randint(config.vocab, (2, BATCH, tokens))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = (model_plain.loss if variant == "plain" else ParScaleLM.loss)(model, ids, targets)
        model.zero_grad()
        loss.backward()

    return step


def measure_training(shape: str, P: int, variant: str, seconds: float) -> dict[str, object]:
    """One row: speed, memory and share of the GEMM rate of a training step."""
    config = replace(SHAPES[shape], P=P)
    step = training_step(config, variant)
    before = psutil.Process().memory_info().rss
    elapsed = best(step, seconds)
    peak = peak_bytes() - before
    rate = gemm_rate(config, seconds)
    flops = 3 * forward_flops_per_token(config.shape, TOKENS) * BATCH * TOKENS
    return {
        "shape": shape,
        "P": P,
        "variant": variant,
        "tokens_per_s": BATCH * TOKENS / elapsed,
        "step_s": elapsed,
        "step_memory_bytes": peak,
        "flops_per_s": flops / elapsed,
        "gemm_flops_per_s": rate,
        "gemm_share": flops / elapsed / rate,
    }


@torch.inference_mode()
def without_cache(model: ParScaleLM, ids: torch.Tensor, new: int) -> None:
    """The plain loop: everything again for every token."""
    for _ in range(new):
        ids = torch.cat((ids, model(ids)[:, -1:].argmax(dim=-1)), dim=1)


def measure_decoding(shape: str, P: int, variant: str, seconds: float) -> dict[str, object]:
    """One row: batch 1, 64 tokens in, 64 out, greedy; `variant` names the weights' type."""
    dtype = getattr(torch, variant)
    model = ParScaleLM(replace(SHAPES[shape], P=P)).to(dtype).eval()
    ids = torch.randint(model.config.vocab, (1, 64))
    cached = best(lambda: generate(model, ids.tolist(), 64), seconds)
    plain = best(lambda: without_cache(model, ids, 64), 0, at_least=1)
    weights = model.head.new_empty(64 * 2**20)  # a copy reads and writes: the bandwidth there is
    copied = torch.empty_like(weights)
    bandwidth = 2 * weights.nbytes / best(lambda: copied.copy_(weights), 1)
    read = sum(p.nbytes for p in model.parameters())
    return {
        "shape": shape,
        "P": P,
        "variant": variant,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": cached,
        "tokens_per_s": 64 / cached,
        "no_cache_tokens_per_s": 64 / plain,
        "bandwidth_bytes_per_s": bandwidth,
        "bandwidth_share": 64 * read / cached / bandwidth,
    }


def in_own_process(kind: str, shape: str, P: int, variant: str, seconds: float) -> dict[str, object]:
    """Run one measurement in a fresh interpreter; its row is the last line that it prints."""
    call = [sys.executable, "-m", "benchmarks.model", "--one", kind, shape, str(P), variant, str(seconds)]
    allocator = {**os.environ, **KEEP_FREED}  # as a sweep's workers have it
    done = subprocess.run(call, capture_output=True, text=True, check=True, env=allocator)
    row = json.loads(done.stdout.splitlines()[-1])
    print(row, flush=True)
    return row


def stamp(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Machine, versions, date and load beside every row."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    about = {
        "machine": f"{cpu}, {psutil.cpu_count()} cores",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": date.today().isoformat(),
    }
    return pd.DataFrame(rows).assign(**about)


def save(row: dict[str, object], name: str) -> None:
    """Put a measured row into the table, in its predecessor's place: a study cut short keeps what it has."""
    OUT.mkdir(parents=True, exist_ok=True)
    path, table = OUT / name, stamp([row])
    if path.exists():
        keys = ["shape", "P", "variant"]
        table = pd.concat([pd.read_csv(path), table]).drop_duplicates(keys, keep="last").sort_values(keys)
    table.to_csv(path, index=False)


def main() -> None:
    """Measure what is asked for and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", nargs="*", default=["w128", "w512"], choices=list(SHAPES))
    parser.add_argument("--P", nargs="*", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--variant", nargs="*", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--no-decoding", action="store_true")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        kind, shape, P, variant, seconds = options.one
        measure = measure_training if kind == "training" else measure_decoding
        row = measure(shape, int(P), variant, float(seconds))
        print(json.dumps(row | {"threads": torch.get_num_threads(), "load_average": psutil.getloadavg()[0]}))
        return
    for cell in itertools.product(options.shape, options.P, options.variant):
        save(in_own_process("training", *cell, options.seconds), "model_training.csv")
    for P, dtype in () if options.no_decoding else itertools.product(options.P, ("bfloat16", "float32")):
        save(in_own_process("decoding", "100m", P, dtype, options.seconds), "model_decoding.csv")


if __name__ == "__main__":
    main()
