"""Write a run's model in the released checkpoint format."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.options import argument, required
from parscale.cli.train.checkpoints import WeightOptions, write_export

EXAMPLES = ("export results/sweeps/demo/checkpoints/RUN --out base",)


@dataclass(frozen=True, kw_only=True)
class Options(WeightOptions):
    """Options of `parscale export`."""

    checkpoint: str = argument("a run's folder in a sweep, or any checkpoint", metavar="RUN")
    out: str = required("folder to write to", metavar="DIR")


def run(options: Options) -> int:
    """Write a run's model in the released format."""
    from sweeps.checkpoint import released_format

    model = released_format.load_checkpoint(options.checkpoint, dtype=options.torch_dtype)
    return write_export(model, options.checkpoint, options.out)
