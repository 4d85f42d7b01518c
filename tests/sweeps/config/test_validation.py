"""Checks of a configuration's fields: names and types."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sweeps.config.validation import check_names, check_types


@dataclass(frozen=True)
class Shape:
    """A field of every kind. The annotations are text, as in the configurations."""

    width: int
    rate: float = 0.5
    name: str = "a"
    tied: bool = True
    std: float | None = None
    more: tuple[str, ...] = ()


def test_names_that_are_fields_pass_and_defaults_may_be_left_out():
    check_names(Shape, {"width": 3})
    check_names(Shape, {"width": 3, "rate": 1.0, "tied": False})


@pytest.mark.parametrize(
    ("values", "named"),
    [({"width": 3, "wdith": 4}, ["Shape", "wdith"]), ({"rate": 1.0}, ["Shape", "width"])],
)
def test_unknown_and_missing_fields_are_named(values, named):
    with pytest.raises(ValueError, match="Shape") as error:
        check_names(Shape, values)
    assert all(name in str(error.value) for name in named)


@pytest.mark.parametrize(
    "values", [{"width": 3}, {"width": 3, "rate": 1}, {"width": 3, "std": 0.02}, {"width": 3, "more": ("x",)}]
)
def test_values_of_the_declared_types_pass(values):
    check_types(Shape(**values))


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 3.0},
        {"width": True},
        {"width": None},
        {"rate": "0.5"},
        {"rate": False},
        {"name": 3},
        {"tied": 1},
        {"std": "wide"},
        {"std": True},
    ],
)
def test_a_value_of_another_type_is_named_with_its_field(wrong):
    (field, value), *_ = wrong.items()
    with pytest.raises(ValueError, match=f"{field}={value!r}"):
        check_types(Shape(**{"width": 3, **wrong}))
