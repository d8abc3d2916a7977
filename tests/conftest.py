"""What all tests share: one thread a process, since the tests themselves run side by side."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded
