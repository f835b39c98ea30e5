"""
Choosing a student by cross-validation
======================================

:class:`~skked.KEDClassifierCV` fits the teacher once per fold, trains all candidates side by side, and lets the best of
them teach the final student. All have the same parameter budget.
"""

# %%
# A search over kinds of students
# -------------------------------
# A grid of our own, small; without ``param_grid`` there are two dozen candidates.
from skked import KEDClassifierCV
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
grid = [
    {
        "network": ["additive"],
        "distillation_weight": [0.4, 0.8],
        "explanation_weight": [0.0, 0.7],
    },
    {
        "network": ["heads"],
        "distillation_weight": [0.0, 0.4, 0.8],
        "explanation_weight": [0.0],
    },
]
search = KEDClassifierCV(
    RandomForestClassifier(50, random_state=0),
    param_grid=grid,
    scoring="neg_log_loss",
    superfeatures=4,
    max_parameters=300,
    max_iter=50,
    cv=3,
    random_state=0,
).fit(X_train, y_train)
print(search.best_params_)
print(f"accuracy on test rows {search.score(X_test, y_test):.3f}")

# %%
# The candidates
# --------------
# ``cv_results_`` has the format of scikit-learn's searches.
import matplotlib.pyplot as plt
import numpy as np

results = search.cv_results_
order = np.argsort(results["mean_test_score"])
words = [
    ", ".join(f"{name}={value}" for name, value in results["params"][i].items())
    for i in order
]
figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
ax.errorbar(
    -results["mean_test_score"][order],
    range(len(order)),
    xerr=results["std_test_score"][order] / np.sqrt(search.cv),
    fmt="o",
    color="#0072B2",
    capsize=3,
)
ax.set(
    yticks=range(len(order)),
    yticklabels=words,
    xlabel="log-loss on held-out folds, nats, ± standard error",
)
ax.tick_params(axis="y", labelsize=8)

# %%
# Bars that overlap mean that the choice is a matter of taste: an additive student is then the better one, for its
# contributions are its exact Shapley values. :doc:`/choosing_a_student` tells how the search works.
