"""Students of equal size on all tables: ``python -m benchmarks.accuracy.run --data FOLDER --rows 300 --budgets 500``.

One JSON line per model and run goes to ``results/accuracy.jsonl``; runs that are in the file are not repeated.
All sizes of a split share one folder of the teacher's lessons; ``--jobs 2`` measures two splits at a time.
``python -m benchmarks.accuracy.summary`` makes the tables and plots.
"""

import json
import tempfile
import time
import warnings
from itertools import product

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import skked
from benchmarks.accuracy.autogluon_student import AutoGluonStudent
from benchmarks.common import RESULTS, data_folder, environment, read_table, table_parser
from benchmarks.tables.run import column_codes, linear_model

MOST_ROWS = 60_000
"""Rows of a table that a run draws from."""
TEST_ROWS = 4000
TEACHERS = ("boosting", "forest", "network", "stack")


def draw(folder, name, X, n_train, seed):
    """Row numbers to train and to test on, and folds; groups of rows that belong together stay on one side."""
    rng = np.random.RandomState(seed)
    groups = folder / f"{name}.rowgroup.parquet"
    if groups.exists():
        group = pd.read_parquet(groups).iloc[:, 0].to_numpy()
        order = rng.permutation(np.unique(group))
        held_out = np.isin(group, order[: max(1, len(order) // 3)])
        train = rng.permutation(np.flatnonzero(~held_out))[:n_train]
        folds = list(GroupKFold(5).split(train, groups=group[train]))
        return train, rng.permutation(np.flatnonzero(held_out))[:TEST_ROWS], folds
    order = rng.permutation(len(X))[:MOST_ROWS]
    n_test = min(TEST_ROWS, len(order) // 3)
    return order[n_test:][:n_train], order[:n_test], 5


def teacher_of(kind, task):
    """The unfitted teacher, or None for the default, gradient boosting."""
    regression = task == "regression"
    if kind == "boosting":
        return None
    if kind == "forest":
        forest = RandomForestRegressor if regression else RandomForestClassifier
        return make_pipeline(column_codes(), forest(n_estimators=200, min_samples_leaf=2, random_state=0))
    if kind == "stack":
        members = [(member, teacher_of(member, task)) for member in ("forest", "network")]
        members.append(("linear", linear_model(task)))
        return (StackingRegressor if regression else StackingClassifier)(members, cv=3)
    network = MLPRegressor if regression else MLPClassifier
    model = network(hidden_layer_sizes=(100,), max_iter=300, early_stopping=True, random_state=0)
    return make_pipeline(column_codes(), model)


def students(task, **common):
    """Unfitted students by name; they share their teacher and its lessons through the cache."""
    regression = task == "regression"
    ked = skked.KEDRegressor if regression else skked.KEDClassifier
    kd = skked.KDRegressor if regression else skked.KDClassifier
    searched = skked.KEDRegressorCV if regression else skked.KEDClassifierCV
    return {
        "plain": kd(distillation_weight=0.0, **common),
        "KD": kd(**common),
        "KD + chimeras": kd(chimeric="auto", **common),
        "structure only": ked(distillation_weight=0.0, chimeric=False, **common),
        "KED, no chimeras": ked(chimeric=False, **common),
        "KED": ked(**common),
        "heads": ked(network="heads", **common),
        "CV": searched(**common),
    }


def dense_codes():
    """`column_codes` as a dense array."""
    return column_codes().set_params(sparse_threshold=0)


def outsiders(task, budget, n_columns, n_outputs):
    """Unfitted models of about the same size that learn from the labels alone, as people use them; by name.

    A tree of L leaves holds two numbers per split and K per leaf; the boosted trees here have 8 leaves.
    """
    regression = task == "regression"
    tree = DecisionTreeRegressor if regression else DecisionTreeClassifier
    boosting = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    network = MLPRegressor if regression else MLPClassifier
    n_trees = max(1, budget // (22 * (n_outputs if n_outputs > 2 else 1)))
    models = {
        "tree": tree(max_leaf_nodes=max(2, (budget + 2) // (2 + n_outputs)), min_samples_leaf=5, random_state=0),
        "small boosting": boosting(max_iter=n_trees, max_leaf_nodes=8, early_stopping=False),
    }
    width = (budget - n_outputs) // (n_columns + 1 + n_outputs)
    if width:
        models["MLP"] = network(hidden_layer_sizes=(width,), max_iter=1000, random_state=0)
        if regression:
            models["MLP"] = TransformedTargetRegressor(models["MLP"], transformer=StandardScaler())
    return {"linear": linear_model(task)} | {
        name: make_pipeline(dense_codes(), model) for name, model in models.items()
    }


def glass_boxes(task, budget, n_outputs):
    """Unfitted models that explain themselves and are not networks, by name; needs interpret-core and imodels.

    The explainable boosting machine is as large as it likes, some thousand numbers per column; the sum of trees (FIGS)
    has two numbers per rule and one per leaf, and no more than 30 rules, which take it minutes already.
    """
    from imodels import FIGSClassifier, FIGSRegressor
    from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor

    regression = task == "regression"
    additive = ExplainableBoostingRegressor if regression else ExplainableBoostingClassifier
    rules = FIGSRegressor if regression else FIGSClassifier
    models = {
        "EBM": additive(interactions=0, n_jobs=1, random_state=0),
        "FIGS": rules(max_rules=min(30, budget // (2 + n_outputs)), random_state=0),
    }
    return {name: make_pipeline(dense_codes(), model) for name, model in models.items()}


def large_network(task):
    """RealMLP, a network of some hundred thousand numbers with settings found by meta-learning; needs pytabkit."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    network = RealMLP_TD_Regressor if task == "regression" else RealMLP_TD_Classifier
    return {"RealMLP": network(device="cpu", n_threads=1, random_state=0)}


def quality(model, X, y, task):
    """Accuracy and log-loss in nats, or R²."""
    if task == "regression":
        return {"score": float(r2_score(y, model.predict(X)))}
    probability = np.clip(model.predict_proba(X), 1e-7, 1)
    return {
        "score": float(np.mean(model.predict(X) == y)),
        "log_loss": float(log_loss(y, probability, labels=model.classes_)) if set(y) <= set(model.classes_) else None,
    }


def report(student, X):
    """Bytes of the files of a student and its teacher, microseconds for one row, and how alike their explanations are.

    The last, for students that explain themselves, is the mean cosine of the contributions of 50 rows.
    """
    some = X[:200]  # with answers in place of labels, which may have classes that nobody learnt
    table = skked.distillation_report({"student": student}, some, student.predict(some), n_explained=50).to_dataframe()
    teacher, student = table.loc["teacher"], table.loc["student"]
    costs = {
        f"{whose}{name}": round(float(row[name]), 1)
        for name in ("bytes", "us_one_row")
        for whose, row in (("", student), ("teacher_", teacher))
    }
    alike = student.get("explanation_agreement", np.nan)
    return costs if np.isnan(alike) else costs | {"explanation_agreement": round(float(alike), 4)}


def contestants(task, kind, budget, wanted, X_train, y_train, **common):
    """Unfitted models of one size by name: students, and beside the default teacher those that learn from labels."""
    models = students(task, teacher=teacher_of(kind, task), max_parameters=budget, **common)
    if kind == "boosting":
        n_columns = dense_codes().fit_transform(X_train).shape[1]
        n_outputs = 1 if task == "regression" else len(set(y_train))
        models |= outsiders(task, budget, n_columns, n_outputs)
        if {"EBM", "FIGS"} & set(wanted or ()):
            models |= glass_boxes(task, budget, n_outputs)
        if "RealMLP" in (wanted or ()):
            models |= large_network(task)
        if "AutoGluon" in (wanted or ()):
            models["AutoGluon"] = AutoGluonStudent(task)
    return models


def measure(folder, cell, budgets, wanted, known):
    """Lines for all models of one split that are wanted and not known yet; all sizes share the teacher's lessons."""
    name, n_rows, kind, seed = cell
    X, y, task = read_table(folder, name)
    train, test, folds = draw(folder, name, X, n_rows, seed)
    X_train, y_train, X_test, y_test = X.iloc[train], y[train], X.iloc[test], y[test]
    lines = []
    with tempfile.TemporaryDirectory() as memory, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for budget in budgets:
            common = {"random_state": seed, "memory": memory, "cv": folds}
            models = contestants(task, kind, budget, wanted, X_train, y_train, **common)
            shared = {"table": name, "n_train": len(train), "rows": n_rows, "budget": budget}
            shared |= {"teacher": kind, "seed": seed, "task": task}
            for label, model in models.items():
                if (name, n_rows, budget, kind, seed, label) in known or (wanted and label not in wanted):
                    continue
                start = time.perf_counter()
                try:
                    model.fit(X_train, y_train)
                except ValueError as error:
                    lines.append({**shared, "model": label, "score": None, "error": str(error)[:200]})
                    continue
                seconds = round(time.perf_counter() - start, 2)
                lines.append({**shared, "model": label, "fit_seconds": seconds, **judged(model, X_test, y_test, task)})
    return lines


def judged(model, X, y, task):
    """What a fitted model is worth on test rows; of a student also how it compares with its teacher, and what it is."""
    line = quality(model, X, y, task)
    if hasattr(model, "n_parameters_"):
        line["n_parameters"] = int(model.n_parameters_)
    if hasattr(model, "teacher_"):
        line["teacher_score"] = quality(model.teacher_, X, y, task)["score"]
        measured_by = "r2" if task == "regression" else "share"
        said, answered = model.teacher_.predict(X), model.predict(X)
        line["agreement"] = float(skked.agreement_score(said, answered, kind=measured_by))
        line |= report(model, X)
    if hasattr(model, "best_params_"):
        line["chosen"] = {key: str(value) for key, value in model.best_params_.items()}
        line["cv_score"] = model.best_score_
        line["committee_weight"] = model.committee_weight_ if model.committee_weight_ > 0 else None
    if task == "classification":
        line["majority"] = float(pd.Series(y).value_counts(normalize=True).iloc[0])
    return line


def main():
    parser = table_parser(__doc__)
    parser.add_argument("--tables", nargs="*", help="default: all")
    parser.add_argument("--rows", nargs="*", type=int, default=[100, 300, 1000])
    parser.add_argument("--budgets", nargs="*", type=int, default=[500, 2000])
    parser.add_argument("--teachers", nargs="*", default=["boosting"], choices=TEACHERS)
    parser.add_argument("--models", nargs="*", help="names as in the results; default: all")
    parser.add_argument("--seeds", nargs="*", type=int, default=list(range(5)))
    parser.add_argument("--jobs", type=int, default=1, help="splits measured at a time; 1 where seconds matter")
    parser.add_argument("--out", default="accuracy", help="name of the file in results")
    options = parser.parse_args()
    folder = data_folder(options.data)
    tables = options.tables or sorted(json.loads((folder / "meta.json").read_text()))
    path = RESULTS / f"{options.out}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    keys = ("table", "rows", "budget", "teacher", "seed", "model")
    known = {tuple(line[key] for key in keys) for line in lines if "model" in line}
    cells = list(product(tables, options.rows, options.teachers, options.seeds))
    cells.sort(key=lambda cell: (cell[3], cell[1]))  # whole splits of all tables first, the quick ones before the slow
    found = Parallel(options.jobs, return_as="generator_unordered")(
        delayed(measure)(folder, cell, options.budgets, options.models, known) for cell in cells
    )
    with path.open("a") as file:
        file.write(json.dumps({"environment": environment()}) + "\n")
        for lines in found:
            file.writelines(json.dumps(line) + "\n" for line in lines)
            file.flush()
            for line in lines[:1]:
                print(line["seed"], line["teacher"], line["rows"], line["table"], flush=True)


if __name__ == "__main__":
    main()
