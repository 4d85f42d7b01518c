"""Documents from the standard library and from wheels."""

import zipfile

from sweeps.corpora.sources.registry import Wheels, source_of
from sweeps.corpora.tokens import END
from tests.sweeps.made_text import text_of


def test_a_wheel_with_hostile_paths_writes_nothing(cache):
    wheel = cache / "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("../../outside.py", text_of(1))
        archive.writestr("/absolute.py", text_of(2))
        archive.writestr("evil-1.0.dist-info/METADATA", "Name: evil\nLicense: MIT\n\nbody")
    before = sorted(cache.rglob("*"))
    found = list(Wheels((), "code")._members(wheel))
    assert sorted(cache.rglob("*")) == before
    assert {d.licence for d in found} == {"MIT"}
    assert {d.domain for d in found} == {"evil"}


def test_the_standard_library_leaves_its_tests_out(tmp_path):
    names = [d.name for d in source_of("stdlib").documents(tmp_path)]
    assert "argparse.py" in names
    assert "json/decoder.py" in names
    assert not [n for n in names if n.startswith("test/") or "/tests/" in n or "site-packages" in n]
    assert END not in names
