"""
A grid search that fits each teacher once per fold
==================================================

Students are scikit-learn estimators, so ``GridSearchCV`` works. Most of a student's parameters do not change its
teacher: with ``memory=``, fitted teachers, superfeatures and explanations are kept on disk, and a further candidate
costs only its own training.
"""

# %%
# Which teacher, and how much of it?
# ----------------------------------
# Two teachers and three weights against the labels. The teacher is a parameter like any other.
from tempfile import TemporaryDirectory

from skked import KEDClassifier
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
teachers = {
    "forest": RandomForestClassifier(50, random_state=0),
    "linear": make_pipeline(StandardScaler(), LogisticRegression(C=0.3)),
}
grid = {
    "teacher": list(teachers.values()),
    "distillation_weight": [0.0, 0.5, 1.0],
}
with TemporaryDirectory() as folder:
    student = KEDClassifier(
        superfeatures=4,
        max_parameters=300,
        max_iter=40,
        chimeric=False,
        cv=3,
        memory=folder,
        random_state=0,
    )
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(student, grid, scoring="neg_log_loss", cv=folds, refit=False)
    search.fit(X, y)

# %%
# The first candidate with a teacher pays for it in every fold, the others do not: ``mean_fit_time``, in seconds.
import pandas as pd

results = pd.DataFrame(search.cv_results_)
results["teacher"] = 3 * list(teachers)
columns = ["distillation_weight", "teacher", "mean_test_score", "mean_fit_time"]
results.rename(columns={"param_distillation_weight": "distillation_weight"})[
    columns
].round(3)

# %%
# A picture of the scores
# -----------------------
# With ``distillation_weight=0`` the student hears labels only, so the teacher does not matter there.
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, part in results.groupby("teacher"):
    ax.errorbar(
        part["param_distillation_weight"],
        -part["mean_test_score"],
        part["std_test_score"],
        marker="o",
        capsize=3,
        label=f"teacher: {name}",
    )
ax.set(xlabel="distillation_weight", ylabel="log-loss on held-out rows, nats")
_ = ax.legend(frameon=False)

# %%
# A student can only be as good as what it listens to. This forest is less sure than it could be, and who imitates its
# probabilities is as well. A report with the teacher in its first row shows that before any search does.
#
# Where much hangs on the choice, :class:`~skked.KEDClassifierCV` searches more, in less time: see
# :ref:`sphx_glr_gallery_plot_choosing_a_student.py`.
