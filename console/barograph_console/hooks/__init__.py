"""What Slack's buttons and PagerDuty's webhook ask: to acknowledge an alert, take that back, or resolve it."""
