"""What came before backpropagation, and averages that course notes work out by hand."""

from fastnn.classic.averages import exponential_average as exponential_average
from fastnn.classic.perceptron import Perceptron as Perceptron
