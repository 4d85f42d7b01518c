"""The page in a real browser: on a phone, in the dark, on paper, at a bound, without JavaScript."""

import pytest

from analysis import explorer
from tests.analysis.browser import load, until

pytestmark = pytest.mark.slow


def test_phone_dark_and_print(page):
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == "rgb(20, 23, 27)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    assert page.locator("#slide-N").is_hidden()


def test_the_page_needs_no_font_of_its_own(page):
    families = "[...document.querySelectorAll('body, button, .main-svg text')].map(e => getComputedStyle(e).fontFamily)"
    found = set(page.evaluate(families))
    assert found
    assert all(family.endswith("sans-serif") for family in found), found
    assert page.evaluate("document.fonts.size") == 0


def test_on_a_phone_charts_keep_their_height_and_the_page_its_width(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("document.getElementById('rival-box').open = true")
    for name in ("additive-half", "power"):
        page.locator(f"#rivals input[value={name}]").set_checked(True)
    page.wait_for_timeout(300)
    for chart in ("worth", "loss", "cost"):
        plot = page.locator(f"#{chart}-chart .main-svg").first.bounding_box()
        assert plot["height"] > 150
        assert plot["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_fit_at_a_bound_is_told_and_gets_no_interval(chromium, tmp_path, request):
    file = explorer.write([request.config.rootpath / "results" / "demo"], tmp_path / "demo.html")
    tab = chromium.new_page()
    load(tab, file)
    assert "at bound" in tab.inner_text("#warning")
    tab.select_option("#law", "parallel")
    assert "at bound" in tab.inner_text("#warning")
    tab.close()


def test_paper_is_light_and_narrow(page):
    page.emulate_media(color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("figure details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    until(page, "!document.documentElement.classList.contains('printing')")
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
