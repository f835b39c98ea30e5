"""
Chimeras: new rows where rows are few
=====================================

A chimera takes each superfeature from a real row, but not all of them from the same one. Every part of it was observed,
the whole was not, and the teacher says what it makes of it.
"""

# %%
# What chimeras look like
# -----------------------
# Irises, with two superfeatures. With ``swap=0.3`` a chimera is a real flower with, mostly, one part of another; the
# donors say which row gave what. Within a superfeature, here the petals, nothing new appears; across superfeatures it
# does, and some of it is unlike any flower.
import matplotlib.pyplot as plt
from skked import make_chimeric_set
from sklearn.datasets import load_iris

X, y = load_iris(return_X_y=True, as_frame=True)
labels = [0, 0, 1, 1]  # sepal, sepal, petal, petal
chimeras, donors = make_chimeric_set(X, labels, 150, swap=0.3, random_state=0)
print(donors[:3])

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, (across, up) in zip(axes, [(2, 3), (0, 2)], strict=True):
    ax.scatter(
        chimeras.iloc[:, across],
        chimeras.iloc[:, up],
        s=14,
        color="#D55E00",
        label="chimeras",
    )
    ax.scatter(
        X.iloc[:, across],
        X.iloc[:, up],
        s=14,
        color="#0072B2",
        alpha=0.7,
        label="real rows",
    )
    ax.set(xlabel=X.columns[across], ylabel=X.columns[up])
axes[0].set_title("inside a superfeature", loc="left")
axes[1].set_title("across superfeatures", loc="left")
axes[0].legend(frameon=False, loc="lower right")

# %%
# Do they help?
# -------------
# Digits, 120 training rows, a student of 1,000 parameters, with and without chimeras, on four draws of the rows.
import numpy as np
from skked import KEDClassifier
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

X, y = load_digits(return_X_y=True)
quadrants = np.arange(64).reshape(8, 8)
quadrants = 2 * (quadrants // 8 >= 4) + (quadrants % 8 >= 4)
found = []
for seed in range(4):
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=120, stratify=y, random_state=seed
    )
    found.append([])
    for chimeric in (False, True):
        teacher = make_pipeline(MinMaxScaler(), LogisticRegression())
        student = KEDClassifier(
            teacher,
            superfeatures=quadrants.ravel(),
            chimeric=chimeric,
            max_parameters=1000,
            max_iter=80,
            cv=3,
            random_state=seed,
        )
        found[-1].append(100 * student.fit(X_train, y_train).score(X_test, y_test))

figure, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
ax.plot([0, 1], np.transpose(found), color="#0072B2", marker="o", alpha=0.6)
_ = ax.set(
    xticks=[0, 1],
    xticklabels=["without", "with chimeras"],
    ylabel="accuracy on test rows, %",
    xlim=(-0.3, 1.3),
)

# %%
# A line is one draw of the rows. By default a student makes chimeras up to some 2,000 rows; beyond, there are rows
# enough. :doc:`/chimeric_sets` says when to turn them off.
