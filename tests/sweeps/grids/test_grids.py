"""Grids: complete configurations, one dial, paired runs, refusals."""

import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

import parscale
from sweeps.grids.grids import GRIDS, Axes, find


def test_the_paper_grid_is_the_paper_s():
    runs = find("paper")()
    assert len(runs) == 48
    published = pd.read_csv("results/published/losses.csv")
    ours = {(r.size, r.model.P): r.model.N for r in runs}
    theirs = {(row.size_, row.P): row.N for row in published.rename(columns={"size": "size_"}).itertuples()}
    assert ours == theirs
    assert {r.D for r in runs} == {round(42e9 / 2**21) * 2**21}
    assert 1.0 < runs[0].C / (6 * (535_813_376 + 151_936 * 896) * 42e9) < 1.25  # attention is the rest


@pytest.mark.parametrize("name", GRIDS)
def test_runs_of_a_grid_differ_only_in_size_streams_and_seed(name):
    runs = find(name)()
    assert len({r.run_id for r in runs}) == len(runs)
    for field in ("steps", "batch", "seq_len", "schedule", "warmup", "optimizer", "precision", "evaluations"):
        assert len({getattr(r, field) for r in runs}) == 1, field
    pairs = {}
    for r in runs:
        alike = replace(r, model=replace(r.model, P=1))
        pairs.setdefault((r.size, r.corpus, r.seed), set()).add(alike)
    assert all(len(group) == 1 for group in pairs.values())


@pytest.mark.parametrize("name", ["demo", "laptop", "paper"])
def test_a_loss_is_of_a_million_held_out_tokens_where_the_corpus_has_them(name):
    assert all(r.eval_tokens == 0 or r.eval_tokens >= 1_000_000 for r in find(name)())  # 0: all there are


@pytest.mark.parametrize("name", GRIDS)
def test_a_dry_run_prints_the_rule(name, capsys, tmp_path):
    words = ["sweep", name, "--dry-run", "--rate", "1e12", "--out", str(tmp_path)]
    assert parscale.main(words) == 0
    assert GRIDS[name].rule in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", ["ci", "demo", "laptop"])
def test_extras_stay_a_small_share_and_sizes_spread(name):
    runs = find(name)()
    plain = {r.size: r.model.N for r in runs if r.model.P == 1}
    assert list(plain.values()) == sorted(plain.values())
    for r in runs:
        assert r.model.shape.parscale_parameters < 0.45 * plain[r.size]
        assert r.model.vocab * r.model.width < 6 * r.model.N


def test_the_laptop_grid_spans_sixteenfold():
    sizes = {r.model.N for r in find("laptop")() if r.model.P == 1}
    assert len(sizes) >= 5
    assert max(sizes) >= 16 * min(sizes)


@pytest.mark.parametrize(
    ("grid", "axes", "message"),
    [
        ("demo", Axes(sizes=["big"]), "'big'.*WIDTHxLAYERS"),
        ("demo", Axes(sizes=["50x2"]), "50.*32"),
        ("demo", Axes(streams=[0]), r"\bP\b.*\b1\b"),
        ("demo", Axes(streams=[2, 2]), "--streams.*2.*2"),
        ("demo", Axes(seeds=[]), "--seeds"),
        ("demo", Axes(recipe="magic"), "recipe='magic'"),
        ("paper", Axes(sizes=["9B"]), "'9B'.*0.5B"),
        ("nope", Axes(), "'nope'"),
    ],
)
def test_refusals(grid, axes, message):
    with pytest.raises(ValueError, match=message):
        find(grid)(axes)


def test_a_user_s_grid_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from sweeps.grids.grids import Axes, find\n"
        "def grid(axes):\n    'Half the demo.'\n    return find('demo')(Axes(streams=(1, 2)))\n"
    )
    mine = find(str(path))
    assert (mine.name, mine.rule, len(mine())) == ("mine", "Half the demo.", 6)


def test_grid_files_import_their_own_neighbours(tmp_path):
    body = "def grid(axes):\n    from neighbour import size\n    from sweeps.grids import find\n"
    body += "    return find('ci')(axes.__class__(sizes=[size]))\nimport neighbour\n"
    for folder, size in (("a", "32x1"), ("b", "64x1")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "neighbour.py").write_text(f"size = {size!r}\n")
        (tmp_path / folder / "mine.py").write_text(body)
        assert {run.size for run in find(str(tmp_path / folder / "mine.py"))()} == {size}
    assert "neighbour" not in sys.modules
    assert str(tmp_path / "a") not in sys.path
    (tmp_path / "a" / "neighbour.py").write_text("size = = 3\n")
    with pytest.raises(ValueError, match=r"neighbour\.py:1"):
        find(str(tmp_path / "a" / "mine.py"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def grid(axes:\n", "bad.py:1"),
        ("x = 1\ny = 1 / 0\n", "bad.py:2.*ZeroDivisionError"),
        ("grids = 3\n", "Grid.*Axes"),
        ("def grid(axes):\n    return ['x']\n", r"\b0\b.*\bstr\b.*RunConfig"),
        ("def grid(axes):\n    return []\n", "bad"),
        ("x = 1\ndef grid():\n    return []\n", "bad.py:2.*TypeError.*0"),
        ("import sys\nsys.exit(3)\n", "bad.py:2.*SystemExit.*3"),
        (
            "from sweeps.grids.grids import find\ndef grid(axes):\n    return 2 * find('ci')()\n",
            "grid bad",
        ),
        ("def grid(axes):\n    return None\n", "bad.py:1.*TypeError.*'NoneType'"),
        ("def grid(axes):\n    x = {}\n    return x[1]\n", "bad.py:3.*KeyError.*1"),
        (
            "from sweeps.config import ModelConfig as M\n\ndef grid(axes):\n"
            "    return [M(vocab=9, width=50, ffn=8, layers=1, heads=3, kv_heads=1)]\n",
            "bad.py:4.*heads.*=.*3.*width.*=.*50",
        ),
    ],
)
def test_a_faulty_grid_file_is_named_with_its_line(tmp_path, body, message):
    path = tmp_path / "bad.py"
    path.write_text(body)
    with pytest.raises(ValueError, match=message):
        find(str(path))()


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (Axes(sizes=("32x1",)), "--sizes.*32x2.*64x2.*96x2"),
        (Axes(streams=(4,)), "--streams.*1.*2"),
        (Axes(seeds=(3,)), "--seeds.*0"),
        (Axes(tokens=10_000), "--tokens.*10,000"),
    ],
)
def test_a_grid_that_passes_over_an_axis_is_refused(tmp_path, axes, message):
    path = tmp_path / "mine.py"
    body = "def grid(axes):\n    return find('demo')(Axes(streams=(1, 2)))\n"
    path.write_text(f"from sweeps.grids.grids import Axes, find\n{body}")
    assert len(find(str(path))(Axes(streams=(1, 2, 4)))) == 6
    with pytest.raises(ValueError, match=message):
        find(str(path))(axes)


def test_planning_never_imports_torch():
    code = "import sys, sweeps.driver.run_sweep, sweeps.grids as grids; grids.find('paper')(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
