"""The ``skked`` command: a demonstration on known tables, and distillation of one's own.

A leaf: it uses skked's public names only, and nothing else imports it. Only typer is imported before a command runs.
"""

from skked._cli._app import app, main

__all__ = ["app", "main"]
