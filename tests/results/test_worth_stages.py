"""The stages train the whole grid, the large sizes behind registered forecasts."""

import pandas as pd
import pytest

from parscale.cli.main import build_parser
from parscale.cli.option_values import items
from results.grids import worth, worth_stages
from sweeps.grids.axes import Axes


def test_every_run_is_in_a_stage_and_forecasts_come_before_their_runs():
    calls = [build_parser(["sweep", "forecast"]).parse_args(call.split()) for call in worth_stages.stages()]
    place = [call.command for call in calls].index("forecast")
    trained = {True: set(), False: set()}
    for number, call in enumerate(calls):
        if call.command == "sweep" and call.grid == worth_stages.GRID:
            seeds = tuple(int(seed) for seed in items(call.seeds) or ()) or None
            streams = tuple(int(P) for P in items(call.streams) or ()) or None
            corpora = tuple(items(call.corpora) or ()) or None
            axes = Axes(sizes=tuple(items(call.sizes)), seeds=seeds, streams=streams, corpora=corpora)
            trained[number > place] |= {run.run_id for run in worth.grid(axes)}
    whole = worth.grid(Axes()) + worth.grid(Axes(seeds=(3, 4, 5), corpora=(worth.REASONING,)))
    large = {run.run_id for run in whole if run.size.startswith(worth.SIZES[2:])}
    sizes = tuple(f"{size}{arm}" for size in worth.BETWEEN for arm in worth.ARMS)
    assert trained[True] == large | {run.run_id for run in worth.grid(Axes(sizes=sizes))}
    assert trained[False] == {run.run_id for run in whole} - large


def test_forecasts_are_not_made_of_what_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(worth_stages, "OUT", str(tmp_path))
    monkeypatch.setattr(worth_stages, "FORECASTS", tmp_path / "forecasts" / "f.json")
    pd.DataFrame({"size": ["32x2"]}).to_csv(tmp_path / "arms.csv")
    assert not worth_stages.registered()
    pd.DataFrame({"size": ["32x2", "96x4"]}).to_csv(tmp_path / "arms.csv")
    with pytest.raises(ValueError, match="96x4"):
        worth_stages.registered()
    (tmp_path / "forecasts").mkdir()
    (tmp_path / "forecasts" / "f-memory-P2.json").write_text("{}")
    assert worth_stages.registered()


def test_rates_are_tried_beyond_the_edge_and_chosen(tmp_path, monkeypatch):
    asked = []
    rows = [
        {
            "size": size,
            "P": 1,
            "N": 92736,
            "sweep": f"worth-{name}",
            "corpus": task,
            "loss": loss,
            "status": "ok",
        }
        for size, losses in (("64x2", (2.0, 1.0, 1.5)), ("64x2r4", (1.0, 1.5, 2.0)))
        for name, loss in zip(("half", "once", "double"), losses, strict=True)
        for task in (worth.MEMORY, worth.REASONING)
    ]

    def pretend(program):
        asked.append(program)
        if "collect" in program:
            pd.DataFrame(rows).to_parquet(tmp_path / "runs.parquet")

    monkeypatch.setattr(worth_stages, "SEARCH", str(tmp_path))
    monkeypatch.setattr(worth_stages, "run", pretend)
    worth_stages.search()
    tried = [call.split()[2].split(":")[1] for call in asked if call.startswith("parscale sweep")]
    assert tried == ["once", "once", "half", "half", "double", "double", "quarter"]
    assert "--sizes 64x2r4 " in asked[-3]
    assert asked[-1] == f"results.grids.worth_rates {tmp_path} --save"
