"""The demo: train on a real table or on real handwriting, save, draw, reload."""

from fastnn.demo.run import run as run
