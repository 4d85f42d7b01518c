"""Hardware: known, from a file, refused."""

import json

import pytest

from analysis.costs.hardware import A100, Hardware, read_hardware
from analysis.inference_cost import estimate


def test_hardware_from_a_file(tmp_path):
    file = tmp_path / "mine.json"
    content = {"name": "mine", "flops": {"bf16": 5e13}, "bandwidth": 6e11, "memory_bytes": 2.4e10}
    file.write_text(json.dumps(content))
    assert read_hardware(file) == Hardware("mine", {"bf16": 5e13}, 6e11, 2.4e10)
    assert read_hardware("A100") is A100
    for missing in content:
        file.write_text(json.dumps({k: v for k, v in content.items() if k != missing}))
        with pytest.raises(ValueError, match=f"field '{missing}'"):
            read_hardware(file)
    for wrong, message in [
        ({**content, "bandwith": 1}, "'bandwith'"),
        ({**content, "bandwidth": "fast"}, "bandwidth.*'fast'"),
        ({**content, "flops": 3e14}, "JSON.*flops"),
        ({**content, "flops": {"fp7": 3e14}}, "dtype 'fp7'"),
    ]:
        file.write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match=message):
            read_hardware(file)
    file.write_text("{")
    with pytest.raises(ValueError, match="JSON"):
        read_hardware(file)
    with pytest.raises(ValueError, match=r"a100.*h100.*h200"):
        read_hardware("b300")
    with pytest.raises(ValueError, match=r"dtype.*'int8'"):
        estimate(width=896, ffn=4864, hardware=Hardware("x", {"bf16": 1e12}, 1e9, 1e9), dtype="int8")
