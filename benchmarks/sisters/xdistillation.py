"""XDistillation-style students against KD: ``python -m benchmarks.sisters.xdistillation --data FOLDER``.

Six tables with few rows, teacher boosting, explanations by four superfeatures; and scikit-learn's digits, teacher a
network, gradient times input, with a dense and a convolutional encoder. Accuracy, and how far explanations agree with
the teacher's: what the student *says* (its decoded contributions), and the same explainer turned on the student
(*is*), which is all that KD has. Writes ``results/xdistillation.json`` and prints the tables of docs/xdistillation.md;
``--render`` prints them from the file.
"""

import json
import tempfile

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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

TABLES = ["adult", "credit_g", "spambase", "satimage", "higgs_7k", "mice_protein"]
SETTINGS = {"n_train": 300, "n_test": 1000, "n_explained": 50, "seeds": list(range(100, 105))}
TEACHER = {"max_iter": 40, "max_leaf_nodes": 8, "learning_rate": 0.2}
STUDENT = {"max_parameters": 1000, "max_iter": 60}
MEASURES = ("cosine", "spearman", "top_k")


def likeness(phi_teacher, phi, model, rows, labels, k):
    """Agreement of two explanations, and the area under the deletion curve of the teacher."""
    found = {
        kind: skked.explanation_agreement_score(phi_teacher, phi, kind=kind, **({"k": k} if kind == "top_k" else {}))
        for kind in MEASURES
    }
    found["deletion"] = float(skked.deletion_curve(model, rows, phi, labels, n_draws=2, random_state=0).mean())
    return found


