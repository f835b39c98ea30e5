"""Read the trees of fitted estimators into one layout. All knowledge of other libraries' insides is in this file.

Nothing read here is trusted: ``verify`` compares the sum of the trees with the estimator's public output.
"""

import functools
import itertools
import json
import pathlib
import tempfile

import numpy as np
from sklearn.base import is_classifier

from skked._explanations._tree_ensemble import NotExtractable, Tree, TreeEnsemble, preorder

__all__ = ["read_trees", "verify"]

N_CHECKED_ROWS = 200  # and as many mixed ones: enough to reach most leaves, cheap beside explaining


def read_trees(estimator):
    """Read a fitted estimator's trees.

    Parameters
    ----------
    estimator : object
        A fitted tree, forest or booster.

    Returns
    -------
    ensemble : TreeEnsemble
        Its trees, not yet verified.

    Raises
    ------
    NotExtractable
        If the estimator is of another kind, or has parts that are not a sum of trees.
    """
    while type(estimator).__name__ == "FrozenEstimator":
        estimator = estimator.estimator
    for kind in type(estimator).__mro__:
        reader = _READERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if reader is not None:
            return reader(estimator)
    raise NotExtractable(f"{type(estimator).__name__} is not one of the tree ensembles that can be read.")


def verify(ensemble, X, kernels):
    """Check the trees against the estimator's public output, on rows of ``X`` and on mixtures of them.

    Parameters
    ----------
    ensemble : TreeEnsemble
        The trees.
    X : table of shape (n, n_features)
        Rows as the estimator itself sees them.
    kernels : module
        The compiled or the NumPy kernels, which sum the trees.

    Raises
    ------
    NotExtractable
        If the two differ by more than rounding.
    """
    picked = np.unique(np.linspace(0, len(X) - 1, min(len(X), N_CHECKED_ROWS)).astype(np.int64))
    rows = _mixed_rows(X, picked)
    ours = kernels.predict(ensemble, ensemble.code(rows, kernels.rank_numbers))
    theirs = np.asarray(ensemble.response(rows), np.float64)
    theirs = theirs.reshape(len(theirs), -1)
    if ours.shape != theirs.shape:
        raise NotExtractable(f"the trees have {ours.shape[1]} outputs, the estimator {theirs.shape[1]}.")
    difference = np.abs(ours - theirs).max()
    if not difference <= ensemble.rounding * (1 + np.abs(theirs).max()):
        raise NotExtractable(f"the sum of the trees read differs from the estimator's output by {difference:.2g}.")


def _mixed_rows(X, rows):
    """Rows as they are, then rows whose columns come from different ones: these reach leaves that no row reaches."""
    taken = [np.concatenate([rows, np.roll(rows, 1 + 7 * column)]) for column in range(X.shape[1])]
    if not hasattr(X, "iloc"):
        return np.asarray(X)[np.stack(taken, axis=1), np.arange(X.shape[1])]
    mixed = type(X)({column: X.iloc[:, column].array.take(each) for column, each in enumerate(taken)})
    mixed.columns = X.columns
    return mixed


# Encodings: table -> matrix with the values that the library compares with its thresholds.


def _as_float64(X):
    return np.asarray(X, np.float64)


def _as_float32(X):
    return np.asarray(X, np.float32)  # these libraries round their input to float32


def _call(estimator, method, X, **keywords):
    return getattr(estimator, method)(X, **keywords)


# scikit-learn


def _sklearn_tree(tree, value, output=-1):
    missing_left = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count))  # absent when never missing
    order, right = preorder(tree.children_left, tree.children_right)
    feature = np.where(right >= 0, tree.feature[order], -1)
    return Tree(feature, tree.threshold[order], right, missing_left[order].astype(bool), value[order], output)


def _read_sklearn_classifier(forest):
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
        encode=_as_float32,
        response=functools.partial(_call, forest, "predict_proba"),
    )


