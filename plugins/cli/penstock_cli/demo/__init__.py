"""The demo: a census of the standard library, its report, and the command that takes it through every part."""
