"""Import this before torch: threads that wait give their core away after a moment of spinning.

Torch's OpenMP threads spin while they wait for each other, by default for so long that one other
busy process makes an epoch twenty times slower. Not spinning at all doubles the time of an epoch
on an idle machine. 3,000 turns, some microseconds, cost nothing there and bound the loss. GNU's
OpenMP reads the setting when torch is loaded, so it cannot be a function that is called later; a
value that the user set is kept.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "3000")
