"""The protocol of the KED paper on handwritten digits: ``python -m benchmarks.accuracy.paper --data FOLDER``.

Four superfeatures of the 784 pixels, students of 16,000 parameters with two hidden layers (a dense one of 2 × 20 units
without and with a teacher, an additive one that is taught explanations too), λ = μ = 0.7, T = τ = 10, 100 epochs,
batches of 100; on 500, 1,000 and 8,000 rows of ``mnist_10k``, with and without chimeras, tested on 2,000. The teacher
is a network; the authors' is one too, but additive over the superfeatures. Writes ``results/paper.json``; resumes.
"""

import json
import tempfile
import time
import warnings
from itertools import product

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import skked
from benchmarks.common import RESULTS, data_folder, mean_and_interval, read_table, split, table_parser, write_results

SETTINGS = {"temperature": 10.0, "max_iter": 100, "batch_size": 100, "alpha": 0.0, "learning_rate_init": 0.002}
N_TEST, PARAMETERS = 2000, 16_330


def students(seed, memory):
    """The students of the protocol by name."""
    teacher = make_pipeline(MinMaxScaler(), MLPClassifier((300,), max_iter=60, random_state=seed))
    shared = {"teacher": teacher, "cv": 3, "memory": memory, "random_state": seed, **SETTINGS}
    ked = {"superfeatures": 4, "explanation_temperature": 10.0, "distillation_weight": 0.7, "explanation_weight": 0.7}
    dense = {"hidden_layer_sizes": (20, 20), "max_features": None, "superfeatures": 4}
    additive = {"hidden_layer_sizes": (18, 18), "max_features": None}
    found = {"plain": skked.KDClassifier(distillation_weight=0.0, **dense, **shared)}
    for name, chimeric in (("", False), (" + chimeras", 5.0)):
        found["KD" + name] = skked.KDClassifier(distillation_weight=0.7, chimeric=chimeric, **dense, **shared)
        found["KED" + name] = skked.KEDClassifier(chimeric=chimeric, **additive, **ked, **shared)
    return found


def measure(X, y, n_rows, seed):
    """Accuracy, agreement with the teacher and size of every student."""
    train, test = split("mnist_10k", len(X), n_train=n_rows, n_test=N_TEST, seed=seed)
    rows = {}
    with tempfile.TemporaryDirectory() as memory:
        for name, student in students(seed, memory).items():
            start = time.perf_counter()
            student.fit(X.iloc[train], y[train])
            said = student.teacher_.predict(X.iloc[test])
            rows[name] = {
                "accuracy": float(student.score(X.iloc[test], y[test])),
                "agreement": float(np.mean(student.predict(X.iloc[test]) == said)),
                "n_parameters": int(student.n_parameters_),
                "fit_seconds": round(time.perf_counter() - start, 1),
            }
        rows["teacher"] = {"accuracy": float(np.mean(said == y[test]))}
    return {"n_train": n_rows, "seed": seed, "students": rows}


def render(rows):
    """Mean accuracy in percent with its standard deviation over the seeds, and KED's lead with its interval."""
    names = ["teacher", "plain", "KD", "KED", "KD + chimeras", "KED + chimeras"]
    lines = ["| rows | seeds | " + " | ".join(names) + " | KED − KD |", "|---" * (len(names) + 3) + "|"]
    for n_rows in sorted({row["n_train"] for row in rows}):
        some = [row["students"] for row in rows if row["n_train"] == n_rows]
        cells = []
        for name in names:
            values = [100 * row[name]["accuracy"] for row in some]
            cells.append(
                f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}" if len(some) > 1 else f"{values[0]:.1f}"
            )
        if len(some) > 1:
            ahead = [100 * (row["KED"]["accuracy"] - row["KD"]["accuracy"]) for row in some]
            cells.append("{:+.1f} ({:+.1f} to {:+.1f})".format(*mean_and_interval(ahead)))
        else:
            cells.append("–")
        lines.append(f"| {n_rows:,} | {len(some)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = table_parser(__doc__)
    parser.add_argument("--rows", nargs="*", type=int, default=[500, 1000, 8000])
    parser.add_argument("--seeds", nargs="*", type=int, default=list(range(5)))
    options = parser.parse_args()
    X, y, _ = read_table(data_folder(options.data), "mnist_10k")
    path = RESULTS / "paper.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    for seed, n_rows in product(options.seeds, options.rows):
        if any((row["n_train"], row["seed"]) == (n_rows, seed) for row in rows):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append(measure(X, y, n_rows, seed))
        write_results("paper", {**SETTINGS, "parameters": PARAMETERS}, rows)
        print(n_rows, seed, {name: student["accuracy"] for name, student in rows[-1]["students"].items()}, flush=True)
    print(render(rows))


if __name__ == "__main__":
    main()
