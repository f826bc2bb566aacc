"""Compute the features of many clips and write them as a feature set.

    python -m pipelines.precompute INPUT OUTPUT --config NAME [Beam options]

The options are those of `audiopipe precompute`.
"""

import sys

from audiopipe.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "precompute")
    main()
