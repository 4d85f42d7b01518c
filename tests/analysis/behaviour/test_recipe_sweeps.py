"""Two-stage, continual and PEFT sweeps: P beside one stream, stage 2 marked, P chosen on one backbone."""

import numpy as np
import pandas as pd
import pytest

from analysis import figures
from analysis.figures.panel_parts import LOSS_LABEL
from analysis.report import sweep_figures, sweep_report
from analysis.sweep import recipe_tables, results, training_gap

STEP, POINTS = 1000.0, 100


def curves_of(gaps, noise=0.002, before=0.0, **columns):
    """A curve a P: batches that are hard for all, a gap that is a function of tokens, its own noise."""
    rng = np.random.default_rng(4)
    tokens = STEP * np.arange(1, POINTS + 1)
    hard = 3.0 + rng.normal(0, 0.2, POINTS)
    parts = []
    for P, gap in {1: lambda t: 0 * t, **gaps}.items():
        loss = hard + gap(tokens) + rng.normal(0, noise, POINTS) * (P > 1)
        own = {
            "run_id": f"{P}",
            "P": P,
            "tokens": before + tokens,
            "train_loss": loss,
            "seed": 0,
            "begin": before,
        }
        parts.append(pd.DataFrame({**own, **columns}))
    return pd.concat(parts, ignore_index=True)


PASSES = {
    2: lambda t: 0.02 * np.exp(-t / 10_000) - 0.005,
    4: lambda t: 0.02 - 0 * t,
    8: lambda t: 0 * t - 0.02,
    16: lambda t: 0 * t + 0.0001,
}


def test_where_each_P_passes_one_stream_and_how_sure_that_is():
    found = training_gap.passing(training_gap.gaps(curves_of(PASSES), "train_loss")).set_index("P")
    truth = 10_000 * np.log(4)
    assert found.loc[2, "low"] <= truth <= found.loc[2, "high"]
    assert found.loc[2, "tokens"] == pytest.approx(
        truth, abs=4000
    )  # where the noise is a few steps of the curve
    assert found.loc[2, "high"] - found.loc[2, "low"] < 25_000
    assert found.loc[2, "when"].startswith("from 1")
    assert (found.loc[4, "when"], found.loc[8, "when"]) == ("not within the run", "from the start")
    assert found.loc[16, "when"] == "level within noise"
    assert found.loc[4, "gap"] == pytest.approx(0.02, abs=2 * found.loc[4, "noise"])
    assert 0.0005 < found.loc[4, "noise"] < 0.0035  # the noise of ten points, not the batches' 0.2
    assert np.isnan(found.loc[4, "tokens"])


def test_the_noise_stated_is_the_noise_there_is():
    """Over many draws the end's interval holds the truth about as often as it says."""
    rng = np.random.default_rng(0)
    for points in (60, POINTS):
        ends = [training_gap._end(rng.normal(0.01, 0.003, points)) for _ in range(3000)]
        held = np.mean([abs(gap - 0.01) < noise for gap, noise in ends])
        assert 0.94 < held < 0.97
    gap, noise = training_gap._end(np.array([0.1, 0.2]))
    assert gap == 0.2
    assert np.isnan(noise)


def test_seeds_are_paired_with_their_own():
    one, two = curves_of({2: PASSES[8]}, noise=0), curves_of({2: PASSES[4]}, noise=0).assign(seed=1)
    two["train_loss"] += 0.5  # the other seed's batches are harder
    alone = one[one["P"] == 1].assign(seed=2, train_loss=9.0)  # no P > 1 of its seed
    both = training_gap.gaps(pd.concat([one, two, alone]), "train_loss")
    assert both["gap"].to_numpy() == pytest.approx(0.0, abs=1e-12)
    assert len(training_gap.gaps(one[one["P"] == 2], "train_loss")) == 0


def test_tokens_of_stage_2_are_counted_from_its_beginning():
    second = curves_of({2: PASSES[2]}, before=300_000, recipe="two-stage")
    first = second[second["P"] == 1].assign(recipe="stage-1", run_id="s", begin=300_000)
    first["tokens"] -= 100_000
    (axes,) = figures.training_curves(pd.concat([first, second]), panel="none").axes
    assert axes.get_xlabel() == "training tokens of stage 2"
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["$P = 2$"].get_xdata().min() == STEP
    stage_1 = lines["stage 1, $P = 1$"].get_xdata()
    assert (stage_1.min(), stage_1.max()) == (-30_000, 0)  # as much of it as leaves room for stage 2
    assert any(list(line.get_xdata()) == [0, 0] for line in axes.lines)
    assert "$P = 2$: from 1" in axes.texts[0].get_text()
    top = axes.get_ylim()[1]
    shown = second["train_loss"].quantile(0.97)
    assert top > shown + 0.1 * (top - axes.get_ylim()[0])  # the note stands above the curves


