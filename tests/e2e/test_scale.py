# SPDX-License-Identifier: BSD-3-Clause
"""`scripts/bench scale`: every mode on two virtual lcores."""

import sys

import pytest

from weft import ROOT

sys.path.append(str(ROOT / "tests" / "bench"))
import scale


@pytest.mark.parametrize("flows", scale.FLOWS)
@pytest.mark.parametrize("mode", scale.MODES)
def test_row(binary, tmp_path, monkeypatch, mode, flows):
    monkeypatch.setattr(scale, "SECONDS", 0.004)
    results = scale.run_once(tmp_path, scale.WINDOWS[0], mode, 2, flows, 64, scale.PORTS[flows][-1])
    row = scale.make_row(results, mode, 2, flows, 64, None)
    assert row["pps"] > 0 and row["reordered"] == 0 and row["lost"] == 0
    assert row["limit"]
    assert ("number_held" in row) == (mode in scale.TAKING_TURNS)
    if mode in scale.TAKING_TURNS:
        assert 0 < row["number_held"] <= 1.01 and 0 < row["right_held"] <= 1.01
