"""Two images side by side: the one grouping of columns whose truth is known in the published system."""

import os

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from benchmarks.common import data_folder
from benchmarks.sisters.communities import digit_pairs, teachers
from skked import SuperfeatureClustering

pytestmark = [
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer"),
    pytest.mark.long,
    pytest.mark.skipif("SKKED_DATA" not in os.environ, reason="SKKED_DATA does not say where mnist_10k is"),
]


@pytest.mark.parametrize("seed", [0, 1])
def test_communities_tell_two_images_mostly_apart(seed):
    """Nine pixels of ten go to their image; hierarchical clustering of the same Hessian finds nothing here."""
    X, y, truth = digit_pairs(data_folder(None), seed, target="pair")
    network = teachers("two digits", seed)["network"].fit(X, y)
    assert network.score(X, y) > 0.9
    fitted = SuperfeatureClustering(2, method="louvain", affinity="hessian", random_state=seed)
    assert adjusted_rand_score(truth, fitted.fit(X, y, teacher=network).labels_) > 0.5
    assert len(np.unique(fitted.labels_)) == 2
