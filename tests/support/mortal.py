"""Programs that end with whoever started them, though that is killed and can clean up no more."""

from __future__ import annotations

MORTAL = ("setpriv", "--pdeathsig", "KILL", "--")
"""Before a command that the main thread starts: it would end with any other thread too."""
