"""What streams gained at each size, from runs to figures and report."""

import numpy as np
import pytest

from analysis import figures
from analysis.report import sweep_figures, sweep_report
from analysis.sweep import results
from scaling.selection.paired_gains import gains, one_stream_fits
from tests.scaling.paired_runs import made


@pytest.mark.slow
def test_the_figure_shows_what_was_measured_and_what_was_promised(tmp_path) -> None:
    runs = made(noise=0.005)
    table = gains(runs)
    laws = {corpus: one.law for corpus, one in one_stream_fits(runs).items()}
    figure = figures.draw_gains(table, laws)
    assert [axes.get_title() for axes in figure.axes] == ["$P = 2$", "$P = 4$"]
    drawn = figure.axes[1].containers[0].lines[0].get_ydata()
    assert drawn == pytest.approx(table[table["P"] == 4]["change"].to_numpy())
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        "the paper's $k$, 0.33 to 0.39",
        "added $N$ alone",
        "measured, 95% over seeds",
    ]
    runs.to_csv(tmp_path / "runs.csv", index=False)
    assert "gains" in sweep_figures.sweep_figures(results.read_sweep(tmp_path / "runs.csv"))
    page = sweep_report.write_report(tmp_path / "runs.csv").read_text()
    assert page.count("<figure") > 1


@pytest.mark.slow
def test_the_legend_says_what_stands_against_the_law_behind_it(tmp_path) -> None:
    def labels(bend: float) -> list[str]:
        runs = made(seeds=1).assign(loss=lambda t: 4 + (2e5 / t["N"]) ** 0.3 - bend * np.log(t["N"]) ** 2)
        runs.to_csv(tmp_path / "runs.csv", index=False)
        figure = sweep_figures.sweep_figures(results.read_sweep(tmp_path / "runs.csv"))["gains"]()
        return [text.get_text() for text in figure.legends[0].get_texts()]

    assert "added $N$ alone" in labels(0.0)
    assert "added $N$ alone (law of $P = 1$ at bound)" in labels(0.02)  # falls ever faster: no E above 0
