#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws rows of a benchmark's JSON as bars: cycles per packet, one bar a row, as SVG.

usage: plot.py FILE.json FILE.svg
"""
import json
import sys
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, MARGIN = 720, 250, 20, 8, 12
COLOURS = {"native": "#9aa5b1", "vanilla": "#2563a8", "linux-overlay": "#5b9bd5"}


def label(row):
    return f"{row['mode']}, {row['port']}, {row['frame_bytes']} B"


def bar(row, top, scale):
    cycles = row["cycles_per_packet"]
    length = cycles * scale
    middle = top + BAR * 0.7
    return "\n".join([
        f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(label(row))}</text>',
        f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" '
        f'fill="{COLOURS.get(row["mode"], "#2563a8")}"/>',
        f'<text x="{LABEL + length + 6:.1f}" y="{middle}">{cycles:.0f} cycles, '
        f'{row["pps"] / 1e6:.1f} Mpps</text>',
    ])


def draw(rows):
    scale = (WIDTH - LABEL - 150) / max(row["cycles_per_packet"] for row in rows)
    height = MARGIN * 2 + len(rows) * (BAR + GAP)
    bars = [bar(row, MARGIN + i * (BAR + GAP), scale) for i, row in enumerate(rows)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>', *bars, "</svg>", ""])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = [row for row in json.load(file)["rows"] if row.get("scenario") == "receive"]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(draw(rows))


if __name__ == "__main__":
    main()
