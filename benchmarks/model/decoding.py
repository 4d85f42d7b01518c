"""Speed of decoding one sequence, against a loop without cache and the memory's bandwidth.

    python -m benchmarks.model.decoding [--P 1 8] [--precision bf16] [--seconds 6] [--device cuda]

Writes results/benchmarks/model_decoding.csv, or model_decoding_cuda.csv. Every measurement has a process of
its own.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace

import torch

from benchmarks.model.training import PRECISIONS
from benchmarks.timing import Row, best, in_own_process, save
from sweeps.config.model import ModelConfig
from sweeps.inspect.generate import generate
from sweeps.model.parscale import ParScaleLM

SHAPE = ModelConfig(vocab=8192, width=768, ffn=3072, layers=12, heads=12, kv_heads=2)  # 108M parameters


@torch.inference_mode()
def without_cache(model: ParScaleLM, ids: torch.Tensor, new: int) -> None:
    """The plain loop: everything again for every token."""
    for _ in range(new):
        ids = torch.cat((ids, model(ids)[:, -1:].argmax(dim=-1)), dim=1)


def measure(P: int, precision: str, seconds: float, device: str) -> Row:
    """One row: batch 1, 64 tokens in, 64 out, greedy. `precision` is that of weights and arithmetic."""
    model = ParScaleLM(replace(SHAPE, P=P)).to(device, PRECISIONS[precision]).eval()
    ids = torch.randint(model.config.vocab, (1, 64), device=device)
    cached = best(lambda: generate(model, ids.tolist(), 64), seconds, device=device)
    plain = best(lambda: without_cache(model, ids, 64), 0, 1, device)
    weights = model.head.new_empty(64 * 2**20)  # a copy reads and writes: the bandwidth there is
    copied = torch.empty_like(weights)
    bandwidth = 2 * weights.nbytes / best(lambda: copied.copy_(weights), 1, device=device)
    read = sum(p.nbytes for p in model.parameters())
    return {
        "shape": "100m",
        "P": P,
        "precision": precision,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": cached,
        "tokens_per_s": 64 / cached,
        "no_cache_tokens_per_s": 64 / plain,
        "bandwidth_bytes_per_s": bandwidth,
        "bandwidth_share": 64 * read / cached / bandwidth,
    }


def main() -> None:
    """Measure what is asked for and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--P", nargs="*", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--precision", nargs="*", default=list(PRECISIONS), choices=list(PRECISIONS))
    parser.add_argument("--seconds", type=float, default=6.0, help="of one measurement (default 6)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    device = options.device
    name = "model_decoding.csv" if device == "cpu" else f"model_decoding_{device}.csv"
    for P, precision in itertools.product(options.P, options.precision):
        save([in_own_process(measure, P, precision, options.seconds, device)], name, device)


if __name__ == "__main__":
    main()
