"""The models that the latency benchmark compares, all fitted on one generated table."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skked import KDClassifier, KEDClassifier

N_TRAIN, N_FEATURES, N_SUPERFEATURES = 5000, 30, 6
MAX_ITER = 20  # epochs; more would not change how long a prediction takes
TEXT_COLUMNS, LEVELS = 6, ("north", "east", "south", "west")


def table():
    """Rows and labels to train on."""
    return make_classification(N_TRAIN, N_FEATURES, n_informative=15, flip_y=0.1, random_state=0)


def fitted_models(X, y):
    """Models of arrays, by name."""
    from interpret.glassbox import ExplainableBoostingClassifier
    from lightgbm import LGBMClassifier

    boosting = LGBMClassifier(random_state=0, n_jobs=1, verbose=-1).fit(X, y)
    teaching = {"teacher": FrozenEstimator(boosting), "chimeric": False, "max_iter": MAX_ITER, "random_state": 0}
    student = KEDClassifier(superfeatures=N_SUPERFEATURES, network="additive", n_explanations=100, **teaching).fit(X, y)
    width = (student.n_parameters_ - 1) // (X.shape[1] + 2)
    models = {
        "KDClassifier": KDClassifier(hidden_layer_sizes=width, **teaching),
        "LogisticRegression": LogisticRegression(max_iter=100),
        "MLPClassifier": MLPClassifier((width,), max_iter=MAX_ITER, random_state=0),
        "skorch": skorch_network(X.shape[1], width),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
        "EBM": ExplainableBoostingClassifier(outer_bags=2, max_rounds=300, n_jobs=1, random_state=0),
        "RandomForest(300)": RandomForestClassifier(300, random_state=0),
    }
    fitted = {name: model.fit(X, y) for name, model in models.items()}
    for one in (student, fitted["KDClassifier"]):
        one.set_params(teacher=None)  # a pickle holds all parameters, frozen teachers too
        del one.teacher_
    return {"KEDClassifier": student, **fitted, "LightGBM": boosting}


def skorch_network(n_features, width):
    """The same network as MLPClassifier's, in torch, behind skorch; it takes float32."""
    from skorch import NeuralNetClassifier
    from torch import nn

    layers = nn.Sequential(nn.Linear(n_features, width), nn.ReLU(), nn.Linear(width, 2), nn.Softmax(dim=1))
    network = NeuralNetClassifier(layers, max_epochs=MAX_ITER, batch_size=1024, train_split=None, verbose=0)
    return make_pipeline(_Single(), network)


class _Single(StandardScaler):
    """Scaled rows in single precision."""

    def fit(self, X, y=None):
        return super().fit(X)

    def transform(self, X):
        return super().transform(X).astype(np.float32)


def n_weights(network):
    """Parameters of an MLPClassifier."""
    return sum(array.size for array in [*network.coefs_, *network.intercepts_])


def fitted_on_frames(X, y):
    """Students and linear models of frames, by kind of frame, with the frame."""
    numbers = pd.DataFrame(X, columns=[f"column {j}" for j in range(X.shape[1])])
    texts = {f"text {j}": pd.cut(X[:, j], 4, labels=LEVELS).astype(str) for j in range(TEXT_COLUMNS)}
    mixed = numbers.iloc[:, TEXT_COLUMNS : 2 * TEXT_COLUMNS].assign(**texts)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), list(texts)), remainder=StandardScaler(), sparse_threshold=0
    )
    linear = {
        "frame of 30 numbers": (numbers, LogisticRegression(max_iter=100)),
        "frame of 6 numbers and 6 texts": (mixed, make_pipeline(encode, LogisticRegression(max_iter=100))),
    }
    found = {}
    for kind, (frame, model) in linear.items():
        student = KEDClassifier(
            superfeatures=N_SUPERFEATURES, network="additive", n_explanations=100, max_iter=MAX_ITER, random_state=0
        )
        student.set_params(teacher=model, chimeric=False)
        found[kind] = (frame, student.fit(frame, y), model.fit(frame, y))
    return found
