"""The whole reproduction from the published numbers."""

import json

import pytest

from analysis.paper import claims, reproduce
from tests.analysis.conftest import PUBLISHED


def test_a_folder_without_the_published_numbers_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"losses\.csv"):
        reproduce.run(tmp_path / "out", published=tmp_path)


@pytest.mark.slow
def test_everything_is_made_and_says_whence(tmp_path, monkeypatch):
    heard, made, write_readme = [], [], reproduce._readme
    monkeypatch.setattr(reproduce, "_readme", lambda *given: made.append(given) or write_readme(*given))
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
    assert f"| {claims.FALSE} |" in readme
    write_readme(*made[0])
    assert (tmp_path / "README.md").read_text() == readme  # written twice it is written once
    page = (tmp_path / "paper.html").read_text()
    assert page.count("<figure") == len([n for n in names if n.startswith("figures/")]) / 3
    assert all(said in page for said in ("Claims, recomputed", "holds under conditions", "−52.3% (points)"))
