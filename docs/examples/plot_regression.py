"""
Regression, and how a superfeature responds
===========================================

A regressor's contributions are in the units of the target. An additive student can be drawn completely: each
superfeature is a function of its own columns, a curve for one column and a map for two.
"""

# %%
# Teach
# -----
# Progression of diabetes a year after baseline, from ten measurements.
from skked import KEDRegressor, distillation_report
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import train_test_split

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
groups = {
    "bmi": ["bmi"],
    "age and pressure": ["age", "bp"],
    "sex": ["sex"],
    "cholesterol": ["s1", "s2", "s3", "s4"],
    "triglycerides": ["s5"],
    "glucose": ["s6"],
}
student = KEDRegressor(
    GradientBoostingRegressor(max_depth=3, random_state=0),
    superfeatures=groups,
    max_parameters=400,
    max_iter=100,
    random_state=0,
).fit(X_train, y_train)
distillation_report({"student": student}, X_test, y_test)

# %%
# A curve and a map
# -----------------
# The strip below the curve shows where rows are: at its ends there are few, and the student guesses.
import matplotlib.pyplot as plt
from skked import ResponseDisplay

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
ResponseDisplay.from_estimator(student, X_train, "bmi", ax=left)
ResponseDisplay.from_estimator(student, X_train, "age and pressure", ax=right)

# %%
# These are effects in the model. What would happen to a patient whose weight changed is another question, which needs
# another kind of data.
