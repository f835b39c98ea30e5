"""Accuracy by generation, tolerant and strict: ``python -m benchmarks.sisters.generations --data FOLDER``.

Chains of networks of one size on sets whose classes are easily confused; the patriarch is trained by the top-k gap loss
or by cross-entropy, every later generation by the one before. Writes ``results/generations.json`` and prints the table
of docs/tolerant.md; ``--render`` prints it from the file.
"""

import json

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

import skked
from benchmarks.common import RESULTS, data_folder, mean_and_interval, read_table, spread, table_parser, write_results

ROWS = {"letter": 2000, "mfeat": 1000, "digits": 800, "mice_protein": 700}
SEEDS = range(5)
SETTINGS = {
    "n_generations": 4,
    "max_parameters": 10_000,
    "max_iter": 60,
    "validation_fraction": 0.1,
    "refit": False,
}
PATRIARCHS = {"tolerant": {"target_confidence": 0.8}, "strict": {"eta": 1.0}}


def table(folder, name):
    """Columns and labels of a set; digits come with scikit-learn."""
    if name == "digits":
        return load_digits(return_X_y=True)
    X, y, _ = read_table(folder, name)
    return X, y


def measure(folder, name, seed):
    """Test accuracy of every generation of both chains, of the chosen one and of the ensemble."""
    X, y = table(folder, name)
    n_test = min(4000, len(y) - ROWS[name])
    parts = train_test_split(X, y, train_size=ROWS[name], test_size=n_test, stratify=y, random_state=seed)
    X_train, X_test, y_train, y_test = parts
    rows = []
    for label, tolerance in PATRIARCHS.items():
        family = skked.GenerationsClassifier(random_state=seed, **SETTINGS, **tolerance).fit(X_train, y_train)
        accuracy = [accuracy_score(y_test, network.predict(X_test)) for network in family.generations_]
        chosen = {choice: family.set_params(prediction=choice).score(X_test, y_test) for choice in ("best", "ensemble")}
        confidence = family.generations_[0].predict_proba(X_train).max(axis=1).mean()
        rows.append(
            {
                "table": name,
                "seed": seed,
                "n_train": ROWS[name],
                "patriarch": label,
                "accuracy": accuracy,
                **chosen,
                "best_generation": family.best_generation_,
                "patriarch_confidence": float(confidence),
            }
        )
    return rows


def summary(rows):
    """Paired differences in points of accuracy, over sets and seeds."""
    frame = pd.DataFrame(rows)
    by = {label: part.sort_values(["table", "seed"]) for label, part in frame.groupby("patriarch")}
    tolerant, strict = (np.array(by[label]["accuracy"].tolist()) * 100 for label in ("tolerant", "strict"))
    later, ensemble = tolerant[:, 1:], by["tolerant"]["ensemble"].to_numpy() * 100
    pairs = {
        "tolerant generation 1 - its patriarch": later[:, 0] - tolerant[:, 0],
        "strict generation 1 - its patriarch": strict[:, 1] - strict[:, 0],
        "tolerant generation 1 - strict generation 1": later[:, 0] - strict[:, 1],
        "tolerant last generation - strict patriarch": later[:, -1] - strict[:, 0],
        "tolerant ensemble - strict ensemble": ensemble - by["strict"]["ensemble"].to_numpy() * 100,
    }
    return {
        name: dict(zip(("mean", "low", "high"), mean_and_interval(gap), strict=True)) for name, gap in pairs.items()
    }


def render(document):
    """The Markdown table: accuracy in percent as mean ± standard deviation over seeds, then the paired differences."""
    frame = pd.DataFrame(document["rows"])
    n = document["settings"]["n_generations"]
    heads = " | ".join(["patriarch", *(f"generation {m}" for m in range(1, n))])
    lines = [f"| set (rows to train) | chain | {heads} | chosen on held-out rows | ensemble |", "|---" * (n + 4) + "|"]
    for (name, label), part in frame.groupby(["table", "patriarch"], sort=False):
        cells = [spread(100 * values) for values in np.array(part["accuracy"].tolist()).T]
        cells += [spread(100 * part["best"].to_numpy()), spread(100 * part["ensemble"].to_numpy())]
        lines.append(f"| {name} ({part['n_train'].iloc[0]:,}) | {label} | {' | '.join(cells)} |")
    lines += ["", "| points of accuracy, paired over sets and seeds | mean | 95 % interval |", "|---|---|---|"]
    for name, gap in document["settings"]["differences"].items():
        lines.append(f"| {name} | {gap['mean']:+.2f} | {gap['low']:+.2f} to {gap['high']:+.2f} |")
    return "\n".join(lines)


def main():
    options = table_parser(__doc__, render=True).parse_args()
    path = RESULTS / "generations.json"
    if not options.render:
        folder, rows = data_folder(options.data), []
        for name in ROWS:
            for seed in SEEDS:
                rows += measure(folder, name, seed)
                print(name, seed, flush=True)
        write_results("generations", {**SETTINGS, "patriarchs": PATRIARCHS, "differences": summary(rows)}, rows)
    print(render(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