def _read_sklearn_regressor(forest):
    members = getattr(forest, "estimators_", [forest])
    trees = [_sklearn_tree(member.tree_, member.tree_.value[:, :, 0] / len(members)) for member in members]
    return TreeEnsemble(
        trees,
        base=np.zeros(forest.n_outputs_),
        space="prediction",
        column=np.arange(forest.n_features_in_),
        encode=_as_float32,
        response=functools.partial(_call, forest, "predict"),
    )


def _read_gradient_boosting(booster):
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
        encode=_as_float32,
        response=functools.partial(_call, booster, "decision_function" if classifies else "predict"),
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


def _read_hist_gradient_boosting(booster):
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
        encode=_as_float64 if encoder is None else encoder.transform,
        response=functools.partial(_call, booster, "decision_function" if classifies else "predict"),
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


# LightGBM


def _read_lightgbm(model):
    booster = model.booster_
    dump = booster.dump_model()  # as predict does, it stops at the best iteration
    n_per_iteration = dump["num_tree_per_iteration"]
    tables = [_lightgbm_nodes(tree["tree_structure"]) for tree in dump["tree_info"]]
    classifies = is_classifier(model)
    if classifies and dump["average_output"]:
        raise NotExtractable("boosting_type='rf' has probabilities of a mean, but a raw score that is a sum.")
    scale = n_per_iteration / len(tables) if dump["average_output"] else 1.0
    n_features = model.n_features_in_
    counts, zero_is_missing = np.zeros(n_features, np.int64), np.zeros(n_features, bool)
    for nodes in tables:
        for node in nodes:
            if node.get("decision_type") == "==":
                largest = max(map(int, node["threshold"].split("||")))
                counts[node["split_feature"]] = max(counts[node["split_feature"]], largest + 1)
            elif node.get("missing_type") == "Zero":
                zero_is_missing[node["split_feature"]] = True
    trees = [_lightgbm_tree(nodes, i % n_per_iteration, counts, scale) for i, nodes in enumerate(tables)]
    return TreeEnsemble(
        trees,
        base=np.zeros(n_per_iteration),
        space="margin" if classifies else "prediction",
        column=np.arange(n_features),
        encode=functools.partial(_encode_lightgbm, dump.get("pandas_categorical") or [], zero_is_missing),
        response=functools.partial(_call, model, "predict", raw_score=True) if classifies else model.predict,
        category_counts=counts,
    )


def _lightgbm_nodes(root):
    """The nodes of a dumped tree in preorder, each with the number of its right child."""
    nodes, waiting = [], [(root, None)]
    while waiting:
        node, parent = waiting.pop()
        if parent is not None:
            parent["right"] = len(nodes)
        if "leaf_coeff" in node:
            raise NotExtractable("linear_tree=True has linear models in its leaves.")
        nodes.append(node)
        if "split_feature" in node:
            waiting += [(node["right_child"], node), (node["left_child"], None)]
    return nodes


def _lightgbm_tree(nodes, output, counts, scale):
    n = len(nodes)
    feature, right = np.full(n, -1), np.full(n, -1)
    threshold, value, missing_left = np.zeros(n), np.zeros((n, 1)), np.zeros(n, bool)
    category_left = {}
    for i, node in enumerate(nodes):
        if "split_feature" not in node:
            value[i] = node["leaf_value"] * scale
            continue
        feature[i], right[i] = node["split_feature"], node["right"]
        if node["decision_type"] == "==":  # missing and unknown categories go right
            category_left[i] = np.zeros(counts[feature[i]] + 1, bool)
            category_left[i][[int(category) for category in node["threshold"].split("||")]] = True
        else:  # a feature that was never missing takes a missing value as 0
            threshold[i] = node["threshold"]
            missing_left[i] = threshold[i] >= 0 if node["missing_type"] == "None" else node["default_left"]
    return Tree(feature, threshold, right, missing_left, value, output, category_left)


def _encode_lightgbm(categories, zero_is_missing, X):
    encoded = _encode_frame(X, categories)
    small = np.abs(encoded) <= 1e-35  # LightGBM's own notion of zero
    encoded[small & zero_is_missing] = np.nan
    return encoded


