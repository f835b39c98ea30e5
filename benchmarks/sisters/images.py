"""Students of images, with and without explanations and hints: ``python -m benchmarks.sisters.images --data FOLDER``.

Plain training, KD and KED at equal parameter counts on scikit-learn's digits and on mnist_10k, in the convolutional
form (a dense and an explaining teacher, each hint) and with pixels as columns. Rows are written as they are measured,
and a second run goes on where the first was stopped. Writes ``results/images.json``, and the table from it into
docs/images.md;
``--render`` does the latter only.
"""

import json
import tempfile
import time

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skked
from benchmarks.common import RESULTS, data_folder, read_table, table_parser, write_results

SETTINGS = {
    "sets": {
        "digits": {"n_train": 600, "n_test": 1000, "max_parameters": 3000},
        "mnist_10k": {"n_train": 1000, "n_test": 2000, "max_parameters": 5000},
    },
    "first_seed": 0,
    "n_seeds": 3,
    "max_iter": 20,
    "teacher_parameters": 8,
    "table_teacher": "StandardScaler, MLPClassifier((100,), max_iter=60)",
    "table_folds": 3,
}
PAGE = RESULTS.parents[1] / "docs" / "images.md"
MARKS = ("<!-- table: benchmarks/results/images.json -->", "<!-- end of table -->")
HINTS = ("fitnet", "attention", "similarity")
DENSE = {"n_superfeatures": 1, "explanation_weight": 0.0}
CONVOLUTIONAL = {
    "plain, dense": {**DENSE, "distillation_weight": 0.0},
    "KD, dense": DENSE,
    **{f"KD, dense + {hint}": {**DENSE, "hint": hint} for hint in HINTS},
    "plain": {"distillation_weight": 0.0},
    "KD": {"explanation_weight": 0.0},
    "KED": {},
    **{f"KED + {hint}": {"hint": hint} for hint in HINTS},
}
METHODS = [
    *(("maps", method) for method in ("dense teacher", "explaining teacher", *CONVOLUTIONAL)),
    *(("columns", method) for method in ("teacher", "plain, dense", "KD, dense", "KED")),
]


def images_of(folder, name, seed):
    """Training and test images with labels."""
    if name == "digits":
        digits = load_digits()
        images, y = digits.images, digits.target
    else:
        X, y, _ = read_table(folder, name)
        images = X.to_numpy(dtype=np.float64).reshape(-1, 28, 28)
    sizes = SETTINGS["sets"][name]
    order = np.random.RandomState(seed).permutation(len(y))
    test, train = np.split(order[: sizes["n_test"] + sizes["n_train"]], [sizes["n_test"]])
    return images[train], y[train], images[test], y[test]


def maps_models(name, seed, data):
    """Fitted convolutional models by method, teachers first, each with its seconds of processor time."""
    images, y = data[:2]
    common = {"max_parameters": SETTINGS["sets"][name]["max_parameters"], "max_iter": SETTINGS["max_iter"]}
    wide = {**common, "max_parameters": SETTINGS["teacher_parameters"] * common["max_parameters"]}
    teachers = {}
    for method, n_superfeatures in (("dense teacher", 1), ("explaining teacher", 4)):
        model = skked.KEDImageClassifier(
            distillation_weight=0, n_superfeatures=n_superfeatures, random_state=1000 + seed, **wide
        )
        yield method, *timed(model, images, y)
        teachers[n_superfeatures] = FrozenEstimator(model)
    for method, parameters in CONVOLUTIONAL.items():
        teacher = teachers[parameters.get("n_superfeatures", 4)]
        model = skked.KEDImageClassifier(teacher, random_state=seed, **common, **parameters)
        yield method, *timed(model, images, y)


