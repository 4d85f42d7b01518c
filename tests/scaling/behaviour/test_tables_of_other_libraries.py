"""Tables of other libraries, and pandas' own with rows named by axes: one answer."""

import pandas as pd
import pyarrow as pa
import pytest

import scaling
from scaling.data.any_table import as_frame, as_runs
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


def test_a_hugging_face_dataset() -> None:
    datasets = pytest.importorskip("datasets")
    assert same(as_frame(datasets.Dataset.from_pandas(STREAMS)))


def test_an_index_by_name_is_fitted_and_its_labels_stay() -> None:
    fit = scaling.fit("parallel", STREAMS.set_index(["N", "P"]))
    assert fit.law.k == pytest.approx(K_OF_ALL, abs=1e-4)
    assert fit.residuals.index[0] == (500000000, 1)


def test_a_parquet_file_of_a_groupby() -> None:
    assert same(scaling.read_runs(TABLES / "mean.parquet"))


def test_a_table_that_says_all_is_not_copied() -> None:
    assert as_runs(STREAMS) is STREAMS
    assert STREAMS.attrs == {}


@pytest.mark.parametrize("path", ["runs.csv", TABLES / "streams.csv"])
def test_a_path_is_told_to_be_read_first(path: object) -> None:
    with pytest.raises(ValueError, match=r"read it first, with scaling\.read_runs"):
        as_frame(path)


def test_what_is_given_is_not_changed() -> None:
    given = pd.DataFrame({"params_B": [1.0, 2.0], "val_loss": [3.0, 2.9], "State": ["finished", "crashed"]})
    before = given.copy(deep=True)
    as_runs(given)
    pd.testing.assert_frame_equal(given, before)
    assert given.attrs == {}
