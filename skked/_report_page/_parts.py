"""Pieces of the page: tables, bars, and pictures with their captions."""

from html import escape

import numpy as np
import pandas as pd


def table(headers, rows, *, kind="", subject=None):
    """A table.

    Parameters
    ----------
    headers : list of str
        The first column holds names, the others numbers.
    rows : list of list of str
        Cells that are escaped already, except the first.
    kind : str, default=""
        Class of the style.
    subject : str, default=None
        First cell of the row that the page is about.

    Returns
    -------
    str
    """
    head = "".join(
        f'<th scope="col"{"" if place == 0 else _NUMBER}>{escape(header)}</th>' for place, header in enumerate(headers)
    )
    body = []
    for first, *cells in rows:
        mark = ' class="subject"' if first == subject else ""
        numbers = "".join(f"<td{_NUMBER}>{cell}</td>" for cell in cells)
        body.append(f'<tr{mark}><th scope="row">{escape(first)}</th>{numbers}</tr>')
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


_NUMBER = ' class="number"'


def bars(names, values, *, notes=None, signed):
    """Bars of one or several models, side by side.

    Parameters
    ----------
    names : list of str
        One per group of bars.
    values : dict of str to sequence of float
        By model; "teacher" is drawn paler.
    notes : list of str, default=None
        Small text below each name.
    signed : bool
        Whether bars go both ways.

    Returns
    -------
    str
    """
    table = np.column_stack([np.asarray(column, dtype=float) for column in values.values()])
    largest = np.abs(table).max() or 1.0
    form = number_format(table, signed=signed)
    rows = []
    for place, name in enumerate(names):
        note = f"<small>{escape(notes[place])}</small>" if notes and notes[place] else ""
        drawn = "".join(
            _bar(model, value, largest, form, signed) for model, value in zip(values, table[place], strict=True)
        )
        rows.append(f'<div><div class="name">{escape(name)}{note}</div><div>{drawn}</div></div>')
    return f'<div class="bars">{"".join(rows)}</div>'


def _bar(model, value, largest, form, signed):
    length = 100 * abs(value) / largest / (2 if signed else 1)
    start = 0 if not signed else 50 - (length if value < 0 else 0)
    sign = ' class="plus"' if signed and value > 0 else ""
    kind = "bar teacher" if model == "teacher" else "bar"
    track = "track signed" if signed else "track"
    return (
        f'<div class="{kind}"><b>{escape(model)}</b><span class="{track}" aria-hidden="true">'
        f'<i{sign} style="left:{start:.1f}%;width:{length:.1f}%"></i></span><em>{form(value)}</em></div>'
    )


def number_format(values, *, signed):
    """Format numbers of one kind with the same decimals, about three figures of the largest.

    Parameters
    ----------
    values : array-like
    signed : bool

    Returns
    -------
    callable
    """
    largest = np.abs(values).max()
    digits = 2 if largest == 0 else int(np.clip(2 - np.floor(np.log10(largest)), 0, 8))
    form = f"{{:{'+' if signed else ''},.{digits}f}}"
    # Adding zero turns a negative zero into a positive one.
    return lambda value: form.format(round(value, digits) + 0.0)


def figure(picture, caption, keys=()):
    """A picture with a caption and a legend.

    Parameters
    ----------
    picture : str
    caption : str
    keys : sequence of (str, int)
        Names and colours.

    Returns
    -------
    str
    """
    legend = "".join(f'<span class="key c{colour}">{escape(name)}</span>' for name, colour in keys)
    return f"<figure>{picture}<figcaption>{legend} {escape(caption)}</figcaption></figure>"


def said(value):
    """A label or number in words.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
    """
    if value is None or (np.isscalar(value) and pd.isna(value)):
        return "missing"
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)
