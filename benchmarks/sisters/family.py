"""The whole family on the same tables, of one size, taught by one teacher: ``python -m benchmarks.sisters.family``.

Boosting teaches on 500 rows; superfeatures are those of KED's clustering, the same for all. Explanations are compared
by one explainer turned on the teacher and on each student, so that no student is judged by what it says of itself.
Seconds do not count the teacher, whose scores and explanations are cached before any student is timed. Generations have
no teacher from outside and are given the rows only. Needs ``--data``; writes ``results/family.json``, prints the tables
of docs/family.md; ``--render`` prints them from the file.
"""

import json
import tempfile
import time

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

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

TABLES = ("adult", "connect4", "credit_g", "mice_protein", "satimage", "spambase")
SETTINGS = {"n_train": 500, "n_test": 1000, "n_explained": 40, "seeds": list(range(200, 205))}
TEACHER = {"max_iter": 60, "max_leaf_nodes": 8, "max_features": 0.5}
STUDENT = {"max_parameters": 1000, "max_iter": 100}
MEASURES = ("accuracy", "agreement", "explanations", "seconds")


def students(teacher, labels, seed, memory):
    """Unfitted members of the family by name."""
    own = {"random_state": seed, **STUDENT}
    taught = {"teacher": teacher, "memory": memory, **own}
    grouped = {"superfeatures": labels, **taught}
    return {
        "plain": skked.KDClassifier(distillation_weight=0.0, **taught),
        "KD": skked.KDClassifier(**taught),
        "KD + chimeras": skked.KDClassifier(chimeric="auto", superfeatures=labels, **taught),
        "KED": skked.KEDClassifier(network="additive", committee_size=1, **grouped),
        "KED, heads": skked.KEDClassifier(network="heads", committee_size=1, **grouped),
        "E²KD": skked.E2KDClassifier(network="additive", **grouped),
        "XDistillation": skked.XDistillationClassifier(**grouped),
        "generations": skked.GenerationsClassifier(**own),
    }


def measure(folder, name, seed, memory):
    """Accuracy, agreement with the teacher, cosine of the explanations and seconds of every student on one split."""
    X, y, _ = read_table(folder, name)
    X = as_categories(X)
    n_test = min(SETTINGS["n_test"], len(X) // 3)
    train, test = split(name, len(X), n_train=SETTINGS["n_train"], n_test=n_test, seed=seed)
    X_train, X_test, y_train, y_test = X.iloc[train], X.iloc[test], y[train], y[test]
    labels = skked.SuperfeatureClustering(random_state=seed).fit(X_train, y_train).labels_
    teacher = HistGradientBoostingClassifier(**TEACHER, categorical_features="from_dtype", random_state=seed)
    for student in (
        skked.KDClassifier(teacher, max_iter=1, memory=memory, random_state=seed),
        skked.KEDClassifier(teacher, superfeatures=labels, max_iter=1, memory=memory, random_state=seed),
    ):
        student.fit(X_train, y_train)
    said = student.teacher_.predict(X_test)
    rows = X_test.iloc[: SETTINGS["n_explained"]]

    def explained(model):
        explainer = skked.GroupShapleyExplainer(labels, background=20, random_state=0)
        return explainer.fit(model, X_train).explain(rows).phi

    phi, found = explained(student.teacher_), {"teacher": {"accuracy": 100 * float(np.mean(said == y_test))}}
    for label, student in students(teacher, labels, seed, memory).items():
        start = time.process_time()
        student.fit(X_train, y_train)
        seconds = time.process_time() - start
        predicted = student.predict(X_test)
        found[label] = {
            "accuracy": 100 * float(np.mean(predicted == y_test)),
            "agreement": 100 * float(np.mean(predicted == said)),
            "explanations": float(skked.explanation_agreement_score(phi, explained(student))),
            "seconds": seconds,
            "n_parameters": int(student.n_parameters_),
        }
    return [{"table": name, "seed": seed, "student": label, **values} for label, values in found.items()]


def render(document):
    """The tables in Markdown: means over tables and seeds beside KD, then accuracy by table."""
    frame = pd.DataFrame(document["rows"])
    wide = frame.pivot(index=["table", "seed"], columns="student")
    names = [name for name in dict.fromkeys(frame["student"]) if name != "teacher"]
    lines = ["| student | accuracy − KD | agreement − KD | explanations − KD | seconds |", "|---|---|---|---|---|"]
    for name in names:
        cells = []
        for what, digits in (("accuracy", 1), ("agreement", 1), ("explanations", 2)):
            gap = (wide[what][name] - wide[what]["KD"]).to_numpy()
            mean, low, high = mean_and_interval(gap) if name != "KD" else (0, 0, 0)
            span = f" ({low:+.{digits}f} to {high:+.{digits}f})"
            cells.append(f"{wide[what]['KD'].mean():.{digits}f}" if name == "KD" else f"{mean:+.{digits}f}{span}")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {wide['seconds'][name].median():.1f} |")
    lines += ["", "| table | teacher | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for table, scores in wide["accuracy"].groupby("table"):
        cells = " | ".join(f"{scores[name].mean():.1f}" for name in ["teacher", *names])
        lines.append(f"| {table} | {cells} |")
    return "\n".join(lines)


def main():
    options = table_parser(__doc__, render=True).parse_args()
    path = RESULTS / "family.json"
    if not options.render:
        folder, rows = data_folder(options.data), []
        for name in TABLES:
            for seed in SETTINGS["seeds"]:
                with tempfile.TemporaryDirectory() as memory:
                    rows += measure(folder, name, seed, memory)
            print(name, flush=True)
        write_results("family", {**SETTINGS, "teacher": TEACHER, "student": STUDENT}, rows)
    print(render(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
