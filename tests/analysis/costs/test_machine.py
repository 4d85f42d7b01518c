"""What this machine is called, and how much memory it has."""

import platform
from pathlib import Path

import psutil
import pytest
import torch

from analysis.costs import machine

CPU = torch.device("cpu")
INFO = "processor\t: 0\nmodel name\t: Some CPU @ 3.00GHz: rev 2\nflags\t: fpu\nprocessor\t: 1\nmodel name\t: Other\n"


@pytest.fixture
def cpuinfo(monkeypatch, tmp_path):
    """The model name in /proc/cpuinfo, or None without that file."""

    def says(text):
        path = tmp_path / "cpuinfo"
        if text is not None:
            path.write_text(text)
        monkeypatch.setattr(machine, "Path", lambda name: path if name == "/proc/cpuinfo" else Path(name))

    return says


def test_the_first_processors_name_is_taken_whole(cpuinfo):
    cpuinfo(INFO)
    assert machine.processor_name() == "Some CPU @ 3.00GHz: rev 2"


@pytest.mark.parametrize("text", [None, "", "processor\t: 0\nBogoMIPS\t: 50\n"])
def test_where_the_system_gives_no_name_python_does(cpuinfo, monkeypatch, text):
    cpuinfo(text)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert machine.processor_name() == "aarch64"
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert machine.processor_name() == "arm"


def test_a_cpu_is_named_with_the_threads_that_torch_uses(cpuinfo):
    cpuinfo(INFO)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert machine.device_name(CPU) == "Some CPU @ 3.00GHz: rev 2, 1 threads"
    finally:
        torch.set_num_threads(before)


def test_its_memory_is_what_the_system_has():
    assert machine.memory_capacity_bytes(CPU) == psutil.virtual_memory().total


def test_a_gpu_is_asked_of_torch(monkeypatch):
    properties = type("Properties", (), {"total_memory": 80 << 30})
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    gpu = torch.device("cuda", 3)
    assert machine.device_name(gpu) == "GPU 3"
    assert machine.memory_capacity_bytes(gpu) == 80 << 30
