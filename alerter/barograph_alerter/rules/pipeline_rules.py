"""The rules that ship for the pipeline itself, on the values that it reports of itself."""

from typing import Final

# Judged on panes that the aggregators write, and by the alerter itself where none closes panes (judge/standstill.py):
# provisional, because of the age that it finds there no pane is ever closed.
PIPELINE_RULES: Final = """
[[rule]]
name = "pipeline-lag"
on = "custom"
where = { name = "barograph.watermark_age_ms" }
services = ["barograph", "barograph.*"]
window = "5s"
when = "value.max > 60000"
resolve_when = "value.max < 30000"
fire_on = "provisional"
severity = "critical"
no_data = "resolve"
summary = "figures are {{ value | ms }} behind: other alerts come late, or never while no aggregator runs"

[[rule]]
name = "rule-errors"
on = "custom"
where = { name = "barograph.evaluation_errors" }
window = "1m"
when = "value.sum > 0"
resolve_when = "value.sum == 0"
for = "30s"
keep_firing_for = "1m"
severity = "error"
summary = "{{ value | rounded }} rules could not be judged in {{ window }}: the alerter's log says why"

[[rule]]
name = "series-refused"
on = "custom"
where = { name = "barograph.series_refused" }
window = "5m"
when = "value.sum > 0"
resolve_when = "value.sum == 0"
severity = "warning"
cooldown = "1h"
summary = "{{ value | rounded }} label sets beyond series_cap in {{ window }}: rules see them as __other__ only"

[[rule]]
name = "pipeline-loss"
on = "custom"
where = { name = "barograph.entries_lost" }
window = "1m"
when = "value.sum > 0"
resolve_when = "value.sum == 0"
keep_firing_for = "5m"
severity = "critical"
cooldown = "1h"
no_data = "resolve"
summary = "{{ value | rounded }} entries of events were trimmed, deleted or flushed unread: figures lack them"

[[rule]]
name = "pipeline-dead-letters"
on = "custom"
where = { name = "barograph.entries_dead" }
window = "1m"
when = "value.sum > 0"
resolve_when = "value.sum == 0"
keep_firing_for = "5m"
severity = "warning"
cooldown = "1h"
no_data = "resolve"
summary = "{{ value | rounded }} entries of events could not be read: barograph dead list says why"

[[rule]]
name = "delivery-failing"
on = "custom"
by = ["channel"]
where = { name = "barograph.deliveries_dead" }
window = "1m"
when = "value.sum > 0"
resolve_when = "value.sum == 0"
keep_firing_for = "5m"
severity = "error"
cooldown = "1h"
no_data = "resolve"
summary = "{{ channel }} gave up {{ value | rounded }} notifications: barograph dead list says which and why"

[[rule]]
name = "producer-silent"
on = "custom"
by = ["producers_of"]
where = { name = "barograph.producer_silent" }
window = "10s"
when = "value.max > 0"
resolve_when = "value.max == 0"
for = "30s"
severity = "error"
cooldown = "1h"
no_data = "resolve"
no_data_for = "1m"
summary = "no producer of {{ producers_of }} reports any more, and none said goodbye: killed, or cut off"

[[rule]]
name = "clock-skew"
on = "custom"
where = { name = "barograph.ids_ahead_ms" }
window = "10s"
when = "value.min > 1000"
resolve_when = "value.max < 500"
for = "30s"
severity = "error"
no_data = "resolve"
summary = "entry ids are {{ value | ms }} ahead of the server's clock: it was set back, or somebody appended by hand"

[[rule]]
name = "memory-policy"
on = "custom"
where = { name = "barograph.can_evict" }
window = "1m"
when = "value.max > 0"
resolve_when = "value.max == 0"
severity = "critical"
cooldown = "1h"
no_data = "resolve"
summary = "a full server drops keys, and figures are wrong, uncounted: set maxmemory-policy to noeviction"
"""
