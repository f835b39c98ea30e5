"""
A LightGBM model that is already in use
=======================================

The model is there, it was fitted long ago, on rows that you may not even have. ``FrozenEstimator`` hands it over as it
is: nothing is fitted again, and the model stays untouched.
"""

# %%
# The model in use
# ----------------
from lightgbm import LGBMClassifier
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X_past, X_now, y_past, y_now = train_test_split(X, y, train_size=900, random_state=0)
model = LGBMClassifier(
    n_estimators=60, num_leaves=15, n_jobs=1, verbose=-1, random_state=0
).fit(X_past, y_past)

# %%
# Its student
# -----------
# The student learns from rows that the model was *not* fitted on, here half of the new ones. On its own training rows
# a boosted model is sure of everything and has little to teach. Cross-fitting, which is how skked avoids this with
# teachers that it may fit, is impossible with a frozen one.
from skked import KEDClassifier
from sklearn.frozen import FrozenEstimator

X_train, X_test, y_train, y_test = train_test_split(
    X_now, y_now, train_size=0.5, random_state=0
)
student = KEDClassifier(
    FrozenEstimator(model),
    superfeatures=6,
    max_parameters=3000,
    max_iter=60,
    random_state=0,
).fit(X_train, y_train)
assert student.teacher_ is model

# %%
# What became of it
# -----------------
# The report measures agreement with the model in use, which may matter more than accuracy: a replacement should not
# surprise anybody.
from skked import distillation_report

distillation_report({"student": student}, X_test, y_test, n_explained=50)

# %%
# Every point is a row; those off the diagonal are rows to look at before switching over.
from skked import AgreementDisplay

AgreementDisplay.from_estimator(student, X_test)
