"""`python -m audiopipe` is `audiopipe`."""

from audiopipe.cli import main

main()
