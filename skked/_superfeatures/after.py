"""Superfeatures in terms of the original columns, for a student behind transformers."""

import copy
import re

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from skked._superfeatures.resolve import given_superfeatures
from skked._validation import StrOptions, validate_params

__all__ = ["superfeatures_after"]


@validate_params(
    {"transformer": "no_validation", "superfeatures": [dict, "array-like"], "by": [StrOptions({"position", "name"})]},
    prefer_skip_nested_validation=True,
)
def superfeatures_after(transformer, superfeatures, *, by="position"):
    """Superfeatures of the columns that a fitted transformer gives, from those of the columns that it takes.

    A student in a Pipeline sees transformed columns, such as one per category; people think in the columns of their
    table. Every transformed column belongs to the superfeature of the column it was made of.

    Parameters
    ----------
    transformer : fitted transformer
        :class:`~sklearn.compose.ColumnTransformer`, :class:`~sklearn.pipeline.FeatureUnion`,
        ``skrub.TableVectorizer``, a Pipeline of transformers, or anything else whose ``get_feature_names_out`` names
        its columns after those that they are made of. All outputs of one that mixes its columns, such as
        :class:`~sklearn.decomposition.PCA`, belong together, so its columns must be of one superfeature.
    superfeatures : dict or array-like of shape (n_features,)
        ``{name: [columns]}`` by name or position, or the label of every column: a partition of the columns that the
        transformer takes.
    by : {"position", "name"}, default="position"
        How transformed columns are called. Positions serve for arrays and frames; names are those of
        ``get_feature_names_out``, for frames (``set_output``).

    Returns
    -------
    dict of str to list
        To be given as ``superfeatures`` to whatever comes behind the transformer. Superfeatures of which the
        transformer drops all columns are left out.

    Raises
    ------
    NotFittedError
        If the transformer is not fitted.
    TypeError
        If a transformer does not say how it names its columns.
    ValueError
        If the superfeatures are no partition of the columns, or a transformed column is made of several of them.

    See Also
    --------
    KEDClassifier : Takes them.
    SuperfeatureClustering : Finds superfeatures.

    Notes
    -----
    The transformed columns are those of this fit: where a fold of a cross-validation lacks a category, there are
    fewer of them. Fix the categories, or clone nothing (:class:`~sklearn.frozen.FrozenEstimator`).

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.compose import make_column_transformer
    >>> from sklearn.preprocessing import OneHotEncoder, StandardScaler
    >>> from skked import superfeatures_after
    >>> X = pd.DataFrame({"colour": ["red", "blue"], "height": [1.0, 2.0], "width": [3.0, 1.0]})
    >>> prepare = make_column_transformer((OneHotEncoder(), ["colour"]), (StandardScaler(), ["height", "width"]))
    >>> groups = {"size": ["height", "width"], "look": ["colour"]}
    >>> superfeatures_after(prepare.fit(X), groups)
    {'size': [2, 3], 'look': [0, 1]}
    """
    check_is_fitted(transformer)
    table = pd.DataFrame(columns=_names_in(transformer))
    labels, names = given_superfeatures(superfeatures, table)
    after = _after(transformer, labels, names)
    called = (
        np.arange(len(after)) if by == "position" else np.asarray(transformer.get_feature_names_out(), dtype=object)
    )
    groups = {name: called[after == group].tolist() for group, name in enumerate(names)}
    return {name: columns for name, columns in groups.items() if columns}


def _names_in(transformer):
    """Names of the columns that a transformer takes."""
    if isinstance(transformer, Pipeline):
        inner = next((step for _, step in transformer.steps if not _is_idle(step)), transformer)
        return _names_in(inner) if inner is not transformer else _own_names(transformer)
    return _own_names(transformer)


def _own_names(transformer):
    names = getattr(transformer, "feature_names_in_", None)
    return [f"x{column}" for column in range(transformer.n_features_in_)] if names is None else [*map(str, names)]


def _is_idle(step):
    return step is None or (isinstance(step, str) and step == "passthrough")


def _after(transformer, labels, names):
    """Superfeature of each output column of a transformer."""
    if _is_idle(transformer):
        return labels
    if isinstance(transformer, FrozenEstimator):
        return _after(transformer.estimator, labels, names)
    if isinstance(transformer, Pipeline):
        for _, step in transformer.steps:
            labels = _after(step, labels, names)
        return labels
    if isinstance(transformer, FeatureUnion):
        parts = [part for _, part in transformer.transformer_list if not (isinstance(part, str) and part == "drop")]
        return np.concatenate([_after(part, labels, names) for part in parts])
    if isinstance(transformer, ColumnTransformer):
        return _after_columns(transformer, labels, names)
    if hasattr(transformer, "input_to_outputs_") and hasattr(transformer, "all_outputs_"):
        return _after_skrub(transformer, labels)
    return _after_names(transformer, labels, names)


def _after_columns(transformer, labels, names):
    position = pd.Series(range(len(labels)), index=_own_names(transformer))
    after = np.full(len(transformer.get_feature_names_out()), -1)
    for name, part, columns in transformer.transformers_:
        place = transformer.output_indices_[name]
        if (isinstance(part, str) and part == "drop") or place.stop == place.start:
            continue
        if not isinstance(columns, slice):
            columns = np.atleast_1d(columns)
        first = columns.start or columns.stop if isinstance(columns, slice) else columns.ravel()[0]
        chosen = position.loc[columns] if isinstance(first, str) else position.iloc[columns]
        after[place] = _after(part, labels[chosen.to_numpy()], names)
    return after


def _after_skrub(transformer, labels):
    """skrub's transformers say what becomes of each column."""
    label_of = dict(zip(_own_names(transformer), labels, strict=True))
    made_of = {
        output: label_of[column] for column, outputs in transformer.input_to_outputs_.items() for output in outputs
    }
    return np.array([made_of[output] for output in transformer.all_outputs_], dtype=int)


def _after_names(transformer, labels, names):
    """Name the columns by marks, and read in the names of the outputs what these are made of."""
    kind = type(transformer).__name__
    if not hasattr(transformer, "get_feature_names_out"):
        raise TypeError(
            f"Expected transformers that name their columns, but {kind} has no get_feature_names_out. "
            'Give a FunctionTransformer feature_names_out="one-to-one" if it keeps the columns as they are.'
        )
    if len(set(labels)) == 1:
        return np.full(len(transformer.get_feature_names_out()), labels[0])
    nameless = copy.copy(transformer)
    vars(nameless).pop("feature_names_in_", None)
    outputs = nameless.get_feature_names_out([f"⟦{column}⟧" for column in range(len(labels))])
    after = []
    for output in outputs:
        found = {labels[int(column)] for column in re.findall(r"⟦(\d+)⟧", str(output))} or set(labels)
        if len(found) > 1:
            mixed = " and ".join(repr(names[group]) for group in sorted(found))
            raise ValueError(
                f"{kind} makes a column of the superfeatures {mixed} together. "
                "Make one superfeature of them, or transform them apart."
            )
        after.append(found.pop())
    return np.array(after, dtype=int)
