"""Things that several jobs share, shipped once."""

import pickle

import numpy as np
import pytest
from joblib import Parallel, parallel_config

from skked._parallel import _Parcel, jobs_of


class Heavy:
    """Counts how often it is packed."""

    packed = 0

    def __init__(self, number):
        self.number = number

    def __getstate__(self):
        Heavy.packed += 1
        return {"number": self.number}


def add(heavy, array, label, number):
    return heavy.number + array.sum() + len(label) + number


@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
def test_jobs_get_what_they_share_and_their_own(backend):
    Heavy.packed = 0
    with parallel_config(backend=backend):
        jobs = jobs_of(add, (Heavy(100), np.ones(10), "four"), [(k,) for k in range(6)], 2)
        found = Parallel(n_jobs=2)(jobs)
    assert found == [114 + k for k in range(6)]
    assert Heavy.packed == (backend == "loky")


def test_parcels_are_opened_once():
    parcel = _Parcel(Heavy(3))
    again = pickle.loads(pickle.dumps(parcel))
    assert parcel == again and hash(parcel) == hash(again) and parcel != _Parcel(Heavy(4))
    assert again.open() is parcel.open()
    assert again.open().number == 3


class Cluster:
    """The client of a cluster, as far as it is asked."""

    def __init__(self):
        self.shipped = []

    def scatter(self, things, broadcast, hash):
        self.shipped.append((things, broadcast, hash))
        return things


def test_a_cluster_gets_shared_things_once_and_everywhere():
    from joblib import register_parallel_backend
    from joblib._parallel_backends import ThreadingBackend

    class ClusterBackend(ThreadingBackend):
        supports_sharedmem = False
        client = Cluster()

    register_parallel_backend("skked test cluster", ClusterBackend)
    shared = Heavy(100), np.ones(10), "four"
    with parallel_config(backend="skked test cluster"):
        found = Parallel(n_jobs=2)(jobs_of(add, shared, [(k,) for k in range(6)], 2))
    assert found == [114 + k for k in range(6)]
    assert ClusterBackend.client.shipped == [(list(shared), True, False)]
