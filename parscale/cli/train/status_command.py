"""The state of a sweep, from its folder, while it runs or after."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parscale.cli.options import argument, switch
from parscale.cli.table_options import FormatOptions

if TYPE_CHECKING:
    import pandas as pd

    from sweeps.config.run import RunConfig

SHORT = {"bits_per_byte": "bits/byte", "answer_loss": "answers", "exact_match": "right"}
EXAMPLES = ("status demo", "status demo --domains")


@dataclass(frozen=True, kw_only=True)
class Options(FormatOptions):
    """Options of `parscale status`."""

    sweep: str = argument("a sweep folder, or a grid's name under results/sweeps", metavar="SWEEP")
    domains: bool = switch("the validation loss of finished runs by domain")


def run(options: Options) -> str | int:
    """Print the state of every run, or the losses by domain."""
    from parscale.cli.output import as_json, show
    from sweeps.store.status import sweep_folder

    folder = sweep_folder(options.sweep)
    frame = domains(folder) if options.domains else states(folder)
    if options.form == "json":
        return as_json(frame.to_dict("records"))
    if frame.empty:
        raise ValueError(f"{folder} has no runs yet. `parscale sweep` plans and trains them")
    if options.domains:
        title = f"{folder}: validation loss by domain"
        show(_shown(frame, ["domain"], ["tokens"]), title, keys=3, form=options.form)
        return 0
    show(_state_table(frame), str(folder), keys=3, form=options.form)
    if options.form != "text":
        return 0
    for line in [*_reasons(frame), *_shares_of_mixtures(frame), *_finals(folder, frame)]:
        print(line)
    counts = frame["state"].value_counts()
    print(f"{len(frame)} runs: {', '.join(f'{count} {state}' for state, count in counts.items())}")
    return 0


def _finals(folder: Path, frame: pd.DataFrame) -> list[str]:
    """What runs in training will end at, where their curves tell."""
    from parscale.cli.train.final_losses import final_losses, forecast_lines

    found = final_losses(folder, frame)
    return (
        []
        if found is None
        else ["", "forecast of runs in training (95% intervals)", *forecast_lines(found, frame)]
    )


def _reasons(frame: pd.DataFrame) -> Iterator[str]:
    """Why runs failed, diverged or were ended by their forecast. Of others that lost a search the table has the step."""
    lost = (frame["state"] == "stopped") & ~frame["error"].str.contains("forecast")
    told = frame[(frame["error"] != "") & ~lost]
    for run in told.to_dict("records"):
        at = "".join(f" {name} {run[name]:g}" if isinstance(run[name], float) else f" {name} {run[name]}"
                     for name in frame.attrs.get("searched", ()))  # fmt: skip
        yield f"{run['size']} P={run['P']} seed {run['seed']}{at}: {run['error']}"


def states(folder: Path) -> pd.DataFrame:
    """The state of a sweep's runs, with their tokenizer, the bits per byte of finished ones, and the share of each
    corpus of a mixture in what a run has read: {corpus: share}.
    """
    import pandas as pd

    from sweeps.store.status import sweep_status
    from sweeps.store.store import Store

    store, frame = Store(folder), sweep_status(folder)
    table = store.table()
    known = "bits_per_byte" in table  # not in tables of old
    bits: dict[str, float] = dict(zip(table["run_id"], table["bits_per_byte"], strict=True)) if known else {}
    configs, run_ids = store.configs(), list(frame.get("run_id", ()))
    steps = zip(run_ids, frame.get("step", ()), strict=True)
    return frame.assign(
        tokenizer=[configs[run_id].tokenizer for run_id in run_ids],
        vocab=[configs[run_id].model.vocab for run_id in run_ids],
        bits_per_byte=[bits.get(run_id, math.nan) for run_id in run_ids],
        mixture=pd.Series([_read(configs[run_id], step) for run_id, step in steps], frame.index, object),
    )


def _read(run: RunConfig, step: int) -> dict[str, float]:
    """The share of each corpus of a mixture in what a run has read at a step of its last stage."""
    from sweeps.corpora import mixture

    if not run.corpus.startswith(mixture.PREFIX):
        return {}
    return mixture.shares_read(run.corpus, (run.start_step + step) * run.batch if step else 0)


def _shares_of_mixtures(frame: pd.DataFrame) -> Iterator[str]:
    """What runs have read of each corpus of a mixture: the least and the most of them."""
    for name, runs in frame[frame["mixture"].map(bool)].groupby("corpus"):
        shares = [f"{_range([run[of] for run in runs['mixture']])} {of}" for of in runs["mixture"].iloc[0]]
        yield f"{name}: read so far {', '.join(shares)}"


def _range(shares: list[float]) -> str:
    least, most = f"{min(shares):.2%}", f"{max(shares):.2%}"
    return least if least == most else f"{least} to {most}"


def domains(folder: Path) -> pd.DataFrame:
    """Validation loss of each finished run, domain by domain, small models first."""
    import pandas as pd

    from sweeps.config.searched_fields import searched_fields, value_of
    from sweeps.store.checksums import read_parquet
    from sweeps.store.store import Store

    path = folder / "domains.parquet"
    if not path.exists():
        raise ValueError(f"{folder} has no losses by domain yet: they are gathered when the sweep ends")
    configs = Store(folder).configs()
    searched = searched_fields(configs.values())
    facts = [
        {"run_id": run_id, "N": run.model.N, "P": run.model.P, "vocab": run.model.vocab}
        | {name: getattr(run, name) for name in ("corpus", "tokenizer", "recipe", "size", "seed")}
        | {name: value_of(run, name) for name in searched}
        for run_id, run in configs.items()
    ]
    found = read_parquet(path).merge(pd.DataFrame(facts), on="run_id")
    found = found.sort_values(["corpus", "domain", "N", "P", *searched, "seed"], ignore_index=True)
    found.attrs["searched"] = searched
    return found


def _state_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of a sweep's state that fit a terminal of 80 columns."""
    from sweeps.driver.progress import clock

    shown = frame.assign(step=frame["step"].astype(str) + "/" + frame["steps"].astype(str))
    shown["left"] = [clock(eta) if eta is not None and eta == eta else "" for eta in frame["eta_s"]]
    if len(frame[["corpus", "tokenizer", "vocab"]].drop_duplicates()) == 1:  # nats per token compare
        del shown["bits_per_byte"]
    going = ["tokens_per_s", "left"] if (frame["state"] == "running").any() else []
    return _shown(shown, [], ["state", "step"], going or ["run_id"])  # the folder under checkpoints/


def _shown(frame: pd.DataFrame, first: list[str], then: list[str], last: Sequence[str] = ()) -> pd.DataFrame:
    """Columns of a table of runs: what names a run, `then`, its losses to four decimals, `last`."""
    losses = [name for name in ("loss", "bits_per_byte", "answer_loss", "exact_match") if name in frame]
    written = {name: [f"{x:.4f}" if x is not None and x == x else "" for x in frame[name]] for name in losses}
    names = ("corpus", "tokenizer", "vocab", "recipe")
    varied = [name for name in names if len(frame[name].unique()) > 1]
    searched = frame.attrs.get("searched", ())
    written |= {
        name: [x if isinstance(x, str) else f"{x:g}" for x in frame[name]]
        for name in searched
        if frame[name].dtype == float
    }
    columns = [*varied, *first, "size", "P", *searched, "seed", *then, *losses, *last]
    return frame.assign(**written)[columns].rename(columns=SHORT)
