"""For authors of plugins: each kind's contract as a class of tests to subclass. Needs pytest."""
