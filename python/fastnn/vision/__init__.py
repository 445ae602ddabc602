"""Images: filters drawn by hand, sizes and costs of convolutions, convolution as a matrix product."""

from fastnn.vision.filters import as_kernel as as_kernel
from fastnn.vision.filters import curve_detector as curve_detector
from fastnn.vision.filters import edge_filter as edge_filter
from fastnn.vision.filters import rescaled as rescaled
from fastnn.vision.geometry import bottleneck_multiplications as bottleneck_multiplications
from fastnn.vision.geometry import convolution_multiplications as convolution_multiplications
from fastnn.vision.geometry import output_size as output_size
from fastnn.vision.geometry import receptive_field as receptive_field
from fastnn.vision.geometry import same_padding as same_padding
from fastnn.vision.geometry import separable_multiplications as separable_multiplications
from fastnn.vision.im2col import dense_as_convolution as dense_as_convolution
from fastnn.vision.im2col import im2col as im2col
