"""What averaging the streams of a sweep's runs gains: the test of Proposition 1, for figures and report."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.option_values import tokens
from parscale.cli.options import argument, option

EXAMPLES = ("streams results/sweeps/demo --tokens 50k",)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `parscale streams`."""

    sweep: str = argument("a sweep folder whose checkpoints/ are kept", metavar="SWEEP")
    tokens: str = option("50k", "validation tokens read with each run (default 50k)")


def run(options: Options) -> int:
    """Read validation text with every finished run of P > 1, write the table and print its last rows."""
    from parscale.cli.output import show
    from sweeps.inspect import stream_ensembles
    from sweeps.store.status import sweep_folder

    folder, read = sweep_folder(options.sweep), tokens(options.tokens, example="50k")
    found = stream_ensembles.measure_ensembles(folder, read or 0)
    whole = found[found["m"] == found["P"]]
    names = ["size", "P", "gain", "gain_se", "line", "entropy", "similarity"]
    frozen = [c for c in ("backbone", "own", "over_backbone", "over_backbone_se") if "backbone" in whole]
    words = "gain: nats per token below one stream alone. line: by Proposition 1, fitted to every m"
    more = ". over_backbone: own below backbone, the frozen one at P = 1" if frozen else ""
    show(whole[names + frozen], "averaging all P streams of a run", words + more, keys=2)
    print(f"written {folder / stream_ensembles.TABLE}")
    return 0
