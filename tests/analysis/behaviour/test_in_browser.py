"""The page in a real browser: what it computes against Python, what it does with people's input."""

import numpy as np
import pytest

import scaling
from analysis.costs.hardware import KNOWN
from analysis.costs.shapes import shape_of
from analysis.explorer.law_grid import AGREES, HIGH
from analysis.inference_cost import estimate
from scaling.forecasting.widened import forecast_words
from scaling.selection.equivalent_size import equivalents
from tests.analysis.browser import cells, load, type_in, until

pytestmark = pytest.mark.slow


def test_size_and_time_to_interactive(page, page_file, capsys):
    numbers, charts = page.evaluate(
        "['numbers', 'charts'].map(n => performance.getEntriesByName(n)[0].startTime)"
    )
    with capsys.disabled():
        size = page_file.stat().st_size
        print(f"\nexplore page: {size / 1e6:.2f} MB, numbers after {numbers:.0f} ms, charts {charts:.0f} ms")
    assert size < 6.2e6
    assert numbers < 10_000
    assert charts < 30_000


def test_laws_agree_with_python_on_random_points(page, sources):
    rng = np.random.default_rng(11)
    N, P = np.exp(rng.uniform(np.log(1e4), np.log(1e12), 500)), rng.integers(1, 65, 500).astype(float)
    got = page.evaluate(
        """([N, P]) => App.data.sources.map((s) => Object.fromEntries(
             Object.entries(s.laws).map(([name, law]) =>
             [name, N.map((n, i) => [Law.loss(law, n, P[i]), ...[1, 2, 4, 8].map((q) =>
                 Law.equivalent(law, n, P[i], q).N)].map((v) => v === Infinity ? -1 : v))])))""",
        [N.tolist(), P.tolist()],
    )
    for source, by_law in zip(sources, got, strict=True):
        assert list(by_law) == list(source.fits)
        for name, fitted in source.fits.items():
            ours = np.array(by_law[name], dtype=float)
            axes = {"N": N, "P": P} if "P" in fitted.law.axes else {"N": N}
            np.testing.assert_allclose(ours[:, 0], fitted.law.predict(**axes), rtol=AGREES, atol=0)
            if name != "dense":
                for column, at in enumerate((1, 2, 4, 8), 1):
                    sizes = fitted.law.equivalent_N(N, P, at)
                    known = np.isfinite(sizes) & (ours[:, column] > 0)
                    # An equivalent size is a root of a flat curve: a small error of the loss is more of the size.
                    back = fitted.law.predict(N=ours[known, column], P=at)
                    np.testing.assert_allclose(back, ours[known, 0], rtol=AGREES)
                    within = np.isfinite(sizes) & (sizes < HIGH)  # the grid ends there
                    near = np.isclose(sizes, HIGH, rtol=1e-2)
                    np.testing.assert_array_equal(within[~near], ours[~near, column] > 0)


def test_intervals_agree_with_python(page, sources):
    rng = np.random.default_rng(5)
    N, P = np.exp(rng.uniform(np.log(1e7), np.log(1e11), 200)), rng.integers(1, 33, 200).astype(float)
    got = page.evaluate(
        """([N, P]) => App.data.sources.map((s) => Object.fromEntries(
             Object.entries(s.laws).map(([name, law]) =>
             [name, N.map((n, i) => {
               const p = Law.predict(law, n, P[i]), e = Law.equivalent(law, n, P[i], 1);
               return [p.lower, p.upper, p.newLower, p.newUpper, e.lower, e.upper]; })])))""",
        [N.tolist(), P.tolist()],
    )
    for source, by_law in zip(sources, got, strict=True):
        for name in ("parallel", "additive", "diversity", "saturating", "power", "log-multiplicative"):
            fitted, ours = source.fits[name], np.array(by_law[name], dtype=float)
            python = fitted.predict(N=N, P=P)
            inside = python["inside"].to_numpy()
            assert 5 < inside.sum() < 150
            for ends, tolerance, beyond in (("lower upper", 0.4, 2.0), ("new_lower new_upper", 0.15, 0.3)):
                low, high = (python[c].to_numpy() for c in ends.split())
                first = 0 if ends == "lower upper" else 2
                error = (
                    np.abs(ours[:, first : first + 2] - np.stack([low, high], 1)) / (high - low)[:, None] * 2
                )
                known = np.isfinite(error).all(axis=1)  # ends may be open
                assert known.mean() > 0.7, (name, ends)
                assert error[inside & known].max() < tolerance, (name, ends)
                assert np.quantile(error[known], 0.95) < beyond, (name, ends)  # ends far out may leap
                assert np.median(error[known]) < 0.03, (name, ends)
        fitted, ours = source.fits["parallel"], np.array(by_law["parallel"], dtype=float)
        python = equivalents(fitted, N=N, P=P, method=scaling.Covariance())
        np.testing.assert_allclose(ours[:, 4:], python[["lower", "upper"]], rtol=1e-4)


