"""The student that AutoGluon distils from its own ensemble; needs autogluon.tabular, in an environment of its own."""

import logging
import tempfile

import pandas as pd


class AutoGluonStudent:
    """The best of what ``TabularPredictor.distill`` makes, by AutoGluon's own validation.

    The teacher is AutoGluon's ensemble of the models that it fits by default and finds installed; the students are
    boosting, a forest and their weighted mean, of full size, taught on rows that AutoGluon mixes from the table's.
    """

    def __init__(self, task):
        self.task = task

    def fit(self, X, y):
        from autogluon.tabular import TabularPredictor

        logging.getLogger("autogluon").setLevel(logging.ERROR)
        table = X.assign(target=y)
        kind = "regression" if self.task == "regression" else "multiclass" if pd.Series(y).nunique() > 2 else "binary"
        self.folder = tempfile.TemporaryDirectory()  # goes when the student does
        self.predictor = TabularPredictor("target", problem_type=kind, path=self.folder.name, verbosity=0)
        self.predictor.fit(table, num_cpus=1, num_gpus=0)
        students = self.predictor.distill(hyperparameters={"GBM": {}, "RF": {}}, verbosity=0)
        board = self.predictor.leaderboard().set_index("model")
        self.name = board.loc[students, "score_val"].idxmax()
        self.classes_ = None if kind == "regression" else self.predictor.class_labels
        return self

    def predict(self, X):
        return self.predictor.predict(X, model=self.name).to_numpy()

    def predict_proba(self, X):
        return self.predictor.predict_proba(X, model=self.name)[self.classes_].to_numpy()
