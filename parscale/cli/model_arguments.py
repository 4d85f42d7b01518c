"""The options of the commands that take a trained model; read by parscale.py, so nothing is imported here."""

from __future__ import annotations

from argparse import ArgumentParser


def streams(p: ArgumentParser) -> None:
    """What averaging the streams of a sweep's runs gives: Proposition 1's test, for figures and report."""
    p.add_argument("sweep", metavar="SWEEP", help="a sweep folder whose checkpoints/ are kept")
    p.add_argument("--tokens", default="50k", help="held-out tokens read with each run (default 50k)")


def context(p: ArgumentParser) -> None:
    """Held-out loss of a sweep's runs by what could be copied: repeated pairs, seen and new tokens."""
    p.add_argument("sweep", metavar="SWEEP", help="a sweep folder whose checkpoints/ are kept")
    p.add_argument("--tokens", default="200k", help="held-out tokens read with each run (default 200k)")


def generate(p: ArgumentParser) -> None:
    """Continue a prompt with a checkpoint, the text appearing as it is made."""
    p.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="folder with config.json, weights, tokenizer.json"
    )
    p.add_argument("--prompt", required=True, help="text to continue")
    p.add_argument(
        "--streams", type=int, metavar="P", help="streams (default the checkpoint's; 1 its backbone)"
    )
    p.add_argument("--max-tokens", type=int, default=64, help="new tokens at most (default 64)")
    p.add_argument("--temperature", type=float, default=0.0, help="0 (default) takes the likeliest token")
    p.add_argument("--top-k", type=int, default=0, help="sample from the k likeliest (default all)")
    p.add_argument(
        "--top-p", type=float, default=1.0, help="sample from the likeliest of this mass (default 1)"
    )
    p.add_argument("--seed", type=int, default=0, help="of the sampling (default 0)")
    p.add_argument("--stop", action="append", metavar="TOKEN", help="end at this token; may be repeated")
    p.add_argument("--guidance", type=float, metavar="W", help="classifier-free guidance of weight W")
    dtype(p)


def import_(p: ArgumentParser) -> None:
    """Check and describe an official checkpoint; with --out write it as one of ours."""
    p.add_argument("checkpoint", metavar="DIR", help="config.json and safetensors, Qwen2, Qwen3 or ParScale")
    p.add_argument("--streams", type=int, metavar="P", help="grow a checkpoint of P = 1 to P streams")
    p.add_argument(
        "--prefix-tokens", type=int, metavar="K", help="of grown streams (default: as config.json says)"
    )
    p.add_argument("--out", metavar="DIR", help="folder to write to (default: only check)")
    dtype(p)


def export(p: ArgumentParser) -> None:
    """Write a run's model in the released checkpoint format."""
    p.add_argument("checkpoint", metavar="RUN", help="a run's folder in a sweep, or any checkpoint")
    p.add_argument("--out", metavar="DIR", required=True, help="folder to write to")
    dtype(p)


def dtype(p: ArgumentParser) -> None:
    """The type of the weights."""
    p.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the weights (default their own)")
