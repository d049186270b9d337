"""A file that is whole whenever it is looked at, or the one before it."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():  # such as /dev/null
        path.write_text(text)
        return
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
