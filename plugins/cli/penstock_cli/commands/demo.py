"""`penstock demo`, which has a package of its own."""

from penstock_cli.demo.command import demo

__all__ = ["demo"]
