"""A self-contained page: what is put in is escaped, images are inside, what is missing is said."""

import base64
import re

import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.output.html_page import Page, as_sentence, page_path
from scaling.selection.verdict import without_fit


def test_a_page_goes_to_the_file_named_or_into_the_folder(tmp_path):
    assert page_path(tmp_path / "mine.html", "report.html") == tmp_path / "mine.html"
    assert page_path(tmp_path / "new", "report.html") == tmp_path / "new" / "report.html"
    (tmp_path / "folder.html").mkdir()
    assert page_path(tmp_path / "folder.html", "report.html") == tmp_path / "folder.html" / "report.html"


@pytest.fixture
def page():
    return Page("A <title>", "made by: x & y")


def test_words_cannot_become_markup(page):
    for add in (page.heading, page.text, page.verbatim, lambda words: page.missing([words])):
        add("<script>1</script>")
    assert "<script>" not in page.html
    assert page.html.count("&lt;script&gt;") == 4
    assert page.html.count("A &lt;title&gt;") == 2
    assert page.html.endswith("<footer>made by: x &amp; y</footer></body></html>\n")


def test_parts_stand_in_the_order_they_were_added(page):
    page.heading("first")
    page.table(pd.DataFrame({"second": [1]}))
    page.text("third")
    places = [page.html.index(word) for word in ("first", "second", "third")]
    assert places == sorted(places)


def test_what_follows_a_table_stands_at_its_side(page):
    with page.noted():
        page.table(pd.DataFrame({"first": [1]}))
        page.text("second")
    (part,) = page.parts
    assert part.startswith('<div class="noted"><div class="wide">')
    assert part.endswith('<div class="notes"><p>second</p></div></div>')


def test_nothing_missing_says_nothing(page):
    page.missing([])
    assert page.parts == []
    page.missing(["one", "two."])
    assert page.parts == ['<ul class="missing"><li>one.</li><li>two.</li></ul>']


def test_a_part_that_lacks_what_it_needs_is_said_and_the_page_goes_on(page):
    def lacking():
        raise ValueError("no curves <here>")

    page.attempt("training", lacking)
    page.attempt("table", lambda: page.text("there"))
    assert page.parts == ['<p class="missing">training: no curves &lt;here&gt;.</p>', "<p>there</p>"]
    with pytest.raises(KeyError):
        page.attempt("other", lambda: {}["a mistake of ours"])


def test_images_are_inside_with_words_for_those_who_do_not_see_them(page, tmp_path):
    figure = Figure(figsize=(5, 2))
    figure.subplots().plot([1, 2], [3, 5])
    page.figure(figure, "a < b")
    (tmp_path / "x.png").write_bytes(b"picture")
    page.picture(tmp_path / "x.png", 2.5, "c")
    svg, png = re.findall(r'<img alt="(.*?)" width="(\d+)" src="data:image/(.*?);base64,(.*?)">', page.html)
    assert svg[:3] == ("a &lt; b", "600", "svg+xml")
    assert b"<svg" in base64.b64decode(svg[3])
    assert png[:3] == ("c", "300", "png")
    assert base64.b64decode(png[3]) == b"picture"
    again = Page("A <title>", "made by: x & y")
    again.figure(figure, "a < b")
    assert again.parts == page.parts[:1]  # no date, no random name


def test_a_page_is_written_whole_into_a_folder_that_is_made(page, tmp_path):
    page.text("Größe")
    path = page.write(tmp_path / "a" / "b" / "page.html")
    assert path.read_text(encoding="utf-8") == page.html
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def test_what_is_folded_is_linked_from_the_contents(page):
    page.contents()
    with page.fold("Every <run>"):
        page.text("inside")
    with page.fold("empty"):
        page.missing([])
    assert page.html.count("<details>") == page.html.count("<nav>") == 1
    link = re.search(r'<a href="#(.*?)">Every &lt;run&gt;</a>', page.html)
    assert f'<summary>Every &lt;run&gt;</summary><span id="{link[1]}"></span><p>inside</p>' in page.html
    assert "empty" not in page.html
    assert "<nav>" not in Page("none", "x").html


def test_a_verdict_is_three_answers_and_their_basis(page):
    page.verdict(without_fit("no <runs>"), "mine")
    assert page.html.count('class="answer tell"') == page.html.count("<p>No &lt;runs&gt;.</p>") == 3
    assert 'class="more"' not in page.html
    page.verdict(without_fit("x"), more=("", "why `a-1`", ""))
    assert page.html.count('<p class="more">why <code>a-1</code></p>') == 1
    assert "<h2>mine</h2>" in page.html
    assert as_sentence("a point. ends.") == "A point. ends."