def columns_models(name, seed, data):
    """Fitted models of pixels as columns."""
    rows, y = data[0].reshape(len(data[0]), -1), data[1]
    teacher = make_pipeline(
        StandardScaler(), MLPClassifier((100,), max_iter=60, n_iter_no_change=60, random_state=seed)
    )
    with tempfile.TemporaryDirectory() as memory:
        common = {
            "max_parameters": SETTINGS["sets"][name]["max_parameters"],
            "cv": SETTINGS["table_folds"],
            "chimeric": False,
            "memory": memory,
            "random_state": seed,
        }
        students = {
            "plain, dense": skked.KDClassifier(teacher, distillation_weight=0.0, **common),
            "KD, dense": skked.KDClassifier(teacher, **common),
            "KED": skked.KEDClassifier(teacher, superfeatures=4, n_explanations=300, committee_size=1, **common),
        }
        for method, student in students.items():
            yield method, *timed(student, rows, y)
        yield "teacher", students["KED"].teacher_, None


def timed(model, X, y):
    start = time.process_time()
    model.fit(X, y)
    return model, time.process_time() - start


def measure(folder, name, seed):
    """One row per method: accuracy and, with explanations on both sides, their agreement on test images."""
    data = images_of(folder, name, seed)
    images, y = data[2:]
    explained = None
    for form, models in (("maps", maps_models), ("columns", columns_models)):
        X = images if form == "maps" else images.reshape(len(images), -1)
        for method, model, seconds in models(name, seed, data):
            row = {"set": name, "seed": seed, "form": form, "method": method, "accuracy": 100 * model.score(X, y)}
            row["parameters"] = getattr(model, "n_parameters_", None)
            row["seconds"] = seconds
            if method == "explaining teacher":
                explained = model.contributions(X)
            elif form == "maps" and model.n_superfeatures > 1:
                row["explanations"] = skked.explanation_agreement_score(explained, model.contributions(X))
            yield row


def render(document):
    """The page's table: mean ± standard deviation of the test accuracy over the seeds."""
    table = pd.DataFrame(document["rows"])
    names = [name for name in document["settings"]["sets"] if name in set(table["set"])]
    heads = [
        f"{name}, parameters | accuracy, {table.loc[table['set'] == name, 'seed'].nunique()} seeds | agreement"
        for name in names
    ]
    lines = ["| | " + " | ".join(heads) + " |"]
    lines.append("|---|" + "---:|" * (3 * len(names)))
    for form, method in METHODS:
        cells = [f"{'pixels as columns' if form == 'columns' else 'convolutional'}: {method}"]
        for name in names:
            rows = table[(table["set"] == name) & (table["form"] == form) & (table["method"] == method)]
            cells += _cells(rows)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(rows):
    if rows.empty:
        return ["", "", ""]
    size = rows["parameters"].iloc[0]
    agreement = rows["explanations"].mean()
    return [
        "" if pd.isna(size) else f"{int(size):,}",
        f"{rows['accuracy'].mean():.1f} ± {rows['accuracy'].std():.1f}",
        "" if pd.isna(agreement) else f"{agreement:.2f}",
    ]


def write_page():
    """Put the table of the file between the marks of the page."""
    table = render(json.loads((RESULTS / "images.json").read_text()))
    before, rest = PAGE.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    PAGE.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}", encoding="utf-8")
    return table


def measured_before():
    """Rows of an earlier run with the same settings."""
    path = RESULTS / "images.json"
    if not path.exists():
        return []
    document = json.loads(path.read_text())
    return document["rows"] if document["settings"] == SETTINGS else []


def main():
    options = table_parser(__doc__, render=True).parse_args()
    if not options.render:
        folder, rows = data_folder(options.data), measured_before()
        for name in SETTINGS["sets"]:
            for seed in range(SETTINGS["first_seed"], SETTINGS["first_seed"] + SETTINGS["n_seeds"]):
                done = [row for row in rows if row["set"] == name and row["seed"] == seed]
                if len(done) == len(METHODS):
                    continue
                rows = [row for row in rows if row not in done] + list(measure(folder, name, seed))
                write_results("images", SETTINGS, rows)
                write_page()
    print(write_page())


if __name__ == "__main__":
    main()
