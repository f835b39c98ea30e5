"""Teachers by name, and teachers from files."""

from pathlib import Path

import joblib
from pandas.api import types
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted

from skked._cli._errors import UserError, suggestion

NAMES = ("boosting", "forest", "extra_trees", "network", "linear", "lightgbm")
_MOST_LEVELS = 50
"""One-hot columns of a category; rarer levels share one."""


def teacher_of(name, X, task, seed):
    """Build the teacher of a name, or load the one in a file.

    Parameters
    ----------
    name : str
        One of ``NAMES``, or the path of a pickle.
    X : DataFrame
        The columns it will see.
    task : {"classification", "regression"}
    seed : int
        Seed of the model.

    Returns
    -------
    estimator or None
        None for boosting, which is the students' own default.

    Raises
    ------
    UserError
        If there is neither such a name nor such a file, or the file does not hold a teacher for this table.
    """
    classification = task == "classification"
    if name == "boosting":
        return None
    if name == "linear":
        return linear_model(X, task)
    if name == "forest":
        model = (RandomForestClassifier if classification else RandomForestRegressor)(200, random_state=seed)
        return make_pipeline(_numbered(X), model)
    if name == "extra_trees":
        model = (ExtraTreesClassifier if classification else ExtraTreesRegressor)(200, random_state=seed)
        return make_pipeline(_numbered(X), model)
    if name == "network":
        return make_pipeline(_scaled(X), _network(classification, len(X), seed))
    if name == "lightgbm":
        return make_pipeline(_numbered(X), _lightgbm(classification, seed))
    return _frozen(Path(name), X, task)


def linear_model(X, task):
    """Build logistic or ridge regression on standardised columns, categories one-hot.

    Parameters
    ----------
    X : DataFrame
        The columns it will see.
    task : {"classification", "regression"}

    Returns
    -------
    Pipeline
    """
    model = LogisticRegression(max_iter=2_000) if task == "classification" else Ridge()
    return make_pipeline(_scaled(X), model)


def _numeric(X):
    return [name for name in X if types.is_numeric_dtype(X[name])]


def _numbered(X):
    """Numbers as they are and levels numbered, missing cells left to the trees."""
    numeric = _numeric(X)
    levels = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    others = [name for name in X if name not in numeric]
    return ColumnTransformer([("numbers", "passthrough", numeric), ("levels", levels, others)])


def _scaled(X):
    """Everything as numbers of about the same size, without missing cells."""
    numeric = _numeric(X)
    if len(numeric) == X.shape[1] and not X.isna().any(axis=None):
        return StandardScaler()
    numbers = make_pipeline(SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler())
    levels = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_MOST_LEVELS, sparse_output=False)
    others = [name for name in X if name not in numeric]
    return ColumnTransformer([("numbers", numbers, numeric), ("levels", levels, others)])


def _network(classification, n_samples, seed):
    options = {"max_iter": 500, "early_stopping": n_samples > 1_000, "random_state": seed}
    if classification:
        return MLPClassifier(**options)
    return TransformedTargetRegressor(MLPRegressor(**options), transformer=StandardScaler())


def _lightgbm(classification, seed):
    try:
        from lightgbm import LGBMClassifier, LGBMRegressor
    except ImportError as error:
        raise UserError("The teacher lightgbm needs LightGBM. Install it with: pip install lightgbm") from error
    return (LGBMClassifier if classification else LGBMRegressor)(random_state=seed, verbose=-1)


def _frozen(path, X, task):
    """A fitted model from a pickle, checked against the table."""
    if not path.is_file():
        raise UserError(f"{str(path)!r} is neither a teacher nor a file. {suggestion(str(path), NAMES)}")
    try:
        model = joblib.load(path)
    except Exception as error:
        raise UserError(f"{path} could not be loaded as a pickled model: {type(error).__name__}: {error}") from error
    is_of_task = is_classifier if task == "classification" else is_regressor
    if not hasattr(model, "predict") or not is_of_task(model):
        raise UserError(f"{path} holds a {type(model).__name__}, which is no {task} model (see --task).")
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise UserError(f"The {type(model).__name__} in {path} is not fitted.") from error
    _check_columns(path, model, X)
    return FrozenEstimator(model)


def _check_columns(path, model, X):
    names = list(getattr(model, "feature_names_in_", []))
    missing = [name for name in names if name not in X.columns]
    if missing:
        raise UserError(f"The teacher in {path} was fitted with {missing[0]!r}. {suggestion(missing[0], X.columns)}")
    extra = [name for name in X.columns if names and name not in names]
    if extra:
        dropping = " ".join(f"--drop {name!r}" for name in extra[:20])
        raise UserError(f"The teacher in {path} was fitted without {len(extra)} columns of the table: add {dropping}")
    n_expected = getattr(model, "n_features_in_", X.shape[1])
    if n_expected != X.shape[1]:
        raise UserError(f"The teacher in {path} was fitted on {n_expected} columns; the table has {X.shape[1]}.")


def in_its_order(teacher, X):
    """Arrange the columns as a frozen teacher knows them.

    Parameters
    ----------
    teacher : FrozenEstimator
        From ``teacher_of``.
    X : DataFrame
        With all columns that the teacher knows.

    Returns
    -------
    DataFrame
    """
    names = getattr(teacher, "feature_names_in_", None)
    return X if names is None else X[list(names)]
