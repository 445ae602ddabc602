// Convolutions of well-known networks, all passes: those of bench/cases.py, channels last.

#include "fastnn/conv2d.hpp"

#include "runner.hpp"

using bench::Index;
using fastnn::Conv2dShape;

struct Layer {
  const char* name;
  Index batch, c, size, o, k, stride = 1, pad = 0, groups = 1;

  Conv2dShape shape() const {
    return {batch, size, size, c, k, k, o, stride, stride, 1, 1, pad, pad, pad, pad, groups};
  }
};

struct Forward {
  Conv2dShape s;
  std::vector<float> x = bench::normal(s.n * s.h * s.w * s.c), w = bench::normal(s.depth() * s.o);
  std::vector<float> y = std::vector<float>(static_cast<std::size_t>(s.pixels() * s.o));
  fastnn::KeptKernel kept = {};
  void operator()() {
    fastnn::cpu::conv2d<float>(x.data(), w.data(), nullptr, y.data(), nullptr, s, fastnn::Unary::linear, {},
                               kept);
  }
};

/// With respect to x, or to w.
struct Backward {
  Conv2dShape s;
  bool data;
  std::vector<float> x = bench::normal(s.n * s.h * s.w * s.c), w = bench::normal(s.depth() * s.o);
  std::vector<float> dy = bench::normal(s.pixels() * s.o);
  std::vector<float> y = data ? x : w;  // what is written
  void operator()() {
    fastnn::cpu::conv2d_backward<float>(x.data(), w.data(), dy.data(), dy.data(), data ? y.data() : nullptr,
                                        data ? nullptr : y.data(), nullptr, s, fastnn::Unary::linear, {});
  }
};

int main(int argc, char** argv) {
  const Layer layers[] = {
      {"digits8x8", 32, 1, 8, 16, 3, 1, 1},
      {"lenet1", 32, 1, 28, 6, 5, 1, 2},
      {"lenet2", 32, 6, 14, 16, 5},
      {"cifar_stem", 32, 3, 32, 64, 3, 1, 1},
      {"cifar16", 32, 16, 32, 16, 3, 1, 1},
      {"cifar64", 32, 64, 32, 64, 3, 1, 1},
      {"alexnet1", 8, 3, 224, 64, 11, 4, 2},
      {"alexnet2", 8, 64, 27, 192, 5, 1, 2},
      {"vgg3x3_512", 1, 512, 14, 512, 3, 1, 1},
      {"resnet3x3s2", 8, 128, 56, 128, 3, 2, 1},
      {"resnet1x1_64-256", 8, 64, 56, 256, 1},
      {"depthwise32", 8, 32, 112, 32, 3, 1, 1, 32},
      {"depthwise128s2", 8, 128, 56, 128, 3, 2, 1, 128},
  };
  for (const Layer& layer : layers) {
    const Conv2dShape s = layer.shape();
    const bench::Work work{.flops =
                               2.0 * double(s.pixels() * s.o * s.depth())};  // direct: Winograd exceeds 100 %
    const std::string name = std::string(layer.name) + "_b" + std::to_string(layer.batch);
    bench::add("conv/fwd/" + name, work, [=] { return Forward{s}; });
    bench::add("conv/bwd_data/" + name, work, [=] { return Backward{s, true}; });
    bench::add("conv/bwd_weight/" + name, work, [=] { return Backward{s, false}; });
  }
  return bench::run(argc, argv);
}
