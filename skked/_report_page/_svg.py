"""Small vector pictures that take the colours of the page, light or dark; grey where its style sheet is not read."""

from dataclasses import dataclass
from html import escape

import numpy as np

from skked._displays.superfeatures import owners

_WIDTH, _HEIGHT = 360, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 42
_LETTER = 6.6
_INK = 'fill="currentColor" stroke="none"'
N_COLOURS = 8


@dataclass(frozen=True)
class Series:
    """Points, or a line through them.

    Attributes
    ----------
    name : str
        For the legend.
    x, y : sequences of float
    colour : int
        Number of a colour of the page, 0 to 7.
    kind : {"line", "points", "both"}
    """

    name: str
    x: object
    y: object
    colour: int
    kind: str = "line"


def chart(series, *, x_label, y_label, description, limits=None, diagonal=False):
    """A picture of lines and points.

    Parameters
    ----------
    series : list of Series
    x_label, y_label : str
    description : str
        What is to be seen, for readers who do not see it.
    limits : tuple of four floats, default=None
        Lowest and highest x, lowest and highest y; None shows everything.
    diagonal : bool, default=False
        Draw where x equals y.

    Returns
    -------
    str
    """
    low_x, high_x, low_y, high_y = limits or (*_span(s.x for s in series), *_span(s.y for s in series))

    def across(x):
        return _LEFT + (np.asarray(x, dtype=float) - low_x) / (high_x - low_x) * (_WIDTH - _LEFT - _RIGHT)

    def down(y):
        return _HEIGHT - _BOTTOM - (np.asarray(y, dtype=float) - low_y) / (high_y - low_y) * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for tick in ticks(low_x, high_x):
        parts.append(_text(across(tick), _HEIGHT - _BOTTOM + 15, _number(tick), "middle"))
    for tick in ticks(low_y, high_y):
        parts.append(f'<path class="grid" d="M{_LEFT} {down(tick):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(_text(_LEFT - 6, down(tick) + 4, _number(tick), "end"))
    if diagonal:
        low, high = max(low_x, low_y), min(high_x, high_y)
        parts.append(f'<path class="axis" d="M{across(low):.1f} {down(low):.1f}L{across(high):.1f} {down(high):.1f}"/>')
    parts += [_drawn(one, across(one.x), down(one.y)) for one in series]
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}"/>')
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, x_label, "middle"))
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    squeezed = ""
    if len(y_label) * _LETTER > 2 * middle:
        squeezed = f' textLength="{2 * middle - 4:.0f}" lengthAdjust="spacingAndGlyphs"'
    parts.append(
        f'<text x="12" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 12 {middle:.0f})"{squeezed} {_INK}>'
        f"{escape(y_label)}</text>"
    )
    return _picture(_WIDTH, _HEIGHT, parts, description)


def tree(linkage, order, labels, column_names, description):
    """The tree of the columns, from left to right, their names beside it.

    Parameters
    ----------
    linkage : ndarray of shape (n_columns - 1, 4)
    order : int ndarray of shape (n_columns,)
        Columns from top to bottom.
    labels : int ndarray of shape (n_columns,)
        Superfeatures.
    column_names : list of str
    description : str

    Returns
    -------
    str
    """
    n_columns, step = len(labels), 16
    names = [name if len(name) <= 26 else f"{name[:25]}…" for name in column_names]
    room = _LETTER * max(len(name) for name in names) + 16
    width = _WIDTH - room
    place, height = np.empty(2 * n_columns - 1), np.zeros(2 * n_columns - 1)
    place[order] = step * (np.arange(n_columns) + 0.5)
    scale = (width - 8) / (linkage[:, 2].max() or 1.0)
    parts = []
    for merge, group in enumerate(owners(linkage, labels)):
        left, right = linkage[merge, :2].astype(int)
        node = n_columns + merge
        height[node], place[node] = linkage[merge, 2], (place[left] + place[right]) / 2
        x = [width - scale * h for h in (height[left], height[node], height[right])]
        colour = f"line c{group % N_COLOURS}" if group >= 0 else "axis"
        parts.append(
            f'<path class="{colour}" d="M{x[0]:.1f} {place[left]:.1f}H{x[1]:.1f}V{place[right]:.1f}H{x[2]:.1f}"/>'
        )
    for column in order:
        colour = f"c{labels[column] % N_COLOURS}"
        parts.append(f'<circle class="dot {colour}" cx="{width + 3:.1f}" cy="{place[column]:.1f}" r="3"/>')
        parts.append(_text(width + 9, place[column] + 4, names[column], "start"))
    return _picture(_WIDTH, step * n_columns, parts, description)


def ticks(low, high, most=5):
    """Round numbers between two.

    Parameters
    ----------
    low, high : float
    most : int, default=5

    Returns
    -------
    list of float

    Examples
    --------
    >>> from skked._report_page._svg import ticks
    >>> ticks(0, 0.93)
    [0.0, 0.2, 0.4, 0.6, 0.8]
    """
    rough = (high - low) / most
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(size for size in (1, 2, 5, 10) if size * power >= 0.999 * rough)
    first = int(np.ceil(low / step - 1e-9))
    last = int(np.floor(high / step + 1e-9))
    return [float(f"{step * k:.10g}") for k in range(first, last + 1)]


def _drawn(series, x, y):
    colour = f"c{series.colour}"
    parts = []
    if series.kind in ("line", "both"):
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
        parts.append(f'<path class="line {colour}" d="M{path}"/>')
    if series.kind in ("points", "both"):
        parts += [
            f'<circle class="dot {colour}" cx="{a:.1f}" cy="{b:.1f}" r="{3 if series.kind == "both" else 2.4}"/>'
            for a, b in zip(x, y, strict=True)
        ]
    return "".join(parts)


def _picture(width, height, parts, description):
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" fill="none" stroke="gray" font-size="11" '
        f'font-family="sans-serif" role="img" aria-label="{escape(description)}">'
        f"<title>{escape(description)}</title>{''.join(parts)}</svg>"
    )


def _text(x, y, text, anchor):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {_INK}>{escape(str(text))}</text>'


def _number(value):
    return f"{value:,.6g}" if abs(value) < 1e5 else f"{value:.2g}"


def _span(values):
    values = [np.asarray(value, dtype=float) for value in values]
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    room = 0.03 * (high - low) or 0.5 * abs(high) or 1.0
    return float(low - room), float(high + room)
