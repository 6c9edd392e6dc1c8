"""The ``barograph`` command, the only place that composes every stage."""
