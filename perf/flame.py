"""Draws a flame graph from what perf script prints.

    perf script | python3 perf/flame.py [--title TEXT] [--unit TEXT] > flame.svg

A box is a function, as wide as its share of the samples; it stands on its caller. The bottom row is the threads. The
picture needs no script and loads nothing: a box's full name and count show when the pointer rests on it.
"""

import argparse
import re
import sys
from xml.sax.saxutils import escape

WIDTH, ROW, TEXT = 1200, 17, 7.0
LEAST = 0.3  # Boxes narrower than this are left out, in units of the picture.


def stacks(lines):
    """Stacks of function names, outermost first, thread name at the root."""
    thread, frames = None, []
    for line in lines:
        line = line.rstrip("\n")
        if not line:
            if thread is not None:
                yield [thread] + frames[::-1]
            thread, frames = None, []
        elif not line[0].isspace():
            # "name  pid ... event:" - thread names are padded and may hold spaces.
            thread = re.split(r"\s+\d+(?:/\d+)?\s", line, maxsplit=1)[0].strip()
        else:
            frames.append(function(line.strip()))
    if thread is not None:
        yield [thread] + frames[::-1]


def function(frame):
    """`address name+offset (file)` to the name, without hash."""
    parts = frame.split(" ", 1)
    name = parts[1] if len(parts) > 1 else frame
    name = re.sub(r" \([^()]*\)$", "", name)
    name = re.sub(r"\+0x[0-9a-f]+$", "", name)
    return re.sub(r"::h[0-9a-f]{16}$", "", name) or "[unknown]"


class Box:
    def __init__(self, name):
        self.name, self.count, self.children = name, 0, {}

    def add(self, stack):
        self.count += 1
        box = self
        for name in stack:
            box = box.children.setdefault(name, Box(name))
            box.count += 1

    def depth(self):
        return 1 + max((child.depth() for child in self.children.values()), default=0)


def color(name):
    """Warm, by name, the same in every picture."""
    seed = sum(ord(letter) * (index + 1) for index, letter in enumerate(name))
    return f"hsl({20 + seed % 35}, {70 + seed % 25}%, {58 + seed % 14}%)"


def draw(box, x, level, scale, height, total, out):
    width = box.count * scale
    if width < LEAST:
        return
    y = height - (level + 1) * ROW
    letters = int((width - 4) / TEXT)
    label = box.name if len(box.name) <= letters else box.name[: max(letters - 2, 0)] + ".."
    out.append(f'<g><title>{escape(box.name)}: {box.count} ({100 * box.count / total:.1f} %)</title>')
    out.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" fill="{color(box.name)}"/>')
    if letters > 2:
        out.append(f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(label)}</text>')
    out.append("</g>")
    for child in sorted(box.children.values(), key=lambda child: child.name):
        draw(child, x, level + 1, scale, height, total, out)
        x += child.count * scale


def main():
    sys.setrecursionlimit(10_000)
    parser = argparse.ArgumentParser()
    parser.add_argument("--title", default="corelane")
    parser.add_argument("--unit", default="samples")
    arguments = parser.parse_args()
    root = Box("all")
    for stack in stacks(sys.stdin):
        root.add(stack)
    if root.count == 0:
        sys.exit("flame.py: no samples: the run was too short, or perf could not read the stacks")
    height = (root.depth() + 2) * ROW
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="4" y="13">{escape(arguments.title)}: {root.count} {escape(arguments.unit)}</text>',
    ]
    draw(root, 0, 0, WIDTH / root.count, height, root.count, out)
    print("\n".join(out + ["</svg>"]))


if __name__ == "__main__":
    main()
