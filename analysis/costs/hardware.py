"""Hardware as the cost model sees it: a peak rate, a bandwidth, a memory, and how much of each is reached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from scaling.data import limits

# Bytes of one value, for weights and activations.
DTYPE_BYTES: dict[str, int] = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}


@dataclass(frozen=True)
class Hardware:
    """A device as the cost model sees it: peak rates, memory, and the fractions of the peaks that are reached.

    Args:
        name: of the device.
        flops: peak FLOP/s by dtype (fp32, bf16, fp16, int8).
        bandwidth: of the memory, bytes per second.
        memory_bytes: size of the memory, bytes.
        flops_efficiency: fraction of the peak FLOP/s that is reached. `analysis.measure` replaces it by a measured one.
        bandwidth_efficiency: fraction of the bandwidth that is reached, also measured there.

    Source: the default fractions 0.7 and 0.9 are those of the cost analysis of arXiv 2505.10475.
    """

    name: str
    flops: Mapping[str, float] = field(hash=False)
    bandwidth: float
    memory_bytes: float
    flops_efficiency: float = 0.7
    bandwidth_efficiency: float = 0.9

    def __post_init__(self) -> None:
        """Refuse what cannot be a device."""
        for dtype, rate in self.flops.items():
            if dtype not in DTYPE_BYTES:
                raise ValueError(
                    f"hardware {self.name!r}: flops has dtype {dtype!r}. Known are {', '.join(DTYPE_BYTES)}"
                )
            _require_positive(self.name, f"flops[{dtype}]", rate)
        for key in ("bandwidth", "memory_bytes", "flops_efficiency", "bandwidth_efficiency"):
            _require_positive(self.name, key, getattr(self, key))

    def reached_flops(self, dtype: str) -> float:
        """FLOP/s one can count on in `dtype`."""
        rate = self.flops.get(dtype, self.flops.get("bf16") if dtype == "fp16" else None)
        if rate is None:
            raise ValueError(
                f"hardware {self.name!r} has no rate for dtype {dtype!r}. It has {', '.join(self.flops)}"
            )
        return rate * self.flops_efficiency

    @property
    def reached_bandwidth(self) -> float:
        """Bytes per second one can count on."""
        return self.bandwidth * self.bandwidth_efficiency


def checked_hardware(hardware: Hardware) -> Hardware:
    """The hardware. Raises ValueError for anything else, such as a name."""
    if not isinstance(hardware, Hardware):
        raise ValueError(f"hardware is {hardware!r}. Give a Hardware, e.g. read_hardware('a100')")
    return hardware


def _require_positive(name: str, key: str, value: object) -> None:
    """Refuse a rate or size that is not a positive number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError(f"hardware {name!r}: {key} is {value!r}. Give a positive number")


# Vendor data sheets, dense rates. fp32 is the TF32 rate of the tensor cores.
A100 = Hardware("A100 80GB", {"bf16": 312e12, "fp32": 156e12, "int8": 624e12}, 2039e9, 80e9)
H100 = Hardware("H100 SXM", {"bf16": 989e12, "fp32": 494.5e12, "int8": 1979e12}, 3350e9, 80e9)
H200 = Hardware("H200 SXM", {"bf16": 989e12, "fp32": 494.5e12, "int8": 1979e12}, 4800e9, 141e9)
# 8 cores x 3.0 GHz x 32 float32 operations a cycle (two 256-bit FMA units), bf16 without its own
# instructions. Dual-channel DDR5-5600: 2 x 8 bytes x 5.6 GT/s. 16 GB.
LAPTOP = Hardware("laptop CPU", {"bf16": 768e9, "fp32": 768e9}, 89.6e9, 16e9)

KNOWN: dict[str, Hardware] = {"a100": A100, "h100": H100, "h200": H200, "laptop": LAPTOP}

_FIELD_HELP = {
    "name": "a text",
    "flops": 'peak FLOP/s per dtype, as {"bf16": 3.12e14}',
    "bandwidth": "bytes per second",
    "memory_bytes": "bytes",
}


def read_hardware(source: str | Path) -> Hardware:
    """A known device by name, or your own from a JSON file.

    Args:
        source: a100, h100, h200, laptop, or a file that holds `name`, `flops` (by dtype), `bandwidth`, `memory_bytes` and,
            if known, the two efficiencies.

    Returns:
        The device.

    Raises:
        ValueError: for an unknown name, and for a file that is not JSON or not a device.

    Examples:
        >>> from analysis.inference_cost import read_hardware
        >>> read_hardware("h100").memory_bytes
        80000000000.0
    """
    if str(source).lower() in KNOWN:
        return KNOWN[str(source).lower()]
    path = Path(source)
    if not path.is_file():
        raise ValueError(
            f"hardware {str(source)!r} is neither known ({', '.join(KNOWN)}) nor a JSON file that exists"
        )
    try:
        content = json.loads(limits.read_json(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"hardware file {str(path)!r} is not JSON: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("flops", {}), dict):
        raise ValueError(
            f"hardware file {str(path)!r}: give a JSON object whose flops is {_FIELD_HELP['flops']}"
        )
    for key, meaning in _FIELD_HELP.items():
        if key not in content:
            raise ValueError(f"hardware file {str(path)!r}: field {key!r} is missing. Add it ({meaning})")
    known = {f.name for f in fields(Hardware)}
    for key in content:
        if key not in known:
            raise ValueError(
                f"hardware file {str(path)!r}: field {key!r} is not known. Use {', '.join(sorted(known))}"
            )
    return Hardware(**content)
