"""Images as rows of a table, and back."""

import numpy as np
from sklearn.utils import check_array

_LARGEST_PIXEL = 1e30
_CONSTANT = 1e-12
"""A spread below this share of the largest size is rounding error."""


def read_images(X, image_shape):
    """Images as rows, and their shape.

    Parameters
    ----------
    X : array of shape (n, height, width[, channels]), or table of shape (n, height * width * channels)
    image_shape : tuple (height, width[, channels]) or None

    Returns
    -------
    table of shape (n, height * width * channels)
        X itself if it is one.
    tuple (height, width, channels) or None
        None for a table without `image_shape`: see :func:`shape_of_rows`.

    Raises
    ------
    ValueError
        If the shapes do not go together.
    """
    wanted = None if image_shape is None else _three_axes(image_shape)
    n_axes = np.ndim(X) if isinstance(X, (list, tuple)) else getattr(X, "ndim", 2)
    if n_axes not in (3, 4):
        return X, wanted
    X = np.asarray(X)
    given = (*X.shape[1:], 1)[:3]
    if 0 in given or (wanted is not None and given != wanted):
        raise ValueError(
            f"Expected images of shape {wanted or '(height, width[, channels])'}, got an array of shape {X.shape}. "
            "Axes are (n, height, width[, channels]); channels come last."
        )
    return X.reshape(len(X), -1), given


def shape_of_rows(image_shape, n_features):
    """Shape of the images in a table with so many columns.

    Parameters
    ----------
    image_shape : tuple (height, width, channels) or None
    n_features : int

    Returns
    -------
    tuple (height, width, channels)
        As given; else a square of one channel where the number of columns is a square, else one row of pixels.

    Raises
    ------
    ValueError
        If the number of columns is another one.
    """
    if image_shape is None:
        side = int(np.sqrt(n_features))
        return (side, side, 1) if side * side == n_features else (1, n_features, 1)
    if np.prod(image_shape) != n_features:
        raise ValueError(
            f"Expected {int(np.prod(image_shape))} columns for images of shape {image_shape} (height, width, "
            f"channels), got {n_features}. Set image_shape to the shape of the images in X."
        )
    return image_shape


def pixels_of(estimator, table, image_shape):
    """Rows of a table as images.

    Parameters
    ----------
    estimator : estimator instance
        Named in messages.
    table : ndarray or DataFrame of shape (n, n_features)
    image_shape : tuple (height, width, channels)

    Returns
    -------
    ndarray of shape (n, height, width, channels), float64

    Raises
    ------
    ValueError
        If a pixel is missing, no number or too large.
    """
    pixels = check_array(table, dtype=np.float64, estimator=estimator, input_name="X")
    largest = np.abs(pixels).max()
    if largest > _LARGEST_PIXEL:
        raise ValueError(f"Expected pixels between -1e30 and 1e30, got one of size {largest:.3g}. Rescale the images.")
    return pixels.reshape(len(pixels), *image_shape)


def pixel_scale(images, weight):
    """Mean and standard deviation of the pixels of every channel.

    Parameters
    ----------
    images : array of shape (n, height, width, channels)
    weight : array of shape (n,)

    Returns
    -------
    mean, scale : arrays of shape (channels,)
    """
    mean = np.average(images.mean(axis=(1, 2)), axis=0, weights=weight)
    scale = np.sqrt(np.average(((images - mean) ** 2).mean(axis=(1, 2)), axis=0, weights=weight))
    constant = scale <= _CONSTANT * np.abs(images).max(axis=(0, 1, 2))
    return mean, np.where(constant, 1.0, scale)


def _three_axes(image_shape):
    shape = tuple(np.atleast_1d(np.asarray(image_shape)).tolist())
    if len(shape) not in (2, 3) or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError(f"Expected image_shape as (height, width) or (height, width, channels), got {image_shape!r}.")
    return (*shape, 1)[:3]
