"""What hardware runs are given: cores shared out, GPUs dealt out, processors known."""

import pytest

from sweeps.config.execution import Execution, cpu_times, free_threads, gpus_of, share_out, slow_bfloat16


def test_cores_are_shared_out(monkeypatch):
    monkeypatch.setattr("sweeps.config.execution.cores", lambda: 8)
    assert share_out("auto", 100) == (8, 1)
    assert share_out("auto", 2) == (2, 4)
    assert share_out("3", 100) == (3, 2)
    assert share_out(16, 100) == (16, 1)


def test_gpus_are_dealt_out(monkeypatch):
    monkeypatch.setattr("sweeps.config.execution.cores", lambda: 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,GPU-e2,7")
    pairs = Execution(devices=2)
    assert share_out("auto", 100) == (4, 2)
    assert share_out("auto", 3) == (3, 2)
    assert share_out(16, 100) == (16, 1)
    assert share_out("auto", 100, pairs) == (2, 4)
    assert [gpus_of(worker, Execution()) for worker in (0, 2, 5)] == [["4"], ["GPU-e2"], ["5"]]
    assert [gpus_of(worker, pairs) for worker in (0, 1, 2)] == [["4", "5"], ["GPU-e2", "7"], ["4", "5"]]
    on_cpu = Execution(accelerator="cpu")
    assert (share_out("auto", 100, on_cpu), gpus_of(0, on_cpu)) == ((8, 1), [])
    for nothing in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", nothing)
        assert (share_out("auto", 100), gpus_of(0, Execution())) == ((8, 1), [])


@pytest.mark.parametrize(
    ("flags", "accelerator", "slow"),
    [
        ("fpu avx2 fma", "auto", True),
        ("fpu avx2 fma", "gpu", False),
        ("fpu avx2 avx512f", "cpu", False),
        ("fpu avx2 avx_ne_convert", "cpu", False),
        ("fp asimd", "cpu", False),
    ],
)
def test_a_cpu_without_bfloat16_is_known(tmp_path, monkeypatch, flags, accelerator, slow):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: none avx512f\n")
    assert slow_bfloat16(Execution(accelerator=accelerator), tmp_path / "cpuinfo") == slow
    assert not slow_bfloat16(Execution(accelerator=accelerator), tmp_path / "nowhere")


@pytest.mark.parametrize(("idle", "threads"), [(0.1, 1), (0.45, 1), (1.0, 2)])
def test_a_small_run_takes_one_thread_where_others_keep_the_cores_busy(monkeypatch, idle, threads):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    seen = iter([(5.0, 10.0), (5.0 + 100 * idle, 110.0)] * 2)
    look = lambda: next(seen)  # noqa: E731
    assert free_threads(2, 1e8, look, seconds=0) == threads
    assert free_threads(2, 1e12, look, seconds=0) == 2  # a large one
    assert free_threads(1, 1e8, lambda: pytest.fail("looked"), seconds=0) == 1
    assert free_threads(2, 1e8, lambda: (0.0, 0.0), seconds=0) == 2  # not known


def test_the_machine_s_times_are_read(tmp_path):
    (tmp_path / "stat").write_text("cpu  10 0 5 100 20 0 1 2 0 0\ncpu0 1 2 3 4\n")
    assert cpu_times(tmp_path / "stat") == (120.0, 138.0)
    assert cpu_times(tmp_path / "none") == (0.0, 0.0)
