"""`python -m penstock_cli` is the `penstock` command."""

from penstock_cli.main import main

main()
