# SPDX-License-Identifier: BSD-3-Clause
"""Polling with a timeout, so that no test sleeps for a guess."""

import time

# Seconds. A wait ends as soon as what is waited for is there, so this may be long: it is for what
# never comes, and says nothing of how fast a machine is, or how busy.
PATIENCE = 60


def until(condition, timeout, what, interval=0.02):
    """Returns the first true value of condition(); fails with `what` after `timeout` seconds.
    `what` may be a function, called when the time is up."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {timeout} s: {text}")
        time.sleep(interval)
