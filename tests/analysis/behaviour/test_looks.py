"""The page in a real browser: on a phone, in the dark, on paper, at a bound, without JavaScript."""

import pytest

from analysis import explorer
from tests.analysis.browser import cells, load, until

pytestmark = pytest.mark.slow


def test_phone_dark_and_print(page):
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == "rgb(20, 23, 27)"
    until(page, "document.getElementById('loss-chart').layout.font.color === '#e7eaee'")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    assert page.locator("#N-slider").is_hidden()


def test_on_a_phone_no_legend_covers_an_axis(page):
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("additive-half", "power"):
        page.set_checked(f"#rivals input[value={name}]", True, force=True)
    page.wait_for_timeout(300)
    for chart in ("loss", "contour", "cost"):
        legend = page.locator(f"#{chart}-chart .legend").bounding_box()
        plot = page.locator(f"#{chart}-chart .nsewdrag").first.bounding_box()
        assert legend["y"] + legend["height"] <= plot["y"] + 1
        assert plot["height"] > 150


def test_a_fit_at_a_bound_is_told_and_gets_no_interval(chromium, tmp_path, request):
    file = explorer.write([request.config.rootpath / "results" / "demo"], tmp_path / "demo.html")
    tab = chromium.new_page()
    load(tab, file)
    assert "On these runs the paper's law is in doubt: at bound" in tab.inner_text("#warning")
    assert {row[2] for row in cells(tab, "equivalents")[1:]} == {"this law knows no P", "the point itself"}
    assert "higher loss" not in tab.inner_text("#costs")
    tab.select_option("#law", "parallel")
    assert "This fit is in doubt: at bound" in tab.inner_text("#warning")
    assert tab.text_content("#mean") == "none: fit in doubt"
    assert tab.text_content("#verdict") == "By this law streams gain nothing here."
    tab.close()


def test_paper_is_light_and_narrow(page):
    page.emulate_media(color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    chart = "document.getElementById('cost-chart').layout"
    assert page.evaluate(f"[{chart}.width, {chart}.font.color]") == [640, "#1d2126"]
    assert page.locator("figure details[open]").count() == 3
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    until(page, f"{chart}.font.color === '#e7eaee'")
    assert len(page.pdf(format="A4")) > 20_000


def test_without_javascript_the_tables_are_shown(chromium, page_file):
    other = chromium.browser.new_context(java_script_enabled=False) if chromium.browser else None
    if other is None:
        pytest.skip("this playwright gives no second context")
    tab = other.new_page()
    tab.goto(page_file.as_uri())
    assert tab.locator("noscript table").count() == 8
    assert tab.locator("form").is_hidden()
    other.close()
