"""Jobs for joblib that share large things: these go to each worker once, however many jobs there are."""

import functools
import hashlib
import pickle

import numpy as np
import pandas as pd
from joblib import delayed, effective_n_jobs, wrap_non_picklable_objects
from joblib.parallel import get_active_backend

__all__ = ["jobs_of"]

_REMEMBERED = 4


def jobs_of(function, shared, items, n_jobs):
    """Delayed calls ``function(*shared, *item)``, for :class:`joblib.Parallel` with the same `n_jobs`.

    Parameters
    ----------
    function : callable
    shared : tuple
        Things that every call needs.
    items : iterable of tuples
        What each call alone needs.
    n_jobs : int or None

    Returns
    -------
    list
        Of what :func:`joblib.delayed` makes.

    Notes
    -----
    A backend with a ``client``, such as dask's, puts the shared things on every machine of its cluster, so that one
    that dies takes nothing with it. Other processes get tables as joblib sends them, which it does by shared files,
    and the rest pickled once and unpickled once by each process.
    """
    backend, _ = get_active_backend()
    if effective_n_jobs(n_jobs) > 1 and not getattr(backend, "supports_sharedmem", False):
        client = getattr(backend, "client", None)
        if client is not None:
            shared = tuple(client.scatter(list(shared), broadcast=True, hash=False))
        else:
            shared = tuple(map(_parcel, shared))
    # Tuples hide the items from dask, which would put large ones on a single machine and lose them with it.
    return [delayed(_call)(function, shared, item) for item in items]


def _call(function, shared, item):
    return function(*(thing.open() if isinstance(thing, _Parcel) else thing for thing in shared), *item)


def _parcel(thing):
    is_light = thing is None or isinstance(thing, (str, int, float))
    return thing if is_light or isinstance(thing, (np.ndarray, pd.DataFrame)) else _Parcel(thing)


class _Parcel:
    """A pickled thing, as an array, which joblib hands on in a file where it is large."""

    def __init__(self, thing):
        content = pickle.dumps(wrap_non_picklable_objects(thing, keep_wrapper=False), protocol=5)
        self.digest = hashlib.sha256(content).hexdigest()
        self.content = np.frombuffer(content, dtype=np.uint8)

    def open(self):
        return _opened(self)

    def __eq__(self, other):
        return self.digest == other.digest

    def __hash__(self):
        return hash(self.digest)


@functools.lru_cache(_REMEMBERED)
def _opened(parcel):
    return pickle.loads(parcel.content)
