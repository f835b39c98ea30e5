"""What all benchmarks share: reading the tables, and writing results that say where they come from."""

import argparse
import importlib.metadata
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("skked", "scikit-learn", "torch", "numpy", "scipy", "pandas", "shap", "numba", "lightgbm")


def data_folder(option):
    """Folder of the benchmark tables: the command-line option, else the environment variable ``SKKED_DATA``."""
    folder = option or os.environ.get("SKKED_DATA")
    if not folder:
        raise SystemExit("Say where the tables are: --data FOLDER or SKKED_DATA. See benchmarks/README.md.")
    return Path(folder)


def table_parser(description, *, render=False):
    """Command-line options of a benchmark on tables: ``--data``, and ``--render`` for one that need not measure."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", help="folder of the tables; default: SKKED_DATA")
    if render:
        parser.add_argument("--render", action="store_true", help="only write again what the results file says")
    return parser


def pyplot():
    """matplotlib's pyplot, which draws into files and needs no screen; the same figure is the same file."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "skked"
    from matplotlib import pyplot

    return pyplot


def read_table(folder, name):
    """Columns, target and task of a table."""
    meta = json.loads((folder / "meta.json").read_text())[name]
    X = pd.read_parquet(folder / f"{name}.parquet")
    y = X.pop("target").to_numpy()
    task = "regression" if meta["task"] == "regression" else "classification"
    return X, (y.astype(float) if task == "regression" else y), task


def natural_groups(folder, name):
    """Columns of each documented group of a table, ``{name: columns}``."""
    return json.loads((folder / "meta.json").read_text())[name]["groups"]


def as_categories(X):
    """The same table with categories in place of texts, as scikit-learn's boosting takes them."""
    return X.astype(dict.fromkeys(X.select_dtypes(["object", "string"]).columns, "category"))


def split(name, n_rows, *, n_train=None, n_test=None, seed=0):
    """Row numbers to train and to test on; adult keeps its published split when all rows are asked for."""
    if name == "adult" and n_train is None:
        return np.arange(32_561), np.arange(32_561, n_rows)
    order = np.random.RandomState(seed).permutation(n_rows)
    n_test = n_test or n_rows // 4
    return order[n_test:][: n_train or n_rows], order[:n_test]


def environment():
    """Date, machine and versions."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in PACKAGES},
    }


def write_results(name, settings, rows):
    """Write measurements with the versions, the machine and the date they were made with."""
    RESULTS.mkdir(exist_ok=True)
    document = {"benchmark": name, **environment(), "settings": settings, "rows": rows}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def spread(values):
    """Mean ± standard deviation as a cell of a table; a single value by itself, and a dash for none."""
    if len(values) < 2:
        return f"{values[0]:.1f}" if len(values) else "–"
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"


def mean_and_interval(values):
    """Mean of paired differences and its 95 % interval by Student's t."""
    from scipy import stats

    values = np.asarray(values, dtype=float)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)
