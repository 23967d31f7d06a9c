#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Draws rows of benchmarks' JSON as SVG: of the quickstart, cycles per packet as bars, one a row;
of `batch`, the share of packets out of order over the size of a batch, one line a scenario; of
`scale`, one flow's packets a second over lcores: a line a mode for virtual lcores, and dots for
real ones, if rows of `two-core` and `steer` are there too.

usage: plot.py FILE.json... FILE.svg
"""
import json
import math
import sys
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, MARGIN = 720, 250, 20, 8, 12
COLOURS = {"native": "#9aa5b1", "vanilla": "#2563a8", "linux-overlay": "#5b9bd5"}
# Of the plot of batches: its edges, and the lines' colours in turn.
LEFT, RIGHT, TOP, BOTTOM, LEGEND = 60, 700, 20, 280, 18
LINES = ["#2563a8", "#5b9bd5", "#c2410c", "#ca8a04", "#4d7c0f", "#7e22ce", "#475569", "#db2777"]


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


# --- one flow over lcores ---

SCALE_FRAME, SCALE_PORT = 64, "ring"  # what all modes are measured with on real lcores, too


def is_one_flow(row):
    """Of lcores that share one flow; not of placements by hand."""
    return (row.get("frame_bytes") == SCALE_FRAME and row.get("port") == SCALE_PORT
            and row.get("flows") == 1 and "ratio_to_vanilla" in row and row.get("pps", 0) > 0
            and (row["clock"] == "virtual") == (row["scenario"] == "one flow"))


def best_real(rows):
    """The best path of each mode and number of lcores, near each other if there are such."""
    near = [row for row in rows if row["scenario"].endswith("near")] or rows
    best = {}
    for row in near:
        key = row["mode"], row["lcores"]
        best[key] = max(row, best.get(key, row), key=lambda it: it["ratio_to_vanilla"])
    return list(best.values())


def scale_point(row, lcores, top):
    x = LEFT + (RIGHT - LEFT) * math.log2(row["lcores"]) / math.log2(lcores[-1])
    return x, BOTTOM - (BOTTOM - TOP) * row["pps"] / top


def scale_axes(lcores, top):
    elements = [f'<path d="M{LEFT} {TOP} V{BOTTOM} H{RIGHT}" fill="none" stroke="black"/>',
                f'<text x="{RIGHT}" y="{BOTTOM + 34}" text-anchor="end">lcores</text>',
                f'<text x="{LEFT + 8}" y="{TOP}">one flow, {SCALE_FRAME} B, million packets/s; '
                'lines: virtual lcores, dots: real ones</text>']
    for part in range(5):
        y = BOTTOM - (BOTTOM - TOP) * part / 4
        elements.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">'
                        f'{top * part / 4 / 1e6:.0f}</text>')
    for n in lcores:
        x, _ = scale_point({"lcores": n, "pps": 0}, lcores, top)
        elements.append(f'<text x="{x:.1f}" y="{BOTTOM + 16}" text-anchor="middle">{n}</text>')
    return elements


def draw_scale(rows):
    rows = [row for row in rows if is_one_flow(row)]
    virtual = [row for row in rows if row["clock"] == "virtual"]
    real = best_real([row for row in rows if row["clock"] == "real"])
    lcores = sorted({row["lcores"] for row in virtual})
    top = 1.1 * max(row["pps"] for row in virtual + real)
    elements = scale_axes(lcores, top)
    for i, mode in enumerate(dict.fromkeys(row["mode"] for row in virtual)):
        colour = LINES[i % len(LINES)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (
            scale_point(row, lcores, top) for row in virtual if row["mode"] == mode))
        elements += [f'<polyline points="{points}" fill="none" stroke="{colour}" '
                     'stroke-width="1.5" stroke-dasharray="5 3"/>',
                     f'<path d="M{LEFT + i % 4 * 160} {BOTTOM + 46 + i // 4 * LEGEND} h24" '
                     f'stroke="{colour}" stroke-width="3"/>',
                     f'<text x="{LEFT + i % 4 * 160 + 32}" y="{BOTTOM + 50 + i // 4 * LEGEND}">'
                     f'{escape(mode)}</text>']
        elements += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>' for x, y in (
            scale_point(row, lcores, top) for row in real if row["mode"] == mode)]
    return svg(WIDTH, BOTTOM + 50 + 2 * LEGEND, elements)


def draw(rows):
    if any(row.get("scenario") == "one flow" for row in rows):
        return draw_scale(rows)
    batches = [row for row in rows if "batch" in row]
    if batches:
        return draw_lines(batches)
    return draw_bars([row for row in rows if row.get("scenario") == "receive"])


def main():
    rows = []
    for name in sys.argv[1:-1]:
        with open(name, encoding="utf-8") as file:
            rows += json.load(file)["rows"]
    with open(sys.argv[-1], "w", encoding="utf-8") as file:
        file.write(draw(rows))


if __name__ == "__main__":
    main()
