"""e2KD against KD of the same network: ``python -m benchmarks.sisters.e2kd --data FOLDER``.

First a planted task: two columns follow the label in the few rows that the student sees, and its opposite in the rows
it is tested on; the teacher, a network, was trained where they follow nothing. Then six tables with few rows, teacher
boosting. No setting was chosen on these seeds. Writes ``results/e2kd.json`` and prints the tables of docs/e2kd.md;
``--render`` prints them from the file.
"""

import json
import tempfile

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skked
from benchmarks.common import RESULTS, data_folder, mean_and_interval, read_table, split, table_parser, write_results

PLANTED = {"n_teacher": 3000, "n_student": 200, "n_test": 2000, "seeds": list(range(10))}
TABLES = ["adult", "credit_g", "spambase", "satimage", "higgs_7k", "mice_protein"]
FEW = {"n_train": 200, "n_test": 2000, "seeds": list(range(100, 103))}
STUDENT = {"max_parameters": 500, "max_iter": 100, "distillation_weight": 1.0, "network": "additive"}
GROUPS = [0, 0, 1, 1, 2, 3]
WEIGHTS = {"gradient": (1.0, 5.0), "superfeatures": (0.2, 1.0, 5.0)}


def planted(n, rng, *, spurious):
    """Four columns decide, two do not; those follow the label (1), nothing (0) or its opposite (-1)."""
    X = rng.normal(size=(n, 6))
    y = (X[:, 0] * X[:, 1] + X[:, 2] + 0.5 * X[:, 3] > 0).astype(int)
    X[:, 4:] += 1.5 * spurious * (2 * y[:, None] - 1)
    return X, y


def planted_rows(seed):
    """Agreement and accuracy, in percent, where the spurious columns turn against the label."""
    rng = np.random.default_rng(seed)
    teacher = make_pipeline(StandardScaler(), MLPClassifier((50,), max_iter=100, tol=1e-3, random_state=seed))
    teacher.fit(*planted(PLANTED["n_teacher"], rng, spurious=0))
    X, y = planted(PLANTED["n_student"], rng, spurious=1)
    tests = {
        "same": planted(PLANTED["n_test"], rng, spurious=1),
        "flipped": planted(PLANTED["n_test"], rng, spurious=-1),
    }
    rows = []
    for kind, weights in WEIGHTS.items():
        for weight in (0.0, *weights):
            student = skked.E2KDClassifier(
                FrozenEstimator(teacher),
                explanation=kind,
                superfeatures=GROUPS,
                explanation_weight=weight,
                random_state=seed,
                **STUDENT,
            ).fit(X, y)
            row = {"task": "planted", "seed": seed, "kind": kind, "weight": weight}
            for name, (rows_, labels) in tests.items():
                row[f"accuracy, {name}"] = 100 * student.score(rows_, labels)
                row[f"agreement, {name}"] = 100 * skked.agreement_score(teacher.predict(rows_), student.predict(rows_))
            rows.append({**row, "teacher, flipped": 100 * teacher.score(*tests["flipped"])})
    return rows


