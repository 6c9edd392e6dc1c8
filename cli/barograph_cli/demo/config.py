"""The configuration of a demo run: the rules that ship, a model rule with a shorter memory, and a webhook."""

from typing import Final

SERVICE: Final = "water-flow-api"
MODEL_WINDOW: Final = "15s"
# All of it but the window is the rule that ships; a test compares the two.
_TEMPLATE: Final = """\
# Written by `barograph demo`. The five rules that ship are in force: failed requests, slow responses, model error,
# memory and CPU. Only the model rule is written down here, because its window is shortened from five minutes to
# fifteen seconds: with the long one nobody would wait for the recovery.

[[rule]]
name = "model-error"
on = "model"
by = ["model", "version"]
window = "{window}"
when = "absolute_error.avg > 15 and absolute_error.count >= 50"
resolve_when = "absolute_error.avg < 12"
severity = "error"
no_data = "resolve"
summary = "MAE of {{{{ model }}}} {{{{ version }}}} is {{{{ '%.1f' | format(absolute_error.avg) }}}} \
over {{{{ absolute_error.count }}}} predictions"

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
    return _TEMPLATE.format(window=MODEL_WINDOW, webhook=webhook_url)
