"""Tables, the claims audit, and the whole reproduction from the published numbers."""

import json

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis.output import formatted_tables
from analysis.paper import claims, refit, reproduce
from analysis.paper.published_numbers import read_published
from analysis.sweep import figure_tables, verdict
from scaling.data.groups import corpus_name
from scaling.fitting.printed_constants import PRINTED, printed_k
from tests.analysis.conftest import PUBLISHED


@pytest.fixture(scope="module")
def published():
    return read_published(PUBLISHED)


@pytest.fixture(scope="module")
def laws(published):
    return {c: scaling.fit(scaling.ParallelLaw, published.corpus(c)).law for c in ("stack-v2-python", "pile")}


def test_every_claim_has_the_verdict_of_its_numbers(published, laws):
    table = claims.audit(published, laws)
    assert len(table) >= len(published.claims)
    given = dict(zip(table["claim"], table["verdict"], strict=True))
    expected = {
        "memory increase against parameter scaling, 1.6B, P = 8, batch 1": claims.PARTLY,
        "latency increase against parameter scaling, 1.6B, P = 8, batch 1": claims.HOLDS,
        "memory increase against parameter scaling, 1.6B, P = 8, batch 1, 2, 4, 8": claims.HOLDS,
        "latency increase against parameter scaling, 1.6B, P = 8, batch 1, 2, 4, 8": claims.PARTLY,
        "parameters saved at equal loss, 4.4B at P = 1 against P = 8, Stack": claims.PARTLY,
        "30B at P = 8 is worth 42.5B (in no copy of the paper)": claims.FALSE,
        "8 streams are worth 3 times the parameters (not in the paper)": claims.FALSE,
        "tokens after which the second stage passes P = 1": claims.UNKNOWN,
        "released checkpoints": claims.HOLDS,
    }
    assert {claim: given[claim] for claim in expected} == expected
    found = dict(zip(table["claim"], table["found"], strict=True))
    assert (
        found["parameters saved at equal loss, 4.4B at P = 1 against P = 8, Stack"]
        == "-45.0% (law), -52.3% (points)"
    )
    assert (
        found["30B at P = 8 is worth 42.5B (in no copy of the paper)"]
        == "54.5B (stack-v2-python), 50.9B (pile)"
    )
    assert "3.16B (points)" in found["1.6B at P = 8 is worth 4.4B on code tasks"]


def test_another_law_changes_the_verdict(published, laws):
    law = scaling.ParallelLaw(E=0.7, A=1.1e7, alpha=0.19, k=0.2)
    table = claims.audit(published, {**laws, "stack-v2-python": law}).set_index("claim")
    saved = table.loc["parameters saved at equal loss, 4.4B at P = 1 against P = 8, Stack"]
    assert saved["verdict"] == claims.FALSE
    assert saved["found"].startswith("-29.4% (law)")


@pytest.mark.parametrize(
    ("claimed", "found", "digits", "expected"),
    [
        (22, [22.4, 21.6], 0, claims.HOLDS),
        (22, [22.6, 21.6], 0, claims.PARTLY),
        (1.7, [1.64, 1.76], 1, claims.FALSE),
    ],
)
def test_verdict_rounds_to_the_printed_digits(claimed, found, digits, expected):
    assert claims.claim_verdict(claimed, found, digits) == expected


def test_printed_tables_leave_the_unknown_blank(published):
    made = formatted_tables.paper_tables(published)
    assert list(made) == [f"table{i}" for i in range(1, 6)]
    _, instruct = made["table5"]
    assert instruct["P"].tolist() == [1, 2, 4, 8]
    lines = formatted_tables.markdown(instruct).splitlines()
    assert lines[0] == "| P | IFEval (0-shot) | MMLU (5-shot) | GSM8K (4-shot) |"
    assert lines[3] == "| 2 |  |  |  |"
    assert "HumanEval+ pass@10" in made["table4"][1]
    assert "HumanEval pass@1" in made["table4"][1]


def test_a_written_table_names_its_origin_and_reads_back(tmp_path):
    table = pd.DataFrame({"a_b": [1.23456789, -np.inf], "law": ["x & y", "50%|"], "ok": [True, False]})
    files = formatted_tables.write(
        table, tmp_path / "t", caption="A 5% case", command="parscale x", data="y.csv"
    )
    assert [f.suffix for f in files] == [".csv", ".md", ".tex"]
    assert all("made by: parscale x; from: y.csv" in f.read_text() for f in files)
    pd.testing.assert_frame_equal(pd.read_csv(files[0], comment="#"), table)
    assert r"x \& y" in files[2].read_text()
    assert r"a\_b" in files[2].read_text()
    assert r"A 5\% case" in files[2].read_text()
    assert "| 1.235 | x & y | yes |" in files[1].read_text()
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_folder_without_the_published_numbers_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"losses\.csv is not there: the paper"):
        reproduce.run(tmp_path / "out", published=tmp_path)