def test_gaps_are_drawn_in_thousandths_with_their_end():
    table = training_gap.gaps(curves_of(PASSES).assign(panel="64x2"), "train_loss", ["panel"])
    (axes,) = figures.beside_one(table).axes
    assert axes.get_title() == "64x2"
    assert axes.get_ylabel().startswith("training loss above $P = 1$\n($10^{-3}$ nats")
    line = next(line for line in axes.lines if line.get_label() == "$P = 4$")
    assert np.median(line.get_ydata()) == pytest.approx(20, abs=0.5)
    low, high = axes.get_ylim()
    assert low < -20 < 20 < high
    assert "$P = 4$: not within the run; +19.9" in axes.texts[0].get_text()
    assert "$P = 8$: from the start; \N{MINUS SIGN}" in axes.texts[0].get_text()
    assert "no run of $P > 1$" in figures.beside_one(table.iloc[:0]).axes[0].texts[0].get_text()


def sweep(folder, recipe="two-stage", sizes=("32x2", "64x2"), streams=(1, 2, 4)):
    """A sweep's folder: its runs, first stages where there are any, curves with three evaluations."""
    (folder / "configs").mkdir(parents=True)
    staged, rows, curves = recipe == "two-stage", [], []
    for i, size in enumerate(sizes):
        plan = [("stage-1", 1)] * staged + [(recipe, P) for P in streams]
        for name, P in plan:
            first = name == "stage-1"
            run = {
                "run_id": f"{size}-{name}-{P}",
                "recipe": name,
                "size": size,
                "P": P,
                "corpus": "c",
                "seed": 0,
            }
            run |= {"N": 25_000.0 * 4**i + 1000 * P, "loss": 4.5 if first else 4 - 0.2 * i - 0.01 * P}
            run |= {
                "D": 3e5 if first else 4e5 if staged else 1e5,
                "steps": 300 if first else 100,
                "status": "ok",
            }
            rows.append({**run, "batch_tokens": 1000, "loss_se": 0.03})
            (folder / "configs" / f"{run['run_id']}.json").write_text("{}")
            own = curves_of({P: PASSES[8]} if P > 1 else {}, before=0 if first or not staged else 3e5)
            own = own[own["P"] == P].drop(columns=["P", "seed", "begin"]).assign(run_id=run["run_id"])
            own["val_loss"] = own["train_loss"].where(np.arange(POINTS) % 40 == 0)
            curves.append(own)
    pd.DataFrame(rows).to_parquet(folder / "runs.parquet")
    pd.concat(curves).to_parquet(folder / "curves.parquet")
    return pd.DataFrame(rows)


def test_a_two_stage_sweep_is_fitted_and_drawn_by_its_second_stage(tmp_path):
    sweep(tmp_path / "s")
    seen = results.read_sweep(tmp_path / "s")
    assert list(seen.fits) == ["c"]
    assert (len(seen.runs), len(seen.table)) == (6, 8)
    assert any("stage-1 are what every P goes on from" in line for line in seen.missing)
    assert not any("diverged" in line for line in seen.missing)
    known = sweep_figures.sweep_figures(seen)
    assert {"fig2", "training", "held-out", "beside-one"} <= set(known)
    assert "by-P" not in known
    assert [axes.get_title() for axes in known["training"]().axes] == ["32x2", "64x2"]
    assert {axes.get_xlabel() for axes in known["beside-one"]().axes} == {"training tokens of stage 2"}
    assert recipe_tables.gaps_to_one_stream(seen)["tokens"].max() == STEP * POINTS
    html = sweep_report.write_report(tmp_path / "s").read_text()
    assert "P streams beside one on the same batches" in html
    assert "from the start" in html
    assert ">stage-1<" in html


