"""Takes the place of tests/conftest.py on an emulated board: the run was made elsewhere, and nothing is quick.

On a board there is no TensorFlow to train with, so `tests.pi` makes the run of the digits where it is.
"""

from pathlib import Path

import hypothesis
import pytest

_MADE = Path("/srv/digits")
# Tests that can't be run under QEMU's user emulation, by the end of their names, and why.
_CANNOT: dict[str, str] = {}

# An example that takes a tenth of a second on a board takes seconds here.
hypothesis.settings.register_profile("emulated", deadline=None, suppress_health_check=[*hypothesis.HealthCheck])
hypothesis.settings.load_profile("emulated")


def pytest_collection_modifyitems(items):
    for item in items:
        for name, reason in _CANNOT.items():
            if item.nodeid.endswith(name):
                item.add_marker(pytest.mark.skip(reason=f"under QEMU: {reason}"))


@pytest.fixture(scope="session", autouse=True)
def no_traces_in_the_users_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def digits_photos():
    return _MADE / "photos"


@pytest.fixture(scope="session")
def digits_run():
    return _MADE / "run"
