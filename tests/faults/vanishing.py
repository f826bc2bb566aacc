"""A job whose clips vanish after they were listed and before they are read.

The program `python vanishing.py SOURCE OUTPUT CONFIG [CLIP ...]` runs the job and prints its peak memory in bytes.
"""

import os
import resource
import sys

from audiopipe import beam
from audiopipe.precompute.progress import Silent


class Vanishing(Silent):
    """Reporter that removes files once the job is planned.

    Args:
        paths: Paths of the files.
    """

    def __init__(self, paths):
        self._paths = paths

    def planned(self, **facts):
        for path in self._paths:
            os.remove(path)


def main(source, output, config, *paths):
    beam.precompute(source, output, config, num_shards=20, workers=1, reporter=Vanishing(paths))
    print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main(*sys.argv[1:])
