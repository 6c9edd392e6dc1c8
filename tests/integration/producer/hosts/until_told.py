"""A plain script that records and waits for SIGTERM: ``until_told.py URL PREFIX exit|asked``."""

import signal
import sys
import threading
from types import FrameType

from barograph_producer import Producer


def leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


url, prefix, how = sys.argv[1:]
if how == "exit":
    signal.signal(signal.SIGTERM, leave)
producer = Producer("ranker", url, prefix=prefix, sample_process=False, ship_every_ms=60_000)
if how == "asked":
    producer.close_on_sigterm()
for i in range(40):
    producer.request("/predict", "POST", 200, float(i))
print("ready", flush=True)
threading.Event().wait(30)
