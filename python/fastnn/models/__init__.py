"""Models."""

from fastnn.models.cloning import clone_model as clone_model
from fastnn.models.collapse import collapse as collapse
from fastnn.models.drawing import plot_model as plot_model
from fastnn.models.functional import Functional as Functional
from fastnn.models.fusing import fuse as fuse
from fastnn.models.model import Model as Model
from fastnn.models.saving import load_model as load_model
from fastnn.models.saving import model_from_json as model_from_json
from fastnn.models.saving import save_model as save_model
from fastnn.models.sequential import Sequential as Sequential
