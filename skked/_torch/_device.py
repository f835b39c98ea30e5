"""Where to train, and how many threads to train with."""

import contextlib
import threading

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
        torch.zeros(1, device=resolved).item()  # a number must come back, which "meta" refuses
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            f"device={device!r} is not available: {reason}. Use 'auto', 'cpu' or a device that torch finds."
        ) from error
    return resolved


_threads = threading.Lock()
_training: list[int] = []
"""Number of threads to go back to, once for every training that runs now."""


@contextlib.contextmanager
def one_thread():
    """Train on one thread: small networks gain nothing from more, and the bits do not depend on their number.

    The setting belongs to the process, so of trainings that overlap only the first one knows what to go back to.
    """
    with _threads:
        _training.append(_training[0] if _training else torch.get_num_threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _threads:
            torch.set_num_threads(_training.pop())
