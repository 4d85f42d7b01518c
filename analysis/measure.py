"""Measured cost of generating with our own model, and the cost model calibrated to the same machine.

The one module of `analysis` that imports `sweeps`: it times real models.

    python -m analysis.measure --width 512 --layers 8     # into results/measured; --help says what else
    table = measure.measure(measure.grid(width=512, layers=8), input_tokens=64, output_tokens=16)
    measure.write(table, Path("results/measured"))          # table (CSV, Markdown, LaTeX) and figure

Predicted latency is the roofline at the rates a matmul and a copy reach here, plus the time that
dispatching the operations takes, read off the same model made too narrow to compute anything.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from analysis import figures
from analysis.costs import machine
from analysis.costs.hardware import DTYPE_BYTES, Hardware
from analysis.inference_cost import estimate
from analysis.output import figure_style, formatted_tables
from scaling import terminal_text
from scaling.data.units import parse_counts
from sweeps.config.model import ModelConfig
from sweeps.inspect.generate import Cached
from sweeps.model.parscale import ParScaleLM
from sweeps.training.peak_memory import memory_in_use_bytes, peak_memory_bytes, reset_peak_memory

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
NARROW = 16  # width of the model whose time is all dispatch
REPEATS = 5


def grid(
    *, width: int = 512, ffn: int | None = None, layers: int = 8, heads: int = 8, kv_heads: int = 2,
    vocab: int = 8192, streams: Sequence[int] = (1, 2, 4),
) -> list[ModelConfig]:  # fmt: skip
    """One shape at several P.

    Args:
        width: width of the model.
        ffn: width of the MLP. By default 5.4 times the width, as in the paper's family.
        layers: number of layers.
        heads: attention heads.
        kv_heads: key and value heads.
        vocab: entries of the vocabulary.
        streams: values of P.

    Returns:
        One configuration per P.
    """
    inner = ffn or round(5.4 * width / 8) * 8
    base = ModelConfig(vocab=vocab, width=width, ffn=inner, layers=layers, heads=heads, kv_heads=kv_heads)
    return [replace(base, P=P) for P in streams]


def _wait(device: torch.device) -> None:
    """Let the device finish what was queued."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_s(work: Callable[[], object], device: torch.device, repeats: int = REPEATS) -> float:
    """Median wall time of some work on a device, after one call that warms up.

    Args:
        work: a function without arguments.
        device: which is waited for.
        repeats: calls that are timed.

    Returns:
        The median in seconds.
    """
    work()
    times = []
    for _ in range(repeats):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def calibrate(device: str = "cpu", dtype: str = "fp32") -> Hardware:
    """Measure this machine as the cost model sees it: the rates of a large matrix product and of reading weights.

    Args:
        device: of torch, such as cpu or cuda.
        dtype: fp32, bf16 or fp16.

    Returns:
        The machine, with measured FLOP/s and bytes per second and efficiencies of 1.
    """
    where, kind = torch.device(device), _DTYPES[dtype]
    n = 8192 if where.type == "cuda" else 1536
    square = torch.randn(n, n, device=where).to(kind)
    flops = 2 * n**3 / median_s(lambda: square @ square, where)
    # Generating one token is a matrix times a vector: all reading. Far larger than any cache.
    rows = (2**30 if where.type == "cuda" else 2**27) // DTYPE_BYTES[dtype] // 4096
    weights, vector = torch.randn(rows, 4096, device=where).to(kind), torch.randn(4096, device=where).to(kind)
    bandwidth = weights.numel() * DTYPE_BYTES[dtype] / median_s(lambda: weights @ vector, where)
    return Hardware(
        machine.device_name(where),
        {dtype: flops},
        bandwidth,
        float(machine.memory_capacity_bytes(where)),
        1.0,
        1.0,
    )


def _memory_before(device: torch.device) -> float:
    """Bytes held once earlier models are given back, from where the peak is counted; nan if not known."""
    gc.collect()
    if device.type != "cuda" and platform.system() == "Linux":
        ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps would hide growth
    reset_peak_memory(device)
    return memory_in_use_bytes(device)


def _generate(model: ParScaleLM, ids: torch.Tensor, output_tokens: int) -> None:
    """Read the prompts, then one token at a time; greedy."""
    decoder = Cached(model)
    tokens = decoder.prefill(ids, None, ids.shape[1] + output_tokens).argmax(-1)
    for _ in range(output_tokens):
        tokens = decoder.step(tokens).argmax(-1)


def _build(config: ModelConfig, device: torch.device, kind: torch.dtype) -> ParScaleLM:
    """The model in the dtype it is timed in, never held twice, its weights drawn where it is."""
    with torch.device("meta"):
        model = ParScaleLM(config).to(kind)
    model = model.to_empty(device=device).eval()
    for parameter in model.parameters():
        parameter.normal_(0, config.init_std)
    return model


@torch.inference_mode()
def one(
    config: ModelConfig, batch: int, input_tokens: int, output_tokens: int, device: str, dtype: str,
    repeats: int = REPEATS,
) -> tuple[float, float]:  # fmt: skip
    """Measure the generation of one batch.

    Args:
        config: of the model. Its weights are random.
        batch: sequences at once.
        input_tokens: tokens of each prompt.
        output_tokens: tokens generated.
        device: of torch, such as cpu or cuda.
        dtype: fp32, bf16 or fp16.
        repeats: calls that are timed.

    Returns:
        Latency in seconds and peak memory in bytes.
    """
    where = torch.device(device)
    before = _memory_before(where)
    model = _build(config, where, _DTYPES[dtype])
    # As long as the model reads and writes: its capacity holds the token after the last as well.
    ids = torch.randint(config.vocab, (batch, input_tokens), device=where)
    latency = median_s(lambda: _generate(model, ids, output_tokens), where, repeats)
    return latency, peak_memory_bytes(where) - before


