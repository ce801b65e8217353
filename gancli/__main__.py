"""`python -m gancli`, which is also what torchrun starts."""

from gancli.cli import main

main()
