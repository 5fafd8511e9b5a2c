"""For authors of plugins: each kind's contract as a class of tests to subclass. The contracts need pytest."""

import pkgutil
import sys

if "pytest" in sys.modules:
    import pytest

    # so that a contract that fails shows the values it compared, as the author's own tests do
    pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))