def measure(
    configs: Sequence[ModelConfig],
    *,
    batches: Sequence[int] = (1, 2, 4),
    input_tokens: int = 64,
    output_tokens: int = 16,
    device: str = "cpu",
    dtype: str = "fp32",
    hardware: Hardware | None = None,
    repeats: int = REPEATS,
) -> pd.DataFrame:
    """Time every configuration at every batch size, next to the cost model's prediction for this machine.

    Args:
        configs: of the models.
        batches: batch sizes, in sequences.
        input_tokens: tokens of each prompt.
        output_tokens: tokens generated.
        device: of torch, such as cpu or cuda.
        dtype: fp32, bf16 or fp16.
        hardware: rates for the prediction. By default they are measured first (`calibrate`).
        repeats: calls that are timed.

    Returns:
        A table of width, layers, P, batch, input_tokens, output_tokens, latency_s, memory_bytes, roofline_s, overhead_s,
        predicted_latency_s (their sum), predicted_memory_bytes, latency_error and memory_error (predicted over measured,
        minus 1). `attrs["hardware"]` names the machine.

    Raises:
        ValueError: for a dtype that cannot be measured.
    """
    if dtype not in _DTYPES:
        raise ValueError(f"dtype={dtype!r} cannot be measured; use one of {', '.join(_DTYPES)}")
    known = hardware or calibrate(device, dtype)
    lengths = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    rows = []
    for config in configs:
        narrow = replace(config, width=NARROW, ffn=NARROW, heads=1, kv_heads=1, vocab=NARROW)
        shape = {k: getattr(config, k) for k in ("width", "ffn", "layers", "heads", "kv_heads", "vocab", "P")}
        for batch in batches:
            latency, memory = one(config, batch, device=device, dtype=dtype, repeats=repeats, **lengths)
            overhead, _ = one(narrow, 1, device=device, dtype=dtype, repeats=repeats, **lengths)
            cost = estimate(**shape, batch=batch, hardware=known, dtype=dtype, **lengths)
            row: dict[str, float] = {
                "width": config.width,
                "layers": config.layers,
                "P": config.P,
                "batch": batch,
                **lengths,
            }
            row |= {"latency_s": latency, "memory_bytes": memory, "roofline_s": float(cost.latency_s)}
            row |= {"overhead_s": overhead, "predicted_memory_bytes": float(cost.memory_bytes)}
            rows.append(row)
    table = pd.DataFrame(rows)
    table["predicted_latency_s"] = table["roofline_s"] + table["overhead_s"]
    table["latency_error"] = table["predicted_latency_s"] / table["latency_s"] - 1
    table["memory_error"] = np.where(
        table["memory_bytes"] > 0, table["predicted_memory_bytes"] / table["memory_bytes"] - 1, np.nan
    )
    table.attrs["hardware"] = known.name
    return table


def write_measured(table: pd.DataFrame, out: Path, *, command: str = "analysis.measure") -> list[Path]:
    """Write the table and its figure.

    Args:
        table: of `measure`.
        out: the folder.
        command: named in the files.

    Returns:
        The paths of the files.
    """
    where = str(table.attrs["hardware"])
    signed = {"latency_error": "+.0%", "memory_error": "+.0%"}
    signed |= {"memory_bytes": ",.0f", "predicted_memory_bytes": ",.0f"}
    signed |= dict.fromkeys(("latency_s", "roofline_s", "overhead_s", "predicted_latency_s"), ".3g")
    caption = f"Measured and predicted cost of generation on {where}"
    made = {"command": command, "data": f"timings on {where}"}
    files = formatted_tables.write_tables(table, out / "cost", caption=caption, formats=signed, **made)
    return files + figure_style.save_figure(figures.measured(table, hardware=where), out / "cost", **made)


OPTIONS: dict[str, int | str] = {
    "width": 512, "layers": 8, "heads": 8, "vocab": 8192, "P": "1,2,4", "batch": "1,2,4", "input-tokens": 64,
    "output-tokens": 16, "device": "cpu", "dtype": "fp32", "repeats": REPEATS, "out": "results/measured",
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Measure on this machine, write table and figure, print the errors.

    Args:
        argv: command line. By default that of the process.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser("python -m analysis.measure", description=(__doc__ or "").split("\n")[0])
    for name, default in OPTIONS.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"default {default}")
    args = parser.parse_args(argv)
    shape = {name: getattr(args, name) for name in ("width", "layers", "heads", "vocab")}
    how = {n: getattr(args, n) for n in ("input_tokens", "output_tokens", "device", "dtype", "repeats")}
    try:
        configs = grid(**shape, streams=parse_counts(args.P, "--P"))
        table = measure(configs, batches=parse_counts(args.batch, "--batch"), **how)
    except ValueError as error:
        parser.error(str(error))
    words = ["python -m analysis.measure", *(sys.argv[1:] if argv is None else argv)]
    files = write_measured(table, Path(args.out), command=" ".join(words))
    shown = table[["P", "batch", "latency_s", "predicted_latency_s", "latency_error", "memory_error"]]
    print(terminal_text.table(shown, terminal_text.width(), 2, index=False, float_format="{:.5g}".format))
    print(*files, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
