"""The surface that is turned by hand holds the law and the runs."""

import numpy as np
import pytest

from analysis import figures


@pytest.mark.slow
def test_a_surface_holds_the_law_the_runs_and_a_still_picture(stack, printed_laws):
    law = printed_laws["stack-v2-python"]
    made = figures.surface(stack, law)
    sheet, *points = made.figure.data
    np.testing.assert_allclose(sheet.z, law.predict(N=sheet.x[None, :], P=sheet.y[:, None]))
    assert [trace.name for trace in points] == [f"P = {P}" for P in (1, 2, 4, 8)]
    np.testing.assert_array_equal(points[2].z, stack[stack["P"] == 4]["loss"])
    shown, size = made._repr_mimebundle_()
    assert shown["image/png"].startswith(b"\x89PNG")
    assert shown["application/vnd.plotly.v1+json"]["data"][0]["type"] == "surface"
    assert size["image/png"]["width"] > 0
