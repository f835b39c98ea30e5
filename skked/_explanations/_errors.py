"""Errors within the room."""

__all__ = ["NotApplicableError"]


class NotApplicableError(ValueError):
    """An engine does not apply to a teacher; the message says why."""
