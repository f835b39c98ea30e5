"""The trees of scikit-learn: single ones, forests, extra trees, and both kinds of gradient boosting."""

import functools

import numpy as np
from sklearn.base import is_classifier

from skked._explanations._tree_encodings import as_float32, as_float64, call
from skked._explanations._tree_ensemble import NotExtractable, Tree, TreeEnsemble, preorder

__all__ = ["read_classifier", "read_gradient_boosting", "read_hist_gradient_boosting", "read_regressor"]


def _sklearn_tree(tree, value, output=-1):
    missing_left = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count))  # absent when never missing
    order, right = preorder(tree.children_left, tree.children_right)
    feature = np.where(right >= 0, tree.feature[order], -1)
    return Tree(feature, tree.threshold[order], right, missing_left[order].astype(bool), value[order], output)


def read_classifier(forest):
    members = getattr(forest, "estimators_", [forest])
    if forest.n_outputs_ > 1:
        raise NotExtractable("a classifier of several targets has no single probability.")
    trees = []
    for member in members:
        counts = member.tree_.value[:, 0, :]
        trees.append(_sklearn_tree(member.tree_, counts / counts.sum(axis=1, keepdims=True) / len(members)))
    n_classes = trees[0].value.shape[1]
    return TreeEnsemble(
        trees,
        base=np.zeros(n_classes),
        space="probability",
        column=np.arange(forest.n_features_in_),
        encode=as_float32,
        response=functools.partial(call, forest, "predict_proba"),
    )


def read_regressor(forest):
    members = getattr(forest, "estimators_", [forest])
    trees = [_sklearn_tree(member.tree_, member.tree_.value[:, :, 0] / len(members)) for member in members]
    return TreeEnsemble(
        trees,
        base=np.zeros(forest.n_outputs_),
        space="prediction",
        column=np.arange(forest.n_features_in_),
        encode=as_float32,
        response=functools.partial(call, forest, "predict"),
    )


def read_gradient_boosting(booster):
    start = booster.init_
    if not (isinstance(start, str) or type(start).__name__ in ("DummyClassifier", "DummyRegressor")):
        raise NotExtractable(f"init={booster.init!r} is not a constant.")
    trees = [
        _sklearn_tree(member.tree_, booster.learning_rate * member.tree_.value[:, 0, :], output)
        for stage in booster.estimators_
        for output, member in enumerate(stage)
    ]
    classifies = is_classifier(booster)
    ensemble = TreeEnsemble(
        trees,
        base=np.zeros(booster.estimators_.shape[1]),
        space="margin" if classifies else "prediction",
        column=np.arange(booster.n_features_in_),
        encode=as_float32,
        response=functools.partial(call, booster, "decision_function" if classifies else "predict"),
    )
    row = _zero_row(booster)  # the constant start is public only as what the trees do not explain
    ensemble.base = np.ravel(ensemble.response(row)) - ensemble.predict_codes(ensemble.code(row))[0]
    return ensemble


def _zero_row(estimator):
    row = np.zeros((1, estimator.n_features_in_))
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return row
    import pandas as pd

    return pd.DataFrame(row, columns=names)


def read_hist_gradient_boosting(booster):
    classifies = is_classifier(booster)
    if not classifies and booster.loss in ("poisson", "gamma"):
        raise NotExtractable(f"loss={booster.loss!r} exponentiates the sum of the trees.")
    encoder = getattr(booster, "_preprocessor", None)
    categorical = getattr(booster, "is_categorical_", None)
    column = np.arange(booster.n_features_in_)
    counts = np.zeros(len(column), np.int64)
    known = booster._bin_mapper.bin_thresholds_
    if categorical is not None:
        column = np.concatenate([column[categorical], column[~categorical]])  # the encoder puts categories first
        counts[: categorical.sum()] = 256
    trees = []
    for stage in booster._predictors:
        for output, predictor in enumerate(stage):
            trees.append(_hist_tree(predictor, known, output))
    return TreeEnsemble(
        trees,
        base=np.ravel(booster._baseline_prediction),
        space="margin" if classifies else "prediction",
        column=column,
        encode=as_float64 if encoder is None else encoder.transform,
        response=functools.partial(call, booster, "decision_function" if classifies else "predict"),
        category_counts=counts,
    )


def _hist_tree(predictor, known_categories, output):
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    order, right = preorder(
        np.where(leaf, -1, nodes["left"].astype(np.int64)), np.where(leaf, -1, nodes["right"].astype(np.int64))
    )
    nodes = nodes[order]
    missing_left = nodes["missing_go_to_left"].astype(bool)
    category_left = {}
    for node in np.flatnonzero(nodes["is_categorical"] & ~leaf[order]):
        bits = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
        in_left = np.unpackbits(np.ascontiguousarray(bits, "<u4").view(np.uint8), bitorder="little").astype(bool)
        directions = np.full(257, missing_left[node])  # unknown categories go where missing values go
        seen = known_categories[nodes["feature_idx"][node]].astype(np.int64)
        directions[seen] = in_left[seen]
        category_left[int(node)] = directions
    feature = np.where(right >= 0, nodes["feature_idx"], -1)
    return Tree(feature, nodes["num_threshold"], right, missing_left, nodes["value"][:, None], output, category_left)
