"""Why an alert is in its state, or a channel is not told, where the condition alone does not say it.

Readers meet reasons of newer versions too, and show them as they are.
"""

from typing import Final

# Of a firing: late events, or that there is no data, and why there is none.
LATE: Final = "late"
NO_DATA: Final = "no_data"
NO_TRAFFIC: Final = "no_traffic"
PRODUCERS_DEAD: Final = "producers_dead"
LAGGING: Final = "lagging"
# Of a firing that goes on because a service whose producers are dead counts nothing.
NO_EVENTS: Final = "no_events"
# Of a firing that is told once more.
REMINDER: Final = "reminder"
ACK_EXPIRED: Final = "ack_expired"
# Of a firing that is one of many, or of an end that is not told because the alert flaps; and of what is told then.
FLAPPING: Final = "flapping"
FLAPPING_ENDED: Final = "flapping_ended"
# Of an end.
RECOVERED_PARTLY: Final = "recovered_partly"
SERIES_GONE: Final = "series_gone"
RULE_REMOVED: Final = "rule_removed"
SERVICE_RETIRED: Final = "service_retired"
RESOLVED_BY_HAND: Final = "resolved_by_hand"
NOT_PUSHED_AGAIN: Final = "not_pushed_again"
# Of an entry that no channel sends.
SEVERITY_FELL: Final = "severity_fell"
ACKNOWLEDGED: Final = "acknowledged"
PENDING: Final = "pending"
