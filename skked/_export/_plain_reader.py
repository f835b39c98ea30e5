"""Reading the plain part of skops's format, so that a student is there without importing skops.

That import takes longer than all the rest, since skops looks through every module of scikit-learn, and imports torch
where it is installed. A student by itself is made of dicts, lists, arrays, numbers, texts, a few of our own types and
estimators of scikit-learn that are not fitted; whatever else a file holds is skops's to read.
"""

import importlib
import io
import json
import zipfile

import numpy as np
from sklearn.base import BaseEstimator

PROTOCOL = 2
"""The version of skops's format that is read here."""


class NotPlain(Exception):
    """The file holds more than a student by itself does."""


def read_plain(content, allowed):
    """What a file of skops holds, if that is plain.

    Parameters
    ----------
    content : bytes
        The archive.
    allowed : set of str
        Full names of the types that may be made, by ``__new__`` and their state.

    Returns
    -------
    object

    Raises
    ------
    NotPlain
        If it holds anything but dicts with texts as keys, lists, tuples, arrays, JSON, types of numbers, objects of
        allowed types, and estimators of scikit-learn.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        schema = json.loads(members.read("schema.json"))
        if schema["protocol"] != PROTOCOL:
            raise NotPlain
        return _read(schema, members, allowed)


def _read(node, members, allowed):
    reader = _READERS.get(node["__loader__"])
    if reader is None:
        raise NotPlain
    return reader(node, members, allowed)


def _read_json(node, members, allowed):
    return json.loads(node["content"])


def _read_list(node, members, allowed):
    _expect(node, "builtins.list")
    return [_read(part, members, allowed) for part in node["content"]]


def _read_tuple(node, members, allowed):
    _expect(node, "builtins.tuple")
    return tuple(_read(part, members, allowed) for part in node["content"])


def _read_dict(node, members, allowed):
    _expect(node, "builtins.dict")
    for key_type in node["key_types"]["content"]:
        _expect(key_type, "builtins.str")
    return {key: _read(part, members, allowed) for key, part in node["content"].items()}


def _read_array(node, members, allowed):
    _expect(node, "numpy.ndarray")
    if node["type"] == "numpy":
        return np.load(io.BytesIO(members.read(node["file"])), allow_pickle=False)
    values = [_read(part, members, allowed) for part in node["content"]]
    if _read(node["shape"], members, allowed) != (len(values),):
        raise NotPlain
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _read_number_type(node, members, allowed):
    kind = getattr(np, node["__class__"], None) if node["__module__"] == "numpy" else None
    if not (isinstance(kind, type) and issubclass(kind, np.number)):
        raise NotPlain
    return kind


def _read_object(node, members, allowed):
    made = _type_of(node, allowed)
    instance = made.__new__(made)
    instance.__setstate__(_read(node["content"], members, allowed))
    return instance


def _type_of(node, allowed):
    """One of the allowed types, or an estimator of scikit-learn."""
    is_allowed = _name(node) in allowed
    if not is_allowed and not node["__module__"].startswith("sklearn."):
        raise NotPlain
    made = getattr(importlib.import_module(node["__module__"]), node["__class__"])
    is_estimator = isinstance(made, type) and issubclass(made, BaseEstimator) and made.__module__ == node["__module__"]
    if not (is_estimator or (is_allowed and hasattr(made, "__setstate__"))):
        raise NotPlain
    return made


def _expect(node, name):
    if _name(node) != name:
        raise NotPlain


def _name(node):
    return f"{node['__module__']}.{node['__class__']}"


_READERS = {
    "JsonNode": _read_json,
    "ListNode": _read_list,
    "TupleNode": _read_tuple,
    "DictNode": _read_dict,
    "NdArrayNode": _read_array,
    "TypeNode": _read_number_type,
    "ObjectNode": _read_object,
}
