"""
Images: where a digit speaks for itself
=======================================

:class:`~skked.KEDImageClassifier` is a tiny convolutional network that is a sum of branches. Each prediction comes with
the contribution of each branch, and with a map of where in the image it arises.
"""

# %%
# Teach
# -----
# The teacher is the default: a network of the same form, eight times as large.
from skked import KEDImageClassifier
from sklearn.datasets import load_digits

digits = load_digits()
images, y = digits.images[:900], digits.target[:900]
student = KEDImageClassifier(max_parameters=2500, max_iter=12, random_state=0).fit(
    images, y
)

new, truth = digits.images[900:], digits.target[900:]
print(f"{student.n_parameters_} parameters, accuracy {student.score(new, truth):.3f}")

# %%
# Look
# ----
# Red cells speak for the predicted digit, blue cells against it. The maps of all branches add up to the score, less the
# base.
import matplotlib.pyplot as plt
import numpy as np

shown = [int(np.flatnonzero(truth == digit)[2]) for digit in (0, 3, 4, 7, 8)]
maps = student.contribution_maps(
    new[shown]
)  # (images, branches, rows, columns, classes)
maps = maps.sum(axis=1)
predicted = student.predict(new[shown])

figure, axes = plt.subplots(2, len(shown), figsize=(9, 4), layout="constrained")
for position, (top, bottom) in enumerate(axes.T):
    of_class = maps[position, :, :, predicted[position]]
    top.imshow(new[shown[position]], cmap="gray_r")
    top.set_title(f"predicted {predicted[position]}")
    limit = abs(of_class).max()
    bottom.imshow(
        of_class, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=(-0.5, 7.5, 7.5, -0.5)
    )
    bottom.contour(new[shown[position]], levels=[6], colors="black", linewidths=0.8)
    for ax in (top, bottom):
        ax.set_axis_off()

# %%
# What the maps are, and what they are not, is on the page :doc:`/images`: contributions are exact for the student, but
# a branch sees the whole image through the trunk, so its maps say where it found something, not which pixels caused it.
