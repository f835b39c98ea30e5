"""What keeping to superfeatures costs: ``python -m benchmarks.sisters.explaining_teachers --data FOLDER``.

An ordinary teacher T0, explaining teachers T1 of both kinds, and students of one budget taught by each. Writes
``results/explaining_teachers.json`` and prints the table of docs/explaining_teachers.md; ``--render`` prints it from
the file.
"""

import json

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import skked
from benchmarks.common import (
    RESULTS,
    data_folder,
    mean_and_interval,
    read_table,
    split,
    spread,
    table_parser,
    write_results,
)

TABLES = ("spambase", "satimage", "covtype_15k", "mice_protein", "higgs_7k", "california_housing")
N_TRAIN, N_TEST, SEEDS = 500, 2000, range(2)
STUDENT = {"max_parameters": 1000, "max_iter": 60, "cv": 3}
MODELS = {
    "T0": "T0 boosting",
    "T1 boosting": "T1 boosting",
    "T1 network": "T1 network",
    "KED of T0": "student of T0",
    "KED of T1 boosting": "student of T1 boosting",
    "KED of T1 network": "student of T1 network",
}


def models(task, groups, seed):
    """Unfitted models by name, all additive ones over the same superfeatures."""
    classes = task == "classification"
    boosting = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    explaining = skked.ExplainingTeacherClassifier if classes else skked.ExplainingTeacherRegressor
    ked = skked.KEDClassifier if classes else skked.KEDRegressor
    ordinary = boosting(max_iter=60, max_leaf_nodes=8, max_features=0.5, random_state=seed)
    trees = explaining(groups, max_iter=60, max_leaf_nodes=8, random_state=seed)
    network = explaining(groups, "network", max_iter=100, max_parameters=5000, random_state=seed)
    student = {"superfeatures": groups, "network": "additive", "committee_size": 1, "random_state": seed, **STUDENT}
    return {
        "T0": ordinary,
        "T1 boosting": trees,
        "T1 network": network,
        "KED of T0": ked(ordinary, **student),
        "KED of T1 boosting": ked(trees, explainer="additive", **student),
        "KED of T1 network": ked(network, explainer="additive", **student),
    }


def measure(folder, name, seed):
    """Test scores of all models on one split."""
    X, y, task = read_table(folder, name)
    train, test = split(name, len(X), n_train=N_TRAIN, n_test=min(N_TEST, len(X) - N_TRAIN), seed=seed)
    X_train, y_train = X.iloc[train], y[train]
    found = skked.SuperfeatureClustering(random_state=seed).fit(X_train, y_train)
    groups, rows = found.superfeatures_, []
    for label, model in models(task, groups, seed).items():
        model.fit(X_train, y_train)
        row = {"table": name, "seed": seed, "task": task, "n_superfeatures": len(groups), "model": label}
        gap = getattr(model, "additive_gap_", None)
        rows.append(
            {**row, "score": model.score(X.iloc[test], y[test]), "additive_gap": gap if label[:2] == "T1" else None}
        )
    return rows


def render(document):
    """The Markdown table: accuracy or R² in percent as mean ± standard deviation, then paired differences."""
    frame = pd.DataFrame(document["rows"])
    lines = [f"| set | superfeatures | gap said beforehand | {' | '.join(MODELS.values())} |"]
    lines.append("|---" * (len(MODELS) + 3) + "|")
    for name, part in frame.groupby("table", sort=False):
        unit = "R²" if part["task"].iloc[0] == "regression" else "nats"
        gap = part.loc[part["model"] == "T1 boosting", "additive_gap"].astype(float)
        cells = [spread(100 * part.loc[part["model"] == model, "score"].to_numpy()) for model in MODELS]
        count = f"{part['n_superfeatures'].min()} to {part['n_superfeatures'].max()}"
        lines.append(f"| {name} | {count} | {gap.mean():+.3f} {unit} | {' | '.join(cells)} |")
    lines += ["", "| points, paired over sets and seeds | mean | 95 % interval |", "|---|---|---|"]
    for name, gap in document["settings"]["differences"].items():
        lines.append(f"| {name} | {gap['mean']:+.2f} | {gap['low']:+.2f} to {gap['high']:+.2f} |")
    return "\n".join(lines)


def summary(rows):
    """Paired differences in points."""
    scores = 100 * pd.DataFrame(rows).pivot_table(index=["table", "seed"], columns="model", values="score")
    pairs = [
        ("T1 boosting", "T0"),
        ("T1 network", "T0"),
        ("KED of T1 boosting", "KED of T0"),
        ("KED of T1 network", "KED of T0"),
    ]
    names = ("mean", "low", "high")
    gaps = {f"{MODELS[one]} - {MODELS[other]}": mean_and_interval(scores[one] - scores[other]) for one, other in pairs}
    return {label: dict(zip(names, gap, strict=True)) for label, gap in gaps.items()}


def main():
    options = table_parser(__doc__, render=True).parse_args()
    path = RESULTS / "explaining_teachers.json"
    if not options.render:
        folder, rows = data_folder(options.data), []
        for name in TABLES:
            for seed in SEEDS:
                rows += measure(folder, name, seed)
                print(name, seed, flush=True)
        settings = {"n_train": N_TRAIN, "student": STUDENT, "differences": summary(rows)}
        write_results("explaining_teachers", settings, rows)
    print(render(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
