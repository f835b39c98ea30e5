"""Writing a file so that there is never half of one."""

import os
import shutil
import uuid
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path, content):
    """Write to a file: all of it, or the file stays as it was.

    Parameters
    ----------
    path : str or Path
        Links are followed; what is no file, such as ``/dev/stdout``, is written to as it is.
    content : bytes or str
        Text is written in UTF-8.

    Raises
    ------
    OSError
        If it cannot be written, such as for want of space.
    """
    content = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    temporary = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        state = "stays as it was" if target.exists() else "was not made"
        raise OSError(error.errno, f"{error.strerror or error}; the file {state}", str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
