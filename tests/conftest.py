"""What all tests share."""

import os

# Tests run side by side, and threads of OpenMP that wait for each other on few cores wait by spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")
