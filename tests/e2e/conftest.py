# SPDX-License-Identifier: BSD-3-Clause
"""End-to-end tests of weft: real packets, real kernel, real containers. Needs root and two CPUs.

    python3 -m pytest tests/e2e              all but what is marked long
    python3 -m pytest tests/e2e -m quick     the core, within a minute
    python3 -m pytest tests/e2e -m long      what takes too long for CI
"""

import os
import signal

import pytest

import lab as labs
import netns
import process
from weft import BINARY

PEERS_CPU = 0


def pytest_configure(config):
    config.addinivalue_line("markers", "quick: the fast core")
    config.addinivalue_line("markers", "long: too long for CI; run with -m long")
    if not config.option.markexpr:
        config.option.markexpr = "not long"


def pytest_sessionstart(session):
    """Peers and tests share one CPU, weft's worker polls the other."""
    if os.geteuid() != 0:
        pytest.exit("end-to-end tests need root (network namespaces)", 1)
    os.sched_setaffinity(0, {PEERS_CPU})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    netns.sweep()


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left():
    """After the last test no process and no namespace of ours is there."""
    yield
    assert process.left_over() == {}
    assert netns.ours() == []


@pytest.fixture(scope="session")
def binary():
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: build it first (scripts/setup)", 1)
    return BINARY


_open_labs = []


def _lab():
    with labs.opened() as one:
        _open_labs.append(one)
        try:
            yield one
        finally:
            _open_labs.remove(one)


@pytest.fixture
def lab():
    yield from _lab()


@pytest.fixture(scope="module")
def module_lab():
    """For tests that share one weft."""
    yield from _lab()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What weft and the peers printed goes into the report of a test that failed."""
    report = (yield).get_result()
    if report.failed:
        for one in _open_labs:
            report.sections += one.logs()
