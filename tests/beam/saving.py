"""Writing of elements to a folder, for pipelines whose functions run in other processes."""

import os
import pickle
import uuid
from pathlib import Path


def save(element, folder):
    """Writes an element to a file, with the number of the process."""
    Path(folder, f"{uuid.uuid4().hex}.pickle").write_bytes(pickle.dumps((os.getpid(), element)))


def saved(folder):
    """Returns the elements by their ids, and the processes that wrote them."""
    found = [pickle.loads(file.read_bytes()) for file in Path(folder).glob("*.pickle")]
    elements = {element["id"]: element for _, element in found}
    assert len(elements) == len(found)
    return elements, {process for process, _ in found}
