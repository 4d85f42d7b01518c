"""The explore page in a real browser: what it computes against Python, what it does with people's input."""

import json
import re

import numpy as np
import pytest

import scaling
from analysis.costs.hardware import KNOWN
from analysis.costs.shapes import shape_of
from analysis.explorer.law_grid import AGREES
from analysis.inference_cost import estimate
from tests.analysis.browser import cells, load, type_in, until

pytestmark = pytest.mark.slow
FIGURES = "[...document.querySelectorAll('figure.card:not([hidden])')].map((f) => f.id)"
ASK = """([N, P]) => App.data.sources.map((s) => [Object.fromEntries(Object.entries(s.laws).map(([name, law]) => [name,
  N.map((n, i) => { const at = { N: n, P: P[i] }, e = Law.interval(law, at), w = Law.worth(law, name, at);
    return [e.loss, e.lower, e.upper, w.N, w.lower, w.upper].map((x) => (Number.isFinite(x) ? x : -1)); })])),
  N.map((n, i) => { const at = { N: n, P: P[i] }, e = Law.together(s, at), w = Law.worthTogether(s, at);
    return [e.lower, e.loss, e.upper, w.lower, w.upper]; })])"""


def test_size_and_time_to_the_charts(page, page_file, capsys):
    numbers, charts = page.evaluate(
        "['numbers', 'charts'].map(n => performance.getEntriesByName(n)[0].startTime)"
    )
    with capsys.disabled():
        size = page_file.stat().st_size
        print(f"\nexplore page: {size / 1e6:.2f} MB, numbers after {numbers:.0f} ms, charts {charts:.0f} ms")
    assert size < 2e6
    assert charts < 15_000  # 1.5 s on two quiet cores


@pytest.fixture(scope="module")
def points():
    """Half of them lie within the runs and half beyond. The largest N at which every law has a size is far out."""
    rng = np.random.default_rng(5)
    N = np.exp(
        np.concatenate(
            [rng.uniform(np.log(5.4e8), np.log(4.3e9), 60), rng.uniform(np.log(1.5e8), np.log(1e11), 60)]
        )
    )
    return N, np.concatenate([rng.integers(1, 9, 60), rng.integers(1, 33, 60)]).astype(float)


@pytest.fixture(scope="module")
def asked(tab, points):
    return tab[0].evaluate(ASK, [x.tolist() for x in points])


def test_losses_and_intervals_are_those_of_predict(asked, sources, points):
    N, P = points
    for source, (by_law, _) in zip(sources, asked, strict=True):
        for name, fit in source.fits.items():
            at = {"N": N, "P": P} if "P" in fit.law.axes else {"N": N}
            ours = np.array(by_law[name], dtype=float)
            np.testing.assert_allclose(ours[:, 0], fit.law.predict(**at), rtol=AGREES)
        for name in ("additive", "additive-half"):
            ours, python = np.array(by_law[name], dtype=float), source.fits[name].predict(N=N, P=P)
            ends = python[["new_lower", "new_upper"]].to_numpy()
            error = np.abs(ours[:, 1:3] - ends).max(1) / (np.diff(ends)[:, 0] / 2)
            known = ends[:, 0] > 0  # where predict itself found an end
            assert np.quantile(error[known], [0.5, 0.95]) == pytest.approx(0, abs=0.05), name
            worth = source.fits[name].equivalent_N(N, P)
            some = (P > 1) & (worth["upper"] < source.axes["N"].most)
            ends = worth.loc[some, ["lower", "upper"]].to_numpy()
            off = np.abs(np.log(ours[some, 4:6] / ends)).max(1) / np.log(ends[:, 1] / ends[:, 0]) * 2
            assert np.quantile(off, [0.5, 0.9]) == pytest.approx(0, abs=0.06), name


def test_laws_together_are_the_forecast(asked, sources, points):
    N, P = points
    for source, (_, both) in zip(sources, asked, strict=True):
        python, ours = scaling.forecast(source.runs, N=N, P=P), np.array(both, dtype=float)
        ends = np.stack([python.lower, python.loss, python.upper], 1)
        error = np.abs(ours[:, :3] - ends).max(1) / (ends[:, 2] - ends[:, 0]) * 2
        assert error[:60].max() < 0.01
        assert np.quantile(error[60:], 0.9) < 0.05
        assert (ours[:, 3] <= ours[:, 4] * (1 + 1e-6)).all()


