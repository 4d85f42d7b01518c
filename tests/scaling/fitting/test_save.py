"""A fit written is the fit read, and nothing else is read as one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import REGISTRY, Fit


@pytest.fixture
def saved(pile_fit: Fit, tmp_path: Path) -> Path:
    pile_fit.save(tmp_path / "fit.json")
    return tmp_path / "fit.json"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "parallel", "additive-half", "saturating"])
def test_bit_exact_reload(pile: pd.DataFrame, tmp_path: Path, name: str) -> None:
    groups = [f"run-{i}" for i in range(24)]
    fit = scaling.fit(REGISTRY[name], pile, scaling.LogHuber(3e-3), groups=groups)
    fit.save(tmp_path / "fit.json")
    again = Fit.load(tmp_path / "fit.json")
    assert again.law == fit.law
    assert again.form == fit.form
    assert (again.theta == fit.theta).all()
    assert again.certificate == fit.certificate
    assert again.data_hash == fit.data_hash
    assert list(again.groups) == groups
    axes = {a: np.array([3.3e9, 1.7e8]) if a == "N" else np.array([3.0, 16.0]) for a in fit.law.axes}
    assert (again.law.predict(**axes) == fit.law.predict(**axes)).all()
    assert again.objective_value == fit.objective_value
    assert (again.intervals() == fit.intervals()).all(axis=None)


@pytest.mark.slow
@pytest.mark.parametrize("objective", [scaling.LeastSquares(), scaling.Asymmetric(over=3.0)])
def test_objectives_and_weights_survive(
    pile: pd.DataFrame, tmp_path: Path, objective: scaling.Objective
) -> None:
    weights, se = np.resize([1.0, 2.0, 3.0], 24), np.linspace(1e-3, 2e-3, 24)
    fit = scaling.fit(scaling.ParallelLaw, pile, objective, weights=weights, se=se)
    fit.save(tmp_path / "fit.json")
    again = Fit.load(tmp_path / "fit.json")
    assert again.problem.objective == objective
    assert again.objective_value == fit.objective_value


def test_what_the_file_says(saved: Path, pile_fit: Fit) -> None:
    body = json.loads(saved.read_text())
    assert body["law"] == "ParallelLaw"
    assert body["parameters"]["k"] == pile_fit.law.k
    assert body["objective"] == {"name": "LogHuber", "log": True, "delta": 1e-3}
    assert {"numpy", "python", "parscale"} <= set(body["versions"])
    assert body["certificate"]["starts"] == pile_fit.certificate.starts
    assert body["data_hash"] == pile_fit.data_hash
    assert len(body["data"]["loss"]) == 24


def test_a_file_edited_by_hand(saved: Path) -> None:
    saved.write_text(saved.read_text().replace('"k": 0.33', '"k": 0.39'))
    with pytest.raises(ValueError, match=rf"{saved.name}.*checksum"):
        Fit.load(saved)


def test_a_file_of_another_version(saved: Path) -> None:
    body = json.loads(saved.read_text()) | {"format": 99}
    saved.write_text(json.dumps(body))
    with pytest.raises(ValueError, match=r"format.*99.*1"):
        Fit.load(saved)


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", '{"N": 3}', "\x00\x01", '{"format": 1, "law": "ParallelLaw"}']
)
def test_what_is_no_fit_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fit.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"fit\.json: "):
        Fit.load(path)


def test_a_law_that_is_not_defined_here(saved: Path) -> None:
    from scaling.fitting.save import body_checksum

    body = json.loads(saved.read_text())
    body["law"] = "SomebodysLaw"
    body.pop("checksum")
    saved.write_text(json.dumps(body | {"checksum": body_checksum(body)}))
    with pytest.raises(ValueError, match=r"SomebodysLaw.*Import"):
        Fit.load(saved)


def test_nothing_half_written_is_left(pile_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pile_fit.save(tmp_path / "fit.json")
    before = (tmp_path / "fit.json").read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        pile_fit.save(tmp_path / "fit.json")
    assert (tmp_path / "fit.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["fit.json"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        Fit.load(tmp_path / "none.json")


def test_what_is_missing_or_infinite_is_strict_json_and_comes_back(pile_fit: Fit, tmp_path: Path) -> None:
    certificate = replace(pile_fit.certificate, second_gap=np.nan, condition_number=np.inf)
    replace(pile_fit, certificate=certificate, groups=np.array(["nan", "inf"] * 12)).save(tmp_path / "f.json")

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    json.loads((tmp_path / "f.json").read_text(), parse_constant=refuse)
    again = Fit.load(tmp_path / "f.json")
    assert np.isnan(again.certificate.second_gap)
    assert again.certificate.condition_number == np.inf
    assert list(again.groups) == ["nan", "inf"] * 12


ROOT = Path(__file__).parents[3]
OLD = ROOT / "tests" / "fixtures" / "version_0_1"


def test_fits_saved_by_version_0_1_load():
    fit = scaling.load(OLD / "fit_beta_fixed.json")
    assert fit.form == scaling.AdditiveLaw.with_fixed(beta=0.5)
    assert fit.form.free() == ("E", "A", "alpha", "C")
    assert list(fit.intervals().index) == ["E", "A", "alpha", "C"]
    assert scaling.load(OLD / "fit.json").form is type(scaling.load(OLD / "fit.json").law)
