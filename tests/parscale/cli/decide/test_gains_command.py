"""What `parscale gains` prints: the table, its grounds, what averaging gained."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import parscale
import scaling
from analysis.report import sweep_report
from analysis.sweep import results
from scaling.selection.paired_gains import gains, one_stream_fits
from scaling.selection.pooled_k import pooled_k
from tests.scaling.paired_runs import GAIN, made


def test_models_grown_from_two_checkpoints_are_paired_apart(tmp_path, capsys) -> None:
    runs = made(seeds=2).assign(recipe="continual", run_id=lambda t: t.index.astype(str))
    bases = [json.dumps({"parent_hash": letter * 64}) for letter in "ab"]
    better = runs.assign(loss=runs["loss"] - 0.2 * (runs["P"] > 1), run_id="b" + runs["run_id"])
    both = pd.concat([runs.assign(config=bases[0]), better.assign(config=bases[1])], ignore_index=True)
    context = both[["run_id", "N", "P", "size", "seed", "loss"]].assign(loss_new=both["loss"], share_new=1.0)
    context.to_parquet(tmp_path / "context.parquet")
    both.to_parquet(tmp_path / "runs.parquet")
    table = gains(results.read_results(tmp_path))
    assert set(table["size"]) == {f"{w}x2 from {b * 8}" for w in (32, 64, 96, 128) for b in "ab"}
    assert table.groupby("P")["change"].agg(["min", "max"]).to_numpy() == pytest.approx(
        np.array([[GAIN[2] - 0.2, GAIN[2]], [GAIN[4] - 0.2, GAIN[4]]])
    )
    assert parscale.main(["gains", str(tmp_path)]) == 0
    assert "32x2" in "".join(capsys.readouterr().out.split("\n\n")[-2:])
    runs.assign(config=bases[0]).to_parquet(tmp_path / "runs.parquet")
    assert set(results.read_results(tmp_path)["size"]) == set(runs["size"])


@pytest.mark.slow
def test_a_size_of_two_models_is_refused_and_the_rest_of_the_report_is_there(tmp_path, capsys) -> None:
    runs = made(seeds=1)
    runs = runs.assign(size=runs["size"].replace("96x2", "64x2"))
    with pytest.raises(ValueError, match=r"made.*64x2.*N.*=.*81,920.*184,320"):
        gains(runs)
    runs.to_csv(tmp_path / "runs.csv", index=False)
    assert parscale.main(["gains", str(tmp_path / "runs.csv")]) == 2
    assert re.search(r"64x2.*81,920.*184,320", capsys.readouterr().err)
    page = sweep_report.write_report(tmp_path / "runs.csv").read_text()
    assert re.search(r"made.*P.*=.*1.*64x2", page)
    assert "AICc" in page


def test_the_command_prints_what_the_table_holds(tmp_path, capsys) -> None:
    runs = made(noise=0.005)
    runs.to_csv(tmp_path / "runs.csv", index=False)
    assert parscale.main(["gains", str(tmp_path / "runs.csv")]) == 0
    out = capsys.readouterr().out
    row = gains(runs).iloc[0]
    assert f"{row['change']:+.4f}" in out
    assert f"{row['by_parameters']:+.4f}" in out
    (one,) = one_stream_fits(runs).values()
    assert re.search(rf"made: {one.status}\b.*\b12\b.*P = 1\b.*\b9\b", out)
    (pooled,) = pooled_k(runs)
    assert str(pooled) in " ".join(out.split())
    assert re.search(r"\bk\b.*\b24\b", str(pooled))
    assert parscale.main(["gains", str(tmp_path / "runs.csv"), "--level", "2"]) == 2
    assert "--level 2.0" in capsys.readouterr().err
    assert parscale.main(["gains", str(tmp_path / "runs.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["gains"][0]["change"] == pytest.approx(row["change"])
    assert (told["k"][0]["k"], told["k"][0]["sizes"]) == (pytest.approx(pooled.k), 4)
    runs[runs["seed"] == 0].to_csv(tmp_path / "one.csv", index=False)
    assert parscale.main(["gains", str(tmp_path / "one.csv"), "--json"]) == 0
    said = capsys.readouterr().out
    assert "NaN" not in said
    assert json.loads(said)["gains"][0]["low"] is None
    runs[runs["P"] > 1].to_csv(tmp_path / "more.csv", index=False)
    assert parscale.main(["gains", str(tmp_path / "more.csv")]) == 2
    assert "P = 1" in capsys.readouterr().err


def test_the_runs_of_one_stream_may_be_another_sweeps(tmp_path, capsys) -> None:
    runs = made(seeds=2)
    runs.to_csv(tmp_path / "runs.csv", index=False)
    runs.assign(loss=runs["loss"] - 0.03).to_csv(tmp_path / "control.csv", index=False)
    words = ["gains", str(tmp_path / "runs.csv"), "--baseline", str(tmp_path / "control.csv"), "--json"]
    assert parscale.main(words) == 0
    found = pd.DataFrame(json.loads(capsys.readouterr().out)["gains"]).groupby("P")["change"]
    assert found.mean().to_dict() == pytest.approx({2: GAIN[2] + 0.03, 4: GAIN[4] + 0.03})
    assert found.std().max() == pytest.approx(0, abs=1e-9)


def test_eighty_columns_hold_every_number_of_the_command(tmp_path, capsys, monkeypatch) -> None:
    made(noise=0.005).to_csv(tmp_path / "runs.csv", index=False)
    said = []
    for room in (None, 80):
        monkeypatch.setattr("scaling.terminal_text.width", lambda room=room: room)
        assert parscale.main(["gains", str(tmp_path / "runs.csv")]) == 0
        said.append(capsys.readouterr().out)
    wide, narrow = said
    assert max(map(len, wide.splitlines())) > 100
    assert max(map(len, narrow.splitlines())) <= 80
    assert set(wide.split()) == set(narrow.split())


def test_the_command_tells_what_averaging_gained(tmp_path, capsys) -> None:
    runs = made(seeds=1).assign(run_id=lambda t: t.index.astype(str))
    runs.to_parquet(tmp_path / "runs.parquet")
    m = np.arange(1, 5)
    table = pd.DataFrame({"m": m, "loss": 4.2 - 0.001 * m, "gain": 0.001 * (m - 1), "gain_se": 1e-4})
    table = table.assign(run_id="2", size="32x2", N=1, P=4, line=table["gain"], similarity=0.998, entropy=1.3)
    table.to_parquet(tmp_path / "streams.parquet")
    assert parscale.main(["gains", str(tmp_path)]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last.split() == ["32x2", "4", "1", "4.1990", "0.0030", "0.0030", "0.0040", "0.9980", "1.300"]
    runs = made(seeds=2).assign(run_id=lambda t: t.index.astype(str))
    runs.to_parquet(tmp_path / "runs.parquet")
    one, two = runs[(runs["size"] == "32x2") & (runs["P"] == 4)]["run_id"]
    table, other = table.assign(run_id=one), table.assign(run_id=two, gain=0.003 * (m - 1), similarity=0.996)
    pd.concat([table, other]).to_parquet(tmp_path / "streams.parquet")
    assert parscale.main(["gains", str(tmp_path)]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last.split() == [
        "32x2",
        "4",
        "2",
        "4.1990",
        "0.0060",
        "0.0042",
        "0.0030",
        "0.0040",
        "0.9970",
        "1.300",
    ]


@pytest.mark.slow
def test_a_plain_table_has_gains_and_a_report(tmp_path, capsys) -> None:
    law = scaling.ParallelLaw(E=1.3, A=2e8, alpha=0.2, k=0.3)
    N, P = (a.ravel() for a in np.meshgrid(np.geomspace(5e8, 4e9, 5), [1, 2, 4], indexing="ij"))
    plain = pd.DataFrame({"N": N, "P": P, "loss": law.predict(N=N, P=P)})
    plain.to_csv(tmp_path / "runs.csv", index=False)
    assert parscale.main(["gains", str(tmp_path / "runs.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["gains"]) == 10
    assert told["k"][0]["k"] == pytest.approx(0.3, abs=1e-4)
    page = sweep_report.write_report(tmp_path / "runs.csv").read_text()
    assert re.search(r"k.*10.*\+0\.3000", page)


@pytest.mark.parametrize(("kept", "said"), [("P > 1", "P = 1"), ("P == 1", "P = 1")])
def test_runs_that_no_change_can_be_taken_of_are_named(kept, said, tmp_path, capsys) -> None:
    made(seeds=1).query(kept).drop(columns="size").to_csv(tmp_path / "runs.csv", index=False)
    assert parscale.main(["gains", str(tmp_path / "runs.csv")]) == 2
    assert said in capsys.readouterr().err
