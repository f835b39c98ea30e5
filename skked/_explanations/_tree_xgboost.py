"""The trees of XGBoost, from its own JSON."""

import functools
import itertools
import json

import numpy as np
from sklearn.base import is_classifier

from skked._explanations._tree_encodings import as_float32, call, encode_frame
from skked._explanations._tree_ensemble import NotExtractable, Tree, TreeEnsemble, preorder

__all__ = ["read_xgboost"]


def read_xgboost(model):
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
        response=functools.partial(call, model, "predict", output_margin=True) if classifies else model.predict,
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
            if not all(0 <= value < 128 for value in entry["values"]):
                # XGBoost (3.2) counts letters where it should count bytes, so the ends of such names are lost.
                raise NotExtractable("XGBoost does not keep names of categories with letters beyond ASCII whole.")
            text = bytes(entry["values"])
            names.append([text[a:b].decode() for a, b in itertools.pairwise(offsets)])
    return names


def _encode_xgboost(categories, X):
    return as_float32(encode_frame(X, categories) if hasattr(X, "iloc") else X)
