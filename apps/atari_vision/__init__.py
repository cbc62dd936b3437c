"""Judges of captions and of frames: rendered tables and Atari games."""

import os

# Before lmgt_core.training.driver, which else says 1: convolutions use more, and the worlds' processes need the rest.
os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 2) // 2, 1)))
