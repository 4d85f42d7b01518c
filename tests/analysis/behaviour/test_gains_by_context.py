"""Changes with P split by what the context held: command, report and figures."""

import re

import pytest

import parscale
from analysis import figures
from analysis.output.html_page import Page
from analysis.report import gains_text, report_sections, sweep_figures
from analysis.sweep import results
from scaling.selection import gains_by_context
from tests.scaling.context_runs import made_in_parts


def write(folder, table) -> None:
    """A sweep's folder with runs.parquet and context.parquet."""
    folder.mkdir(exist_ok=True)
    split = [c for c in table if c.startswith(("loss_", "share_"))]
    table.drop(columns=split).to_parquet(folder / "runs.parquet")
    table.drop(columns="loss").to_parquet(folder / "context.parquet")


@pytest.mark.slow
def test_gains_report_and_figures_tell_the_parts(tmp_path, capsys) -> None:
    write(tmp_path / "s", made_in_parts(noise=0.02))
    assert parscale.main(["gains", str(tmp_path / "s")]) == 0
    said = capsys.readouterr().out
    assert gains_text.CONTEXT_HEAD in said
    assert re.search(r"repeated 25\.0%.* 25\.0%.* 50\.0%.* 6\.2%", said)
    assert re.search(r"repeated.*0\.0", said)
    seen = results.read_sweep(tmp_path / "s")
    known = sweep_figures.sweep_figures(seen)
    panels = known["context"]().axes
    assert [axes.get_title().split("\n")[1] for axes in panels[:2]] == ["25.0% of the text"] * 2
    page = Page("t", "o")
    report_sections.add_gains_by_context(page, seen, known)
    assert "repeated 25.0%" in page.html


def test_one_stream_alone_gives_no_figure_but_no_error(tmp_path) -> None:
    table = made_in_parts(seeds=1)
    write(tmp_path / "s", table[table["P"] == 1])
    seen = results.read_sweep(tmp_path / "s")
    assert "context" not in sweep_figures.sweep_figures(seen)
    assert figures.by_context(gains_by_context.changes(seen.context)).axes[0].texts


def test_a_sweep_without_the_table_says_nothing_of_it(tmp_path, capsys) -> None:
    write(tmp_path / "s", made_in_parts())
    (tmp_path / "s" / "context.parquet").unlink()
    assert parscale.main(["gains", str(tmp_path / "s")]) == 0
    assert gains_text.CONTEXT_HEAD not in capsys.readouterr().out
