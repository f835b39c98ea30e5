"""Where to train, and how many threads to train with."""

import contextlib

import torch


def resolve_device(device):
    """The torch device that a ``device`` parameter names; ``"auto"`` is the GPU if there is one, else the CPU.

    Raises
    ------
    ValueError
        If torch knows no such device or it is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={device!r} is not available: {error}. Use 'auto', 'cpu' or a device that torch finds."
        ) from error
    return resolved


@contextlib.contextmanager
def one_thread():
    """Train on one thread: small networks gain nothing from more, and the bits do not depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
