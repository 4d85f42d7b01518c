"""The most memory taken: of a GPU as its allocator counts, else resident memory of this process.

Torch is imported only where there is a GPU to ask: planning and fitting need no training packages.
"""

from __future__ import annotations

import platform
import resource
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def reset_peak_memory(device: torch.device) -> None:
    """Count the peak from here on. Where the system cannot, the peak stays that of the whole process."""
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):  # not Linux, or not allowed
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes(device: torch.device | None = None) -> int:
    """Peak bytes since the reset. Device None: resident memory."""
    if device is not None and device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    known = _status_bytes("VmHWM")
    return known if known is not None else _process_peak_bytes()


def memory_in_use_bytes(device: torch.device) -> float:
    """Bytes held now. nan where the system does not say."""
    if device.type == "cuda":
        import torch

        return float(torch.cuda.memory_allocated(device))
    known = _status_bytes("VmRSS")
    return float("nan") if known is None else float(known)


def _status_bytes(field: str) -> int | None:
    """A line of /proc/self/status, which counts in KiB. None where there is none."""
    try:
        return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        return None


def _process_peak_bytes() -> int:
    """Peak resident memory since the process began."""
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
