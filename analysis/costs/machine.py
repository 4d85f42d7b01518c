"""What this machine is called, how much memory it has, and the most that is taken of it."""

from __future__ import annotations

import ctypes
import gc
import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def processor() -> str:
    """The processor's name, as far as the system says."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return model or platform.processor() or platform.machine()


def name(device: torch.device) -> str:
    """What the machine is called."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, {torch.get_num_threads()} threads"


def capacity(device: torch.device) -> int:
    """Bytes of memory."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    import psutil

    return int(psutil.virtual_memory().total)


def peak_bytes() -> int:
    """Most memory that this process has had so far."""
    import resource  # not on every system

    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status_kib(field: str) -> float:
    """A line of /proc/self/status in KiB; nan where there is none."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((float(line.split()[1]) for line in lines if line.startswith(field)), float("nan"))


class PeakMemory:
    """The most memory taken between two points, in bytes: allocator on a GPU, resident set on Linux."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        gc.collect()
        if device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(device)
            self.start = float(torch.cuda.memory_allocated(device))
            return
        if platform.system() == "Linux":
            ctypes.CDLL(None).malloc_trim(0)  # give back what earlier models left, or it hides growth
            Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again
        self.start = 1024 * _status_kib("VmRSS")

    def taken(self) -> float:
        """Bytes above the start; nan where the system does not say."""
        if self.device.type == "cuda":
            import torch

            return torch.cuda.max_memory_allocated(self.device) - self.start
        return 1024 * _status_kib("VmHWM") - self.start
