"""Removes what is past its time or bound: entries of the events stream, services, blocks of closed panes."""
