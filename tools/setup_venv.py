"""Make .venv and install digitlab: python tools/setup_venv.py [--for lab] [--open].

`make` calls this file; where there is no `make`, call it yourself, with --open as `make lab`. Only
the guard below has to be readable by the Pythons that it turns away: the work is done in
environment.py.
"""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "digitlab needs Python 3.11 or newer and this is Python %d.%d: install a newer one and "
        "run make again; if you have one already, name it: make lab PYTHON=python3.12\n"
        % sys.version_info[:2]
    )
    sys.exit(1)

from environment import main

if __name__ == "__main__":
    sys.exit(main())
