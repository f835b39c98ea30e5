"""What each default of KED is worth: ``python -m benchmarks.accuracy.ablations --data FOLDER``.

KED's defaults but for the committee, with 300 rows and 500 parameters, one setting changed at a time, on eight tables
and three seeds that no default was chosen on, taught by the same boosting. Paired differences to them in points of
accuracy or R², clipped at ±20, with bootstrap intervals over tables. Resumes; writes ``results/ablations.json`` and
prints the table of docs/results.md; ``--render`` prints it from the file.
"""

import json
import tempfile
import warnings

import numpy as np
import pandas as pd

import skked
from benchmarks.accuracy.run import draw
from benchmarks.accuracy.summary import interval
from benchmarks.common import RESULTS, data_folder, natural_groups, read_table, table_parser, write_results

TABLES = ("california_housing", "connect4", "covtype_15k", "credit_g", "diamonds", "higgs_7k", "satimage", "spambase")
SEEDS = (500, 501, 502)
N_TRAIN, BUDGET = 300, 500
VARIANTS = {
    "superfeatures: the table's own": "natural",
    "superfeatures: random, as many": "random",
    "superfeatures: by correlation": {"superfeatures": skked.SuperfeatureClustering(affinity="spearman")},
    "superfeatures: by interaction": {"superfeatures": skked.SuperfeatureClustering(affinity="interaction")},
    "superfeatures: Louvain's communities of interaction": {
        "superfeatures": skked.SuperfeatureClustering(method="louvain", affinity="interaction")
    },
    "superfeatures: complete linkage": {"superfeatures": skked.SuperfeatureClustering(linkage="complete")},
    "superfeatures: 2": {"superfeatures": 2},
    "superfeatures: 8": {"superfeatures": 8},
    "one per column": "columns",
    "no cross-fitting": {"cv": None},
    "λ = 0": {"distillation_weight": 0.0},
    "λ = 0.5": {"distillation_weight": 0.5},
    "λ = 1": {"distillation_weight": 1.0},
    "μ = 0": {"explanation_weight": 0.0},
    "μ = 0.3": {"explanation_weight": 0.3},
    "μ = 1": {"explanation_weight": 1.0},
    "T = 3": {"temperature": 3.0},
    "T = 10": {"temperature": 10.0},
    "τ = 1": {"explanation_temperature": 1.0},
    "τ = 10": {"explanation_temperature": 10.0},
    "no chimeras": {"chimeric": False},
    "chimeras: 1 per row": {"chimeric": 1.0},
    "chimeras: 20 per row": {"chimeric": 20.0},
    "chimeras: all parts from other rows": {"swap": 1.0},
    "chimeras: within the class": {"within_class": True},
    "additive teacher, its own explanations": {"explainer": "additive"},
    "additive teacher, μ = 0": {"explainer": "additive", "explanation_weight": 0.0},
    "alpha = 0": {"alpha": 0.0},
    "alpha = 0.5": {"alpha": 0.5},
    "learning rate 0.003": {"learning_rate_init": 0.003},
    "additive": {"network": "additive"},
    "heads": {"network": "heads"},
    "a committee of 2": {"committee_size": 2},
    "a committee of 4": {"committee_size": 4},
    "a committee of 8": {"committee_size": 8},
}
OF_KD = {
    "KD": {},
    "KD + chimeras": {"chimeric": "auto"},
    "KD + committee": {"committee_size": 4},
    "KD + chimeras + committee": {"chimeric": "auto", "committee_size": 4},
}
"""What `KDClassifier` and `KDRegressor` make of the same teacher, with what KED has by default and they do not."""
OF_CLASSIFIERS = ("T = 3", "T = 10", "τ = 1", "τ = 10", "chimeras: within the class")


def settings_of(variant, labels, natural, n_columns, seed):
    """Parameters of a variant; those that depend on the table are made here."""
    if variant == "natural":
        return {"superfeatures": natural}
    if variant == "random":
        return {"superfeatures": np.random.RandomState(seed).permutation(labels)}
    if variant == "columns":
        return {"superfeatures": np.arange(n_columns)}
    return variant


def measure(folder, name, seed, known=()):
    """Score of the defaults and of every variant that is not known yet on one split."""
    X, y, task = read_table(folder, name)
    train, test, folds = draw(folder, name, X, N_TRAIN, seed)
    natural = natural_groups(folder, name)
    ked, kd = (getattr(skked, kind + ("Regressor" if task == "regression" else "Classifier")) for kind in ("KED", "KD"))
    X_train, y_train, rows = X.iloc[train], y[train], []
    with tempfile.TemporaryDirectory() as memory:
        common = {"max_parameters": BUDGET, "committee_size": 1, "random_state": seed, "memory": memory, "cv": folds}
        default = ked(**common).fit(X_train, y_train)
        if "default" not in known:
            rows.append({"variant": "default", "score": default.score(X.iloc[test], y[test])})
        for label, variant in (VARIANTS | OF_KD).items():
            impossible = (task == "regression" and label in OF_CLASSIFIERS) or (variant == "natural" and not natural)
            if label in known or impossible:
                continue
            own = settings_of(variant, default.superfeature_labels_, natural, X.shape[1], seed)
            student = kd if label in OF_KD else ked
            try:
                score = student(**{**common, **own}).fit(X_train, y_train).score(X.iloc[test], y[test])
            except ValueError as error:
                rows.append({"variant": label, "score": None, "error": str(error)[:200]})
                continue
            rows.append({"variant": label, "score": score})
    return [{"table": name, "seed": seed, **row} for row in rows]


def render(document):
    """The table in Markdown."""
    frame = pd.DataFrame(document["rows"])
    scores = 100 * frame.pivot(index=["table", "seed"], columns="variant", values="score").astype(float)
    lines = ["| changed | cells | points gained | 95 % interval |", "|---|---|---|---|"]
    for label in VARIANTS | OF_KD:
        if label not in scores:
            continue
        gap = (scores[label] - scores["default"]).clip(-20, 20).dropna()
        low, high = interval(gap)
        lines.append(f"| {label} | {len(gap)} | {gap.mean():+.2f} | {low:+.2f} to {high:+.2f} |")
    return "\n".join(lines)


def main():
    options = table_parser(__doc__, render=True).parse_args()
    path = RESULTS / "ablations.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    if not options.render:
        folder = data_folder(options.data)
        for seed in SEEDS:
            for name in TABLES:
                known = {row["variant"] for row in rows if (row["table"], row["seed"]) == (name, seed)}
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    rows += measure(folder, name, seed, known)
                write_results("ablations", {"n_train": N_TRAIN, "max_parameters": BUDGET}, rows)
                print(name, seed, flush=True)
    print(render({"rows": rows}))


if __name__ == "__main__":
    main()