def test_runs_without_a_size_are_grouped_into_sizes(published):
    runs = published.corpus("pile").drop(columns="size")
    fits = {"pile": scaling.fit(scaling.ParallelLaw, runs)}
    table = figure_tables.residual_table(fits, {"pile": runs})
    assert sorted(table["size"].unique()) == ["0.5B", "0.7B", "1.1B", "1.6B", "2.8B", "4.4B"]
    assert (table.groupby("size")["P"].nunique() == 4).all()
    fewer = figure_tables.residual_table(
        fits, {"pile": runs.iloc[:-1]}
    )  # a run short: five of its size are left
    assert fewer["size"].tolist() == table["size"].tolist()[:-1]


def test_the_constants_beside_the_law_are_those_of_the_published_table(published):
    for corpus, row in published.constants.iterrows():
        law, r2 = PRINTED[corpus]
        assert (*law.vector, r2) == tuple(row[["E", "A", "alpha", "k", "R2"]])
        assert f"{row['k']:.2f} ({corpus_name(corpus)})" in printed_k()
    assert printed_k() in verdict.verdict(scaling.fit(scaling.ParallelLaw, published.corpus("pile")))


def test_the_largest_third_of_sizes_is_held_out_whatever_streams_add():
    rows = [(N * (1 + 0.06 * P * (P > 1)), P) for N in (1e5, 2e5, 4e5) for P in (1, 2, 4, 8)]
    runs = pd.DataFrame(rows, columns=["N", "P"])
    law = scaling.ParallelLaw(E=1.5, A=2e5, alpha=0.3, k=0.4)
    runs["loss"] = law.predict(N=runs["N"], P=runs["P"])
    table = figure_tables.backtest_table({"": scaling.fit(scaling.ParallelLaw, runs)}, {"": runs})
    held = table[(table["split"] == "without the largest N") & table["held_out"]]
    assert held["N"].tolist() == runs["N"].tolist()[-4:]


def test_backtests_have_the_published_quality(published):
    runs = {c: published.corpus(c) for c in ("stack-v2-python", "pile")}
    fits = {c: scaling.fit(scaling.ParallelLaw, rows) for c, rows in runs.items()}
    table = figure_tables.backtest_table(fits, runs)
    held = table[table["held_out"]]

    def r2(rows):
        return 1 - (rows["error"] ** 2).sum() / ((rows["loss"] - rows["loss"].mean()) ** 2).sum()

    quality = {key: round(r2(rows), 3) for key, rows in held.groupby(["corpus", "split"])}
    assert quality["pile", "without the largest P"] == pytest.approx(0.997, abs=0.001)
    assert quality["stack-v2-python", "without the largest P"] == pytest.approx(0.996, abs=0.001)
    assert quality["pile", "without the largest N"] == pytest.approx(0.94, abs=0.005)
    assert quality["stack-v2-python", "without the largest N"] == pytest.approx(0.75, abs=0.005)
    assert (held.loc[held["split"] == "without the largest N", "error"] > 0).all()


@pytest.mark.slow
def test_everything_is_made_and_says_whence(tmp_path):
    heard = []
    (tmp_path / "README.md").write_text("# Mine\n\nKept.\n")
    result = reproduce.run(tmp_path, published=PUBLISHED, progress=heard.append)
    assert heard[0] == "fits"
    assert heard[-1] == "done"
    constants = result.constants.set_index(["corpus", "constant"])
    assert round(constants.loc[("stack-v2-python", "k"), "ours"], 4) == 0.3935
    assert round(constants.loc[("pile", "E"), "ours"], 4) == 1.2886
    assert constants["difference"].abs().max() < 1e-3
    names = {p.relative_to(tmp_path).as_posix() for p in result.files}
    assert {f"figures/{f}.{e}" for f in ("fig2", "fig4", "profiles") for e in ("png", "pdf")} <= names
    assert {f"tables/table{i}.{e}" for i in range(1, 6) for e in ("csv", "md", "tex")} <= names
    assert len([n for n in names if n.startswith("fits/")]) == 16
    for path in result.files:
        assert path.stat().st_size > 100
        if path.suffix == ".json":
            assert json.loads(path.read_text())
        else:
            assert b"parscale reproduce" in path.read_bytes(), path
    readme = (tmp_path / "README.md").read_text()
    assert readme.startswith("# Mine\n\nKept.\n")
    assert "| does not follow |" in readme
    made = reproduce.table_set(
        refit.Inputs(read_published(PUBLISHED), refit.fit_all(pd.read_csv(PUBLISHED / "losses.csv")))
    )
    reproduce._readme(made, tmp_path)
    assert (tmp_path / "README.md").read_text() == readme  # written twice it is written once
    page = (tmp_path / "paper.html").read_text()
    assert page.count("<figure>") == len([n for n in names if n.startswith("figures/")]) / 2
    assert all(said in page for said in ("Claims, recomputed", "holds under conditions", "-52.3% (points)"))
