"""Import this before torch: threads that wait give their core away instead of spinning.

Torch's OpenMP threads spin while they wait for each other. That costs nothing on an idle machine,
but one other busy process makes an epoch many times slower. The OpenMP library reads the setting
when torch is loaded, so it cannot be a function that is called later; a value that the user set
is kept.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
