"""A fit as JSON and back: full precision, so that predictions after a reload are bit-identical."""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np

from scaling.data import limits
from scaling.data.atomic_files import replacing
from scaling.data.reading import reading_as_json, reading_from_json
from scaling.laws import Law, by_name
from scaling.laws.arm_form import from_layers, layers_of
from scaling.laws.constrained import ConstrainedLaw
from scaling.laws.law_files import file_of
from scaling.optimise.certificate import Certificate, Status
from scaling.optimise.estimate import Estimate
from scaling.optimise.objectives import Objective
from scaling.optimise.problem import Problem

FORMAT = 1
CURVES = "loss curves"  # kind of a file with a fit of whole curves
SAME, EXACT = 1e-6, 1e-9  # of the rmse, and in nats: a law that misses its rows by as much is the one fitted
WORDS = {"nan": float("nan"), "inf": float("inf"), "-inf": -float("inf")}  # what JSON has no number for


def dumps(content: Any) -> str:
    """Strict JSON, indented: null for a number that is missing or infinite, which JSON has no word for."""
    return json.dumps(_finite(content, lambda value: None), indent=1, allow_nan=False)


def _finite(content: Any, word: Callable[[float], Any]) -> Any:
    """Plain values, `word` of those that are missing or infinite."""
    if isinstance(content, dict):
        return {str(name): _finite(one, word) for name, one in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(one, word) for one in content]
    value = content.item() if isinstance(content, np.generic) else content
    return word(value) if isinstance(value, float) and not np.isfinite(value) else value


def _numbers(facts: dict[str, Any]) -> dict[str, Any]:
    """Values by name as they were before `save` wrote words for some."""
    return {name: WORDS.get(v, v) if isinstance(v, str) else v for name, v in facts.items()}


def to_json(fit: Estimate, unconfirmed: Sequence[str] = ()) -> dict[str, Any]:
    """The fit as plain JSON values, with a checksum over them.

    unconfirmed: ends of its intervals that are open because no refit confirmed one.
    """
    objective = fit.problem.objective
    body: dict[str, Any] = {
        "format": FORMAT,
        "law": layers_of(fit.form.whole)[0].__name__,
        "fixed": dict(fit.form.fixed),
        "parameters": {name: float(getattr(fit.law, name)) for name in fit.law.names()},
        "source": fit.law.source,
        "objective": {"name": type(objective).__name__, **asdict(objective)},
        "objective_value": fit.objective_value,
        "r2": fit.r2,
        "rmse": fit.rmse,
        "max_error": fit.max_error,
        "certificate": asdict(fit.certificate),
        "excluded": fit.excluded,
        "theta": fit.theta.tolist(),
        "data": _data(fit),
        "groups": None if fit.groups is None else [str(g) for g in fit.groups],
        "grouping": fit.grouping,
        "data_hash": fit.data_hash,
        **_optional(fit),
        **({"unconfirmed": list(unconfirmed)} if unconfirmed else {}),
        "seed": "none: the fit is deterministic",
        "versions": fitted_with(),
    }
    return body | {"checksum": body_checksum(body)}


def fitted_with() -> dict[str, str]:
    """The versions that a fit was made with, by package."""
    found = {name: version(name) for name in ("parscale", "numpy", "scipy")}
    return found | {"python": platform.python_version()}


def _data(fit: Estimate) -> dict[str, Any]:
    """The rows that were fitted, a list a column."""
    problem = fit.problem
    columns = {"loss": fit.loss, "weights": problem.w, "scale": np.asarray(problem.scale)}
    return {name: x.tolist() for name, x in {**fit.axes, **columns}.items()}


def _optional(fit: Estimate) -> dict[str, Any]:
    """What only some fits have: bounds, and labels of rows that are not 0, 1, ..."""
    found: dict[str, Any] = {}
    if isinstance(fit.form, ConstrainedLaw) and fit.form.bounds:
        ends = fit.form.bounds.items()
        found["bounds"] = {name: [e if np.isfinite(e) else None for e in two] for name, two in ends}
    law, layers = layers_of(fit.form.whole)
    if layers:
        found["arms"] = layers
    if file := file_of(law):
        found["law_file"] = file
    labels = [] if fit.index is None else list(fit.index)
    plain = all(isinstance(label, str | int | np.integer) for label in labels)
    if plain and labels != list(range(len(labels))):
        found["index"] = [str(one) if isinstance(one, str) else int(one) for one in labels]
    if fit.reading:
        found["reading"] = reading_as_json(fit.reading)
    return found


def save(fit: Estimate, path: Any, unconfirmed: Sequence[str] = ()) -> None:
    """Write the JSON of `to_json`. A reader never sees half a file."""
    write_checked(to_json(fit, unconfirmed), path)


def write_checked(body: dict[str, Any], path: Any) -> None:
    """Write plain values as strict JSON, with a checksum if they have none. A reader never sees half a file."""
    told = body if "checksum" in body else body | {"checksum": body_checksum(body)}
    text = json.dumps(_finite(told, str), indent=1, allow_nan=False)
    with replacing(Path(path)) as partial:
        partial.write_text(f"{text}\n")


