"""The most memory taken, as the system says or as the process counts."""

import mmap
import platform
from pathlib import Path

import pytest
import torch

from sweeps.training import peak_memory
from sweeps.training.peak_memory import memory_in_use_bytes, peak_memory_bytes, reset_peak_memory

CPU, MIB = torch.device("cpu"), 1 << 20
LINUX = pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")


def touched(size):
    """Memory of `size` bytes that is really there."""
    block = mmap.mmap(-1, size)
    block.write(b"x" * size)
    return block


@LINUX
def test_memory_that_was_taken_and_given_back_is_in_the_peak_alone():
    before = memory_in_use_bytes(CPU)
    block = touched(256 * MIB)
    held = memory_in_use_bytes(CPU)
    assert held - before > 200 * MIB
    block.close()
    assert memory_in_use_bytes(CPU) < held - 200 * MIB
    assert peak_memory_bytes() >= held - 8 * MIB
    assert peak_memory_bytes(CPU) == peak_memory_bytes()


@LINUX
def test_after_a_reset_the_peak_is_counted_anew():
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("this system does not let a process reset its peak")
    touched(256 * MIB).close()
    high = peak_memory_bytes()
    reset_peak_memory(CPU)
    assert peak_memory_bytes() < high - 200 * MIB
    touched(128 * MIB).close()
    assert peak_memory_bytes() > memory_in_use_bytes(CPU) + 100 * MIB


def test_where_the_system_does_not_say_the_process_counts(monkeypatch):
    monkeypatch.setattr(peak_memory, "_status_bytes", lambda field: None)
    assert memory_in_use_bytes(CPU) != memory_in_use_bytes(CPU)  # nan: not known
    assert peak_memory_bytes() > 10 * MIB
    monkeypatch.setattr(platform, "system", lambda: "Darwin")  # counts bytes, not KiB
    in_bytes = peak_memory_bytes()
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert peak_memory_bytes() == pytest.approx(1024 * in_bytes, rel=0.05)


def test_a_field_that_is_not_there_is_none():
    assert peak_memory._status_bytes("VmNothing") is None
