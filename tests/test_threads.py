"""How the threads of PyTorch wait: as digitlab sets it, unless the user has set it."""

import os
import subprocess
import sys

import pytest

SHOW = "import os; print(os.environ['OMP_WAIT_POLICY'])"


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, which has none of our own settings of OpenMP."""
    kept = {name: value for name, value in os.environ.items() if "OMP" not in name}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=kept | variables, check=True, capture_output=True, text=True, timeout=120
    )


def test_threads_sleep_while_they_wait() -> None:
    assert run(f"import digitlab; {SHOW}").stdout == "PASSIVE\n"


def test_a_users_own_setting_of_how_threads_wait_stays() -> None:
    assert run(f"import digitlab; {SHOW}", OMP_WAIT_POLICY="ACTIVE").stdout == "ACTIVE\n"


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch brings another OpenMP elsewhere")
@pytest.mark.parametrize(
    ("imports", "sleeping"), [("digitlab, torch", True), ("torch, digitlab", False)]
)
def test_openmp_takes_the_setting_if_digitlab_is_imported_first(
    imports: str, sleeping: bool
) -> None:
    shown = run(f"import {imports}", OMP_DISPLAY_ENV="verbose").stderr
    assert ("GOMP_SPINCOUNT = '0'" in shown) == sleeping
