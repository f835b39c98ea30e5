"""matplotlib, when it is needed, and the colours."""

from skked._validation import optional_import

# Told apart by readers who do not see red and green alike (Okabe and Ito).
FOR, AGAINST, NEUTRAL = "#D55E00", "#0072B2", "#5B6570"


def axes(ax, purpose, figsize=None):
    """Axes to draw on.

    Parameters
    ----------
    ax : matplotlib Axes or None
        None makes a figure.
    purpose : str
        What needs matplotlib, for the message.
    figsize : tuple of float, default=None
        Width and height in inches of a new figure.

    Returns
    -------
    matplotlib Axes
    """
    pyplot = optional_import("matplotlib.pyplot", extra="plot", purpose=purpose)
    if ax is None:
        _, ax = pyplot.subplots(figsize=figsize, layout="constrained")
    return ax


def plain(ax):
    """Take away the frame above and to the right.

    Parameters
    ----------
    ax : matplotlib Axes
    """
    ax.spines[["top", "right"]].set_visible(False)


def shortened(text, most=34):
    """A label that leaves room for the picture.

    Parameters
    ----------
    text : str
    most : int, default=34

    Returns
    -------
    str
    """
    text = str(text)
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
