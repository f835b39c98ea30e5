"""The protocol of the KED paper on handwritten digits: ``python -m benchmarks.accuracy.paper --data FOLDER``.

Four superfeatures of the 784 pixels, students of 16,000 parameters with two hidden layers (a dense one of 2 × 20 units
without and with a teacher, an additive one that is taught explanations too), λ = μ = 0.7, T = τ = 10, 100 epochs,
batches of 100; on 500, 1,000 and 8,000 rows of ``mnist_10k``, with and without chimeras, tested on 2,000. Two teachers
of about one size: T0, a dense network, explained by group Shapley values; and T1, as the authors', a network that is
additive over the superfeatures and explains itself. Writes ``results/paper.json``; resumes.
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

SETTINGS = {"temperature": 10.0, "max_iter": 100, "batch_size": 100, "alpha": 0.0, "learning_rate_init": 0.002}
N_TEST, PARAMETERS, TEACHER_PARAMETERS = 2000, 16_330, 238_510
TEACHERS = ("T0", "T1")


def taught_by(kind, X, seed):
    """An unfitted teacher, and the superfeatures of its students; a T1 has the same ones from the start."""
    if kind == "T0":
        return make_pipeline(MinMaxScaler(), MLPClassifier((300,), max_iter=60, random_state=seed)), 4
    found = skked.SuperfeatureClustering(4, random_state=seed).fit(X)
    groups = {name: np.flatnonzero(found.labels_ == group).tolist() for group, name in enumerate(found.superfeatures_)}
    size = {"max_parameters": TEACHER_PARAMETERS, "max_iter": 60}
    return skked.ExplainingTeacherClassifier(groups, "network", random_state=seed, **size), groups


def students(kind, X, seed, memory):
    """The students of the protocol by name."""
    teacher, superfeatures = taught_by(kind, X, seed)
    shared = {"teacher": teacher, "cv": 3, "memory": memory, "random_state": seed, **SETTINGS}
    shared |= {"superfeatures": superfeatures, "max_features": None}
    ked = {"explanation_temperature": 10.0, "distillation_weight": 0.7, "explanation_weight": 0.7}
    ked |= {"hidden_layer_sizes": (18, 18), "committee_size": 1, "explainer": "shapley" if kind == "T0" else "additive"}
    dense = {"hidden_layer_sizes": (20, 20)}
    found = {"plain": skked.KDClassifier(distillation_weight=0.0, **dense, **shared)} if kind == "T0" else {}
    for name, chimeric in (("", False), (" + chimeras", 5.0)):
        found["KD" + name] = skked.KDClassifier(distillation_weight=0.7, chimeric=chimeric, **dense, **shared)
        found["KED" + name] = skked.KEDClassifier(chimeric=chimeric, **ked, **shared)
    return found


def measure(X, y, n_rows, seed, kind):
    """Accuracy, agreement with the teacher and size of every student."""
    train, test = split("mnist_10k", len(X), n_train=n_rows, n_test=N_TEST, seed=seed)
    rows = {}
    with tempfile.TemporaryDirectory() as memory:
        for name, student in students(kind, X.iloc[train], seed, memory).items():
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
    return {"n_train": n_rows, "seed": seed, "teacher": kind, "students": rows}


def render(rows):
    """Mean accuracy in percent with its standard deviation over the seeds, and KED's lead with its interval."""
    names = ["teacher", *dict.fromkeys(name for row in rows for name in row["students"] if name != "teacher")]
    lines = ["| rows, teacher | seeds | " + " | ".join(names) + " | KED − KD |", "|---" * (len(names) + 3) + "|"]
    for n_rows, kind in product(sorted({row["n_train"] for row in rows}), TEACHERS):
        some = [row["students"] for row in rows if (row["n_train"], row["teacher"]) == (n_rows, kind)]
        scores = {name: [100 * row[name]["accuracy"] for row in some if name in row] for name in names}
        cells = [spread(values) for values in scores.values()]
        lead = _lead(np.subtract(scores["KED"], scores["KD"]))
        lines.append(f"| {n_rows:,}, {kind} | {len(some)} | " + " | ".join(cells) + f" | {lead} |")
    return "\n".join(lines)


def _lead(ahead):
    return "{:+.1f} ({:+.1f} to {:+.1f})".format(*mean_and_interval(ahead)) if len(ahead) > 1 else "–"


def main():
    parser = table_parser(__doc__)
    parser.add_argument("--rows", nargs="*", type=int, default=[500, 1000, 8000])
    parser.add_argument("--seeds", nargs="*", type=int, default=list(range(5)))
    options = parser.parse_args()
    X, y, _ = read_table(data_folder(options.data), "mnist_10k")
    path = RESULTS / "paper.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    settings = {**SETTINGS, "parameters": PARAMETERS, "teacher_parameters": TEACHER_PARAMETERS}
    for seed, n_rows, kind in product(options.seeds, options.rows, TEACHERS):
        if any((row["n_train"], row["seed"], row["teacher"]) == (n_rows, seed, kind) for row in rows):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append(measure(X, y, n_rows, seed, kind))
        write_results("paper", settings, rows)
        accuracy = {name: student["accuracy"] for name, student in rows[-1]["students"].items()}
        print(n_rows, seed, kind, accuracy, flush=True)
    print(render(rows))


if __name__ == "__main__":
    main()
