"""
Rows without labels
===================

Labels are expensive, rows often are not. A teacher can label and explain rows that nobody has labelled, and its student
learns from them: ``fit(X, y, X_unlabelled=...)``. How much does it help?
"""

# %%
# An experiment
# -------------
# Digits, 150 of them labelled. The teacher, a support vector machine, is fitted on the labelled rows only; the student
# hears it on those, and on none, 300 or 900 further rows. Three times, with other rows.
import numpy as np
from skked import KDClassifier
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

X, y = load_digits(return_X_y=True)
extra = (0, 300, 900)
accuracy = {"teacher": [], "student": []}
for seed in range(3):
    X_rest, X_test, y_rest, y_test = train_test_split(
        X, y, test_size=700, random_state=seed
    )
    X_train, X_pool, y_train, _ = train_test_split(
        X_rest, y_rest, train_size=150, stratify=y_rest, random_state=seed
    )
    accuracy["student"].append([])
    for n in extra:
        student = KDClassifier(
            make_pipeline(MinMaxScaler(), SVC(C=10)),
            chimeric=False,
            max_parameters=1500,
            max_iter=60,
            cv=3,
            random_state=seed,
        )
        student.fit(X_train, y_train, X_unlabelled=X_pool[:n] if n else None)
        accuracy["student"][-1].append(student.score(X_test, y_test))
    accuracy["teacher"].append(student.teacher_.score(X_test, y_test))

# %%
# What it brings
# --------------
# Each thin line is one draw of the rows.
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
scores = 100 * np.array(accuracy["student"])
ax.plot(extra, scores.T, color="#0072B2", alpha=0.35)
ax.plot(
    extra,
    scores.mean(axis=0),
    color="#0072B2",
    marker="o",
    linewidth=2.5,
    label="student",
)
ax.axhline(
    100 * np.mean(accuracy["teacher"]),
    color="#D55E00",
    linestyle="--",
    label="teacher, mean",
)
ax.set(xlabel="rows without labels", ylabel="accuracy on test rows, %", xticks=extra)
ax.legend(frameon=False)

# %%
# Unlabelled rows cannot teach more than the teacher knows: the student comes closer to it, and stops there. If there
# are no such rows either, make some: :ref:`sphx_glr_gallery_plot_chimeras.py`.