def _encode_frame(X, categories):
    """Matrix of a data frame, its categorical columns replaced by codes; missing ones by nan."""
    if not hasattr(X, "iloc"):
        return np.array(X, np.float64)
    encoded, known = np.empty(X.shape), iter(categories)
    for column in range(X.shape[1]):
        values = X.iloc[:, column]
        if hasattr(values, "cat"):
            values = values.cat.set_categories(next(known, values.cat.categories)).cat.codes.to_numpy(np.float64)
            encoded[:, column] = np.where(values < 0, np.nan, values)
        else:
            encoded[:, column] = values.to_numpy(np.float64, na_value=np.nan)
    return encoded


# XGBoost


def _read_xgboost(model):
    booster = model.get_booster()
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    grown = learner["gradient_booster"]
    weights = grown.get("weight_drop")  # dart
    grown = grown.get("gbtree", grown)
    if "model" not in grown or "trees" not in grown["model"]:
        raise NotExtractable(f"the booster {learner['gradient_booster'].get('name')!r} has no trees.")
    settings = learner["learner_model_param"]
    n_outputs = max(1, int(settings["num_class"]), int(settings.get("num_target", 1)))
    outputs, dumps = grown["model"]["tree_info"], grown["model"]["trees"]
    if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in dumps):
        raise NotExtractable("multi_strategy='multi_output_tree' is not read.")
    best = getattr(booster, "best_iteration", None) if _stopped_early(booster) else None
    if best is not None:
        end = grown["model"]["iteration_indptr"][best + 1]
        outputs, dumps = outputs[:end], dumps[:end]
    counts = np.zeros(model.n_features_in_, np.int64)
    for dump in dumps:
        for node, size, start in zip(
            dump["categories_nodes"], dump["categories_sizes"], dump["categories_segments"], strict=True
        ):
            feature = dump["split_indices"][node]
            counts[feature] = max(counts[feature], 1 + max(dump["categories"][start : start + size]))
    trees = [
        _xgboost_tree(dump, output, counts, 1.0 if weights is None else weights[i])
        for i, (dump, output) in enumerate(zip(dumps, outputs, strict=True))
    ]
    classifies = is_classifier(model)
    return TreeEnsemble(
        trees,
        base=_xgboost_base(learner, n_outputs),
        space="margin" if classifies else "prediction",
        column=np.arange(model.n_features_in_),
        encode=functools.partial(_encode_xgboost, _xgboost_categories(grown["model"].get("cats"))),
        response=functools.partial(_call, model, "predict", output_margin=True) if classifies else model.predict,
        rounding=2e-5,  # XGBoost adds its leaves in float32
        category_counts=counts,
    )


def _stopped_early(booster):
    return booster.attr("best_iteration") is not None


def _xgboost_base(learner, n_outputs):
    base = np.asarray(json.loads(learner["learner_model_param"]["base_score"]), np.float64)
    if learner["objective"]["name"] in ("binary:logistic", "reg:logistic"):
        base = np.log(base / (1 - base))
    return np.broadcast_to(base, n_outputs)


def _xgboost_tree(dump, output, counts, weight):
    order, right = preorder(dump["left_children"], dump["right_children"])
    inner = right >= 0
    feature = np.where(inner, np.asarray(dump["split_indices"])[order], -1)
    condition = np.asarray(dump["split_conditions"], np.float32)[order]
    # "x < condition" of float32 numbers is "x <= the float32 number before it"
    threshold = np.nextafter(condition, np.float32(-np.inf)).astype(np.float64)
    value = np.where(inner, 0.0, condition.astype(np.float64) * weight)[:, None]
    position = np.full(len(dump["left_children"]), -1)
    position[order] = np.arange(len(order))
    category_left = {}
    for node, size, start in zip(
        dump["categories_nodes"], dump["categories_sizes"], dump["categories_segments"], strict=True
    ):
        directions = np.ones(counts[dump["split_indices"][node]] + 1, bool)  # listed categories go right
        directions[dump["categories"][start : start + size]] = False
        category_left[int(position[node])] = directions
    missing_left = np.asarray(dump["default_left"], bool)[order]
    return Tree(feature, threshold, right, missing_left, value, output, category_left)


