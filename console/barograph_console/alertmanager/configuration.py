"""The configuration as Alertmanager would have it: a receiver for each channel, without a secret. Pure."""

import json
from collections.abc import Sequence

NO_CHANNEL = "none"


def configuration_text(receivers: Sequence[str]) -> str:
    """Return YAML that Alertmanager's tools read; there is at least one receiver.

    Which channel gets which alert is decided by the notifier's routes, which have more forms than this format:
    ``barograph notify route`` shows them. Here each channel is a receiver that may get everything.
    """
    names = [json.dumps(name) for name in receivers]
    lines = ["route:", f"  receiver: {names[0]}"]
    if len(names) > 1:
        lines.append("  routes:")
        for name in names:
            lines += [f"  - receiver: {name}", "    continue: true"]
    return "\n".join([*lines, "receivers:", *(f"- name: {name}" for name in names), ""])
