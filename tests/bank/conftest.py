"""Fixtures of the tests of stage 1."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def loopback():
    """Reach servers on this machine directly, whatever proxy the environment names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield
