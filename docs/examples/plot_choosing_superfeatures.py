"""
Choosing superfeatures
======================

What belongs together? Columns that say the same, columns that a model combines, or columns that people think of
together. Each answer makes other superfeatures, and the *additive gap* says what each costs.
"""

# %%
# Columns that say the same
# -------------------------
# Clustered by rank correlation: superfeatures that read well.
from skked import SuperfeatureClustering, SuperfeatureDisplay
from sklearn.datasets import load_breast_cancer

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
by_correlation = SuperfeatureClustering(5, affinity="spearman", random_state=0).fit(
    X, y
)
SuperfeatureDisplay.from_estimator(by_correlation)

# %%
for name, columns in by_correlation.superfeatures_.items():
    print(f"{name}: {', '.join(columns)}")

# %%
# Columns that a model combines
# -----------------------------
# Clustered by how far the score of a model is from additive in two columns. Asked of a boosting model here; pass
# ``fit(X, y, teacher=...)`` to ask your own.
by_interaction = SuperfeatureClustering(5, affinity="interaction", random_state=0).fit(
    X, y
)
SuperfeatureDisplay.from_estimator(by_interaction, kind="affinity")

# %%
# Columns that people think of together
# -------------------------------------
# Labels in the format of scikit-learn's ``FeatureAgglomeration``, or a dict of names, serve as well. Here: mean,
# standard error and worst of each measurement, ten superfeatures of three columns.
words = "radius texture perimeter area smoothness compactness concavity concave symmetry fractal"
by_name = {word: [column for column in X if word in column] for word in words.split()}
print({name: len(columns) for name, columns in by_name.items()})

# %%
# What each costs
# ---------------
# The additive gap: what boosting loses on held-out rows when each of its trees may use the columns of one superfeature
# only. Around zero or below, an additive student gives up nothing. On so few rows it is a rough measure, and here no
# grouping costs anything that matters: take the one that reads best.
import matplotlib.pyplot as plt
from skked import ExplainingTeacherClassifier

candidates = {
    "correlation, 5": by_correlation.superfeatures_,
    "interaction, 5": by_interaction.superfeatures_,
    "by name, 10": by_name,
}
gaps = [
    ExplainingTeacherClassifier(superfeatures, random_state=0).fit(X, y).additive_gap_
    for superfeatures in candidates.values()
]
figure, ax = plt.subplots(figsize=(7, 2.2), layout="constrained")
ax.barh(list(candidates), gaps, color="#0072B2")
ax.axvline(0, color="black", linewidth=0.8)
ax.set(xlabel="additive gap: loss in nats on held-out rows (left is better)")
ax.invert_yaxis()
