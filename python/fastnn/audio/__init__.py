"""Sound: WAV files, and what speech recognition is given of it. Arrays in, arrays out."""

from fastnn.audio.features import frames as frames
from fastnn.audio.features import hertz_to_mel as hertz_to_mel
from fastnn.audio.features import log_mel_spectrogram as log_mel_spectrogram
from fastnn.audio.features import mel_filter_bank as mel_filter_bank
from fastnn.audio.features import mel_to_hertz as mel_to_hertz
from fastnn.audio.features import mfcc as mfcc
from fastnn.audio.features import spectrogram as spectrogram
from fastnn.audio.waves import read_wav as read_wav
