"""
Beside an EBM and beside shap
=============================

Two other ways to a model with reasons: an *explainable boosting machine*, which is additive by construction, and
*shap*, which explains any model after the fact. What do they cost, and do they tell the same story?
"""

# %%
# Three models
# ------------
# The EBM without pairs of columns and with few bags, so that this page is built in seconds; its defaults take minutes.
from time import perf_counter

from interpret.glassbox import ExplainableBoostingClassifier
from skked import KEDClassifier, SuperfeatureClustering
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

forest = RandomForestClassifier(100, random_state=0).fit(X_train, y_train)
ebm = ExplainableBoostingClassifier(
    interactions=0, outer_bags=2, max_rounds=500, n_jobs=1, random_state=0
)
ebm.fit(X_train, y_train)
clustering = SuperfeatureClustering(5, affinity="spearman").fit(X_train)
student = KEDClassifier(
    RandomForestClassifier(100, random_state=0),
    superfeatures=clustering.superfeatures_,
    max_parameters=500,
    max_iter=100,
    random_state=0,
).fit(X_train, y_train)

# %%
# Quality, size and speed
# -----------------------
from skked import distillation_report

distillation_report(
    {"EBM": ebm, "student": student}, X_test, y_test, teacher=forest, n_repeat_timing=10
)

# %%
# One row, told three ways
# ------------------------
# shap explains the forest by single columns; adding them up by superfeature approximates what a group contributes (see
# :doc:`/explanations` for how well). The EBM's terms are summed in the same way. The forest is explained in
# probabilities, the other two in nats, so each is divided by the sum of its absolute values.
import matplotlib.pyplot as plt
import numpy as np
import shap

groups = student.superfeature_labels_
row = X_test.iloc[[3]]


def by_superfeature(of_columns):
    return np.bincount(groups, weights=of_columns)


start = perf_counter()
of_forest = by_superfeature(
    shap.TreeExplainer(forest).shap_values(row.to_numpy())[0, :, 1]
)
time_shap = perf_counter() - start
start = perf_counter()
of_ebm = by_superfeature(ebm.eval_terms(row)[0])
time_ebm = perf_counter() - start
start = perf_counter()
of_student = student.contributions(row)[0]
time_student = perf_counter() - start

told = {
    f"forest, by shap ({1e3 * time_shap:.1f} ms)": of_forest,
    f"EBM ({1e3 * time_ebm:.1f} ms)": of_ebm,
    f"student ({1e3 * time_student:.1f} ms)": of_student,
}
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
places = np.arange(len(student.superfeature_names_))
for step, (name, parts) in enumerate(told.items()):
    ax.barh(
        places + 0.27 * (step - 1), parts / abs(parts).sum(), height=0.25, label=name
    )
ax.axvline(0, color="black", linewidth=0.8)
ax.set(
    yticks=places,
    yticklabels=student.superfeature_names_,
    xlabel="share of the contributions",
)
ax.invert_yaxis()
ax.legend(frameon=False, fontsize=9)

# %%
# When to take which
# ------------------
# - The **EBM**, when curves of single columns are to be read and edited by hand, and size does not matter.
# - **shap**, when the forest itself must go on answering and a slow explanation will do.
# - A **student**, when prediction must be small and fast, reasons must come with every prediction, and groups of
#   columns are the right size of a reason.
