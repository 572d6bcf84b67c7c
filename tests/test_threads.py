"""How the threads of PyTorch wait: as digitlab sets it, unless the user has set it."""

import os
import subprocess
import sys

import pytest

SHOW = "import os; print(os.environ.get('GOMP_SPINCOUNT'))"


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, which has none of our own settings of OpenMP."""
    kept = {name: value for name, value in os.environ.items() if "OMP" not in name}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=kept | variables, check=True, capture_output=True, text=True, timeout=120
    )


def test_threads_spin_a_little_and_then_sleep() -> None:
    assert run(f"import digitlab; {SHOW}").stdout == "10000\n"


@pytest.mark.parametrize(
    ("variable", "value", "shown"),
    [("GOMP_SPINCOUNT", "7", "7"), ("OMP_WAIT_POLICY", "PASSIVE", "None")],
)
def test_a_users_own_setting_of_how_threads_wait_stays(
    variable: str, value: str, shown: str
) -> None:
    assert run(f"import digitlab; {SHOW}", **{variable: value}).stdout == f"{shown}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch brings another OpenMP elsewhere")
@pytest.mark.parametrize(
    ("imports", "taken"), [("digitlab, torch", True), ("torch, digitlab", False)]
)
def test_openmp_takes_the_setting_if_digitlab_is_imported_first(imports: str, taken: bool) -> None:
    shown = run(f"import {imports}", OMP_DISPLAY_ENV="verbose").stderr
    assert ("GOMP_SPINCOUNT = '10000'" in shown) == taken