def test_worth_is_that_of_equivalent_n(asked, sources, points):
    N, P = points
    fit, ours = sources[1].fits["parallel"], np.array(asked[1][0]["parallel"], dtype=float)
    some = np.flatnonzero((P > 1) & (N * P < 2e10))[::4]
    python = fit.equivalent_N(N[some], P[some])
    np.testing.assert_allclose(ours[some, 3], python["equivalent_N"], rtol=1e-4)
    half = np.log(python["upper"] / python["lower"]).to_numpy() / 2
    error = np.abs(np.log(ours[some, 4:6] / python[["lower", "upper"]].to_numpy())).max(1) / half
    assert np.quantile(error, 0.95) < 0.03


def test_costs_agree_with_python(page):
    rng = np.random.default_rng(3)
    rows = [
        (float(np.exp(rng.uniform(np.log(1e8), np.log(1e12)))), int(P), int(b), int(i), int(o), device)
        for P, b, i, o in rng.integers([1, 1, 1, 1], [65, 300, 9000, 2000], (60, 4))
        for device in KNOWN
    ]
    got = page.evaluate(
        """(rows) => rows.map(([N, P, batch, input, output, device]) => { const c = Cost.estimate(N, P,
             { batch, input, output }, App.data.devices[device], App.data.model);
             return [c.memory, c.latency]; })""",
        rows,
    )
    for (N, P, batch, n_in, n_out, device), ours in zip(rows, got, strict=True):
        shape = shape_of(N, P=P)
        python = estimate(
            width=shape.width, ffn=shape.ffn, P=P, batch=batch, input_tokens=n_in, output_tokens=n_out,
            hardware=KNOWN[device],
        )  # fmt: skip
        np.testing.assert_allclose(ours, [float(python.memory_bytes), float(python.latency_s)], rtol=1e-9)


def test_the_first_view_says_what_python_says(page, sources):
    source = sources[0]
    python = scaling.forecast(source.runs, N=2.8e9, P=4)
    assert float(page.text_content("#loss")) == pytest.approx(python.loss.iloc[0], abs=1e-4)
    assert page.is_visible(".verdict[data-source=s0]")
    assert page.is_hidden(".verdict[data-source=s1]")
    assert source.verdict.streams.text in page.text_content(".verdict[data-source=s0]")
    rows = {row[0]: row for row in cells(page, "law-table")[1:]}
    assert list(rows)[-1] == "all laws together"
    mine = rows["ParallelLaw: N (k ln P + 1), the paper's"]
    assert mine[2] == "1.0155"
    assert mine[4] == "4.33B"
    ends = source.fits["parallel"].predict(N=2.8e9, P=4)[["new_lower", "new_upper"]].to_numpy()[0]
    assert list(map(float, mine[3].split(" to "))) == pytest.approx(ends, abs=1e-3)
    assert mine[6:] == ["0.9978", "0.0026"]
    assert "0.9017" in page.text_content("#formula")
    assert page.text_content("#warning") == ""
    # The runs alone: the one at the point beats every run of P = 1. Smaller ones are compared with the same estimator.
    alone = list(map(float, re.findall(r"([\d.]+)×", page.text_content("#worth-runs"))))
    assert alone == pytest.approx([4.3532 / 2.7951, 1.452, 1.649, 1.46, 1.69], abs=0.006)
    ratio, more, less = map(float, re.findall(r"([\d.]+)(?:×| GiB)", page.text_content("#price"))[:3])
    assert ratio == pytest.approx(more / less, rel=0.005)  # by the digits that are shown


def test_the_band_within_the_runs_ends_where_the_one_beyond_begins(page, sources):
    ends = page.evaluate(
        """() => document.getElementById('loss-chart').data.filter((t) => t.fill === 'toself')
             .map((t) => [Math.min(...t.x), Math.max(...t.x)])"""
    )
    axis = sources[0].axes["N"]
    within, below, above = ends
    assert within == pytest.approx([axis.low, axis.high], rel=1e-9)
    assert [below[1], above[0]] == pytest.approx([axis.low, axis.high], rel=1e-5)
    assert below[1] < axis.low < axis.high < above[0]


