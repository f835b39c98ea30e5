"""The convolutional student as numpy arrays: its layout, its forward pass, its explanation, and its size."""

import bisect
from dataclasses import dataclass

import numpy as np

KERNEL = 3
"""Pixels that a filter sees along an axis of more than one pixel."""
COARSEST = 4
"""Axes longer than this are halved by the next stage."""
BLOCK_VALUES = 1 << 20
"""Numbers of the largest array of the forward pass, beyond which rows are split into blocks."""


@dataclass(frozen=True)
class ImageLayout:
    """Sizes of a convolutional student: a trunk, and one branch per superfeature.

    Attributes
    ----------
    image_shape : tuple (height, width, channels)
    n_superfeatures : int
        Branches, M.
    trunk_width : int
        Maps of the first stage; the second has twice as many.
    branch_width : int
        Maps of every branch.
    n_outputs : int
        K.
    """

    image_shape: tuple
    n_superfeatures: int
    trunk_width: int
    branch_width: int
    n_outputs: int

    @property
    def kernel(self):
        """Height and width of the filters."""
        return tuple(KERNEL if side > 1 else 1 for side in self.image_shape[:2])

    @property
    def sides(self):
        """Height and width of the image and of the maps after each of the three stages that may halve them."""
        sides = [tuple(self.image_shape[:2])]
        for strides in self.strides:
            sides.append(tuple(-(-side // stride) for side, stride in zip(sides[-1], strides, strict=True)))
        return sides

    @property
    def strides(self):
        """Steps of the filters of each of the three stages along both axes."""
        sides, strides = self.image_shape[:2], []
        for _ in range(3):
            strides.append(tuple(2 if side > COARSEST else 1 for side in sides))
            sides = tuple(-(-side // stride) for side, stride in zip(sides, strides[-1], strict=True))
        return strides

    @property
    def grid(self):
        """Height and width of a branch's last maps."""
        return self.sides[-1]

    def shapes(self):
        """Shapes of weights and biases by the names they have in :class:`ImageNetwork`."""
        n_groups, width, maps, n_outputs = self.n_superfeatures, self.trunk_width, self.branch_width, self.n_outputs
        return {
            "first": (*self.kernel, self.image_shape[2], width),
            "first_bias": (width,),
            "second": (*self.kernel, width, 2 * width),
            "second_bias": (2 * width,),
            "mix": (2 * width, n_groups * maps),
            "mix_bias": (n_groups * maps,),
            "branch": (n_groups, *self.kernel, maps, maps),
            "branch_bias": (n_groups * maps,),
            "head": (n_groups, *self.grid, maps, n_outputs),
            "head_bias": (n_groups * n_outputs,),
        }

    @property
    def n_parameters(self):
        """int: weights and biases."""
        return sum(int(np.prod(shape)) for shape in self.shapes().values())


def solve_layout(max_parameters, image_shape, n_superfeatures, n_outputs):
    """Layout that spends a parameter budget.

    For every width of the trunk the branches get as many maps as the budget pays for. Among the layouts whose
    branches have together between two thirds and three halves as many maps as the trunk hands on, the one that spends
    most is taken; where there is none, the one nearest to that.

    Parameters
    ----------
    max_parameters : int
        The budget.
    image_shape : tuple (height, width, channels)
    n_superfeatures, n_outputs : int

    Returns
    -------
    ImageLayout

    Raises
    ------
    ValueError
        If the budget does not pay for one map everywhere.
    """
    candidates, width = [], 1
    while (layout := _widest_branches(max_parameters, image_shape, n_superfeatures, width, n_outputs)) is not None:
        candidates.append(layout)
        width += 1
    if not candidates:
        smallest = ImageLayout(image_shape, n_superfeatures, 1, 1, n_outputs).n_parameters
        raise ValueError(
            f"max_parameters={max_parameters} is too small: the smallest student for images of shape {image_shape}, "
            f"with {n_superfeatures} superfeature(s) and {n_outputs} output(s), has {smallest} parameters. "
            f"Raise max_parameters to at least {smallest}."
        )
    balanced = [layout for layout in candidates if _imbalance(layout) <= np.log(1.5) + 1e-9]
    if balanced:
        return max(balanced, key=lambda layout: layout.n_parameters)
    return min(candidates, key=_imbalance)


def _widest_branches(max_parameters, image_shape, n_superfeatures, width, n_outputs):
    """The layout of a trunk of this width with the most maps per branch that the budget pays for, or None."""

    def layout(maps):
        return ImageLayout(image_shape, n_superfeatures, width, maps, n_outputs)

    possible = range(1, max_parameters + 1)
    maps = bisect.bisect_right(possible, max_parameters, key=lambda maps: layout(maps).n_parameters)
    return layout(maps) if maps else None


def _imbalance(layout):
    return abs(np.log(layout.n_superfeatures * layout.branch_width / (2 * layout.trunk_width)))


class ImageNetwork:
    """A convolutional student's weights and its forward pass.

    ``z(x) = base + Σ_i φ_i(x)``. A trunk of two convolutions and a 1×1 convolution turn the image into maps, which are
    dealt out to M branches; branch i filters its own maps once more and reads ``φ_i`` from them, with one weight per
    map, position and output. So ``φ_i`` is a sum over positions, the *contribution map*. Every convolution is followed
    by a ReLU.

    Parameters
    ----------
    layout : ImageLayout
    weights : dict of str to float32 arrays
        The shapes are :meth:`ImageLayout.shapes`; filters have the axes height, width, inputs, outputs.
    base : array, shape (n_outputs,)
        Score of a row that says nothing.
    pixel_mean, pixel_scale : arrays, shape (channels,)
        What is subtracted from pixels, and what they are then divided by.
    mean_map : array, shape (n_superfeatures, height, width, n_outputs), optional
        Contribution map of the average image, from which contribution maps count; zero by default. Predictions do not
        need it.
    """

    def __init__(self, layout, weights, base, pixel_mean, pixel_scale, mean_map=None):
        self.layout = layout
        self.weights = weights
        self.base = base
        self.pixel_mean = pixel_mean
        self.pixel_scale = pixel_scale
        self.mean_map = mean_map

    @property
    def n_parameters(self):
        """int: weights and biases."""
        return self.layout.n_parameters

    def features(self, images):
        """Last maps of the branches.

        Parameters
        ----------
        images : array, shape (n, height, width, channels)

        Returns
        -------
        ndarray, shape (n, n_superfeatures, grid height, grid width, branch_width), float64
        """
        layout = self.layout
        features = np.empty((len(images), layout.n_superfeatures, *layout.grid, layout.branch_width))
        for rows in self._blocks(len(images)):
            features[rows] = self._features_of_block(images[rows])
        return features

    def contributions(self, images):
        """Contributions of the superfeatures to the score.

        Parameters
        ----------
        images : array, shape (n, height, width, channels)

        Returns
        -------
        ndarray, shape (n, n_superfeatures, n_outputs)
            ``φ``.
        """
        layout = self.layout
        head = self.weights["head"].reshape(layout.n_superfeatures, -1, layout.n_outputs).astype(np.float64)
        bias = self.weights["head_bias"].reshape(layout.n_superfeatures, layout.n_outputs)
        phi = np.empty((len(images), layout.n_superfeatures, layout.n_outputs))
        for rows in self._blocks(len(images)):
            features = self._features_of_block(images[rows])
            flat = features.reshape(*features.shape[:2], -1).swapaxes(0, 1)
            phi[rows] = (flat @ head).swapaxes(0, 1) + bias
        return phi

    def score(self, images):
        """``base + Σ_i φ_i``, shape (n, n_outputs)."""
        return self.base + self.contributions(images).sum(axis=1)

    def contribution_maps(self, images):
        """Contributions position by position.

        Parameters
        ----------
        images : array, shape (n, height, width, channels)

        Returns
        -------
        ndarray, shape (n, n_superfeatures, grid height, grid width, n_outputs)
            The sum over both axes of the grid is :meth:`contributions`.
        """
        maps = self._raw_maps(images)
        return maps if self.mean_map is None else maps - self.mean_map

    def centred(self, images, weight, *, over_outputs):
        """The same student with contributions that average to zero over given images; the score does not change.

        Parameters
        ----------
        images : array, shape (n, height, width, channels)
        weight : array, shape (n,)
        over_outputs : bool
            Also make every contribution sum to zero over the outputs (scores of three or more classes).

        Returns
        -------
        ImageNetwork
        """
        layout, weights, base = self.layout, dict(self.weights), self.base
        if over_outputs:
            weights["head"] = _centred_last(weights["head"])
            base = base - base.mean()
        bias = weights["head_bias"].reshape(layout.n_superfeatures, -1).astype(np.float64)
        bias = _centred_last(bias) if over_outputs else bias
        plain = ImageNetwork(layout, weights, base, self.pixel_mean, self.pixel_scale)
        mean_map = np.zeros((layout.n_superfeatures, *layout.grid, layout.n_outputs))
        for rows in self._blocks(len(images)):
            mean_map += np.tensordot(weight[rows], plain._raw_maps(images[rows]), axes=1)
        mean_map /= weight.sum()
        mean = mean_map.sum(axis=(1, 2))
        weights["head_bias"] = (-mean).ravel()
        base = base + (mean + bias).sum(axis=0)
        return ImageNetwork(layout, weights, base, self.pixel_mean, self.pixel_scale, mean_map)

    def _raw_maps(self, images):
        head = self.weights["head"].astype(np.float64)
        maps = np.empty((len(images), *head.shape[:3], head.shape[4]))
        for rows in self._blocks(len(images)):
            features = self._features_of_block(images[rows])
            maps[rows] = (features[..., None, :] @ head)[..., 0, :]
        return maps

    def _blocks(self, n_samples):
        """Slices of rows that keep the largest array of the forward pass small enough for a processor's cache."""
        layout, area = self.layout, int(np.prod(self.layout.kernel))
        sizes = (np.prod(side) for side in layout.sides[1:])
        widths = (layout.image_shape[2], layout.trunk_width, layout.branch_width)
        largest = max(int(size) * width * area for size, width in zip(sizes, widths, strict=True))
        step = max(1, BLOCK_VALUES // largest)
        return [slice(start, start + step) for start in range(0, n_samples, step)]

    def _features_of_block(self, images):
        """:meth:`features` of a few images; weights are float32, products float64, as in :class:`StudentNetwork`."""
        layout, weights = self.layout, self.weights
        pixels = (images - self.pixel_mean) / self.pixel_scale
        first, second, last = layout.strides
        trunk = _convolved(pixels, weights["first"], weights["first_bias"], first)
        trunk = _convolved(trunk, weights["second"], weights["second_bias"], second)
        mixed = np.maximum(trunk @ weights["mix"].astype(np.float64) + weights["mix_bias"], 0)
        biases = weights["branch_bias"].reshape(layout.n_superfeatures, -1)
        groups = np.split(mixed, layout.n_superfeatures, axis=-1)
        branches = [
            _convolved(group, kernel, bias, last)
            for group, kernel, bias in zip(groups, weights["branch"], biases, strict=True)
        ]
        return np.stack(branches, axis=1)


def _convolved(images, kernel, bias, strides):
    """ReLU of a convolution with as many zeros around the image as the filter reaches beyond it.

    Shape
    -----
    images : (n, height, width, inputs); kernel : (kernel height, kernel width, inputs, outputs).
    """
    height, width, n_inputs, n_outputs = kernel.shape
    n, *sides, _ = images.shape
    rows, columns = (-(-side // stride) for side, stride in zip(sides, strides, strict=True))
    padded = np.pad(images, [(0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)])
    patches = np.empty((n, rows, columns, height, width, n_inputs))
    for y in range(height):
        for x in range(width):
            patches[..., y, x, :] = padded[:, y : y + sides[0] : strides[0], x : x + sides[1] : strides[1]]
    flat = patches.reshape(n * rows * columns, -1) @ kernel.reshape(-1, n_outputs).astype(np.float64) + bias
    return np.maximum(flat, 0).reshape(n, rows, columns, n_outputs)


def _centred_last(array):
    return array - array.mean(axis=-1, keepdims=True)
