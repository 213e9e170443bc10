"""A plot with two logarithmic axes, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 30, 50
# Told apart also by those who see no red or no green (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#999999", "#000000", "#cc79a7")


class Series(NamedTuple):
    """A line of the plot: (x, y), all above 0."""

    name: str
    points: Sequence[tuple[float, float]]


def svg(title: str, x_name: str, y_name: str, series: Sequence[Series]) -> str:
    """The whole document."""
    xs = _decades([x for one in series for x, _ in one.points])
    ys = _decades([y for one in series for _, y in one.points])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 18, title, 'font-weight="bold"'),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_name, 'text-anchor="middle"'),
        _text(LEFT - 60, TOP - 6 + 14, y_name),
        *_grid(xs, ys),
    ]
    for number, one in enumerate(series):
        parts += _line(one, COLOURS[number % len(COLOURS)], xs, ys, TOP + 20 + 20 * number)
    return "\n".join([*parts, "</svg>", ""])


def _decades(values: Sequence[float]) -> tuple[int, int]:
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return first, max(last, first + 1)


def _place(value: float, axis: tuple[int, int], start: float, end: float) -> float:
    part = (math.log10(value) - axis[0]) / (axis[1] - axis[0])
    return round(start + part * (end - start), 1)


def _x(value: float, axis: tuple[int, int]) -> float:
    return _place(value, axis, LEFT, WIDTH - RIGHT)


def _y(value: float, axis: tuple[int, int]) -> float:
    return _place(value, axis, HEIGHT - BOTTOM, TOP)


def _grid(xs: tuple[int, int], ys: tuple[int, int]) -> Iterator[str]:
    for power in range(xs[0], xs[1] + 1):
        x = _x(10.0**power, xs)
        yield f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
        yield _text(x, HEIGHT - BOTTOM + 18, f"{10**power:,}", 'text-anchor="middle"')
    for power in range(ys[0], ys[1] + 1):
        y = _y(10.0**power, ys)
        yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield _text(LEFT - 6, y + 4, f"{10.0**power:g}", 'text-anchor="end"')


def _line(
    series: Series, colour: str, xs: tuple[int, int], ys: tuple[int, int], name_y: float
) -> Iterator[str]:
    places = [(_x(x, xs), _y(y, ys)) for x, y in series.points]
    points = " ".join(f"{x},{y}" for x, y in places)
    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
    yield from (f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places)
    name_x = WIDTH - RIGHT + 16
    yield f'<path d="M{name_x} {name_y - 4}h20" stroke="{colour}" stroke-width="3"/>'
    yield _text(name_x + 26, name_y, series.name)


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" {more}>{escape(text)}</text>'
