"""Learners from before backpropagation."""

from fastnn.classic.perceptron import Perceptron as Perceptron
