"""Finished work on disk: joblib's Memory, under names that survive a restart, checked when it is read.

joblib names a result by the bits of its arguments. A fitted model that was just made and the same model read from disk
have other bits, because they share other objects inside, so a restarted fit would not find what comes after its
teacher. Here arguments are named as they look once they were pickled, which no further pickling changes.
"""

import errno
import functools
import hashlib
import inspect
import os
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
from sklearn.utils.validation import check_memory

import skked

__all__ = ["OFF", "CheckedMemory"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class CheckedMemory:
    """Keeps the results of functions, as :class:`joblib.Memory` does, and knows damaged ones.

    Parameters
    ----------
    memory : str, object with ``cache`` or None
        A folder, a :class:`joblib.Memory`, or None to keep nothing.

    Raises
    ------
    NotADirectoryError
        If `memory` is the name of a file.
    """

    def __init__(self, memory):
        if isinstance(memory, str) and os.path.exists(memory) and not os.path.isdir(memory):
            raise NotADirectoryError(
                errno.ENOTDIR,
                "Expected memory as a folder, which is made if there is none, got a file; name another place",
                memory,
            )
        self.memory = None if memory is None else check_memory(memory)

    @property
    def is_on(self):
        """bool: whether anything is kept."""
        return self.memory is not None and getattr(self.memory, "location", True) is not None

    def cache(self, function, ignore=()):
        """The function, its results kept.

        Parameters
        ----------
        function : callable
            Of arguments that can be pickled.
        ignore : list of str, default=()
            Names of the arguments that do not change the result.

        Returns
        -------
        callable
        """
        return functools.partial(self._kept_by_arguments, function, ignore) if self.is_on else function

    def name(self, *things):
        """A name for a result of these things, the same in every process.

        Raises
        ------
        TypeError
            If one of them cannot be pickled.
        """
        return joblib.hash([skked.__version__, *map(_as_pickled, things)])

    def keep(self, name, function, *args, **kwargs):
        """``function(*args, **kwargs)``, from the disk if a result of this name is there and whole.

        On a full disk the work goes on, with a warning, joblib's or this one: nobody shall lose a result because a copy
        of it found no room.
        """
        if not self.is_on:
            return function(*args, **kwargs)
        call = self.memory.cache(_kept, ignore=["function", "args", "kwargs"])
        try:
            return call(name, function, args, kwargs).value
        except OSError as error:
            if error.errno not in _FULL:
                raise
            warnings.warn(f"Unable to keep a result in {self.memory}: {error}.", stacklevel=2)
            return function(*args, **kwargs)

    def _kept_by_arguments(self, function, ignore, *args, **kwargs):
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        relevant = [(key, value) for key, value in sorted(given.items()) if key not in ignore]
        stage = f"{function.__module__}.{function.__qualname__}"
        name = self.name(stage, *(part for pair in relevant for part in pair))
        return self.keep(f"{stage} {name}", function, *args, **kwargs)


class _Kept:
    """A value that is written with a checksum."""

    def __init__(self, value):
        self.value = value

    def __getstate__(self):
        content = pickle.dumps(self.value, protocol=5)
        return {"content": content, "checksum": hashlib.sha256(content).hexdigest()}

    def __setstate__(self, state):
        if hashlib.sha256(state["content"]).hexdigest() != state["checksum"]:
            raise ValueError("This kept result is damaged; it is computed anew.")
        self.value = pickle.loads(state["content"])


def _kept(name, function, args, kwargs):
    return _Kept(function(*args, **kwargs))


def _as_pickled(thing):
    """The thing, as it will be after any number of trips through pickle."""
    if thing is None or isinstance(thing, (str, int, float, np.ndarray, pd.DataFrame)):
        return thing
    try:
        return pickle.loads(pickle.dumps(thing, protocol=5))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"memory needs what can be pickled, got {type(thing).__name__}: {error}. Define its class or function at "
            "the top of a module, or leave memory out."
        ) from error


OFF = CheckedMemory(None)
"""Keeps nothing."""
