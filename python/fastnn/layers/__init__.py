"""Layers, with Keras's names, arguments and defaults."""

from collections.abc import Mapping as _Mapping
from typing import Any as _Any

from fastnn.layers.activation import ELU as ELU
from fastnn.layers.activation import Activation as Activation
from fastnn.layers.activation import LeakyReLU as LeakyReLU
from fastnn.layers.activation import Maxout as Maxout
from fastnn.layers.activation import PReLU as PReLU
from fastnn.layers.activation import ReLU as ReLU
from fastnn.layers.activation import Softmax as Softmax
from fastnn.layers.attention import AdditiveAttention as AdditiveAttention
from fastnn.layers.attention import Attention as Attention
from fastnn.layers.batch_normalization import BatchNormalization as BatchNormalization
from fastnn.layers.bidirectional import Bidirectional as Bidirectional
from fastnn.layers.conv_lstm import ConvLSTM1D as ConvLSTM1D
from fastnn.layers.conv_lstm import ConvLSTM2D as ConvLSTM2D
from fastnn.layers.conv_lstm import ConvLSTM3D as ConvLSTM3D
from fastnn.layers.convolution import Conv1D as Conv1D
from fastnn.layers.convolution import Conv1DTranspose as Conv1DTranspose
from fastnn.layers.convolution import Conv2D as Conv2D
from fastnn.layers.convolution import Conv2DTranspose as Conv2DTranspose
from fastnn.layers.convolution import Conv3D as Conv3D
from fastnn.layers.convolution import Conv3DTranspose as Conv3DTranspose
from fastnn.layers.convolution import DepthwiseConv1D as DepthwiseConv1D
from fastnn.layers.convolution import DepthwiseConv2D as DepthwiseConv2D
from fastnn.layers.convolution import SeparableConv1D as SeparableConv1D
from fastnn.layers.convolution import SeparableConv2D as SeparableConv2D
from fastnn.layers.dense import Dense as Dense
from fastnn.layers.dropout import Dropout as Dropout
from fastnn.layers.dropout import SpatialDropout1D as SpatialDropout1D
from fastnn.layers.dropout import SpatialDropout2D as SpatialDropout2D
from fastnn.layers.dropout import SpatialDropout3D as SpatialDropout3D
from fastnn.layers.einsum_dense import EinsumDense as EinsumDense
from fastnn.layers.embedding import Embedding as Embedding
from fastnn.layers.embedding import Masking as Masking
from fastnn.layers.gru import GRU as GRU
from fastnn.layers.gru import GRUCell as GRUCell
from fastnn.layers.image_size import CenterCrop as CenterCrop
from fastnn.layers.image_size import Resizing as Resizing
from fastnn.layers.input import Input as Input
from fastnn.layers.input import InputLayer as InputLayer
from fastnn.layers.input_spec import InputSpec as InputSpec
from fastnn.layers.layer import Layer as Layer
from fastnn.layers.layer import registry as _registry
from fastnn.layers.lstm import LSTM as LSTM
from fastnn.layers.lstm import LSTMCell as LSTMCell
from fastnn.layers.merging import Add as Add
from fastnn.layers.merging import Average as Average
from fastnn.layers.merging import Concatenate as Concatenate
from fastnn.layers.merging import Dot as Dot
from fastnn.layers.merging import Maximum as Maximum
from fastnn.layers.merging import Minimum as Minimum
from fastnn.layers.merging import Multiply as Multiply
from fastnn.layers.merging import Subtract as Subtract
from fastnn.layers.merging import add as add
from fastnn.layers.merging import average as average
from fastnn.layers.merging import concatenate as concatenate
from fastnn.layers.merging import dot as dot
from fastnn.layers.merging import maximum as maximum
from fastnn.layers.merging import minimum as minimum
from fastnn.layers.merging import multiply as multiply
from fastnn.layers.merging import subtract as subtract
from fastnn.layers.multi_head_attention import GroupedQueryAttention as GroupedQueryAttention
from fastnn.layers.multi_head_attention import GroupQueryAttention as GroupQueryAttention
from fastnn.layers.multi_head_attention import MultiHeadAttention as MultiHeadAttention
from fastnn.layers.noise import AlphaDropout as AlphaDropout
from fastnn.layers.noise import GaussianDropout as GaussianDropout
from fastnn.layers.noise import GaussianNoise as GaussianNoise
from fastnn.layers.normalization import GroupNormalization as GroupNormalization
from fastnn.layers.normalization import LayerNormalization as LayerNormalization
from fastnn.layers.normalization import LocalResponseNormalization as LocalResponseNormalization
from fastnn.layers.normalization import RMSNormalization as RMSNormalization
from fastnn.layers.normalization import UnitNormalization as UnitNormalization
from fastnn.layers.pooling import AdaptiveAveragePooling1D as AdaptiveAveragePooling1D
from fastnn.layers.pooling import AdaptiveAveragePooling2D as AdaptiveAveragePooling2D
from fastnn.layers.pooling import AdaptiveAveragePooling3D as AdaptiveAveragePooling3D
from fastnn.layers.pooling import AdaptiveMaxPooling1D as AdaptiveMaxPooling1D
from fastnn.layers.pooling import AdaptiveMaxPooling2D as AdaptiveMaxPooling2D
from fastnn.layers.pooling import AdaptiveMaxPooling3D as AdaptiveMaxPooling3D
from fastnn.layers.pooling import AveragePooling1D as AveragePooling1D
from fastnn.layers.pooling import AveragePooling2D as AveragePooling2D
from fastnn.layers.pooling import AveragePooling3D as AveragePooling3D
from fastnn.layers.pooling import AvgPool1D as AvgPool1D
from fastnn.layers.pooling import AvgPool2D as AvgPool2D
from fastnn.layers.pooling import AvgPool3D as AvgPool3D
from fastnn.layers.pooling import GlobalAveragePooling1D as GlobalAveragePooling1D
from fastnn.layers.pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
from fastnn.layers.pooling import GlobalAveragePooling3D as GlobalAveragePooling3D
from fastnn.layers.pooling import GlobalAvgPool1D as GlobalAvgPool1D
from fastnn.layers.pooling import GlobalAvgPool2D as GlobalAvgPool2D
from fastnn.layers.pooling import GlobalAvgPool3D as GlobalAvgPool3D
from fastnn.layers.pooling import GlobalMaxPool1D as GlobalMaxPool1D
from fastnn.layers.pooling import GlobalMaxPool2D as GlobalMaxPool2D
from fastnn.layers.pooling import GlobalMaxPool3D as GlobalMaxPool3D
from fastnn.layers.pooling import GlobalMaxPooling1D as GlobalMaxPooling1D
from fastnn.layers.pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
from fastnn.layers.pooling import GlobalMaxPooling3D as GlobalMaxPooling3D
from fastnn.layers.pooling import MaxPool1D as MaxPool1D
from fastnn.layers.pooling import MaxPool2D as MaxPool2D
from fastnn.layers.pooling import MaxPool3D as MaxPool3D
from fastnn.layers.pooling import MaxPooling1D as MaxPooling1D
from fastnn.layers.pooling import MaxPooling2D as MaxPooling2D
from fastnn.layers.pooling import MaxPooling3D as MaxPooling3D
from fastnn.layers.position import PositionEmbedding as PositionEmbedding
from fastnn.layers.position import RotaryEmbedding as RotaryEmbedding
from fastnn.layers.position import SinePositionEncoding as SinePositionEncoding
from fastnn.layers.position import TokenAndPositionEmbedding as TokenAndPositionEmbedding
from fastnn.layers.preprocessing import Normalization as Normalization
from fastnn.layers.preprocessing import Rescaling as Rescaling
from fastnn.layers.recurrent import RNN as RNN
from fastnn.layers.recurrent import StackedRNNCells as StackedRNNCells
from fastnn.layers.regularization import ActivityRegularization as ActivityRegularization
from fastnn.layers.reshaping import Flatten as Flatten
from fastnn.layers.reshaping import Identity as Identity
from fastnn.layers.reshaping import Permute as Permute
from fastnn.layers.reshaping import RepeatVector as RepeatVector
from fastnn.layers.reshaping import Reshape as Reshape
from fastnn.layers.resizing import Cropping1D as Cropping1D
from fastnn.layers.resizing import Cropping2D as Cropping2D
from fastnn.layers.resizing import Cropping3D as Cropping3D
from fastnn.layers.resizing import UpSampling1D as UpSampling1D
from fastnn.layers.resizing import UpSampling2D as UpSampling2D
from fastnn.layers.resizing import UpSampling3D as UpSampling3D
from fastnn.layers.resizing import ZeroPadding1D as ZeroPadding1D
from fastnn.layers.resizing import ZeroPadding2D as ZeroPadding2D
from fastnn.layers.resizing import ZeroPadding3D as ZeroPadding3D
from fastnn.layers.simple_rnn import SimpleRNN as SimpleRNN
from fastnn.layers.simple_rnn import SimpleRNNCell as SimpleRNNCell
from fastnn.layers.spectral_normalization import SpectralNormalization as SpectralNormalization
from fastnn.layers.time_distributed import TimeDistributed as TimeDistributed
from fastnn.layers.transformer import TransformerDecoder as TransformerDecoder
from fastnn.layers.transformer import TransformerEncoder as TransformerEncoder
from fastnn.layers.wrapper import Wrapper as Wrapper
from fastnn.registry import serialize as serialize

# Keras's longer names.
Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D


def deserialize(config: _Mapping[str, _Any], custom_objects: _Mapping[str, _Any] | None = None) -> Layer:
    """The layer that serialize() described. custom_objects: layers of your own, by class name."""
    layer: Layer = _registry.deserialize(config, custom_objects)
    return layer
