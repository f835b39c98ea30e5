"""What a search costs beside one fit: ``python -m benchmarks.training.search --data FOLDER``.

``KEDClassifierCV`` with its default candidates beside ``KEDClassifier``, same teacher, on the training part of adult.
Writes ``results/training-search.json``.
"""

import resource
import time

import skked
from benchmarks.common import data_folder, read_table, split, table_parser, write_results


def main():
    options = table_parser(__doc__).parse_args()
    X, y, _ = read_table(data_folder(options.data), "adult")
    train, test = split("adult", len(X))
    rows = []
    for model in (skked.KEDClassifier(random_state=0), skked.KEDClassifierCV(random_state=0)):
        start, cpu = time.perf_counter(), time.process_time()
        model.fit(X.iloc[train], y[train])
        rows.append(
            {
                "model": type(model).__name__,
                "seconds": time.perf_counter() - start,
                "cpu_seconds": time.process_time() - cpu,
                "candidates": len(model.cv_results_["params"]) if hasattr(model, "cv_results_") else 1,
                "accuracy": float(model.score(X.iloc[test], y[test])),
                "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            }
        )
        print(rows[-1], flush=True)
    write_results("training-search", {"n_train": len(train)}, rows)
    print(f"ratio of CPU seconds: {rows[1]['cpu_seconds'] / rows[0]['cpu_seconds']:.2f}")


if __name__ == "__main__":
    main()
