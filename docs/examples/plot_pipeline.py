"""
Mixed tables and pipelines
==========================

Tables have texts, categories and missing cells. A student reads them as they are; what the *teacher* needs goes into a
pipeline around the teacher. That is the better of two ways, for explanations then speak of the columns that you know.
"""

# %%
# A table with texts and gaps
# ---------------------------
# The diabetes table, with its columns in their own units, sex in words, and a tenth of two columns missing.
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X["sex"] = X["sex"].map({1.0: "one", 2.0: "other"})
rng = np.random.default_rng(0)
for column in ("bmi", "s5"):
    X.loc[rng.random(len(X)) < 0.1, column] = np.nan
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
X_train.head()

# %%
# Around the teacher
# ------------------
# The teacher is a whole pipeline: it imputes and encodes for itself. Superfeatures are groups of raw columns.
from skked import KEDRegressor
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

encode = make_column_transformer(
    (OneHotEncoder(drop="if_binary", sparse_output=False), ["sex"]),
    remainder=SimpleImputer(),
    verbose_feature_names_out=False,
)
encode.set_output(transform="pandas")
trees = ExtraTreesRegressor(100, min_samples_leaf=5, random_state=0)
groups = {
    "person": ["age", "sex"],
    "body": ["bmi", "bp"],
    "lipids": ["s1", "s2", "s3", "s4", "s5"],
    "glucose": ["s6"],
}
settings = {"max_parameters": 300, "max_iter": 100, "random_state": 0}
student = KEDRegressor(
    make_pipeline(encode, trees), superfeatures=groups, **settings
).fit(X_train, y_train)
print(
    f"R² of the teacher {student.teacher_.score(X_test, y_test):.2f}, student {student.score(X_test, y_test):.2f}"
)

# %%
# Why one patient's disease is expected to progress as it does, with the patient's own values on the left:
from skked import ExplanationDisplay

ExplanationDisplay.from_estimator(student, X_test, kind="row", row=1)

# %%
# In front of the student
# -----------------------
# A student may also be the last step of a pipeline. It then sees encoded columns, and superfeatures are groups of
# those: :func:`~skked.superfeatures_after` says which, so that groups of raw columns are enough here as well.
from skked import superfeatures_after

encoded_groups = superfeatures_after(encode.fit(X_train), groups, by="name")
print(encoded_groups)

pipeline = make_pipeline(
    encode, KEDRegressor(trees, superfeatures=encoded_groups, **settings)
).fit(X_train, y_train)
print(f"R² {pipeline.score(X_test, y_test):.2f}")
