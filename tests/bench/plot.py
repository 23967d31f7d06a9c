#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws rows of a benchmark's JSON as SVG: of the quickstart, cycles per packet as bars, one a row;
of `batch`, the share of packets out of order over the size of a batch, one line a scenario.

usage: plot.py FILE.json FILE.svg
"""
import json
import math
import sys
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, MARGIN = 720, 250, 20, 8, 12
COLOURS = {"native": "#9aa5b1", "vanilla": "#2563a8", "linux-overlay": "#5b9bd5"}
# Of the plot of batches: its edges, and the lines' colours in turn.
LEFT, RIGHT, TOP, BOTTOM, LEGEND = 60, 700, 20, 280, 18
LINES = ["#2563a8", "#5b9bd5", "#c2410c", "#ca8a04", "#4d7c0f", "#7e22ce", "#475569"]


def svg(width, height, elements):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>', *elements, "</svg>", ""])


# --- bars ---

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


def draw_bars(rows):
    scale = (WIDTH - LABEL - 150) / max(row["cycles_per_packet"] for row in rows)
    height = MARGIN * 2 + len(rows) * (BAR + GAP)
    return svg(WIDTH, height, [bar(row, MARGIN + i * (BAR + GAP), scale)
                               for i, row in enumerate(rows)])


# --- lines ---

def point(row, largest):
    """Where a row lies: batches by their logarithm, shares from 0 to 1."""
    x = LEFT + (RIGHT - LEFT) * math.log2(row["batch"]) / math.log2(largest)
    return x, BOTTOM - (BOTTOM - TOP) * row["out_of_order"]


def axes(batches):
    elements = [f'<path d="M{LEFT} {TOP} V{BOTTOM} H{RIGHT}" fill="none" stroke="black"/>',
                f'<text x="{RIGHT}" y="{BOTTOM + 34}" text-anchor="end">packets a batch</text>',
                f'<text x="{LEFT + 8}" y="{TOP}">out of order at the merge</text>']
    for percent in range(0, 101, 25):
        y = BOTTOM - (BOTTOM - TOP) * percent / 100
        elements.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{percent} %</text>')
    for batch in batches:
        x, _ = point({"batch": batch, "out_of_order": 0}, batches[-1])
        elements.append(f'<text x="{x:.1f}" y="{BOTTOM + 16}" text-anchor="middle">{batch}</text>')
    return elements


def line(name, rows, largest, colour, number):
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (point(row, largest) for row in rows))
    y = BOTTOM + 50 + number * LEGEND
    return (f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>\n'
            f'<path d="M{LEFT} {y - 4} h24" stroke="{colour}" stroke-width="2"/>\n'
            f'<text x="{LEFT + 32}" y="{y}">{escape(name)}</text>')


def draw_lines(rows):
    batches = sorted({row["batch"] for row in rows})
    names = list(dict.fromkeys(row["scenario"] for row in rows))
    lines = [line(name, [row for row in rows if row["scenario"] == name], batches[-1],
                  LINES[i % len(LINES)], i) for i, name in enumerate(names)]
    return svg(WIDTH, BOTTOM + 50 + len(names) * LEGEND, axes(batches) + lines)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    batches = [row for row in rows if "batch" in row]
    receive = [row for row in rows if row.get("scenario") == "receive"]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(draw_lines(batches) if batches else draw_bars(receive))


if __name__ == "__main__":
    main()
