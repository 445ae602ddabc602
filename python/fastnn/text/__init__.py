"""Sequences of tokens: batches of them, and what a model that predicts the next token is asked for."""

from fastnn.text.decoding import beam_search as beam_search
from fastnn.text.decoding import filtered as filtered
from fastnn.text.decoding import greedy_search as greedy_search
from fastnn.text.decoding import log_probability as log_probability
from fastnn.text.decoding import sample as sample
from fastnn.text.distance import edit_distance as edit_distance
from fastnn.text.sequences import pad_sequences as pad_sequences
from fastnn.text.sequences import teacher_forcing as teacher_forcing