def test_an_interrupted_sweep_says_what_is_left_and_shows_the_curves_there_are(tmp_path):
    runs, folder = sweep(tmp_path / "s"), tmp_path / "s"
    curves = pd.read_parquet(folder / "curves.parquet")
    (folder / "curves.parquet").unlink()
    (folder / "curves").mkdir()
    kept = runs[runs["size"] == "64x2"][:3]
    for run_id in kept["run_id"]:
        curves[curves["run_id"] == run_id].to_parquet(folder / "curves" / f"{run_id}.parquet")
    kept.to_parquet(folder / "runs.parquet")
    seen = results.read_sweep(folder)
    assert any("5 of 8 planned runs have no row yet" in line for line in seen.missing)
    assert not any("no curves" in line for line in seen.missing)
    assert set(sweep_figures.sweep_figures(seen)) == {
        "fig2",
        "gains",
        "pair_k",
        "training",
        "held-out",
        "beside-one",
    }


def test_a_diverged_run_is_not_set_beside_one_stream(tmp_path):
    runs = sweep(tmp_path / "s", "continual", sizes=("b",))
    runs.assign(status=np.where(runs["P"] == 4, "diverged", "ok")).to_parquet(tmp_path / "s" / "runs.parquet")
    seen = results.read_sweep(tmp_path / "s")
    assert recipe_tables.crossings(seen)["P"].tolist() == [2]
    assert recipe_tables.loss_by_P(seen)[0]["P"].tolist() == [1, 2]
    assert "$P = 4$:" not in sweep_figures.sweep_figures(seen)["training"]().axes[0].texts[0].get_text()


def test_a_frozen_backbone_stands_at_P_1_once_it_is_measured(tmp_path):
    runs, folder = sweep(tmp_path / "s", "peft", sizes=("base",), streams=(2, 4)), tmp_path / "s"
    seen = results.read_sweep(folder)
    assert any("`parscale streams` measures" in line for line in seen.missing)
    table, words, measured = recipe_tables.loss_by_P(seen)
    assert (table["P"].tolist(), list(words.values()), measured) == ([2, 4], ["base, c: peft"], False)
    rows = [
        {
            "run_id": r,
            "size": "base",
            "N": n,
            "P": P,
            "m": m,
            "gain": 1e-4 * (m > 1),
            "gain_se": 1e-5,
            "line": 0,
        }
        for r, n, P in runs[["run_id", "N", "P"]].itertuples(index=False)
        for m in (1, P)
    ]
    streams = pd.DataFrame(rows).assign(loss=3.9, backbone=3.91, over_backbone_se=0.001)
    streams["own"] = 3.91 - 0.004 * streams["P"] / 2
    streams.assign(over_backbone=3.91 - streams["own"]).to_parquet(folder / "streams.parquet")
    seen = results.read_sweep(folder)
    assert not any("parscale streams" in line for line in seen.missing)
    (axes,) = sweep_figures.sweep_figures(seen)["by-P"]().axes
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 4]
    assert axes.lines[0].get_ydata() == pytest.approx([3.91, 3.906, 3.902])
    bars = [np.ptp(segment[:, 1]) for c in axes.collections for segment in c.get_segments()]
    assert bars == pytest.approx([0, 2 * 1.96e-3, 2 * 1.96e-3])
    assert axes.get_title() == "one frozen backbone, $P$ chosen"
    assert axes.get_ylabel() == f"held-out {LOSS_LABEL}"
    gains = recipe_tables.gains_over_backbone(seen)
    assert gains["over P = 1"].tolist() == pytest.approx([0.004, 0.008])
    assert gains["by averaging noise"].tolist() == pytest.approx([1.96e-5] * 2)
    assert "averaging does not gain" in sweep_report.write_report(folder).read_text()


def test_recipes_side_by_side_keep_their_own_tokens(tmp_path):
    two, one = sweep(tmp_path / "s"), sweep(tmp_path / "t", "scratch", sizes=("64x2",))
    pd.concat([two, one]).to_parquet(tmp_path / "s" / "runs.parquet")
    parts = [pd.read_parquet(tmp_path / name / "curves.parquet") for name in "st"]
    pd.concat(parts).to_parquet(tmp_path / "s" / "curves.parquet")
    seen = results.read_sweep(tmp_path / "s")
    assert list(seen.fits) == ["c, two-stage", "c, scratch"]
    labels = {
        axes.get_title(): axes.get_xlabel() for axes in sweep_figures.sweep_figures(seen)["training"]().axes
    }
    labels.pop("", None)  # a place that no panel takes
    assert labels == {
        "32x2, c, two-stage": "training tokens of stage 2",
        "64x2, c, two-stage": "training tokens of stage 2",
        "64x2, c, scratch": "training tokens",
    }
