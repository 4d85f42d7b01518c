"""Changes with P split by what the context held, against runs that gain in one part only."""

import numpy as np
import pandas as pd
import pytest

import parscale
from analysis import figures
from analysis.output.html_page import Page
from analysis.report import gains_text, report_sections, sweep_figures
from analysis.sweep import results
from scaling.selection import gains_by_context

SHARES = {"repeated": 0.25, "seen": 0.25, "new": 0.5, "start": 0.0625}


def made(seeds: int = 3, noise: float = 0.0) -> pd.DataFrame:
    """Three sizes, P in {1, 2, 4}: repeated pairs gain .1 log2 P, alone; seeds move them."""
    rng = np.random.default_rng(0)
    rows = []
    for size, N in (("32x2", 2e4), ("64x2", 8e4), ("96x2", 2e5)):
        for seed in range(seeds):
            for P in (1, 2, 4):
                more = (1e5 / N) ** 0.3
                lost = {"repeated": 2.0 + more - 0.1 * np.log2(P) + noise * rng.standard_normal()}
                lost |= {"seen": 3.0 + more, "new": 4.0 + more, "start": 4.1}
                whole = sum(SHARES[part] * lost[part] for part in ("repeated", "seen", "new"))
                run = {"run_id": f"{size}-{P}-{seed}", "corpus": "made", "size": size, "N": N * (1 + P / 99)}
                run |= {"P": P, "seed": seed, "status": "ok", "loss": whole}
                run |= {f"loss_{part}": value for part, value in lost.items()}
                rows.append(run | {f"share_{part}": share for part, share in SHARES.items()})
    return pd.DataFrame(rows)


def write(folder, table) -> None:
    """A sweep's folder with runs.parquet and context.parquet."""
    folder.mkdir(exist_ok=True)
    split = [c for c in table if c.startswith(("loss_", "share_"))]
    table.drop(columns=split).to_parquet(folder / "runs.parquet")
    table.drop(columns="loss").to_parquet(folder / "context.parquet")


def test_a_change_stands_in_the_part_that_changed() -> None:
    found = gains_by_context.changes(made()).set_index(["part", "size", "P"]).sort_index()
    assert found.loc[("repeated", "64x2", 4), "change"] == pytest.approx(-0.2)
    assert found.loc["new", "change"].to_numpy() == pytest.approx(0)
    assert found.loc["repeated", "share"].to_numpy() == pytest.approx(0.25)
    whole = sum(SHARES[p] * found.loc[(p, "64x2", 4), "change"] for p in ("repeated", "seen", "new"))
    assert whole == pytest.approx(-0.05)


def test_the_scatter_over_seeds_is_told_part_by_part() -> None:
    found = gains_by_context.noise(made(noise=0.05)).set_index("part")
    assert found.loc["repeated", "of_a_change"] == pytest.approx(0.05 * np.sqrt(2), rel=0.5)
    assert found.loc["new", "of_a_change"] == pytest.approx(0, abs=1e-12)
    assert found["pairs"].tolist() == [12] * 4


def test_k_is_that_of_each_part() -> None:
    found = gains_by_context.worth(made(noise=0.005)).set_index("part")
    assert found.loc["repeated", "lower"] > 0.1
    assert found.loc[["seen", "new"], "k"].max() < 0.01
    assert found.loc["start", ["k", "status"]].isna().tolist() == [
        True,
        False,
    ]  # nothing changes, not even with N
    few = made(seeds=1)
    assert not len(gains_by_context.worth(few[(few["P"] == 1)]))


def test_gains_report_and_figures_tell_the_parts(tmp_path, capsys) -> None:
    write(tmp_path / "s", made(noise=0.02))
    assert parscale.main(["gains", str(tmp_path / "s")]) == 0
    said = capsys.readouterr().out
    assert gains_text.CONTEXT_HEAD in said
    assert "of the text: repeated 25%, seen 25%, new 50%, start 6%" in said
    assert "over seeds a change scatters by repeated 0.0" in said
    seen = results.read_sweep(tmp_path / "s")
    known = sweep_figures.sweep_figures(seen)
    panels = known["context"]().axes
    assert [axes.get_title().split("\n")[1] for axes in panels[:2]] == ["25% of the text"] * 2
    page = Page("t", "o")
    report_sections.add_gains_by_context(page, seen, known)
    assert "<h2>Where in the text streams gain" in page.html
    assert "repeated 25%" in page.html


def test_one_stream_alone_gives_no_figure_but_no_error(tmp_path) -> None:
    table = made(seeds=1)
    write(tmp_path / "s", table[table["P"] == 1])
    seen = results.read_sweep(tmp_path / "s")
    assert "context" not in sweep_figures.sweep_figures(seen)
    assert figures.by_context(gains_by_context.changes(seen.context)).axes[0].texts


def test_a_sweep_without_the_table_says_nothing_of_it(tmp_path, capsys) -> None:
    write(tmp_path / "s", made())
    (tmp_path / "s" / "context.parquet").unlink()
    assert parscale.main(["gains", str(tmp_path / "s")]) == 0
    assert gains_text.CONTEXT_HEAD not in capsys.readouterr().out


def test_each_seed_is_a_dot_in_its_part_of_the_text() -> None:
    table = made(seeds=3, noise=0.01)
    found = gains_by_context.pairs(table)
    assert found.groupby("part").size().to_dict() == dict.fromkeys(("new", "repeated", "seen", "start"), 18)
    figure = figures.by_context(gains_by_context.changes(table), found)
    drawn = [y for line in figure.axes[0].lines if line.get_markersize() < 3 for y in line.get_ydata()]
    assert sorted(drawn) == pytest.approx(sorted(found[found["part"] == "repeated"]["change"]))
