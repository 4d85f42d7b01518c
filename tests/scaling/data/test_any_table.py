"""Tables of other libraries, and pandas' own with rows named by axes: one answer."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import scaling
from scaling import DenseLaw
from scaling.data.any_table import as_frame, as_runs, axis_columns, runs_frame
from tests.scaling.tables import K_OF_ALL, STREAMS, TABLES, same

FORMS = {
    "records": STREAMS.to_dict("records"),
    "columns": {name: STREAMS[name].tolist() for name in STREAMS},
    "record array": STREAMS.to_records(index=False),
    "pyarrow": pa.Table.from_pandas(STREAMS),
    "index of N and P": STREAMS.set_index(["N", "P"]),
    "index of N": STREAMS.set_index("N"),
    "nested records": [
        {"config": {"N": r["N"], "P": r["P"]}, "loss": r["loss"]} for r in STREAMS.to_dict("records")
    ],
    "nested pyarrow": pa.Table.from_pylist(
        [{"config": {"N": r["N"], "P": r["P"]}, "loss": r["loss"]} for r in STREAMS.to_dict("records")]
    ),
}


@pytest.mark.parametrize("given", FORMS.values(), ids=FORMS)
def test_every_table_is_the_same(given: object) -> None:
    assert same(as_runs(given))


def test_an_index_by_name_is_fitted_and_its_labels_stay() -> None:
    fit = scaling.fit("parallel", STREAMS.set_index(["N", "P"]))
    assert fit.law.k == pytest.approx(K_OF_ALL, abs=1e-4)
    assert fit.residuals.index[0] == (500000000, 1)


def test_a_parquet_file_of_a_groupby() -> None:
    assert same(scaling.read_runs(TABLES / "mean.parquet"))


def test_a_table_that_says_all_is_not_copied() -> None:
    assert as_runs(STREAMS) is STREAMS
    assert STREAMS.attrs == {}


def test_a_path_is_told_to_be_read_first() -> None:
    for path in ("runs.csv", TABLES / "streams.csv"):
        with pytest.raises(ValueError, match=r"scaling\.read_runs"):
            as_frame(path)


def test_what_is_given_is_not_changed() -> None:
    given = pd.DataFrame({"params_B": [1.0, 2.0], "val_loss": [3.0, 2.9], "State": ["finished", "crashed"]})
    before = given.copy(deep=True)
    as_runs(given)
    pd.testing.assert_frame_equal(given, before)
    assert given.attrs == {}


PLAIN = pd.DataFrame({"N": [1e9, 2e9, 3e9], "P": [1, 2, 4], "loss": [2.5, 2.4, 2.3]})


def test_a_frame_is_given_back_as_it_is():
    assert as_frame(PLAIN) is PLAIN


def test_columns_of_a_mapping_are_taken_by_position_whatever_their_index():
    backwards = PLAIN["loss"].set_axis([2, 1, 0])
    found = as_frame({"N": PLAIN["N"], "loss": backwards})
    assert found["loss"].tolist() == [2.5, 2.4, 2.3]


NO_TABLES = [
    None,
    3,
    [],
    [1.0, 2.0],
    "runs.csv",
    DenseLaw,
    "parallel",
    PLAIN["N"],
    PLAIN.to_numpy(),
    pd.DataFrame,
]


def test_what_is_no_table_is_refused_under_the_name_of_its_option():
    for given in NO_TABLES:
        with pytest.raises(ValueError, match=r"^rows\b") as error:
            as_frame(given, "rows")
        assert len(str(error.value).splitlines()) == 1


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match="'N'"):
        as_frame(pd.concat([PLAIN, PLAIN["N"]], axis=1))


def test_axes_are_float64_and_a_missing_one_is_named():
    found = axis_columns(PLAIN, ("N", "P"))
    assert {name: values.dtype for name, values in found.items()} == {"N": np.float64, "P": np.float64}
    assert found["P"].tolist() == [1, 2, 4]
    with pytest.raises(ValueError, match="'D'"):
        axis_columns(PLAIN, ("N", "D"))


def test_sizes_in_words_become_numbers_and_other_columns_stay():
    words = PLAIN.assign(N=["1B", "2B", "3B"], size=["s", "m", "l"])
    found = runs_frame(words)
    assert found["N"].tolist() == [1e9, 2e9, 3e9]
    assert found["size"].tolist() == ["s", "m", "l"]
    assert words["N"].tolist() == ["1B", "2B", "3B"]  # what was given is not changed


class Eager:
    """What a polars frame looks like from outside."""

    def __init__(self, frame):
        self.frame, self.columns = frame, list(frame)

    def to_pandas(self):
        return self.frame


class Lazy:
    """What a lazy polars frame looks like from outside."""

    def __init__(self, frame):
        self.frame = frame

    def collect_schema(self):
        return list(self.frame)

    def collect(self):
        return Eager(self.frame)


def tables(frame):
    """The same runs in every kind of table that is read."""
    import datasets
    import pyarrow as pa
    import pyarrow.dataset

    plain = frame[["N", "P", "loss"]].reset_index(drop=True)
    kinds = {
        "mapping": {name: plain[name].to_numpy() for name in plain},
        "lists": plain.to_dict("list"),
        "series": {"N": plain["N"], "P": plain["P"].set_axis(range(24, 0, -1)), "loss": plain["loss"]},
        "records": plain.to_dict("records"),
        "structured": plain.to_records(index=False),
        "words": plain.assign(N=[f"{N / 1e9!r}B" for N in plain["N"]]),
        "pyarrow": pa.Table.from_pandas(plain),
        "pyarrow dataset": pyarrow.dataset.dataset(pa.Table.from_pandas(plain)),
        "batch": pa.RecordBatch.from_pandas(plain),
        "datasets": datasets.Dataset.from_pandas(plain),
        "datasets, streamed": datasets.Dataset.from_pandas(plain).to_iterable_dataset(),
        "eager": Eager(plain),
        "lazy": Lazy(plain),
    }
    try:
        import polars
    except ImportError:
        return kinds
    return kinds | {
        "polars": polars.DataFrame(kinds["lists"]),
        "polars lazy": polars.LazyFrame(kinds["lists"]),
    }


@pytest.mark.slow
def test_every_kind_of_table_is_read(pile, pile_fit):
    import datasets

    with pytest.raises(ValueError, match="table holds the splits train"):
        as_frame(datasets.DatasetDict({"train": datasets.Dataset.from_pandas(pile)}))
    for kind, table in tables(pile).items():
        fit = scaling.fit("parallel", table)
        assert fit.params.to_numpy() == pytest.approx(pile_fit.params.to_numpy(), rel=1e-9), kind
        assert pile_fit.predict(table)["loss"].to_numpy() == pytest.approx(pile_fit.predicted, rel=1e-9), kind
