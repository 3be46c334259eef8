"""One thread for each test process: toy arrays gain nothing from more, parallel runs lose."""

import torch

torch.set_num_threads(1)
