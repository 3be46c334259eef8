"""One thread for each test process: toy arrays gain nothing from more, parallel runs lose.

Property tests have no deadline: on a busy machine a first example may take a second.
"""

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
