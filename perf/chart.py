"""Draws a table as a chart: bars for names, lines for numbers in the first column. SVG, by the standard library alone.

    python3 perf/chart.py [--title TEXT] [--unit TEXT] [--columns A,B] [--log] [--after TEXT] [FILE] > chart.svg

The table is the first one in FILE (or standard input), or the first one after a line that holds TEXT: Markdown rows (`| a | b |`), or columns parted by tabs or by two
and more spaces, with a header. Cells that are not numbers after `**`, `,` and `%` are taken off, and what stands in
brackets, are left out. --log draws the values on a logarithmic scale.
"""

import argparse
import math
import re
import sys
from xml.sax.saxutils import escape

COLORS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777", "#994455"]
WIDTH, TOP, BOTTOM, LEFT, RIGHT, PLOT = 960, 50, 90, 70, 20, 320


def cells(line):
    """A row's cells, or None if the line is no row."""
    line = line.rstrip("\n")
    if line.startswith("|"):
        return [cell.strip() for cell in line.strip().strip("|").split("|")]
    if "\t" in line:
        return [cell.strip() for cell in line.split("\t")]
    parts = re.split(r"\s{2,}", line.strip())
    return parts if len(parts) > 1 else None


def table(lines, after=None):
    """Header and rows of the first table, or the first after a line that holds `after`."""
    rows = []
    for line in lines:
        if after is not None:
            after = None if after in line else after
            continue
        row = cells(line)
        if row is None:
            if rows:
                break
        elif not all(re.fullmatch(r":?-{2,}:?", cell) for cell in row):
            rows.append(row)
    if len(rows) < 2:
        sys.exit("chart.py: no table found")
    header, rows = rows[0], rows[1:]
    return header, [row + [""] * (len(header) - len(row)) for row in rows]


def number(cell):
    text = re.sub(r"\([^)]*\)", "", cell).replace("*", "").replace(",", "").replace("%", "").strip()
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def ticks(low, high, logarithmic):
    if logarithmic:
        return [10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    step = 10 ** math.floor(math.log10(high)) if high > 0 else 1
    while high / step < 4:
        step /= 2
    return [step * i for i in range(math.ceil(high / step) + 1)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?")
    parser.add_argument("--title", default="")
    parser.add_argument("--unit", default="")
    parser.add_argument("--columns", help="headers of the columns to draw, by commas; default: all that hold numbers")
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--after", metavar="TEXT")
    arguments = parser.parse_args()
    if arguments.file:
        with open(arguments.file, encoding="utf-8") as lines:
            header, rows = table(lines, arguments.after)
    else:
        header, rows = table(sys.stdin, arguments.after)

    wanted = arguments.columns.split(",") if arguments.columns else None
    if wanted and (unknown := [name for name in wanted if name not in header]):
        sys.exit(f"chart.py: no column {unknown[0]!r}: there are {', '.join(header)}")
    xs = [number(row[0]) for row in rows]
    is_line = len(rows) > 1 and all(x is not None for x in xs)
    columns = []
    for index in range(1, len(header)):
        values = [number(row[index]) for row in rows]
        if (header[index] in wanted) if wanted else any(value is not None for value in values):
            columns.append((header[index], values))
    # What stands before the first column that is drawn names the row.
    first = min((header.index(name) for name, _ in columns), default=1)
    labels = [" ".join(cell for cell in row[:first] if cell) for row in rows]
    values = [v for _, column in columns for v in column if v is not None and (v > 0 or not arguments.log)]
    if not values:
        sys.exit("chart.py: the table has no numbers to draw")
    high = max(values)
    low = min(values) if arguments.log else 0.0
    marks = ticks(low, high, arguments.log)
    low, high = marks[0], marks[-1] if marks[-1] > marks[0] else marks[0] + 1

    def y(value):
        if arguments.log:
            share = (math.log10(max(value, low)) - math.log10(low)) / (math.log10(high) - math.log10(low))
        else:
            share = (value - low) / (high - low)
        return TOP + PLOT * (1 - share)

    height = TOP + PLOT + BOTTOM
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-size="14">{escape(arguments.title)}</text>',
    ]
    for mark in marks:
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>')
    out.append(f'<text x="{LEFT}" y="{TOP - 8}" fill="#555">{escape(arguments.unit)}</text>')
    legend = LEFT + 140
    for number_of, (name, _) in enumerate(columns):
        color = COLORS[number_of % len(COLORS)]
        out.append(f'<rect x="{legend}" y="{TOP - 18}" width="10" height="10" fill="{color}"/>')
        out.append(f'<text x="{legend + 14}" y="{TOP - 9}">{escape(name)}</text>')
        legend += 30 + 6.5 * len(name)

    width = (WIDTH - LEFT - RIGHT) / len(rows)

    def label(x, text):
        place = f"{x:.1f},{TOP + PLOT + 14}"
        turned = f' transform="rotate(30 {place})"' if len(text) * 6 > width else ""
        anchor = "start" if turned else "middle"
        x, y_of = place.split(",")
        out.append(f'<text x="{x}" y="{y_of}" text-anchor="{anchor}"{turned}>{escape(text)}</text>')

    if is_line:
        least, most = min(xs), max(xs)

        def x(value):
            return LEFT + 20 + (WIDTH - LEFT - RIGHT - 40) * (value - least) / ((most - least) or 1)

        for value, row in zip(xs, rows):
            label(x(value), row[0])
        for number_of, (name, column) in enumerate(columns):
            color = COLORS[number_of % len(COLORS)]
            points = [(x(at), y(value)) for at, value in zip(xs, column) if value is not None]
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
            out.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
            out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in points]
        label_x = (LEFT + WIDTH - RIGHT) / 2
        out.append(f'<text x="{label_x}" y="{TOP + PLOT + 32}" text-anchor="middle">{escape(header[0])}</text>')
    else:
        for row, text in enumerate(labels):
            start = LEFT + row * width
            bar = width * 0.8 / max(len(columns), 1)
            for number_of, (name, column) in enumerate(columns):
                value = column[row]
                if value is None or (arguments.log and value <= 0):
                    continue
                left = start + width * 0.1 + number_of * bar
                out.append(
                    f'<rect x="{left:.1f}" y="{y(value):.1f}" width="{bar:.1f}" height="{TOP + PLOT - y(value):.1f}" '
                    f'fill="{COLORS[number_of % len(COLORS)]}"><title>{escape(text)}, {escape(name)}: {value:g}</title></rect>'
                )
            label(start + width / 2, text)
    out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{TOP + PLOT}" y2="{TOP + PLOT}" stroke="#333"/>')
    print("\n".join(out + ["</svg>"]))


if __name__ == "__main__":
    main()