def test_sliders_and_boxes(page):
    type_in(page, "N", "1,5B")  # a decimal comma
    assert page.evaluate("App.state.at.N") == 1.5e9
    assert page.input_value("#at-N") == "1.5B"
    assert page.evaluate(
        "['1,000', '1,234.5', '42_000', '1,2,3', '1e3', '2,5e9'].map(State.parseSize)"
    ) == pytest.approx([1000, 1234.5, 42000, float("nan"), 1000, 2.5e9], nan_ok=True)
    type_in(page, "P", "8")
    assert page.text_content("#worth-of") == "At N = 1.5B, P = 8 is worth"
    page.focus("#slide-P")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("App.state.at.P") == 7
    assert page.input_value("#at-P") == "7"
    page.focus("#slide-N")
    page.keyboard.press("ArrowRight")
    assert 1.5e9 < page.evaluate("App.state.at.N") < 1.6e9
    # Half of the way is the range that was run, and P goes by factors.
    share = page.evaluate(
        "[...document.querySelectorAll('.ran i')].map((i) => [parseFloat(i.style.left), parseFloat(i.style.width)])"
    )
    assert share[0][1] > 45
    assert share[1][1] > 33
    type_in(page, "batch", "16")
    page.select_option("#device", "h200")
    assert re.search(r"\b16\b", page.text_content("#costs"))
    assert "H200" in page.text_content("#costs")


def test_refused_values_are_each_marked_and_change_nothing(page):
    type_in(page, "N", "1.6B")
    before, loss = page.evaluate("App.state"), page.text_content("#loss")
    refused = [
        ("N", "abc", "abc"),
        ("P", "65", "64"),
        ("batch", "0", "0"),
    ]
    for box, text, message in refused:
        type_in(page, box, text)
        assert message in page.text_content("#message")
    marked = "[...document.querySelectorAll('input[aria-invalid=true]')].map((b) => b.id)"
    assert page.evaluate(marked) == ["at-N", "at-P", "batch"]
    assert page.evaluate("App.state") == before
    assert page.text_content("#loss") == loss
    page.focus("#slide-P")
    page.keyboard.press("ArrowRight")  # a slider settles its box, the others stay marked
    assert page.evaluate(marked) == ["at-N", "batch"]
    for text in ("1e99", "", "-3B"):
        type_in(page, "N", text)
        assert page.text_content("#message")
        assert "at-N" in page.evaluate(marked)
    type_in(page, "P", "2.5")
    assert "2.5" in page.text_content("#message")
    for box, text in (("N", "2B"), ("P", "2"), ("batch", "4")):
        type_in(page, box, text)
    assert page.evaluate(marked) == []
    assert page.text_content("#message") == ""


def test_far_out_no_number_is_printed_as_if_it_meant_something(page):
    type_in(page, "N", "300B")
    type_in(page, "P", "64")
    assert re.search("N.*536M.*4.41B.*P.*1.*8", page.text_content("#warning"))
    shown = " ".join(" ".join(row) for row in cells(page, "law-table"))
    assert "441B" in shown
    assert "0B" not in {word for word in shown.split() if word.endswith("000B")}
    type_in(page, "N", "30B")
    assert page.text_content("#beyond") != ""
    type_in(page, "N", "2B")
    type_in(page, "P", "4")
    assert page.text_content("#beyond") == ""


def test_the_address_carries_the_point_and_the_way_back(page, page_file):
    page.select_option("#source", label="The Pile")
    type_in(page, "N", "1.23B")
    type_in(page, "P", "2")
    page.check("#rivals input[value=saturating]")
    fragment, state, loss = (
        page.evaluate("location.hash"),
        page.evaluate("App.state"),
        page.text_content("#loss"),
    )
    load(page, page_file, fragment)
    assert page.evaluate("App.state") == state
    assert page.text_content("#loss") == loss
    page.evaluate("location.hash = '#N=abc&P=99&source=nowhere&law=none&rivals=x'")
    until(page, "App.state.source === 's0'")
    assert "abc" in page.text_content("#message")
    page.click("text=Back to the first point")
    until(page, "App.state.at.N === 2.8e9 && document.getElementById('message').textContent === ''")


