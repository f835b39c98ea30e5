"""The whole path with default settings, from raw tables: ``python -m benchmarks.tables.run --data FOLDER``.

Students of one budget (KED, KD, and the same network without a teacher) beside their teacher and logistic or ridge
regression. Writes ``results/tables.json`` and prints the README's table; ``--render`` prints it from the file.
"""

import json
import resource
import time

import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skked
from benchmarks.common import RESULTS, data_folder, read_table, split, spread, table_parser, write_results

TABLES = {"adult": 1, "credit_g": 5, "mfeat": 5, "satimage": 1, "nycflights": 1, "california_housing": 1}
MAX_PARAMETERS = 2000


def column_codes():
    """Scaled numbers and one-hot categories, for models that take nothing else."""
    return make_column_transformer(
        (
            make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
            make_column_selector(dtype_include=["number", "bool"]),
        ),
        (
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.005),
            make_column_selector(dtype_exclude=["number", "bool"]),
        ),
    )


def linear_model(task):
    """The simplest thing that works, for comparison."""
    return make_pipeline(column_codes(), RidgeCV() if task == "regression" else LogisticRegression(max_iter=1000))


def models(task, budget, seed, memory):
    """Unfitted models by name; the students share their teacher through the cache."""
    ked = skked.KEDRegressor if task == "regression" else skked.KEDClassifier
    kd = skked.KDRegressor if task == "regression" else skked.KDClassifier
    common = {"max_parameters": budget, "random_state": seed, "memory": memory}
    return {
        "KED": ked(**common),
        "KD": kd(**common),
        "plain": kd(distillation_weight=0.0, **common),
        "linear": linear_model(task),
    }


def measure(folder, name, seed, budget, memory):
    """Fit all models on one split, and measure them on the rest."""
    X, y, task = read_table(folder, name)
    train, test = split(name, len(X), seed=seed)
    fitted, seconds = {}, {}
    for label, model in models(task, budget, seed, memory).items():
        start = time.perf_counter()
        fitted[label] = model.fit(X.iloc[train], y[train])
        seconds[label] = time.perf_counter() - start
    report = skked.distillation_report(fitted, X.iloc[test], y[test], n_explained=0).to_dataframe()
    report["fit_seconds"] = pd.Series(seconds)
    ked = fitted["KED"]
    shared = {
        "table": name,
        "seed": seed,
        "task": task,
        "n_train": len(train),
        "n_test": len(test),
        "superfeatures": dict(zip(ked.superfeature_names_, _columns(ked), strict=True)),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    return [{**shared, "model": label, **_plain(row)} for label, row in report.to_dict("index").items()]


def _columns(student):
    names = student.feature_names_in_
    return [[str(n) for n in names[student.superfeature_labels_ == g]] for g in range(len(student.superfeature_names_))]


def _plain(row):
    return {key: None if pd.isna(value) else float(value) for key, value in row.items()}


def render(document):
    """The Markdown table: quality in percent as mean ± standard deviation over seeds."""
    rows = pd.DataFrame(document["rows"])
    rows["quality"] = 100 * rows.reindex(columns=["accuracy", "r2"]).bfill(axis=1)["accuracy"]
    lines = [
        "| table (rows to train) | | teacher | KED | KD | plain | linear | agreement | kB, KED | kB, teacher |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, group in rows.groupby("table", sort=False):
        by_model = group.groupby("model")
        cells = [
            spread(by_model.get_group(model)["quality"].to_numpy())
            for model in ("teacher", "KED", "KD", "plain", "linear")
        ]
        ked, teacher = by_model.get_group("KED"), by_model.get_group("teacher")
        measure = "R²" if group["task"].iloc[0] == "regression" else "accuracy"
        lines.append(
            f"| {name} ({group['n_train'].iloc[0]:,}) | {measure} | "
            + " | ".join(cells)
            + f" | {spread(100 * ked['agreement'].to_numpy())} | {_kilobytes(ked)} | {_kilobytes(teacher)} |"
        )
    return "\n".join(lines)


def _kilobytes(rows):
    return f"{rows['bytes'].mean() / 1000:,.0f}"


def main():
    parser = table_parser(__doc__, render=True)
    parser.add_argument("--tables", nargs="*", default=list(TABLES))
    parser.add_argument("--memory", help="folder to cache teachers in", default=None)
    options = parser.parse_args()
    path = RESULTS / "tables.json"
    if not options.render:
        folder = data_folder(options.data)
        known = json.loads(path.read_text())["rows"] if path.exists() else []
        rows = [row for row in known if row["table"] not in options.tables]
        for name in options.tables:
            for seed in range(TABLES[name]):
                rows += measure(folder, name, seed, MAX_PARAMETERS, options.memory)
                print(name, seed, flush=True)
                write_results("tables", {"max_parameters": MAX_PARAMETERS}, rows)
    print(render(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
