"""Running flows: a plan of arrays, a driver that goes through it, and the work that executors do."""
