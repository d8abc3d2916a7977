"""`python -m narrows`: the command line."""

from narrows.cli import main

main()
