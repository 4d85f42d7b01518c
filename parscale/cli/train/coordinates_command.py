"""The coordinate check of a width transfer: do activations move equally at every width, with muP and without."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parscale.cli.option_values import count
from parscale.cli.options import option
from parscale.cli.train.sweep_options import GridOptions

EXAMPLES = ("coordinates ci --sizes 32x2,64x2,128x2,256x2 --mup-base 32 --out results/coordinates",)


@dataclass(frozen=True, kw_only=True)
class Options(GridOptions):
    """Options of `parscale coordinates`."""

    steps: str | None = option(None, "training steps, on one batch of random tokens (default 4)", metavar="N")
    out: str | None = option(None, "folder (default results/coordinates)", metavar="PATH")


def run(options: Options) -> int:
    """Train a few steps at every width, print how changes grow with the width, draw them."""
    import torch

    from analysis import figures
    from analysis.output.figure_style import save_figure
    from parscale.cli.output import show
    from sweeps.grids import grids
    from sweeps.inspect import coordinate_check

    if options.mup_base is None:
        raise ValueError("--mup-base WIDTH: say of which width learning rates and initialisation are")
    runs = grids.find(options.grid)(options.axes())
    first = {run.model.P: run for run in runs}  # one P at a time is clearer than several in one figure
    if len(first) > 1:
        runs = [run for run in runs if min(first) == run.model.P]
    by_width = {run.model.width: run for run in runs}
    torch.set_num_threads(1)  # steps of small models
    table = coordinate_check.coordinate_table(list(by_width.values()), count(options.steps, "--steps") or 4)
    folder = Path(options.out or "results/coordinates")
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "coordinates.csv", index=False, float_format="%.6g")
    grown = coordinate_check.growth(table).pivot_table("exponent", "activation", "kind", sort=False).round(3)
    title = "exponent of the change with the width, 0 where a width transfers"
    show(grown.reset_index().rename_axis(columns=None).astype(str), title, keys=1)
    given = ("sizes", "streams", "mup_base", "steps", "out")
    asked = [f"--{name.replace('_', '-')} {value}" for name in given if (value := getattr(options, name))]
    words = " ".join(["parscale coordinates", options.grid, *asked])
    data = str(folder / "coordinates.csv")
    files = save_figure(figures.activation_growth(table), folder / "coordinates", command=words, data=data)
    print(*files, sep="\n")
    return 0
