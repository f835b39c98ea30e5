"""The figure of docs/images.md: ``python -m benchmarks.sisters.images_figure``.

Two students of scikit-learn's digits explain the same test images: a convolutional one by heat maps, one per
superfeature, and one that reads pixels as columns by the contribution of each group of pixels. Writes
``docs/images.png``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import skked

FIGURE = Path(__file__).parents[2] / "docs" / "images.png"
N_TRAIN, SHOWN = 1200, (3, 2, 17)


def fitted_students():
    """A convolutional student and a student of columns, both with four superfeatures."""
    digits = load_digits()
    images, y = digits.images[:N_TRAIN], digits.target[:N_TRAIN]
    by_maps = skked.KEDImageClassifier(max_parameters=3000, max_iter=20, random_state=0).fit(images, y)
    teacher = RandomForestClassifier(50, random_state=0)
    by_pixels = skked.KEDClassifier(
        teacher, superfeatures=4, n_explanations=200, max_parameters=3000, chimeric=False, cv=2, random_state=0
    ).fit(images.reshape(N_TRAIN, -1), y)
    return by_maps, by_pixels


def draw_row(axes, image, by_maps, by_pixels):
    """One image, its heat maps, and its pixels by superfeature and by their contributions, for the predicted class."""
    label = by_maps.predict(image[None])[0]
    axes[0].imshow(image, cmap="gray_r")
    axes[0].set_title(f"predicted {label}")
    maps = by_maps.contribution_maps(image[None])[0, ..., label]
    phi = by_maps.contributions(image[None])[0, :, label]
    for axis, heat, value, name in zip(axes[1:5], maps, phi, by_maps.superfeature_names_, strict=True):
        paint(axis, heat, np.abs(maps).max(), image)
        axis.set_title(f"{name}: {value:+.1f}")
    groups = by_pixels.superfeature_labels_.reshape(image.shape)
    axes[5].imshow(groups, cmap="Set2", vmin=0, vmax=7)
    axes[5].set_title("groups of pixels")
    phi = by_pixels.contributions(image.reshape(1, -1))[0, :, label]
    paint(axes[6], phi[groups], np.abs(phi).max(), image)
    axes[6].set_title(f"sum {phi.sum():+.1f}")


def paint(axis, heat, largest, image):
    """A heat map over the whole image, and the image's ink as contours."""
    height, width = image.shape
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axis.imshow(heat, cmap="RdBu_r", vmin=-largest, vmax=largest, extent=extent)
    axis.contour(image, levels=[image.max() / 2], colors="black", linewidths=0.8)


def main():
    by_maps, by_pixels = fitted_students()
    images = load_digits().images[N_TRAIN:]
    figure, axes = plt.subplots(len(SHOWN), 7, figsize=(11, 5.2), squeeze=False, layout="constrained")
    for row, index in zip(axes, SHOWN, strict=True):
        draw_row(row, images[index], by_maps, by_pixels)
    for axis in axes.ravel():
        axis.set_xticks([])
        axis.set_yticks([])
        axis.title.set_fontsize(9)
    figure.savefig(FIGURE, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
