"""The C library keeps what the aggregator frees, where it can be told to."""

import platform
import subprocess
import sys

# In a process of its own: the setting is for good.
PROGRAM = """
import resource, sys
import numpy as np
from barograph_aggregator.process_memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.ones(1 << 17)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if not keep_freed_memory():
    sys.exit(77)
faults()
sys.exit(0 if faults() < 1_000 else 1)
"""


def test_freed_arrays_are_not_fetched_anew() -> None:
    """A hundred arrays of a MB would fault 25,000 pages; kept, they fault hardly any."""
    code = subprocess.run([sys.executable, "-c", PROGRAM], check=False).returncode
    assert code == (0 if platform.libc_ver()[0] == "glibc" else 77)
