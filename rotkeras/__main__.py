"""`python -m rotkeras`."""

from rotkeras.cli import main

main(prog_name="rotkeras")
