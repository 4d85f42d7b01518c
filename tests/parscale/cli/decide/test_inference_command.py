"""`parscale inference`: the table, the figure, and what is said."""

import pytest

from parscale.cli.decide import inference_command
from sweeps.inspect import inference_scaling
from tests.sweeps.untrained_answers import untrained_sweep

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.slow
def test_table_and_figure_are_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(inference_scaling, "REPEATS", 1)
    folder = untrained_sweep(tmp_path / "s")
    options = inference_command.Options(sweep=str(folder), samples=2, items=4)
    assert inference_command.run(options) == 0
    said = capsys.readouterr().out
    for path in (folder / "inference.parquet", folder / "figures" / "inference.png"):
        assert path.stat().st_size > 0
        assert str(path) in said


def test_a_folder_without_tasks_is_named(trained_sweep):
    with pytest.raises(ValueError, match=f"{trained_sweep}.* task"):
        inference_command.run(inference_command.Options(sweep=str(trained_sweep)))