def _xgboost_categories(stored):
    """Category names of each feature that has any, when the model keeps them as text; else nothing."""
    names = []
    for entry in (stored or {}).get("enc", []):
        offsets = entry.get("offsets") or []
        if offsets:
            text = bytes(value % 256 for value in entry["values"])
            names.append([text[a:b].decode() for a, b in itertools.pairwise(offsets)])
    return names


def _encode_xgboost(categories, X):
    return _as_float32(_encode_frame(X, categories) if hasattr(X, "iloc") else X)


# CatBoost


def _read_catboost(model):
    with tempfile.TemporaryDirectory() as folder:  # CatBoost writes JSON to files only
        path = pathlib.Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        dump = json.loads(path.read_text())
    if "oblivious_trees" not in dump:
        raise NotExtractable("CatBoost's trees are read with grow_policy='SymmetricTree' only.")
    scale, base = dump["scale_and_bias"]
    features = dump["features_info"]["float_features"]
    classifies = is_classifier(model)
    return TreeEnsemble(
        [_catboost_tree(tree, features, len(base), scale) for tree in dump["oblivious_trees"]],
        base=base,
        space="margin" if classifies else "prediction",
        column=np.arange(len(model.feature_names_)),
        encode=_as_float32,
        response=functools.partial(_call, model, "predict", prediction_type="RawFormulaVal")
        if classifies
        else model.predict,
    )


def _catboost_tree(tree, features, n_outputs, scale):
    splits = tree.get("splits") or []
    if any(split["split_type"] != "FloatFeature" for split in splits):
        raise NotExtractable("CatBoost's own encoding of categories is not read.")
    level, right, leaf = _complete_tree(len(splits))
    used = [features[split["float_feature_index"]] for split in splits]
    # all nodes of a level ask the same; the last entry stands for the leaves
    feature = np.array([each["flat_feature_index"] for each in used] + [-1])[level]
    border = np.array([np.float32(split["border"]) for split in splits] + [np.float32(0)])[level]
    missing_left = np.array([each["nan_value_treatment"] != "AsTrue" for each in used] + [False])[level]
    value = np.asarray(tree["leaf_values"], np.float64).reshape(-1, n_outputs)[leaf] * scale
    value[feature >= 0] = 0
    return Tree(feature, border, right, missing_left, value, 0 if n_outputs == 1 else -1)


@functools.lru_cache(maxsize=32)
def _complete_tree(depth):
    """Level, right child and leaf number of a complete tree's nodes; bit ``l`` of a leaf is the turn at level ``l``."""
    level, right, leaf = [], [], []

    def grow(at, number):
        node = len(level)
        level.append(at)
        leaf.append(number)
        right.append(-1)
        if at < depth:
            grow(at + 1, number)
            right[node] = len(level)
            grow(at + 1, number | 1 << at)

    grow(0, 0)
    return np.array(level), np.array(right), np.array(leaf)


_READERS = {
    ("sklearn", "DecisionTreeClassifier"): _read_sklearn_classifier,
    ("sklearn", "ForestClassifier"): _read_sklearn_classifier,
    ("sklearn", "DecisionTreeRegressor"): _read_sklearn_regressor,
    ("sklearn", "ForestRegressor"): _read_sklearn_regressor,
    ("sklearn", "BaseGradientBoosting"): _read_gradient_boosting,
    ("sklearn", "BaseHistGradientBoosting"): _read_hist_gradient_boosting,
    ("lightgbm", "LGBMClassifier"): _read_lightgbm,
    ("lightgbm", "LGBMRegressor"): _read_lightgbm,
    ("catboost", "CatBoostClassifier"): _read_catboost,
    ("catboost", "CatBoostRegressor"): _read_catboost,
    ("xgboost", "XGBClassifier"): _read_xgboost,
    ("xgboost", "XGBRegressor"): _read_xgboost,
}