def table_rows(folder, name, seed, memory):
    """Quality and explanations of KD and of both modes on one split of a table."""
    X, y, _ = read_table(folder, name)
    train, test = split(
        name, len(X), n_train=SETTINGS["n_train"], n_test=min(SETTINGS["n_test"], len(X) // 2), seed=seed
    )
    common = {"random_state": seed, "memory": memory, **STUDENT}
    boosting = HistGradientBoostingClassifier(**TEACHER, categorical_features="from_dtype", random_state=seed)
    X = as_categories(X)
    students = {
        "XD auxiliary": skked.XDistillationClassifier(boosting, superfeatures=4, **common),
        "XD input": skked.XDistillationClassifier(boosting, superfeatures=4, mode="input", **common),
        "KD": skked.KDClassifier(boosting, **common),
    }
    rows, labels, teacher, phi = [], None, None, None
    explained = X.iloc[test[: SETTINGS["n_explained"]]]
    for label, student in students.items():
        student.fit(X.iloc[train], y[train])
        if labels is None:
            labels, teacher = student.superfeature_labels_, student.teacher_
            phi = shapley(teacher, labels, X.iloc[train], explained)
        row = {"task": name, "seed": seed, "student": label, "accuracy": 100 * student.score(X.iloc[test], y[test])}
        own = {"is": shapley(student, labels, X.iloc[train], explained)}
        if label != "KD":
            said = student.contributions(explained)
            own["says"] = said if said.ndim == 3 else np.stack([-said / 2, said / 2], axis=2)
        for what, values in own.items():
            found = likeness(phi, values, teacher, explained, labels, 2)
            row |= {f"{what}: {measure}": value for measure, value in found.items()}
        rows.append(row)
    return rows


def shapley(model, labels, X, rows):
    """Group Shapley values of a model's log-odds."""
    explainer = skked.GroupShapleyExplainer(labels, background=20, random_state=0)
    return explainer.fit(model, X).explain(rows).phi


def gradient_times_input(model, X, centre, rows, step=1e-2):
    """Central differences of centred log-probabilities, times the distance of a pixel to its median."""

    def score(rows):
        logarithm = np.log(np.maximum(model.predict_proba(rows), 1e-9))
        return logarithm - logarithm.mean(axis=1, keepdims=True)

    found = np.empty((*rows.shape, len(model.classes_)))
    for j in range(rows.shape[1]):
        shift = step * np.eye(rows.shape[1])[j]
        slope = (score(rows + shift) - score(rows - shift)) / (2 * step)
        found[:, j] = (rows[:, j] - centre[j])[:, None] * slope
    return found


def digit_rows(seed):
    """The same for digits, heat maps of a network."""
    X, y = load_digits(return_X_y=True)
    order = np.random.RandomState(seed).permutation(len(X))
    for_teacher, train, test = order[:700], order[700:1000], order[1000:]
    teacher = make_pipeline(StandardScaler(), MLPClassifier((50,), max_iter=100, tol=1e-3, random_state=seed))
    teacher.fit(X[for_teacher], y[for_teacher])
    common = {"random_state": seed, **STUDENT}
    heat = {"explanation": "gradient", "code_size": 16, **common}
    students = {
        "XD auxiliary, dense": skked.XDistillationClassifier(FrozenEstimator(teacher), **heat),
        "XD auxiliary, convolutional": skked.XDistillationClassifier(
            FrozenEstimator(teacher), image_shape=(8, 8), **heat
        ),
        "KD": skked.KDClassifier(FrozenEstimator(teacher), **common),
    }
    explained, centre, labels = X[test[:100]], np.median(X[train], axis=0), np.arange(64)
    phi = gradient_times_input(teacher, X, centre, explained)
    rows = []
    for label, student in students.items():
        student.fit(X[train], y[train])
        row = {"task": "digits", "seed": seed, "student": label, "accuracy": 100 * student.score(X[test], y[test])}
        own = {"is": gradient_times_input(student, X, centre, explained)}
        if label != "KD":
            own["says"] = student.contributions(explained)
        for what, values in own.items():
            found = likeness(phi, values, teacher, explained, labels, 10)
            row |= {f"{what}: {measure}": value for measure, value in found.items()}
        rows.append(row)
    return rows


def summary(rows):
    """Paired differences to KD with 95 % intervals: over tables and seeds, and over the seeds of digits."""
    frame = pd.DataFrame(rows).sort_values(["task", "seed"])
    found = {}
    for where, part in (("tables", frame[frame["task"] != "digits"]), ("digits", frame[frame["task"] == "digits"])):
        base = part[part["student"] == "KD"]
        for label in [label for label in dict.fromkeys(part["student"]) if label != "KD"]:
            own = part[part["student"] == label]
            pairs = {"accuracy": "accuracy"}
            for measure in (*MEASURES, "deletion"):
                pairs |= {f"{what}: {measure}": f"is: {measure}" for what in ("is", "says")}
            for measure, of_kd in pairs.items():
                gap = own[measure].to_numpy() - base[of_kd].to_numpy()
                found[f"{where}, {label}: {measure}"] = dict(
                    zip(("mean", "low", "high"), mean_and_interval(gap), strict=True)
                )
    return found


def render(document):
    """The Markdown tables: means over seeds, and paired differences to KD over all tables and seeds."""
    frame, found = pd.DataFrame(document["rows"]), document["settings"]["differences to KD"]
    lines = ["| set | student | accuracy | explanation | cosine | Spearman | top k | deletion |", "|---" * 8 + "|"]
    for (name, label), rows in frame.groupby(["task", "student"], sort=False):
        for what in ("says", "is"):
            values = rows[[f"{what}: {measure}" for measure in (*MEASURES, "deletion")]]
            if values.isna().all(axis=None):
                continue
            cells = " | ".join(f"{value:.2f}" for value in values.mean())
            lines.append(f"| {name} | {label} | {rows['accuracy'].mean():.1f} | {what} | {cells} |")
    lines += ["", "| student − KD | accuracy | explanation | cosine | Spearman | top k | deletion |", "|---" * 7 + "|"]
    for head in dict.fromkeys(name.split(":")[0] for name in found):
        for what in ("says", "is"):
            gaps = [found[f"{head}: {what}: {measure}"] for measure in (*MEASURES, "deletion")]
            cells = " | ".join(f"{gap['mean']:+.2f} ({gap['low']:+.2f} to {gap['high']:+.2f})" for gap in gaps)
            gap = found[f"{head}: accuracy"]
            accuracy = f"{gap['mean']:+.1f} ({gap['low']:+.1f} to {gap['high']:+.1f})"
            lines.append(f"| {head} | {accuracy} | {what} | {cells} |")
    return "\n".join(lines)


def main():
    options = table_parser(__doc__, render=True).parse_args()
    if options.render:
        print(render(json.loads((RESULTS / "xdistillation.json").read_text())))
        return
    folder = data_folder(options.data)
    rows = []
    with tempfile.TemporaryDirectory() as memory:
        for name in TABLES:
            for seed in SETTINGS["seeds"]:
                rows += table_rows(folder, name, seed, memory)
            print(name, flush=True)
    for seed in SETTINGS["seeds"]:
        rows += digit_rows(seed)
    print("digits", flush=True)
    settings = {**SETTINGS, "teacher": TEACHER, "student": STUDENT, "differences to KD": summary(rows)}
    write_results("xdistillation", settings, rows)
    print(render(json.loads((RESULTS / "xdistillation.json").read_text())))


if __name__ == "__main__":
    main()
