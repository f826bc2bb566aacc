"""Entry point of `python -m audiopipe`, the same program as `audiopipe`."""

import sys


def _drop_working_directory() -> None:
    """Remove the folder that `-m` puts first on `sys.path`: modules that lie beside somebody's data must not run."""
    if not sys.flags.safe_path and sys.argv[0] == __file__:
        del sys.path[0]


if __name__ == "__main__":
    _drop_working_directory()

    from audiopipe.cli import main

    main()
