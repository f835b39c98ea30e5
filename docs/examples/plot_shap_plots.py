"""
shap's plots of a student
=========================

``student.explain(X)`` gives a ``shap.Explanation``, so every plot that shap offers works, with superfeatures in place
of columns. Nothing is estimated: the numbers are the student's own contributions.
"""

# %%
# A student of wines
# ------------------
# For more than two classes the last axis of the explanation is the class; ``explanation[:, :, c]`` is about class c.
import matplotlib.pyplot as plt
import shap
from skked import KEDClassifier
from sklearn.datasets import load_wine
from sklearn.ensemble import ExtraTreesClassifier

X, y = load_wine(return_X_y=True, as_frame=True)
groups = {
    "strength": ["alcohol", "proline"],
    "acids": ["malic_acid", "ash", "alcalinity_of_ash"],
    "phenols": [
        "total_phenols",
        "flavanoids",
        "nonflavanoid_phenols",
        "proanthocyanins",
    ],
    "colour": ["color_intensity", "hue", "od280/od315_of_diluted_wines"],
    "magnesium": ["magnesium"],
}
student = KEDClassifier(
    ExtraTreesClassifier(100, random_state=0),
    superfeatures=groups,
    max_parameters=500,
    max_iter=80,
    random_state=0,
).fit(X, y)
explanation = student.explain(X)[:, :, 0]
print(explanation.shape)

# %%
# Waterfall: one wine
# -------------------
# From the base, at the bottom, to the score, at the top. In grey, what this wine holds in the columns.
shap.plots.waterfall(explanation[0], show=False)
plt.gcf().set_size_inches(9, 4)
plt.tight_layout()

# %%
# Bar: what matters
# -----------------
shap.plots.bar(explanation, show=False)
plt.gcf().set_size_inches(9, 3.5)
plt.tight_layout()

# %%
# Beeswarm: every wine
# --------------------
# The colour is the value of a single column, or the mean of several, each in units of its standard deviation.
shap.plots.beeswarm(explanation, show=False, plot_size=(9, 3.5))
plt.tight_layout()

# %%
# Heatmap: wines in the order of their likeness
# ---------------------------------------------
shap.plots.heatmap(explanation, show=False)
plt.gcf().set_size_inches(9, 4.5)
plt.tight_layout()
