"""How few model rows explanations to learn from may cost: ``python -m benchmarks.explanations.training_target``.

One boosted teacher, whose exact group Shapley values are known from its leaves, explained as a black box would be: by
few unbiased permutations of every row, by all coalitions of some of the rows, or by sampled coalitions of every row.
KED students of 1,000 parameters learn from each; reported are what they lose against exact explanations of all rows,
and how far their explanations of new rows agree with the teacher's exact ones. Without chimeras. Needs ``--data``;
writes ``results/explanations-training-target.json`` and prints the table of docs/explanations.md; ``--render`` prints
it from the file.
"""

import json
import tempfile

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import skked
from benchmarks.common import (
    RESULTS,
    as_categories,
    data_folder,
    mean_and_interval,
    read_table,
    split,
    table_parser,
    write_results,
)

TABLES = ("california_housing", "connect4", "satimage", "spambase")
N_TRAIN, N_TEST, N_EXPLAINED, SEEDS = 1000, 2000, 200, range(300, 305)
GROUPS, BACKGROUND = 6, 20
STUDENT = {"max_parameters": 1000, "max_iter": 100, "cv": 3}
PAIRS = (1, 2, 4, 8, 16)
COALITIONS = (14, 26)


def explainers():
    """Prototype, rows to explain, and a name for each way to explain."""

    def explainer(engine, n_coalitions="auto"):
        return skked.GroupShapleyExplainer(
            [], engine=engine, n_coalitions=n_coalitions, background=BACKGROUND, random_state=0
        )

    per_pair = 2 * (GROUPS - 1)
    found = {"exact": (explainer("tree"), "auto")}
    for pairs in PAIRS:
        found[f"permutations, {pairs} pairs"] = (explainer("permutation", pairs * per_pair), "auto")
    for n_coalitions in COALITIONS:
        found[f"{n_coalitions} coalitions"] = (explainer("sampling", n_coalitions), "auto")
    for share in (0.1, 0.5):
        found[f"all coalitions of {share:.0%} of the rows"] = (explainer("enumeration"), int(share * N_TRAIN))
    return found


def measure(folder, name, seed):
    """Score, agreement of explanations and model rows per training row of every student, and of KD."""
    X, y, task = read_table(folder, name)
    X = as_categories(X)
    train, test = split(name, len(X), n_train=N_TRAIN, n_test=min(N_TEST, len(X) - N_TRAIN), seed=seed)
    X_train, y_train = X.iloc[train], y[train]
    classes = task == "classification"
    boosting = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    teacher = boosting(max_iter=60, max_leaf_nodes=8, categorical_features="from_dtype", random_state=seed)
    labels = skked.SuperfeatureClustering(GROUPS, random_state=seed).fit(X_train, y_train).labels_
    ked, kd = (skked.KEDClassifier, skked.KDClassifier) if classes else (skked.KEDRegressor, skked.KDRegressor)
    explained = X.iloc[test[:N_EXPLAINED]]
    rows = []
    with tempfile.TemporaryDirectory() as memory:
        shared = {"memory": memory, "random_state": seed, **STUDENT}
        alone = kd(teacher, **shared).fit(X_train, y_train)
        exact = skked.GroupShapleyExplainer(labels, engine="tree", background=BACKGROUND, random_state=0)
        phi = exact.fit(alone.teacher_, X_train).explain(explained).phi
        rows.append({"explanations": "none (KD)", "score": alone.score(X.iloc[test], y[test])})
        for label, (explainer, n_explanations) in explainers().items():
            student = ked(
                teacher,
                superfeatures=labels,
                network="additive",
                explainer=explainer,
                n_explanations=n_explanations,
                chimeric=False,
                committee_size=1,
                **shared,
            ).fit(X_train, y_train)
            said = student.contributions(explained)
            if said.ndim == 2:
                said = np.stack([-said / 2, said / 2], axis=2) if classes else said[:, :, None]
            rows.append(
                {
                    "explanations": label,
                    "score": student.score(X.iloc[test], y[test]),
                    "cosine": skked.explanation_agreement_score(phi, said),
                    "model_rows": spent(label),
                }
            )
    return [{"table": name, "seed": seed, **row} for row in rows]


def spent(label):
    """Model rows per training row of a black box."""
    if label == "exact":
        return None
    if label.startswith("permutations"):
        return 1 + 2 * (GROUPS - 1) * int(label.split()[1])
    if label.startswith("all"):
        return (1 + (2**GROUPS - 2) * BACKGROUND) * float(label.split("of ")[1].split("%")[0]) / 100
    return 1 + (int(label.split()[0]) - 2) * BACKGROUND


def render(document):
    """The table in Markdown: model rows, points lost against exact explanations with intervals, and agreement."""
    frame = pd.DataFrame(document["rows"])
    scores = 100 * frame.pivot(index=["table", "seed"], columns="explanations", values="score")
    cosine = frame.pivot(index=["table", "seed"], columns="explanations", values="cosine")
    head = "| explanations to learn from | model rows per row | points − exact (95 %) | agreement (cosine) |"
    lines = [head, "|---|---|---|---|"]
    for label in dict.fromkeys(frame["explanations"]):
        own = frame.loc[frame["explanations"] == label, "model_rows"].iloc[0]
        cost = "–" if pd.isna(own) else f"{own:,.0f}"
        gap = (scores[label] - scores["exact"]).to_numpy()
        mean, low, high = mean_and_interval(gap) if label != "exact" else (0.0, 0.0, 0.0)
        points = "0" if label == "exact" else f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"
        like = cosine[label].mean()
        lines.append(f"| {label} | {cost} | {points} | {'–' if pd.isna(like) else f'{like:.3f}'} |")
    return "\n".join(lines)


def main():
    options = table_parser(__doc__, render=True).parse_args()
    path = RESULTS / "explanations-training-target.json"
    if not options.render:
        folder, rows = data_folder(options.data), []
        for name in TABLES:
            for seed in SEEDS:
                rows += measure(folder, name, seed)
            print(name, flush=True)
        settings = {"n_train": N_TRAIN, "groups": GROUPS, "background": BACKGROUND, "seeds": list(SEEDS), **STUDENT}
        write_results("explanations-training-target", settings, rows)
    print(render(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
