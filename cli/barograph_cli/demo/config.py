"""The configuration of a demo run: the rules that ship, a model rule with a shorter memory, objectives, a webhook."""

from typing import Final

SERVICE: Final = "water-flow-api"
MODEL_WINDOW: Final = "10s"
# A version that was rolled back predicts nothing more: its alert ends so long after its last error.
MODEL_NO_DATA_FOR: Final = "3s"
# The rest of the rule is as it ships; a test compares them.
_TEMPLATE: Final = """\
# Written by `barograph demo`. The rules that ship are in force: failed requests, slow responses, model error,
# memory and CPU. Only the model rule is written down here, because its window and its wait for data are shortened
# from five minutes to seconds: no one would wait so long for the recovery.

[[rule]]
name = "model-error"
on = "model"
by = ["model", "version"]
window = "{window}"
when = "absolute_error.avg > 15 and absolute_error.count >= 50"
resolve_when = "absolute_error.avg < 12"
severity = "error"
no_data = "resolve"
no_data_for = "{no_data_for}"
summary = "MAE of {{{{ model }}}} {{{{ version }}}} is {{{{ absolute_error.avg | rounded(1) }}}} \
over {{{{ absolute_error.count }}}} predictions"

# Two objectives, with budgets for an hour and windows of seconds: `barograph slo list`, or the page.
# Those of a team would have 30 days, and the windows that are used where none are written.
[[slo]]
name = "availability"
service = "{service}"
good = "errors == 0"
objective = "95 %"
period = "1h"
windows = [{{ burn_rate = 2, long = "30s", short = "5s", severity = "critical" }}]

[[slo]]
name = "speed"
service = "{service}"
good = "duration_ms < 500"
objective = "95 %"
period = "1h"
windows = [{{ burn_rate = 2, long = "30s", short = "5s", severity = "critical" }}]

[[channel]]
name = "demo-webhook"
type = "webhook"
url = "{webhook}"
allow_private = true    # the receiver is a part of the demo, on this machine

[[route]]
channels = ["demo-webhook"]
"""


def demo_config(webhook_url: str) -> str:
    """Return the text of the demo's ``barograph.toml``."""
    return _TEMPLATE.format(service=SERVICE, window=MODEL_WINDOW, no_data_for=MODEL_NO_DATA_FOR, webhook=webhook_url)
