# SPDX-License-Identifier: BSD-3-Clause
"""Limits are limits, and reserve nothing: as many of each as there may be, with default
settings."""

import random

from weft_config import Config

NETWORKS = 4096
VNIS = 1 << 24


def test_so_many_networks_as_there_may_be(lab, binary):
    """With any VNIs: the table of networks has room for all."""
    config = Config().uplink(device="net_null0")
    for number, vni in enumerate(random.Random(5).sample(range(VNIS), NETWORKS)):
        config.network(f"n{number}", vni, [])
    weft = lab.weft(config).wait_ready()
    rows = weft.rows("networks")
    assert len(rows) == NETWORKS
    assert {row["addresses_max"] for row in rows} == {4096}
