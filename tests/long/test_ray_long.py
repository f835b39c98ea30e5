"""The same bits on Ray's workers, where Ray is installed; no dependency of ours, not even for tests."""

import os

import joblib
import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from skked import KEDClassifier

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]  # Ray's, about its own settings

RNG = np.random.RandomState(0)
X = RNG.normal(size=(120, 6))
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)


class Located(DecisionTreeClassifier):
    """Leaves a file for every process that asks it; no engine can read its tree."""

    folder = None

    def predict_proba(self, X):
        if self.folder is not None:
            open(os.path.join(self.folder, str(os.getpid())), "a").close()
        return super().predict_proba(X)

    def fit(self, X, y, sample_weight=None):
        self.folder = os.environ.get("LOCATED")
        return super().fit(X, y, sample_weight)


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    from ray.util.joblib import register_ray

    variables = {"LOCATED": str(tmp_path_factory.mktemp("located"))}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": variables})
    register_ray()
    yield variables["LOCATED"]
    ray.shutdown()


def test_a_fit_on_ray_has_the_same_bits(workers):
    settings = {"superfeatures": [0, 0, 1, 1, 2, 2], "cv": 2, "max_iter": 3, "chimeric": False, "random_state": 0}
    expected = KEDClassifier(Located(max_depth=4), **settings).fit(X, Y).decision_function(X)
    with joblib.parallel_config(backend="ray", n_jobs=2):
        found = KEDClassifier(Located(max_depth=4), **settings).fit(X, Y).decision_function(X)
    np.testing.assert_array_equal(found, expected)
    assert set(os.listdir(workers)) - {str(os.getpid())}  # it was they who worked
