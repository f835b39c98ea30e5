"""Tree engines beside the fastest peers: woodelf, and shapiq's compiled interventional TreeSHAP where it is installed.

``OMP_NUM_THREADS=1 python -m benchmarks.explanations.peers`` writes ``results/explanations-peers.json``. Run it in an
environment of its own with ``woodelf_explainer`` and, from Python 3.12 on, ``shapiq`` beside this package's numerical
dependencies. Both give single features only; ours gives groups. 100 background rows, CPU seconds, medians of five runs.
"""

import functools
import json

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.common import write_results
from benchmarks.explanations.trees import median_seconds
from skked._explanations._tree import TreeGame, extract_trees


def line(name, ours, theirs, factor=1, error=None):
    """One comparison; ``factor`` takes their seconds to all rows and classes."""
    ours()
    seconds, phi = median_seconds(ours)
    their_seconds, values = median_seconds(theirs)
    result = {
        "name": name,
        "ours_s": seconds,
        "theirs_s": their_seconds * factor,
        "ratio": their_seconds * factor / seconds,
        "error": error(phi, values) if error else None,
    }
    print(json.dumps(result), flush=True)
    return result


def of_single_features(trees, background, rows, phi, values):
    """Largest difference of their values to ours for single features; the timed values are those of groups."""
    singles = TreeGame(trees, np.arange(rows.shape[1]), background).shapley(rows)[:, :, -1]
    return float(np.abs(np.asarray(values).reshape(singles.shape) - singles).max())


def woodelf_lines():
    """breast_cancer, 6 superfeatures, 20,000 rows (drawn with repetition)."""
    from woodelf import WoodelfExplainer
    from xgboost import XGBClassifier

    X, y = load_breast_cancer(return_X_y=True)
    rows, labels = X[np.random.RandomState(0).randint(len(X), size=20_000)], np.arange(30) // 5
    columns = [f"x{j}" for j in range(X.shape[1])]
    frame, background = pd.DataFrame(rows, columns=columns), pd.DataFrame(X[:100], columns=columns)
    for model in (
        HistGradientBoostingClassifier(random_state=0),
        LGBMClassifier(random_state=0, n_jobs=1, verbose=-1),
        XGBClassifier(random_state=0, n_jobs=1),
    ):
        model.fit(X, y)
        trees, name = extract_trees(model), type(model).__name__
        try:
            explainer = WoodelfExplainer(model, background)
            explainer.shap_values(frame[:10], verbose=False)
        except Exception as error:
            print(f"woodelf does not take {name}: {error!r:.100}")
            continue
        yield line(
            f"{name}, breast_cancer, 20,000 rows, vs woodelf",
            functools.partial(_ours, trees, labels, X[:100], rows),
            functools.partial(explainer.shap_values, frame, verbose=False),
            error=functools.partial(of_single_features, trees, X[:100], rows),
        )


def shapiq_lines():
    """digits, 8 superfeatures, 500 rows, all classes; theirs explains four rows of one class."""
    try:
        from shapiq.tree.interventional.computer import InterventionalTreeSHAPIQ
    except ImportError as error:
        print(f"no shapiq with an interventional tree explainer: {error}")
        return
    from xgboost import XGBClassifier

    X, y = load_digits(return_X_y=True)
    rows, background, labels = X[:500], X[1197:1297], np.arange(64) // 8
    for model in (HistGradientBoostingClassifier(random_state=0), XGBClassifier(random_state=0, n_jobs=1)):
        model.fit(X[:1297], y[:1297])
        peer = InterventionalTreeSHAPIQ(model, background, class_index=1, max_order=1, index="SV")
        yield line(
            f"{type(model).__name__}, digits, 500 rows, all classes, vs shapiq",
            functools.partial(_ours, extract_trees(model), labels, background, rows),
            lambda peer=peer: [peer.explain_function(row) for row in rows[:4]],
            factor=500 / 4 * 10,
        )


def _ours(trees, labels, background, rows):
    return TreeGame(trees, labels, background).shapley(rows)


def render(document):
    """The result as Markdown."""
    lines = ["| compiled tree explainers | ours | theirs | ratio |", "|---|---|---|---|"]
    for row in document["rows"]:
        lines.append(
            f"| {row['name']} | {1e3 * row['ours_s']:.0f} ms | {1e3 * row['theirs_s']:,.0f} ms | {row['ratio']:.0f} × |"
        )
    return "\n".join(lines)


def main():
    """Measure everything and write the result."""
    lines = [*woodelf_lines(), *shapiq_lines()]
    write_results("explanations-peers", {"runs": 5, "threads": 1, "clock": "CPU seconds, median"}, lines)


if __name__ == "__main__":
    main()
