"""Milliseconds per optimiser step, on one thread, all sides in one run: ``python -m benchmarks.training.run``.

One student, and 160 at once (32 candidates on 5 folds, in the same batches where a search takes so many rows), beside
scikit-learn's ``MLPClassifier`` and a skorch network of the same shape, batch and optimiser. A step is the slope of the
fit's processor time in its epochs, so that what a fit does before and after the training does not count, nor what else
the machine does. Needs skorch. Writes ``results/training.json``.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import skked
from benchmarks.common import write_results
from skked._students._search import BATCHES, ROWS

N_ROWS, N_COLUMNS, N_CLASSES = 4096, 40, 4
LAMBDAS, TEMPERATURES = [0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0], [1.0, 2.0, 3.0, 5.0]


def milliseconds_per_step(fit, few, many, steps_per_epoch, repeats):
    """Median over repeats of the slope of a fit's time."""
    fit(few)
    slopes = []
    for _ in range(repeats):
        start = time.process_time()
        fit(few)
        between = time.process_time()
        fit(many)
        slopes.append((time.process_time() - between - (between - start)) / ((many - few) * steps_per_epoch))
    return 1000 * statistics.median(slopes)


def skorch_network(hidden, batch, epochs):
    """The same network and optimiser in skorch, without validation."""
    from skorch import NeuralNetClassifier

    layers = torch.nn.Sequential(
        torch.nn.Linear(N_COLUMNS, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, N_CLASSES)
    )
    return NeuralNetClassifier(
        layers,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=0.01,
        batch_size=batch,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def matrix_rate(repeats=5, size=1024):
    """Multiply-adds per second of single-precision matrix products."""
    a = np.random.RandomState(0).rand(size, size).astype(np.float32)
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        a @ a
        seconds.append(time.process_time() - start)
    return size**3 / statistics.median(seconds)


def measure(hidden, batch, repeats):
    """Milliseconds per step of every side, and the share of arithmetic in ours."""
    X, y = make_classification(
        N_ROWS, N_COLUMNS, n_informative=20, n_classes=N_CLASSES, n_clusters_per_class=2, random_state=0
    )
    X32 = X.astype(np.float32)
    teacher = FrozenEstimator(LogisticRegression(max_iter=1000).fit(X, y))
    steps = -(-N_ROWS // batch)

    def student(epochs):
        common = {"hidden_layer_sizes": hidden, "batch_size": batch, "cv": None, "device": "cpu", "random_state": 0}
        skked.KDClassifier(teacher, max_iter=epochs, **common).fit(X, y)

    def mlp(epochs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            MLPClassifier((hidden,), batch_size=batch, max_iter=epochs, n_iter_no_change=10_000).fit(X, y)

    def skorch(epochs):
        skorch_network(hidden, batch, epochs).fit(X32, y)

    rows_per_step = min(batch, ROWS // BATCHES)
    searched = BATCHES * rows_per_step * 5 // 4  # four fifths of them are trained on

    def search(epochs):
        grid = {
            "network": ["heads"],
            "explanation_weight": [0.0],
            "distillation_weight": LAMBDAS,
            "temperature": TEMPERATURES,
            "max_features": [None],
            "max_parameters": [(N_COLUMNS + 1 + N_CLASSES) * hidden + N_CLASSES],
        }
        common = {"chimeric": False, "cv": None, "superfeatures": 1, "device": "cpu", "random_state": 0}
        model = skked.KEDClassifierCV(teacher, param_grid=grid, max_iter=epochs, batch_size=batch, **common)
        model.fit(X[:searched], y[:searched])

    times = {
        "student": milliseconds_per_step(student, 10, 50, steps, repeats),
        "MLPClassifier": milliseconds_per_step(mlp, 10, 50, steps, repeats),
        "skorch": milliseconds_per_step(skorch, 5, 15, steps, repeats),
    }
    # The search takes BATCHES steps an epoch, then trains the chosen student on all rows.
    both = milliseconds_per_step(search, 5, 25, 1, repeats)
    n_networks = 5 * len(LAMBDAS) * len(TEMPERATURES)
    times["search"] = (both - -(-searched // batch) * times["student"]) / BATCHES
    per_network = times["search"] / n_networks / rows_per_step * batch
    arithmetic = 3 * batch * (N_COLUMNS + N_CLASSES) * hidden
    return {
        "hidden": hidden,
        "batch": batch,
        "milliseconds_per_step": times,
        "search": {
            "networks": n_networks,
            "rows_per_step": rows_per_step,
            "milliseconds_per_network": times["search"] / n_networks,
        },
        "ratio": {
            "MLPClassifier / student": times["MLPClassifier"] / times["student"],
            "skorch / student": times["skorch"] / times["student"],
            "student / network of the search, per row": times["student"] / per_network,
            "MLPClassifier / network of the search, per row": times["MLPClassifier"] / per_network,
        },
        "share_of_arithmetic": 1000 * arithmetic / matrix_rate() / times["student"],
    }


def render(rows):
    """Milliseconds per step as a Markdown table, and how many times faster a student's is."""
    lines = [
        "| hidden units, batch | student | `MLPClassifier` | skorch | of 160 in a search | its batch | arithmetic |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        ms, search, faster = row["milliseconds_per_step"], row["search"], row["ratio"]
        lines.append(
            f"| {row['hidden']}, {row['batch']} | {ms['student']:.2f} ms "
            f"| {ms['MLPClassifier']:.2f} ms ({faster['MLPClassifier / student']:.1f} ×) "
            f"| {ms['skorch']:.2f} ms ({faster['skorch / student']:.1f} ×) "
            f"| {search['milliseconds_per_network']:.3f} ms | {search['rows_per_step']} "
            f"| {row['share_of_arithmetic']:.0%} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        rows = [measure(hidden, batch, options.repeats) for hidden, batch in [(11, 32), (44, 32), (44, 160), (44, 512)]]
    write_results("training", {"rows": N_ROWS, "columns": N_COLUMNS, "classes": N_CLASSES, "threads": 1}, rows)
    print(render(rows))


if __name__ == "__main__":
    main()
