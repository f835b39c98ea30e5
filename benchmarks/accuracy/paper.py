"""The protocol of the KED paper on handwritten digits: ``python -m benchmarks.accuracy.paper --data FOLDER``.

Four superfeatures of the 784 pixels, students of 16,000 parameters with two hidden layers (a dense one of 2 × 20 units
without and with a teacher, an additive one that is taught explanations too), λ = μ = 0.7, T = τ = 10, 100 epochs,
batches of 100; on 500, 1,000 and 8,000 rows of ``mnist_10k``, with and without chimeras, tested on 2,000. Two teachers
of equal size: T0, a dense network, explained by group Shapley values; and T1, as the authors', a network that is
additive over the superfeatures and explains itself. Writes ``results/paper.json``; resumes.
"""

import json
import tempfile
import time
import warnings
from itertools import product

import numpy as np
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import skked
from benchmarks.common import RESULTS, data_folder, mean_and_interval, read_table, split, table_parser, write_results

SETTINGS = {"temperature": 10.0, "max_iter": 100, "batch_size": 100, "alpha": 0.0, "learning_rate_init": 0.002}
N_TEST, PARAMETERS, TEACHER_PARAMETERS = 2000, 16_330, 238_510
CHIMERAS = {"": False, " + chimeras": 5.0}
"""Chimeras per row of the students without and with them."""


def teachers(superfeatures, seed):
    """The teachers of the protocol by name, of one size."""
    additive = skked.ExplainingTeacherClassifier(
        superfeatures, "network", max_parameters=TEACHER_PARAMETERS, max_iter=60, random_state=seed
    )
    return {
        "T0": make_pipeline(MinMaxScaler(), MLPClassifier((300,), max_iter=60, random_state=seed)),
        "T1": additive,
    }


def students(teacher, superfeatures, seed, memory):
    """The students of a teacher by name."""
    shared = {"cv": 3, "memory": memory, "random_state": seed, "superfeatures": superfeatures, **SETTINGS}
    shared |= {"distillation_weight": 0.7, "max_features": None}
    explainer = "additive" if isinstance(teacher, skked.ExplainingTeacherClassifier) else "shapley"
    ked = {"explanation_temperature": 10.0, "explanation_weight": 0.7, "explainer": explainer}
    found = {}
    for name, chimeric in CHIMERAS.items():
        found["KD" + name] = skked.KDClassifier(teacher, chimeric=chimeric, hidden_layer_sizes=(20, 20), **shared)
        found["KED" + name] = skked.KEDClassifier(
            teacher, chimeric=chimeric, hidden_layer_sizes=(18, 18), **ked, **shared
        )
    return found


def measure(X, y, n_rows, seed):
    """Accuracy, agreement with the teacher and size of every student, and the accuracy of the teachers."""
    train, test = split("mnist_10k", len(X), n_train=n_rows, n_test=N_TEST, seed=seed)
    X_train, y_train, X_test, y_test = X.iloc[train], y[train], X.iloc[test], y[test]
    clustering = skked.SuperfeatureClustering(4, random_state=seed).fit(X_train)
    superfeatures = {
        name: np.flatnonzero(clustering.labels_ == group).tolist()
        for group, name in enumerate(clustering.superfeatures_)
    }
    rows = {}
    for whose, teacher in teachers(superfeatures, seed).items():
        with tempfile.TemporaryDirectory() as memory:
            members = students(teacher, superfeatures, seed, memory)
            if whose == "T0":
                members["plain"] = clone(members["KD"]).set_params(distillation_weight=0.0)
            for name, student in members.items():
                start = time.perf_counter()
                student.fit(X_train, y_train)
                said = student.teacher_.predict(X_test)
                rows[name if name == "plain" else f"{name}, {whose}"] = {
                    "accuracy": float(student.score(X_test, y_test)),
                    "agreement": float(np.mean(student.predict(X_test) == said)),
                    "n_parameters": int(student.n_parameters_),
                    "fit_seconds": round(time.perf_counter() - start, 1),
                }
        rows[whose] = {"accuracy": float(np.mean(said == y_test))}
    return {"n_train": n_rows, "seed": seed, "students": rows}


def render(rows):
    """Mean accuracy in percent with its standard deviation over the seeds, and KED's lead with its interval."""
    names = ["KD", "KED", "KD + chimeras", "KED + chimeras"]
    lines = [
        "| rows | seeds | plain | teacher | " + " | ".join(names) + " | KED − KD |",
        "|---" * (len(names) + 5) + "|",
    ]
    for n_rows in sorted({row["n_train"] for row in rows}):
        some = [row["students"] for row in rows if row["n_train"] == n_rows]

        def accuracy(name, some=some):
            return 100 * np.array([row[name]["accuracy"] for row in some])

        for whose in ("T0", "T1"):
            columns = [accuracy(name) for name in ["plain", whose, *(f"{name}, {whose}" for name in names)]]
            plain, teacher, *taught = (f"{np.mean(v):.1f} ± {np.std(v, ddof=1):.1f}" for v in columns)
            lead = "{:+.1f} ({:+.1f} to {:+.1f})".format(*mean_and_interval(columns[3] - columns[2]))
            lines.append(f"| {n_rows:,} | {len(some)} | {plain} | {whose}, {teacher} | {' | '.join(taught)} | {lead} |")
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
        write_results("paper", {**SETTINGS, "parameters": PARAMETERS, "teacher_parameters": TEACHER_PARAMETERS}, rows)
        print(n_rows, seed, {name: student["accuracy"] for name, student in rows[-1]["students"].items()}, flush=True)
    print(render(rows))


if __name__ == "__main__":
    main()
