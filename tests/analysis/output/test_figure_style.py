"""The style: looks, labels, files that are equal for equal input, fonts that are not there."""

import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from analysis.output import figure_style
from scaling.data.units import count_labels


def make():
    figure, (axes,) = figure_style.new_figure(width=2, height=1.5)
    axes.plot([1, 2], [3, 5])
    return figure


def test_saved_files_are_equal_bytes_and_name_their_origin(tmp_path):
    first = figure_style.save_figure(
        make(), tmp_path / "a" / "figure", command="parscale figures", data="losses.csv"
    )
    second = figure_style.save_figure(
        make(), tmp_path / "b" / "figure", command="parscale figures", data="losses.csv"
    )
    assert [p.name for p in first] == ["figure.png", "figure.pdf", "figure.svg"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert re.search(rb"parscale figures.*losses\.csv", one.read_bytes())
        assert b"CreationDate" not in one.read_bytes()
    assert not list(tmp_path.rglob("*.tmp"))


def test_settings_do_not_leak_and_the_figure_carries_them():
    before = mpl.rcParams["axes.spines.top"], mpl.rcParams["font.size"]
    figure = make()
    png, shown = figure._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) == figure_style.RETINA * shown["width"]
    assert (mpl.rcParams["axes.spines.top"], mpl.rcParams["font.size"]) == before
    assert not figure.axes[0].spines["top"].get_visible()


def test_a_font_that_is_missing_changes_nothing_and_says_nothing(caplog):
    def drawn():
        figure = make()
        figure.axes[0].set_xlabel("parallel streams $P$")
        return figure._repr_png_()[0]

    usual = drawn()
    with mpl.rc_context({"font.family": ["No Such Font"], "mathtext.fontset": "custom"}):
        assert drawn() == usual
    assert not caplog.records


@pytest.mark.slow
def test_no_window_and_no_pyplot_is_needed():
    code = "import sys, analysis.figures, analysis.output.figure_style; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_stream_count_has_its_own_look():
    looks = figure_style.stream_looks([8, 1, 2, 2, 64])
    assert list(looks) == [1, 2, 8, 64]
    assert len({look["color"] for look in looks.values()}) == len({v["marker"] for v in looks.values()}) == 4


def test_neighbouring_streams_differ_in_lightness():
    colors = [look["color"] for look in figure_style.stream_looks([1, 2, 4, 8]).values()]
    weights = np.array([0.2126, 0.7152, 0.0722])
    lightness = [float(weights @ np.array(mpl.colors.to_rgb(c))) for c in colors]
    assert np.all(np.diff(lightness) > 0.08)


@pytest.mark.parametrize(
    ("sizes", "labels"),
    [
        ([535813376, 693753856, 1088376320], ["0.5B", "0.7B", "1.1B"]),
        ([51234, 181000, 702000], ["51k", "181k", "702k"]),
        ([50_000, 4_400_000_000], ["50k", "4.4B"]),
        ([999_600, 12], ["1M", "12"]),
        ([1.21e9, 1.23e9], ["1.21B", "1.23B"]),
    ],
)
def test_sizes_of_any_magnitude_have_short_labels(sizes, labels):
    assert count_labels(sizes) == labels


def test_crowded_sizes_have_no_tick_without_a_label():
    _, (axes,) = figure_style.new_figure()
    sizes = np.geomspace(1e6, 1e9, 60)
    axes.plot(sizes, sizes)
    figure_style.size_ticks(axes, sizes)
    labels = [t.get_text() for t in axes.get_xticklabels()]
    assert 5 < len(labels) < 20
    assert all(labels)
    assert labels[0] == "1M"
    assert labels[-1] == "1B"
