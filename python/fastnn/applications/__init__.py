"""Known architectures as plain functions. They return models to be compiled, with new weights.

width multiplies the channels of the published networks; classifier_activation=None leaves logits, for losses with
from_logits=True. The networks for small images (`...Cifar`, `SmallCNN`) are those of bench/models.py.
"""

from fastnn.applications.alexnet import AlexNet as AlexNet
from fastnn.applications.alexnet import ZFNet as ZFNet
from fastnn.applications.inception import GoogLeNet as GoogLeNet
from fastnn.applications.inception import InceptionV3 as InceptionV3
from fastnn.applications.lenet import LeNet5 as LeNet5
from fastnn.applications.lenet import SmallCNN as SmallCNN
from fastnn.applications.mobilenet import MobileNet as MobileNet
from fastnn.applications.mobilenet import MobileNetCifar as MobileNetCifar
from fastnn.applications.resnet import ResNet18 as ResNet18
from fastnn.applications.resnet import ResNet50 as ResNet50
from fastnn.applications.resnet import ResNetCifar as ResNetCifar
from fastnn.applications.squeezenet import SqueezeNet as SqueezeNet
from fastnn.applications.vgg import VGG16 as VGG16
from fastnn.applications.vgg import VGGCifar as VGGCifar