def table_rows(folder, name, seed, memory):
    """Accuracy and agreement, in percent, of students of one table taught by boosting."""
    X, y, _ = read_table(folder, name)
    train, test = split(name, len(X), n_train=FEW["n_train"], n_test=min(FEW["n_test"], len(X) // 2), seed=seed)
    common = {key: STUDENT[key] for key in ("max_parameters", "max_iter")} | {"random_state": seed, "memory": memory}
    students = {"dense KD": skked.KDClassifier(**common)}
    for weight in (0.0, *WEIGHTS["superfeatures"]):
        students[f"e2KD, {weight:g}"] = skked.E2KDClassifier(
            explanation_weight=weight, network=STUDENT["network"], **common
        )
    rows = []
    for label, student in students.items():
        student.fit(X.iloc[train], y[train])
        predicted = student.predict(X.iloc[test])
        agreement = skked.agreement_score(student.teacher_.predict(X.iloc[test]), predicted)
        rows.append(
            {
                "task": name,
                "seed": seed,
                "student": label,
                "accuracy": 100 * float((predicted == y[test]).mean()),
                "agreement": 100 * agreement,
            }
        )
    return rows


def summary(rows):
    """Paired differences to weight 0, in points, with their 95 % intervals over seeds, or over sets and seeds."""
    frame = pd.DataFrame(rows)
    found = {}
    of_planted = frame[frame["task"] == "planted"]
    for (kind, weight), part in of_planted.groupby(["kind", "weight"]):
        base = of_planted[(of_planted["kind"] == kind) & (of_planted["weight"] == 0)]
        for measure in ("accuracy, flipped", "agreement, flipped", "accuracy, same"):
            if weight:
                gap = part[measure].to_numpy() - base[measure].to_numpy()
                found[f"planted, {kind}, {weight:g}: {measure}"] = dict(
                    zip(("mean", "low", "high"), mean_and_interval(gap), strict=True)
                )
    tables = frame[frame["task"] != "planted"].sort_values(["task", "seed"])
    by = {label: part for label, part in tables.groupby("student")}
    for label in [label for label in by if label not in ("dense KD", "e2KD, 0")]:
        for measure in ("accuracy", "agreement"):
            gap = by[label][measure].to_numpy() - by["e2KD, 0"][measure].to_numpy()
            found[f"tables, {label}: {measure}"] = dict(
                zip(("mean", "low", "high"), mean_and_interval(gap), strict=True)
            )
    return found


def _gap(found, name):
    gap = found[name]
    return f"{gap['mean']:+.1f} ({gap['low']:+.1f} to {gap['high']:+.1f})"


def render(document):
    """The Markdown tables: the planted task, the six tables, and the differences to KD of the same network."""
    frame, found = pd.DataFrame(document["rows"]), document["settings"]["differences in points"]
    part = frame[frame["task"] == "planted"]
    teacher = part["teacher, flipped"].mean()
    lines = [
        f"| explanation, λ | accuracy, same | accuracy, flipped (teacher {teacher:.1f}) | agreement, flipped | "
        "gain in accuracy, flipped |",
        "|---|---|---|---|---|",
    ]
    for (kind, weight), rows in part.groupby(["kind", "weight"]):
        cells = [
            f"{rows[name].mean():.1f} ± {rows[name].std():.1f}"
            for name in ("accuracy, same", "accuracy, flipped", "agreement, flipped")
        ]
        gain = _gap(found, f"planted, {kind}, {weight:g}: accuracy, flipped") if weight else "KD"
        lines.append(f"| {kind}, {weight:g} | {' | '.join(cells)} | {gain} |")
    tables = frame[frame["task"] != "planted"]
    labels = list(dict.fromkeys(tables["student"]))
    lines += ["", f"| table | {' | '.join(labels)} |", "|---" * (len(labels) + 1) + "|"]
    for name, rows in tables.groupby("task"):
        means = rows.groupby("student")[["accuracy", "agreement"]].mean()
        cells = [f"{means.loc[label, 'accuracy']:.1f} / {means.loc[label, 'agreement']:.1f}" for label in labels]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    gains = [
        "/".join(_gap(found, f"tables, {label}: {measure}") for measure in ("accuracy", "agreement"))
        if f"tables, {label}: accuracy" in found
        else "–"
        for label in labels
    ]
    lines.append(f"| gain over λ = 0 | {' | '.join(gains)} |")
    return "\n".join(lines)


def main():
    options = table_parser(__doc__, render=True).parse_args()
    if options.render:
        print(render(json.loads((RESULTS / "e2kd.json").read_text())))
        return
    folder = data_folder(options.data)
    rows = [row for seed in PLANTED["seeds"] for row in planted_rows(seed)]
    print(pd.DataFrame(rows).groupby(["kind", "weight"]).mean(numeric_only=True).round(1).to_string(), flush=True)
    with tempfile.TemporaryDirectory() as memory:
        for name in TABLES:
            for seed in FEW["seeds"]:
                rows += table_rows(folder, name, seed, memory)
            print(name, flush=True)
    settings = {
        "planted": PLANTED,
        "tables": FEW,
        "student": STUDENT,
        "distillation_weight on the tables": 0.8,
        "differences in points": summary(rows),
    }
    write_results("e2kd", settings, rows)
    print(render(json.loads((RESULTS / "e2kd.json").read_text())))


if __name__ == "__main__":
    main()
