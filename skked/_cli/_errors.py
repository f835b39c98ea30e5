"""Errors in one sentence, without a traceback."""

import contextlib
import sys
import traceback
from difflib import get_close_matches

import typer

USER_ERROR, FAILURE = 2, 1


class UserError(Exception):
    """Something that whoever typed the command can put right; the message says how."""


@contextlib.contextmanager
def one_sentence_errors(debug):
    """Print an exception as one line on stderr and leave with its exit code.

    Who stops reading, such as ``head``, wants to hear nothing more; typer leaves quietly then.

    Parameters
    ----------
    debug : bool
        Print the traceback as well.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        raise typer.Exit(_say(error, debug)) from None


def suggestion(word, known):
    """Say which known word was probably meant, or which there are.

    Parameters
    ----------
    word : str
        What was typed.
    known : sequence of str
        What could have been.

    Returns
    -------
    str
        A sentence.
    """
    known = [str(name) for name in known]
    near = get_close_matches(word, known, n=3, cutoff=0.6)
    if not near:
        near = [name for name in known if name.lower() == word.lower()]
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    few = ", ".join(known[:8])
    return f"There are {few}{f' and {len(known) - 8} more' if len(known) > 8 else ''}."


def check_is_file(path):
    """Refuse a path without a file, and say which file was probably meant.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UserError
        If there is no such file.
    """
    if not path.is_file():
        near = suggestion(path.name, [p.name for p in path.parent.glob("*")]) if path.parent.is_dir() else ""
        raise UserError(f"There is no file {path}. {near if near.startswith('Did') else ''}".rstrip())


def _say(error, debug):
    if isinstance(error, UserError):
        print(f"skked: {error}", file=sys.stderr)
        return USER_ERROR
    text = " ".join(str(error).split()) or "no message"
    hint = "" if debug else " Run again with --debug for the traceback."
    print(f"skked: {type(error).__name__}: {text}{hint}", file=sys.stderr)
    return FAILURE
