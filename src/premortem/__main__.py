"""`python -m premortem`."""

from premortem.cli.app import main

main()
