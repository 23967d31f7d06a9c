# SPDX-License-Identifier: BSD-3-Clause
"""Numbered packets of a few flows, as many at a time as may be on their way."""

import struct
import threading

from frames import Outer, inner
from traffic import PACKET_OUTGOING, all_together
from waiting import PATIENCE, until

CHUNK = 240  # packets on their way; less than the three eighths of the credits that one flow may
# have, and than the uplink has room for
MARK = b"weft-e2e-numbered"


class Flow:
    """Numbered frames of one flow, or of several in turn, from east to web. They are checked as
    they come out: each is the next one of its flow."""

    def __init__(self, overlay, flows=1):
        self.overlay = overlay
        outer = Outer(overlay.east.namespace.mac("eth0"), overlay.weft_mac())
        self.frames = [self.frame(outer, 1000 + flow) for flow in range(flows)]
        self.next = list(range(flows))
        self.out = overlay.web.namespace.raw_socket("eth0")
        self.out.setblocking(False)
        self.sent = self.seen = 0

    @staticmethod
    def frame(outer, port):
        """What stands before the number, and behind it."""
        payload = inner(mark=MARK, port=port)
        payload["UDP"].chksum = 0  # may be left out, so that the body can be changed
        frame = outer.frame(payload=payload)
        begin = frame.index(MARK) + len(MARK)
        return frame[:begin], frame[begin + 4:]

    def receive(self):
        while True:
            try:
                frame, source = self.out.recvfrom(2048)
            except BlockingIOError:
                return self.seen
            if MARK not in frame or source[2] == PACKET_OUTGOING:
                continue
            number, = struct.unpack_from("!I", frame, frame.index(MARK) + len(MARK))
            flow = number % len(self.next)
            assert number == self.next[flow], f"{number} came instead of {self.next[flow]}"
            self.next[flow] += len(self.next)
            self.seen += 1

    def send(self, raw, count):
        for number in range(self.sent, self.sent + count):
            before, behind = self.frames[number % len(self.frames)]
            raw.send(before + struct.pack("!I", number) + behind)
        self.sent += count

    def flow_until(self, condition, timeout, what):
        """Sends as fast as packets come out, and returns the first true value of condition(), when
        all that was sent has come out, too."""
        with self.overlay.east.raw_socket() as raw:
            def step():
                if self.sent - self.receive() < CHUNK // 2:
                    self.send(raw, CHUNK // 2)
                return condition()
            found = until(step, timeout, what, interval=0)
        until(lambda: self.receive() == self.sent, PATIENCE,
              lambda: f"all that was sent: {self.seen} of {self.sent}")
        return found

    def flow_while(self, *calls):
        """Sends until all calls have returned, one after the other."""
        done = threading.Event()

        def call_all():
            try:
                for call in calls:
                    call()
            finally:
                done.set()
        all_together(call_all, lambda: self.flow_until(done.is_set, 4 * PATIENCE,
                                                       "the end of the calls"))

    def flow_for(self, count):
        """Sends at least so many."""
        end = self.sent + count
        self.flow_until(lambda: self.sent >= end, PATIENCE, f"{count} packets sent")
