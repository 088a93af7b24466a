"""What can be done, one verb a module: what it would change, and when it has taken effect."""

from __future__ import annotations

from collections.abc import Mapping

from sentinel_operator.core.actionplan.verbs import abort, drain, pause, promote, reschedule, restart, rollback, scale
from sentinel_operator.core.actionplan.verbs.case import VerbModule

VERBS: Mapping[str, VerbModule] = {
    "scale": scale.VERB,
    "reschedule": reschedule.VERB,
    "rollback": rollback.VERB,
    "restart": restart.VERB,
    "drain": drain.VERB,
    "promote": promote.VERB,
    "abort": abort.VERB,
    "pause": pause.VERB,
}
