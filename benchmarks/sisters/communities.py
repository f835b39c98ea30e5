"""Are planted superfeatures found? ``python -m benchmarks.sisters.communities --data FOLDER``.

Adjusted Rand index of the superfeatures and the truth, where there is one: two groups of columns that make one property
each of the class, and two images side by side. Writes ``results/communities.json`` and prints the table of
docs/communities.md; ``--render`` prints it from the file.
"""

import importlib.util
import json
import time

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import adjusted_rand_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.common import RESULTS, data_folder, read_table, table_parser, write_results
from skked import SuperfeatureClustering

SEEDS = {"two properties": range(3), "two digits": range(2), "sum of two digits": range(2)}
METHODS = {
    "louvain, hessian": {"method": "louvain", "affinity": "hessian"},
    "hierarchical, hessian": {"affinity": "hessian"},
    "louvain, interaction": {"method": "louvain", "affinity": "interaction"},
    "hierarchical, interaction": {"affinity": "interaction"},
    "hierarchical, spearman": {"affinity": "spearman"},
    "hierarchical, default": {},
}
N_DIGITS = 4
"""Digits 0 to 3, so that a pair is one of 16 classes."""


def two_properties(seed, n_rows=2000):
    """Twelve independent columns, shuffled; each half of them makes one of the two bits of the class by products."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_rows, 12))
    bits = [(X[:, half : half + 6 : 2] * X[:, half + 1 : half + 6 : 2]).sum(axis=1) > 0 for half in (0, 6)]
    order = rng.permutation(12)
    return X[:, order], 2 * bits[0] + bits[1], np.repeat([0, 1], 6)[order]


def digit_pairs(folder, seed, *, target, n_rows=3000):
    """Two images of digits side by side, at half the resolution, and their pair or sum; pixels without ink left out."""
    X, y, _ = read_table(folder, "mnist_10k")
    images, digits = X.to_numpy(dtype=np.float64), np.array([int(label.removeprefix("d")) for label in y])
    chosen = np.flatnonzero(digits < N_DIGITS)
    images = images[chosen].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
    digits = digits[chosen]
    left, right = np.random.RandomState(seed).randint(len(digits), size=(2, n_rows))
    pairs = np.hstack([images[left], images[right]])
    kept = np.flatnonzero((pairs > 0).mean(axis=0) > 0.05)
    y = digits[left] + digits[right] if target == "sum" else N_DIGITS * digits[left] + digits[right]
    return pairs[:, kept], y, (kept >= 196).astype(int)


def teachers(task, seed):
    """Unfitted teachers by name."""
    width, epochs = ((32,), 200) if task == "two properties" else ((32,), 20)
    network = MLPClassifier(width, max_iter=epochs, early_stopping=True, random_state=seed)
    found = {"network": make_pipeline(StandardScaler(), network)}
    if task != "two properties":
        return found
    found["forest"] = RandomForestClassifier(60, min_samples_leaf=3, random_state=seed)
    found["boosting"] = HistGradientBoostingClassifier(max_iter=60, random_state=seed)
    if importlib.util.find_spec("lightgbm"):
        from lightgbm import LGBMClassifier

        found["LightGBM"] = LGBMClassifier(n_estimators=60, n_jobs=1, verbose=-1, random_state=seed)
    if importlib.util.find_spec("xgboost"):
        from xgboost import XGBClassifier

        found["XGBoost"] = XGBClassifier(n_estimators=60, n_jobs=1, random_state=seed)
    return found


def measure(folder, task, seed):
    """Every method, told the number of groups, with every teacher that it can read."""
    if task == "two properties":
        X, y, truth = two_properties(seed)
    else:
        X, y, truth = digit_pairs(folder, seed, target="sum" if task.startswith("sum") else "pair")
    n_train = 3 * len(X) // 4
    rows = []
    for name, teacher in teachers(task, seed).items():
        teacher.fit(X[:n_train], y[:n_train])
        accuracy = teacher.score(X[n_train:], y[n_train:])
        for label, settings in METHODS.items():
            if "hessian" in label and name != "network":
                continue
            start = time.process_time()
            clustering = SuperfeatureClustering(2, random_state=seed, **settings)
            clustering.fit(X[:n_train], y[:n_train], teacher=teacher)
            rows.append(
                {
                    "task": task,
                    "seed": seed,
                    "n_columns": X.shape[1],
                    "teacher": name,
                    "accuracy": accuracy,
                    "method": label,
                    "ari": adjusted_rand_score(truth, clustering.labels_),
                    "affinity": clustering.affinity_name_,
                    "cpu_seconds": time.process_time() - start,
                }
            )
    return rows


def render(document):
    """The Markdown table: adjusted Rand index as mean (lowest) over seeds."""
    frame = pd.DataFrame(document["rows"])
    lines = [
        f"| truth (columns) | teacher, accuracy in % | {' | '.join(METHODS)} |",
        "|---" * (len(METHODS) + 2) + "|",
    ]
    for (task, teacher), part in frame.groupby(["task", "teacher"], sort=False):
        cells = []
        for method in METHODS:
            ari = part.loc[part["method"] == method, "ari"]
            cells.append("–" if ari.empty else f"{ari.mean():.2f} ({ari.min():.2f})")
        columns = (
            f"{part['n_columns'].min()}" if part["n_columns"].nunique() == 1 else f"{part['n_columns'].mean():.0f}"
        )
        lines.append(f"| {task} ({columns}) | {teacher}, {100 * part['accuracy'].mean():.1f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    options = table_parser(__doc__, render=True).parse_args()
    path = RESULTS / "communities.json"
    if not options.render:
        folder, rows = data_folder(options.data), []
        for task, seeds in SEEDS.items():
            for seed in seeds:
                rows += measure(folder, task, seed)
                print(task, seed, flush=True)
                write_results("communities", {"digits": N_DIGITS}, rows)
    print(render(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
