"""
A forest, in ten kilobytes, with reasons
========================================

The whole of skked in one example: a forest teaches a student, the student predicts and says why, and a report says what
was lost and what was saved.
"""

# %%
# A table, a teacher, a student
# -----------------------------
# Tumours under the microscope: thirty measurements of cell nuclei, and whether the tumour was benign. The columns have
# natural groups, so we name them. Without ``superfeatures=`` they would be found.
from skked import KEDClassifier
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
y = y.map({0: "malignant", 1: "benign"})
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)


def columns(*words):
    return [column for column in X if any(word in column for word in words)]


groups = {
    "size": columns("radius", "perimeter", "area"),
    "texture": columns("texture", "smoothness"),
    "shape": columns("compactness", "concav", "symmetry", "fractal"),
}
student = KEDClassifier(
    RandomForestClassifier(100, random_state=0),
    superfeatures=groups,
    max_parameters=500,
    max_iter=100,
    random_state=0,
)
student.fit(X_train, y_train)

# %%
# One row, and all rows
# ---------------------
# Contributions are in nats and add up to the log-odds of the second class, *malignant*.
import matplotlib.pyplot as plt
from skked import ExplanationDisplay

figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 4.6), layout="constrained")
ExplanationDisplay.from_estimator(student, X_test, kind="row", row=0, ax=top)
ExplanationDisplay.from_estimator(student, X_test, ax=bottom)

# %%
# The student is additive, so there is nothing left over, and a superfeature's part of the score depends on its own
# columns only.
score = student.explanation_base_ + student.contributions(X_test).sum(axis=1)
print(abs(score - student.decision_function(X_test)).max())

# %%
# What was kept, and what it costs
# --------------------------------
from skked import distillation_report

distillation_report({"student": student}, X_test, y_test)
