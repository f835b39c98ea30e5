"""The trees of LightGBM, from its own dump."""

import functools

import numpy as np
from sklearn.base import is_classifier

from skked._explanations._tree_encodings import call, encode_frame
from skked._explanations._tree_ensemble import NotExtractable, Tree, TreeEnsemble

__all__ = ["read_lightgbm"]


def read_lightgbm(model):
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
        response=functools.partial(call, model, "predict", raw_score=True) if classifies else model.predict,
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
    encoded = encode_frame(X, categories)
    small = np.abs(encoded) <= 1e-35  # LightGBM's own notion of zero
    encoded[small & zero_is_missing] = np.nan
    return encoded
