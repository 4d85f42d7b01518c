"""What the atlas takes in: runs that are here, constants with their digits."""

import pytest

from analysis.atlas.curve_entries import MODELS, NAME
from analysis.atlas.entries import ENTRIES, printed_constants, printed_of
from analysis.atlas.exponents import all_exponents
from scaling import ParallelLaw
from scaling.laws import axes_of_laws, law_of

NAMES = {entry.name for entry in ENTRIES}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_runs_have_what_the_law_takes(entry):
    runs = entry.runs
    assert {*axes_of_laws([entry.law]), "loss"} - {"P"} <= {*runs.columns}
    assert len(runs) > len(law_of(entry.law, runs).free()) or entry.law == "precision"
    assert entry.printed or entry.doubt  # constants to hold against the runs, or why there are none
    assert "arXiv" in entry.source or "(" in entry.source


def test_every_printed_constant_belongs_to_an_entry_and_names_its_source():
    table = printed_constants()
    assert {*table.entry} <= NAMES | {one.name for one in all_exponents()} | {NAME.format(m) for m in MODELS}
    assert table.source.notna().all()
    assert not table.duplicated(["entry", "parameter"]).any()
    assert table.printed.astype(float).notna().all()


def test_the_paper_s_constants_are_those_of_figure_2():
    assert printed_of("ParScale, the Pile") == {
        "E": "1.2888",
        "A": "1.974e8",
        "alpha": "0.1963",
        "k": "0.3345",
    }
    assert ParallelLaw.names() == tuple(printed_of("ParScale, the Pile"))