def test_seven_rivals_have_seven_colours_that_stay(page):
    colours = """() => Object.fromEntries(document.getElementById('worth-chart').data
      .filter((t) => t.line && t.line.dash && t.line.dash !== 'solid').map((t) => [t.line.dash, t.line.color]))"""
    for box in page.query_selector_all("#rivals input"):
        box.check()
    until(page, "document.querySelectorAll('#worth-chart .js-line').length > 8")
    every = page.evaluate(colours)
    assert len(every) == 6  # the baseline knows no streams
    assert len(set(every.values())) == 6
    page.uncheck("#rivals input[value=diversity]")
    until(page, f"Object.keys(({colours})()).length === 5")
    fewer = page.evaluate(colours)
    assert fewer.items() < every.items()
    lines = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--soft').trim()")
    assert lines == "#5c6670"  # lines of equal loss: 6:1 on white


def test_charts_are_drawn_have_tables_and_move_the_point(page):
    assert page.evaluate(FIGURES) == [f"{name}-figure" for name in ("worth", "loss", "equal", "cost")]
    for name in ("worth", "loss", "equal", "cost"):
        page.click(f"#{name}-figure summary")
        until(page, f"document.querySelectorAll('#{name}-table tr').length > 8")
    ticks = page.evaluate(
        "[...document.querySelectorAll('#loss-chart .xtick text')].map((t) => t.textContent)"
    )
    assert {"1B", "2B"} <= set(ticks)
    assert not any("G" in t for t in ticks)
    page.locator("#equal-chart .nsewdrag").click(position={"x": 90, "y": 60})
    until(page, "App.state.at.N < 1.5e9 && App.state.at.P > 2")


def test_files_are_what_is_drawn(page):
    for kind, start in (("svg", b"<svg"), ("png", b"\x89PNG"), ("csv", b"series,")):
        with page.expect_download() as got:
            page.click(f"#worth-figure button[data-save={kind}]")
        content = got.value.path().read_bytes()
        assert content.startswith(start)
        assert got.value.suggested_filename == f"worth-stack-v2-python.{kind}"
        assert b"var(--" not in content
    assert "arXiv preprint arXiv:2505.10475" in page.text_content("#bibtex")


@pytest.mark.parametrize(("width", "height"), [(1366, 705), (390, 844)])
def test_the_answers_are_in_sight(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark")
    until(page, f"document.querySelector('#worth-chart .main-svg').width.baseVal.value < {width}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    bottom = "document.querySelector('PART').getBoundingClientRect().bottom"
    if width > 800:
        page.evaluate("scrollTo(0, 1500)")
        assert page.evaluate(bottom.replace("PART", "form")) <= height  # it is not cut off
        page.evaluate("scrollTo(0, 0)")
        assert page.evaluate(bottom.replace("PART", "#loss")) < height
    else:
        assert 0 < page.evaluate(bottom.replace("PART", "#bar")) <= height
        assert page.text_content("#loss") in page.text_content("#bar")


def test_a_law_of_other_axes_has_its_own_controls_and_charts(chromium, tmp_path):
    from analysis import explorer

    rng = np.random.default_rng(2)
    N, D, kind = (
        x.ravel()
        for x in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 3e10, 3), ["adam", "muon"])
    )
    loss = (
        (1.7 + 410 * N**-0.33 + 390 * D**-0.27)
        * np.where(kind == "muon", 0.98, 1.0)
        * np.exp(rng.normal(0, 1e-3, N.size))
    )
    arms = scaling.Arms(scaling.ChinchillaLaw, by="optimiser", shared=("alpha", "beta", "E"))
    fit = scaling.fit(arms, {"N": N, "D": D, "optimiser": kind, "loss": loss})
    file = explorer.write([fit], tmp_path / "own.html")
    tab = chromium.new_page()
    load(tab, file)
    assert tab.text_content("h1") == "What does the scaling law say?"
    assert tab.evaluate(FIGURES) == ["loss-figure", "equal-figure", "cost-figure"]
    tab.select_option("#at-optimiser", label="muon")
    type_in(tab, "D", "5e9")
    type_in(tab, "N", "2e8")
    row = cells(tab, "law-table")[1]
    python = fit.law.predict(N=2e8, D=5e9, optimiser="muon")
    assert float(row[2]) == pytest.approx(python, abs=1e-4)
    tab.select_option("#along", "D")
    until(tab, "document.querySelector('#loss-chart .xtitle').textContent.startsWith('D,')")
    assert json.loads(tab.evaluate("JSON.stringify(App.state.at)")) == {"N": 2e8, "D": 5e9, "optimiser": 2}
    tab.close()
