"""Finished work on disk: joblib's Memory, under names that survive a restart, checked when it is read.

joblib names a result by the bits of its arguments. A fitted model that was just made and the same model read from disk
have other bits, because they share other objects inside, so a restarted fit would not find what comes after its
teacher. Here arguments are named as they look once they were pickled, which no further pickling changes.

What joblib cannot write it leaves out with a warning, and half of it lies around. Here that is an error: who asks for
results to be kept wants to know now that they are not, before hours of work that a restart would repeat.
"""

import contextlib
import copy
import errno
import functools
import hashlib
import inspect
import os
import pickle
import shutil
import uuid

import joblib
import numpy as np
import pandas as pd
from joblib._store_backends import FileSystemStoreBackend
from sklearn.utils.validation import check_memory

import skked

__all__ = ["OFF", "CheckedMemory"]

LEAST_ROOM = 2**20
"""Bytes that are free before work is begun whose result shall be kept."""


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
    OSError
        If the folder cannot be made.
    """

    def __init__(self, memory):
        if isinstance(memory, str) and os.path.exists(memory) and not os.path.isdir(memory):
            raise NotADirectoryError(
                errno.ENOTDIR,
                "Expected memory as a folder, which is made if there is none, got a file; name another place",
                memory,
            )
        with _said_clearly(memory):
            self.memory = None if memory is None else _in_whole_files(check_memory(memory))

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

        Raises
        ------
        OSError
            If the result cannot be written, such as for want of room. Nothing of it is left behind, and what was kept
            before stays.
        TypeError
            If the result cannot be pickled.
        """
        if not self.is_on:
            return function(*args, **kwargs)
        call = self.memory.cache(_kept, ignore=["folder", "function", "args", "kwargs"])
        return call(name, _folder_of(self.memory), function, args, kwargs).value

    def _kept_by_arguments(self, function, ignore, *args, **kwargs):
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        relevant = [(key, value) for key, value in sorted(given.items()) if key not in ignore]
        stage = f"{function.__module__}.{function.__qualname__}"
        name = self.name(stage, *(part for pair in relevant for part in pair))
        return self.keep(f"{stage} {name}", function, *args, **kwargs)


class _Kept:
    """A value that is written with a checksum."""

    def __init__(self, value):
        self.value, self.content = value, _pickled(value)

    def __getstate__(self):
        return {"content": self.content, "checksum": hashlib.sha256(self.content).hexdigest()}

    def __setstate__(self, state):
        if hashlib.sha256(state["content"]).hexdigest() != state["checksum"]:
            raise ValueError("This kept result is damaged; it is computed anew.")
        self.value = pickle.loads(state["content"])


def _kept(name, folder, function, args, kwargs):
    if folder is not None and shutil.disk_usage(folder).free < LEAST_ROOM:
        raise _unkept(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), folder, LEAST_ROOM)
    return _Kept(function(*args, **kwargs))


def _folder_of(memory):
    folder = getattr(memory, "location", None)
    return str(folder) if isinstance(folder, (str, os.PathLike)) and os.path.isdir(folder) else None


class _WholeFiles(FileSystemStoreBackend):
    """joblib's store in a folder; what cannot be written is an error, and nothing of it stays."""

    def dump_item(self, call_id, item, verbose=1):
        """Write a result."""
        place = os.path.join(self.location, *call_id)
        with _said_clearly(self.location, len(item.content)):
            self.create_location(place)
            self._concurrency_safe_write(item, os.path.join(place, "output.pkl"), self._dump)

    def store_cached_func_code(self, call_id, func_code=None):
        """Write the code of the function, by which joblib knows that it has changed."""
        with _said_clearly(self.location):
            super().store_cached_func_code(call_id, func_code)

    def store_metadata(self, call_id, metadata):
        """Nobody reads any."""

    def _dump(self, item, path):
        joblib.dump(item, path, compress=self.compress)

    def _concurrency_safe_write(self, to_write, filename, write_func):
        part = f"{filename}.{uuid.uuid4().hex}.part"
        try:
            write_func(to_write, part)
            self._move_item(part, filename)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)


def _in_whole_files(memory):
    """The same memory; one of joblib's that keeps files in a folder does so by :class:`_WholeFiles`."""
    store = getattr(memory, "store_backend", None)
    if type(store) is not FileSystemStoreBackend:
        return memory
    memory, whole = copy.copy(memory), _WholeFiles()
    vars(whole).update(vars(store))
    memory.store_backend = whole
    return memory


@contextlib.contextmanager
def _said_clearly(folder, n_bytes=None):
    try:
        yield
    except OSError as error:
        raise _unkept(error, folder, n_bytes) from error


def _unkept(error, folder, n_bytes=None):
    """What to say to somebody whose results cannot be kept."""
    size = "A result" if n_bytes is None else f"A result of {n_bytes:,} bytes"
    free = f" ({shutil.disk_usage(folder).free:,} bytes are free)" if os.path.isdir(folder) else ""
    return OSError(
        error.errno,
        f"{error.strerror or error}. {size} cannot be kept in the folder of memory{free}. What was kept before is "
        "whole: make room there and fit again, which goes on after it, or fit with memory=None, which keeps nothing",
        str(folder),
    )


def _as_pickled(thing):
    """The thing, as it will be after any number of trips through pickle."""
    if thing is None or isinstance(thing, (str, int, float, np.ndarray, pd.DataFrame)):
        return thing
    return pickle.loads(_pickled(thing))


def _pickled(thing):
    try:
        return pickle.dumps(thing, protocol=5)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"memory needs what can be pickled, got {type(thing).__name__}: {error}. Define its class or function at "
            "the top of a module, or leave memory out."
        ) from error


OFF = CheckedMemory(None)
"""Keeps nothing."""