def test_costs_agree_with_python(page):
    rng = np.random.default_rng(3)
    rows = [
        (float(np.exp(rng.uniform(np.log(1e8), np.log(1e12)))), int(P), int(b), int(i), int(o), device)
        for P, b, i, o in rng.integers([1, 1, 1, 1], [65, 300, 9000, 2000], (250, 4))
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


def test_the_published_example(page, sources):
    assert page.text_content("#loss") == "1.0155"
    assert page.input_value("#N") == "2.8B"
    assert page.input_value("#P") == "4"
    shown = {row[0]: row[1] for row in cells(page, "equivalents")[1:]}
    assert shown == {"P = 1": "4.33B", "P = 2": "3.4B", "P = 4": "2.8B", "P = 8": "2.38B"}
    python = sources[0].fits["parallel"].predict(N=2.8e9, P=4).iloc[0]
    for box, ends in (("mean", ["lower", "upper"]), ("run", ["new_lower", "new_upper"])):
        shown = list(map(float, page.text_content(f"#{box}").split(" to ")))
        assert shown == pytest.approx(python[ends].to_list(), abs=1.5e-3)
    assert page.inner_text("#warning") == ""
    said = "R² 0.9978 (without P: 0.9017), RMSE 0.0026 on 24 runs; fit converged."
    assert page.text_content("#formula").endswith(said)


def test_a_measure_of_fit_that_is_no_number_is_none(page):
    law = "App.data.sources[0].laws.parallel"
    kept = page.evaluate(f"{law}.r2")
    page.evaluate(f"{law}.r2 = null; App.set({{}})")
    assert "R² none (without P" in page.text_content("#formula")
    page.evaluate(f"{law}.r2 = {kept}; App.set({{}})")


def test_typing_and_sliding(page, sources):
    law = sources[0].fits["parallel"].law
    type_in(page, "N", "700M")
    type_in(page, "P", "8")
    assert page.text_content("#loss") == f"{law.predict(N=7e8, P=8):.4f}"
    page.focus("#N-slider")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    N = page.evaluate("App.state.N")
    assert 7e8 < N < 8e8
    assert page.text_content("#loss") == f"{law.predict(N=N, P=8):.4f}"
    assert page.evaluate("x => State.parseSize(x)", page.input_value("#N")) == N
    page.focus("#P-slider")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("App.state.P") == 7
    assert page.input_value("#P") == "7"
    page.fill("#batch", "16")
    page.keyboard.press("Tab")
    assert "Batch 16" in page.inner_text("#costs")
    page.select_option("#device", "h200")
    assert "H200" in page.inner_text("#costs")


@pytest.mark.parametrize(
    ("box", "text", "message"),
    [
        ("N", "abc", "N: “abc” is not a number"),
        ("N", "0", "N: 0 is out of range; from 0.01M to 1000B"),
        ("N", "1e99", "N: 1e99 is out of range"),
        ("N", "", "N: “” is not a number"),
        ("N", "-3B", "N: -3B is out of range"),
        ("P", "65", "P: 65 is out of range; from 1 to 64"),
        ("P", "2.5", "P: 2.5 is not a whole number"),
        ("batch", "0", "batch: 0 is out of range"),
        ("output", "many", "output tokens: “many” is not a number"),
    ],
)
def test_bad_values_get_a_message_and_change_nothing(page, box, text, message):
    type_in(page, "N", "1.6B")
    before, loss = page.evaluate("App.state"), page.text_content("#loss")
    type_in(page, box, text)
    assert message in page.text_content("#message")
    assert page.get_attribute(f"#{box}", "aria-invalid") == "true"
    assert page.evaluate("App.state") == before
    assert page.text_content("#loss") == loss
    type_in(page, box, "2B" if box == "N" else "4")
    assert page.text_content("#message") == ""
    assert page.get_attribute(f"#{box}", "aria-invalid") == "false"


def test_outside_the_data_is_said(page):
    type_in(page, "N", "30B")
    assert "Outside the data: N was run from 536M to 4.41B" in page.inner_text("#warning")
    type_in(page, "P", "16")
    assert "P was run from 1 to 8" in page.inner_text("#warning")
    type_in(page, "N", "1000B")
    assert "does not fit: A100 80GB" in page.inner_text("#warning")
    type_in(page, "N", "0.01M")
    type_in(page, "P", "64")
    assert "no cost is given" in page.inner_text("#warning")


def test_beyond_the_runs_the_interval_is_the_forecast_and_it_is_said(page, sources):
    fit = sources[0].fits["parallel"]
    for N, P, along in (("30B", 8, "along N"), ("1B", 32, "along P")):
        type_in(page, "N", N)
        type_in(page, "P", str(P))
        python = fit.predict(N=float(N[:-1]) * 1e9, P=P)
        low, high = map(float, page.text_content("#run").split(" to "))
        assert [low, high] == pytest.approx(python[["new_lower", "new_upper"]].to_numpy()[0], abs=3e-3)
        assert high > fit.predict(N=python.N, P=P, widened=False)["new_upper"][0] - 1e-3
        said = forecast_words(fit, {"N": python["N"][0], "P": P})
        assert along in said
        assert page.text_content("#beyond").endswith(f"{said.partition('widened by ')[2]}.")
    type_in(page, "N", "2B")
    type_in(page, "P", "4")
    assert page.text_content("#beyond") == ""


def test_the_address_carries_the_point(page, page_file, sources):
    page.select_option("#source", label="The Pile")
    type_in(page, "N", "1.23B")
    type_in(page, "P", "2")
    page.check("#rivals input[value=additive-half]")
    fragment = page.evaluate("location.hash")
    loss = page.text_content("#loss")
    assert loss == f"{sources[1].fits['parallel'].law.predict(N=1.23e9, P=2):.4f}"
    load(page, page_file, fragment)
    assert page.evaluate("App.state").items() >= {"N": 1.23e9, "P": 2, "rivals": ["additive-half"]}.items()
    assert page.text_content("#loss") == loss
    load(page, page_file, "#N=abc&P=99&source=nowhere&law=none&rivals=x")
    assert page.evaluate("App.state.N") == 2.8e9
    assert "“abc” is not a number" in page.text_content("#message")


def test_back_to_the_first_point(page):
    type_in(page, "N", "1B")
    page.click("text=Back to the first point")
    until(page, "App.state.N === 2.8e9")
    assert page.text_content("#loss") == "1.0155"


def test_rivals_are_drawn_and_listed(page, sources):
    count = "document.getElementById('loss-chart').data.length"
    before = page.evaluate(count)
    page.check("#rivals input[value=additive]")
    until(page, f"{count} === {before + 1}")
    row = next(r for r in cells(page, "rival-table") if r[0].startswith("additive"))
    assert row[1] == f"{sources[0].fits['additive'].law.predict(N=2.8e9, P=4):.4f}"
    assert row[-3:] == ["0.9984", "0.9017", "0.0022"]  # R², without P, RMSE
    page.select_option("#law", "additive")
    assert page.text_content("#loss") == row[1]
    assert page.is_hidden("#rival-table")


def test_charts_have_tables_and_move_the_point(page, sources):
    for chart, table in (("loss", 25), ("contour", 8), ("cost", 29)):
        assert page.locator(f"#{chart}-chart .main-svg").count() > 0
        assert len(cells(page, f"{chart}-table")) == table
    law = sources[0].fits["parallel"].law
    row = cells(page, "loss-table")[1]
    assert row == ["536M", "1", "1.1722", f"{law.predict(N=535813376, P=1):.4f}"]
    box = page.locator("#contour-chart .nsewdrag").first.bounding_box()
    page.locator("#contour-chart").scroll_into_view_if_needed()
    box = page.locator("#contour-chart .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    page.wait_for_timeout(300)
    page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    until(page, "App.state.N < 1.5e9 && App.state.P > 4")
