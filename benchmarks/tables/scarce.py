"""KED against KD of equal size where rows are scarce: ``python -m benchmarks.tables.scarce --data FOLDER``.

spambase, 300 training rows, a budget of 500 parameters, 10 seeds, none of them used to choose the defaults; default
settings, and KD with chimeras too. Writes
``results/scarce.json`` with the paired differences and their 95 % intervals.
"""

import pandas as pd

import skked
from benchmarks.common import data_folder, mean_and_interval, read_table, split, table_parser, write_results

SETTINGS = {
    "table": "spambase",
    "n_train": 300,
    "n_test": 2000,
    "max_parameters": 500,
    "n_seeds": 10,
    "first_seed": 100,
}


def students(seed, memory):
    """Unfitted students by name."""
    common = {"max_parameters": SETTINGS["max_parameters"], "random_state": seed, "memory": memory}
    return {
        "KED": skked.KEDClassifier(**common),
        "KED without chimeras": skked.KEDClassifier(chimeric=False, **common),
        "KD": skked.KDClassifier(**common),
        "KD with chimeras": skked.KDClassifier(chimeric=True, **common),
        "plain": skked.KDClassifier(distillation_weight=0.0, **common),
    }


def measure(folder, seed, memory):
    """Accuracy in percent of every student and its teacher on one split."""
    X, y, _ = read_table(folder, SETTINGS["table"])
    train, test = split(SETTINGS["table"], len(X), n_train=SETTINGS["n_train"], n_test=SETTINGS["n_test"], seed=seed)
    row = {"seed": seed}
    for name, student in students(seed, memory).items():
        student.fit(X.iloc[train], y[train])
        row[name] = 100 * student.score(X.iloc[test], y[test])
        row[f"parameters of {name}"] = student.n_parameters_
        row["teacher"] = 100 * student.teacher_.score(X.iloc[test], y[test])
    return row


def main():
    parser = table_parser(__doc__)
    parser.add_argument("--memory", help="folder to cache teachers in", default=None)
    options = parser.parse_args()
    folder = data_folder(options.data)
    seeds = range(SETTINGS["first_seed"], SETTINGS["first_seed"] + SETTINGS["n_seeds"])
    rows = [measure(folder, seed, options.memory) for seed in seeds]
    table = pd.DataFrame(rows)
    differences = {}
    for other in ("KD", "KD with chimeras", "plain", "KED without chimeras"):
        mean, low, high = mean_and_interval(table["KED"] - table[other])
        differences[f"KED - {other}"] = {"mean": mean, "low": low, "high": high}
        print(f"KED - {other}: {mean:+.2f} points, 95 % interval {low:+.2f} to {high:+.2f}")
    write_results("scarce", {**SETTINGS, "differences in points of accuracy": differences}, rows)
    print(table.mean().round(2).to_string())


if __name__ == "__main__":
    main()
