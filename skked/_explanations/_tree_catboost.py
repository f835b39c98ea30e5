"""The trees of CatBoost, which are complete: all nodes of a level ask the same."""

import functools
import json
import pathlib
import tempfile

import numpy as np
from sklearn.base import is_classifier

from skked._explanations._tree_encodings import as_float32, call
from skked._explanations._tree_ensemble import NotExtractable, Tree, TreeEnsemble

__all__ = ["read_catboost"]


def read_catboost(model):
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
        encode=as_float32,
        response=functools.partial(call, model, "predict", prediction_type="RawFormulaVal")
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
