"""`parscale streams`: from a trained model's folder to the table that figures draw."""

import pandas as pd
import pytest

from parscale.cli.decide import context_command, streams_command


def test_every_finished_run_of_several_streams_is_in_the_table(trained_sweep, capsys):
    assert streams_command.run(streams_command.Options(sweep=str(trained_sweep), tokens="500")) == 0
    table = pd.read_parquet(trained_sweep / "streams.parquet")
    assert table["P"].tolist() == [4, 4, 4, 4]
    assert table["m"].tolist() == [1, 2, 3, 4]
    assert table["subsets"].tolist() == [4, 6, 4, 1]
    assert (table["gain"].diff().dropna() > 0).all()  # -log is convex: averaging never loses
    slope = table["line"].iloc[-1] / 0.75
    assert table["line"].to_numpy() == pytest.approx(slope * (1 - 1 / table["m"]))
    runs = pd.read_parquet(trained_sweep / "runs.parquet")
    assert set(table["run_id"]) <= set(runs["run_id"])
    said = capsys.readouterr().out
    assert "streams.parquet" in said
    assert "24x2" in said


@pytest.mark.parametrize(("command", "which"), [(streams_command, "P > 1"), (context_command, "run")])
def test_what_has_no_weights_is_refused(trained_sweep, tmp_path, command, which):
    with pytest.raises(ValueError, match=tmp_path.name):
        command.run(command.Options(sweep=str(tmp_path), tokens="500"))
    for weights in (trained_sweep / "checkpoints").glob("*/config.json"):
        weights.unlink()
    with pytest.raises(ValueError, match=f"{which} .*checkpoints"):
        command.run(command.Options(sweep=str(trained_sweep), tokens="500"))
