"""Arrays made ready for training."""

from fastnn.data.encoding import normalize as normalize
from fastnn.data.encoding import to_categorical as to_categorical
