"""Program that unpickles the functions of a pipeline as a worker of a cluster does, with only audiopipe installed.

    python unpickle.py PROTO

PROTO is the pipeline's portable proto. The program prints one line of JSON per function: its class, the size of its
pickle in bytes, and the modules that the pickle names.
"""

import base64
import bz2
import json
import pickletools
import sys

from apache_beam.internal import pickler
from apache_beam.portability.api import beam_runner_api_pb2


def modules(pickle: bytes) -> list[str]:
    """Returns the modules of all classes and functions that a pickle refers to."""
    names, strings = set(), []
    for opcode, argument, _ in pickletools.genops(pickle):
        if isinstance(argument, str) and "UNICODE" in opcode.name:
            strings.append(argument)
        elif opcode.name == "GLOBAL":
            names.add(argument.split(" ")[0])
    # STACK_GLOBAL may take its module from the pickle's memo, so every string that names a module counts.
    return sorted(names | {text for text in strings if text in sys.modules})


def main(proto: str) -> None:
    """Prints facts about the functions of a pipeline."""
    with open(proto, "rb") as file:
        pipeline = beam_runner_api_pb2.Pipeline.FromString(file.read())
    for transform in pipeline.components.transforms.values():
        if transform.spec.urn != "beam:transform:pardo:v1":
            continue
        payload = beam_runner_api_pb2.ParDoPayload.FromString(transform.spec.payload).do_fn.payload
        function = pickler.loads(payload)[0]  # with its arguments and its windowing
        kind = f"{type(function).__module__}.{type(function).__qualname__}"
        named = modules(bz2.decompress(base64.b64decode(payload)))
        print(json.dumps({"class": kind, "bytes": len(payload), "modules": named}))


if __name__ == "__main__":
    main(sys.argv[1])
