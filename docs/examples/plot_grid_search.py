"""
A grid search that fits the teacher once per fold
=================================================

Students are scikit-learn estimators, so ``GridSearchCV`` works. Most of a student's parameters do not change its
teacher: with ``memory=``, fitted teachers, superfeatures and explanations are kept on disk, and every candidate after
the first costs only its own training.
"""

# %%
# The search
# ----------
from tempfile import TemporaryDirectory
from time import perf_counter

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from skked import KEDClassifier

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
grid = {"distillation_weight": [0.0, 0.5, 1.0], "explanation_weight": [0.0, 0.7]}

with TemporaryDirectory() as folder:
    student = KEDClassifier(
        RandomForestClassifier(50, random_state=0),
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
    start = perf_counter()
    search.fit(X, y)
    print(f"{len(search.cv_results_['params'])} candidates, 3 folds: {perf_counter() - start:.1f} s")

# %%
# The first candidate pays for the teachers of its fold, the others do not.
import pandas as pd

results = pd.DataFrame(search.cv_results_)
results[["param_distillation_weight", "param_explanation_weight", "mean_test_score", "std_test_score", "mean_fit_time"]]

# %%
# A picture of the scores
# -----------------------
# With ``distillation_weight=0`` the student hears labels only, so the weight of the explanations cannot matter there.
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for weight, part in results.groupby("param_explanation_weight"):
    ax.errorbar(
        part["param_distillation_weight"],
        -part["mean_test_score"],
        part["std_test_score"],
        marker="o",
        capsize=3,
        label=f"explanation_weight={weight}",
    )
ax.set(xlabel="distillation_weight", ylabel="log-loss on held-out rows, nats")
ax.legend(frameon=False)

# %%
# With the differences within the bars, any of them will do, and there is no reason to leave the defaults. Where much
# hangs on it, :class:`~skked.KEDClassifierCV` searches more, in less time: see
# :ref:`sphx_glr_gallery_plot_choosing_a_student.py`.
