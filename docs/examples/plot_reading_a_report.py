"""
Reading a report
================

A student that scores as well as its teacher may still say something else about the same rows. The report asks the four
questions that matter before a student replaces its teacher.
"""

# %%
# Four models of wine
# -------------------
from skked import KDClassifier, KEDClassifier, distillation_report
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_wine(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=1)
forest = RandomForestClassifier(200, random_state=0)
students = {
    "KED": KEDClassifier(forest, max_parameters=300, max_iter=100, random_state=0),
    "KD": KDClassifier(forest, max_parameters=300, max_iter=100, random_state=0),
    "linear": make_pipeline(StandardScaler(), LogisticRegression()),
}
for student in students.values():
    student.fit(X_train, y_train)
report = distillation_report(students, X_test, y_test)
report

# %%
# - **Is it good?** ``accuracy``, and ``log_loss``, which sees probabilities that are too sure. With this few rows one
#   wine more or less is over a percent: ``to_html`` adds intervals.
# - **Is it the teacher?** ``agreement`` counts equal predictions, right or wrong.
# - **Does it give the teacher's reasons?** ``explanation_agreement`` is the mean cosine with the teacher's Shapley
#   values of the same superfeatures, for students that have contributions.
# - **What does it cost?** Parameters, bytes, microseconds.
#
# And always: is the **linear model** as good? Then take that.
#
# Where do they disagree?
# -----------------------
import matplotlib.pyplot as plt
from skked import AgreementDisplay, LossCurveDisplay

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
AgreementDisplay.from_estimator(students["KED"], X_test, ax=left)
LossCurveDisplay.from_estimator(students["KED"], ax=right)

# %%
# Whose reasons?
# --------------
# The student's contributions to one wine beside the teacher's Shapley values for the same superfeatures.
import numpy as np
from skked import GroupShapleyExplainer

student = students["KED"]
explainer = GroupShapleyExplainer(student.superfeature_labels_, random_state=0).fit(
    student.teacher_, X_train
)
wine = X_test.iloc[[5]]
c = int(student.predict(wine)[0])
theirs, ours = (
    explainer.explain(wine).phi[0, :, c],
    student.contributions(wine)[0, :, c],
)

figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
places = np.arange(len(ours))
ax.barh(places - 0.2, theirs, height=0.38, color="#D55E00", label="teacher")
ax.barh(places + 0.2, ours, height=0.38, color="#0072B2", label="student")
ax.axvline(0, color="black", linewidth=0.8)
ax.set(
    yticks=places,
    yticklabels=student.superfeature_names_,
    xlabel=f"contribution to class {c}, nats",
)
ax.invert_yaxis()
ax.legend(frameon=False)

# %%
# The page
# --------
# ``report.to_html("report.html", X_train=X_train)`` writes all of this, and warnings in words, as one file that loads
# nothing from elsewhere and can be mailed. :doc:`/report` explains it part by part.
page = report.to_html(X_train=X_train)
print(f"{len(page):,} characters")
