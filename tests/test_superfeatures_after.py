"""Superfeatures of original columns, carried through transformers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)

from skked import KEDClassifier, superfeatures_after

RNG = np.random.RandomState(0)
X = pd.DataFrame(
    {
        "height": RNG.normal(size=90),
        "colour": RNG.choice(["red", "blue", "green"], 90),
        "width": np.where(RNG.rand(90) < 0.2, np.nan, RNG.normal(size=90)),
        "shape": RNG.choice(["round", "flat"], 90),
        "id": np.arange(90.0),
    }
)
Y = (X["height"] + (X["colour"] == "red") > 0.3).to_numpy()
GROUPS = {"size": ["height", "width"], "look": ["colour", "shape"], "other": ["id"]}
NUMBERS = make_column_selector(dtype_include="number")
WIDTH_ONLY = [False, False, True, False, False]
IMPUTED = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())


def prepare():
    return make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["shape", "colour"]), (IMPUTED, ["width", "id", "height"])
    )


def passing(columns):
    return make_column_transformer(("passthrough", columns))


def by_shaking(transformer, groups):
    """The oracle: which outputs change when the columns of one superfeature are shuffled."""
    before = np.asarray(transformer.transform(X), dtype=float)
    found = {}
    for name, columns in groups.items():
        shaken = X.copy()
        shaken[columns] = X[columns].sample(frac=1, random_state=1).to_numpy()
        changed = ~np.isclose(np.asarray(transformer.transform(shaken), dtype=float), before, equal_nan=True)
        found[name] = np.flatnonzero(changed.any(axis=0)).tolist()
    return {name: columns for name, columns in found.items() if columns}


@pytest.mark.parametrize(
    "transformer",
    [
        prepare(),
        make_pipeline(prepare(), StandardScaler()),
        make_pipeline(FrozenEstimator(prepare().fit(X)), "passthrough"),
        ColumnTransformer([("keep", "passthrough", slice("height", "height")), ("drop", "drop", [1])]),
        ColumnTransformer([("one", OneHotEncoder(drop="first"), [3, 1])], remainder=IMPUTED),
        ColumnTransformer([("numbers", IMPUTED, NUMBERS)], verbose_feature_names_out=False),
        make_column_transformer((KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), ["id", "height"])),
        make_column_transformer((SplineTransformer(), ["id", "height"]), ("passthrough", WIDTH_ONLY)),
        make_pipeline(passing([4, 0]), make_union(StandardScaler(), SplineTransformer())),
        make_pipeline(passing([0]), PCA()),
    ],
)
def test_transformed_columns_belong_where_they_come_from(transformer):
    transformer = transformer.fit(X)
    groups = superfeatures_after(transformer, GROUPS)
    assert groups == by_shaking(transformer, GROUPS)
    names = transformer.get_feature_names_out()
    assert superfeatures_after(transformer, GROUPS, by="name") == {
        name: [names[column] for column in columns] for name, columns in groups.items()
    }


def test_students_take_them():
    prepared = prepare().fit(X)
    groups = superfeatures_after(prepared, GROUPS)
    student = KEDClassifier(superfeatures=groups, max_iter=3, cv=2, random_state=0)
    fitted = make_pipeline(FrozenEstimator(prepared), student).fit(X, Y)
    assert fitted[-1].superfeature_names_ == list(GROUPS)
    prepared = prepare().set_output(transform="pandas").fit(X)
    by_name = superfeatures_after(prepared, GROUPS, by="name")
    again = make_pipeline(FrozenEstimator(prepared), student.set_params(superfeatures=by_name)).fit(X, Y)
    np.testing.assert_array_equal(again[-1].superfeature_labels_, fitted[-1].superfeature_labels_)


def test_tables_of_skrub():
    skrub = pytest.importorskip("skrub", reason="skrub is not installed")
    dated = X.assign(day=pd.date_range("2020-01-01", periods=90), empty=np.nan)
    vectorizer = skrub.TableVectorizer(high_cardinality=skrub.StringEncoder(n_components=2), cardinality_threshold=3)
    groups = {"when": ["day"], **GROUPS, "empty": ["empty"]}
    found = superfeatures_after(vectorizer.fit(dated), groups, by="name")
    assert "empty" not in found
    assert sorted(column for columns in found.values() for column in columns) == sorted(
        vectorizer.get_feature_names_out()
    )
    for name, columns in found.items():
        assert all(any(column.startswith(original) for original in groups[name]) for column in columns)
    in_pipeline = make_pipeline(vectorizer, SimpleImputer(), StandardScaler()).fit(dated)
    positions = superfeatures_after(in_pipeline, groups)
    names = in_pipeline.get_feature_names_out()
    assert {name: [names[i] for i in columns] for name, columns in positions.items()} == found


def test_arrays_and_labels():
    scaler = StandardScaler().fit(np.eye(3))
    assert superfeatures_after(scaler, [0, 1, 0]) == {"x0, x2": [0, 2], "x1": [1]}
    assert superfeatures_after(scaler, {"a": [2, "x0"], "b": 1}, by="name") == {"a": ["x0", "x2"], "b": ["x1"]}


@pytest.mark.parametrize(
    ("transformer", "groups", "error", "message"),
    [
        (prepare(), {"size": ["height"]}, ValueError, "leave out columns: 'colour'"),
        (prepare(), {**GROUPS, "more": ["hight"]}, ValueError, "X does not have: 'hight'"),
        (make_pipeline(passing([0, 4]), PCA(1)), GROUPS, ValueError, "PCA makes .*'size' and 'other' together"),
        (make_pipeline(passing([0, 4]), PolynomialFeatures()), GROUPS, ValueError, "'size' and 'other' together"),
        (make_pipeline(FunctionTransformer(), "passthrough"), GROUPS, TypeError, "one-to-one"),
        (prepare(), "auto", ValueError, "superfeatures"),
        (prepare(), {"all": GROUPS}, ValueError, "X does not have"),
    ],
)
def test_what_cannot_be_carried_is_refused(transformer, groups, error, message):
    with pytest.raises(error, match=message):
        superfeatures_after(transformer.fit(X), groups)
    with pytest.raises(NotFittedError):
        superfeatures_after(StandardScaler(), GROUPS)