def load_estimate(path: Any, law: Any = None) -> Estimate:
    """Read a fit, of `law` if its class is not imported.

    ValueError names what is wrong with the file, FileNotFoundError where there is none.
    """
    body = read_checked(path)
    if body.get("kind") == CURVES:
        raise ValueError(f"{path}: a fit of loss curves. Read it with scaling.CurveFit.load.")
    return _rebuild(body, path, law)


def read_checked(path: Any) -> dict[str, Any]:
    """What `write_checked` wrote of a fit, without the checksum. Errors of `load_estimate`."""
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file; write a fit with `parscale fit` or Fit.save")
    if Path(path).is_dir():
        raise ValueError(f"{path}: a folder, not a fit file: write one with `parscale fit {path} --save`")
    try:
        body = json.loads(limits.read_json(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: not a fit file ({error}): write one with `parscale fit RUNS --save` or Fit.save"
        ) from None
    if not isinstance(body, dict) or "format" not in body or "law" not in body:
        raise ValueError(f"{path}: not a fit file (write one with `parscale fit RUNS --save` or Fit.save)")
    if body["format"] != FORMAT:
        raise ValueError(
            f"{path}: fit file of format {body['format']}, this version reads {FORMAT}: fit again"
        )
    body = _numbers(body)
    if isinstance(body.get("certificate"), dict):
        body["certificate"] = _numbers(body["certificate"])
    if body.pop("checksum", None) != body_checksum(body):
        raise ValueError(f"{path}: changed since it was written (its checksum differs): fit again")
    return body


def _law_of(body: dict[str, Any], path: Any, given: Any) -> type[Law]:
    """The class of a fit's law: the one given, or the one of its name. A file that a fit names is not run."""
    name, file = body["law"], body.get("law_file", "")
    if given is not None:
        law, _ = layers_of((by_name(given) if isinstance(given, str) else Law.of(given)).whole)
        if law.__name__ != name:
            raise ValueError(f"{path}: a fit of {name}, not of {law.__name__}. Give the law that was fitted.")
        return law
    known: dict[str, type[Law]] = {one.__name__: one for one in descendants(Law)}
    if name not in known:
        where = f"{file or 'FILE.py'}:{name}"
        raise ValueError(
            f"{path}: the law {name} is not defined here. Import it first, or name its file: "
            f"--law {shlex.quote(where)}, or law={where!r} in Python."
        )
    return known[name]


def _rebuild(body: dict[str, Any], path: Any, given: Any = None) -> Estimate:
    law_class = from_layers(_law_of(body, path, given), body.get("arms", ()))
    bounds = body.get("bounds", {})
    form = ConstrainedLaw(law_class, body["fixed"], bounds) if body["fixed"] or bounds else law_class
    objective = objective_of(body, path)
    data = {name: np.array(column, dtype=np.float64) for name, column in body["data"].items()}
    x = tuple(data[axis] for axis in law_class.axes)
    scale: Any = data["scale"] if data["scale"].ndim else float(data["scale"])
    problem = Problem(form, x, data["loss"], data["weights"], objective, scale)
    certificate = certificate_of(body)
    groups = None if body["groups"] is None else np.array(body["groups"])
    try:
        law = law_class(**body["parameters"])
    except TypeError as error:
        raise ValueError(
            f"{path}: {body['law']} has other parameters than the saved fit ({error}). Fit again."
        ) from None
    index = np.array(body["index"]) if "index" in body else None
    how = body.get("grouping", "" if groups is None else "given")  # files before it have groups as given
    theta = np.array(body["theta"])
    if "arms" in body and not np.allclose(problem.predict(theta[None])[0], law._loss(*x)):
        theta = problem.internal(law)  # files of version 0.1 have no coefficients of arms
    told = reading_from_json(body.get("reading"))
    found = Estimate(law, problem, theta, certificate, body["excluded"], groups, index, how, told)
    if abs(found.rmse - body["rmse"]) > SAME * body["rmse"] + EXACT:
        raise ValueError(f"{path}: {body['law']} predicts other losses than when it was fitted. Fit again.")
    return found


def objective_of(body: dict[str, Any], path: Any) -> Objective:
    """The objective of a fit as it was written; ValueError where its class is not defined here."""
    objectives: dict[str, Any] = {one.__name__: one for one in descendants(Objective)}
    facts = dict(body["objective"])
    if (name := facts.pop("name")) not in objectives:
        raise ValueError(f"{path}: the objective {name} is not defined here: import it before loading")
    return cast(Objective, objectives[name](**facts))


def certificate_of(body: dict[str, Any]) -> Certificate:
    """The certificate of a fit as it was written."""
    lacking = {"mixed": (), "table_notes": (), "equal_optima": ()}  # in files of version 0.1
    facts = lacking | body["certificate"]
    facts = {f.name: facts[f.name] for f in fields(Certificate)}
    facts["equal_optima"] = tuple(tuple(one) for one in facts["equal_optima"])
    several = {name: tuple(facts[name]) for name in ("at_bound", "notes", "mixed", "table_notes")}
    return Certificate(**{**facts, **several, "status": Status(facts["status"])})


def descendants(base: Any) -> list[Any]:
    """Every class derived from a class."""
    return [d for c in base.__subclasses__() for d in (c, *descendants(c))]


def body_checksum(body: dict[str, Any]) -> str:
    """What tells whether plain values were changed since they were written."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
