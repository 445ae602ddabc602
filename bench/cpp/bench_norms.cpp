// Normalisation of feature maps (batch, group), of transformers' rows (layer) and AlexNet's across channels.

#include "fastnn/batch_norm.hpp"
#include "fastnn/group_norm.hpp"
#include "fastnn/layer_norm.hpp"
#include "fastnn/lrn.hpp"
#include "runner.hpp"

using bench::Index;
using fastnn::Unary;

using Floats = std::vector<float>;

/// Gradients that are not x's: those along xhat change nothing, and dx would be roundings alone.
static Floats reversed(Floats x) {
  std::reverse(x.begin(), x.end());
  return x;
}

struct Batch {
  fastnn::BatchNormShape shape;
  Floats x = bench::normal(shape.rows * shape.channels), y = x, gamma = bench::normal(shape.channels),
         mean = gamma, inverse = gamma;
  void operator()() {
    fastnn::cpu::batch_norm<float>(x.data(), gamma.data(), gamma.data(), nullptr, y.data(), mean.data(),
                                   inverse.data(), nullptr, nullptr, shape, 0.9, 1e-3, Unary::linear, {});
  }
};

struct BatchBackward {
  Batch forward;
  Floats dy = reversed(forward.x), y = dy, dgamma = forward.gamma, dbeta = dgamma;
  void operator()() {
    const Batch& f = forward;
    fastnn::cpu::batch_norm_backward<float>(f.x.data(), f.gamma.data(), f.gamma.data(), nullptr,
                                            f.mean.data(), f.inverse.data(), dy.data(), y.data(),
                                            dgamma.data(), dbeta.data(), f.shape, Unary::linear, {});
  }
};

struct Group {
  fastnn::GroupNormShape shape;
  Floats x = bench::normal(shape.samples * shape.rows * shape.channels), y = x,
         gamma = bench::normal(shape.channels), mean = bench::normal(shape.samples * shape.groups),
         inverse = mean;
  void operator()() {
    fastnn::cpu::group_norm<float>(x.data(), gamma.data(), gamma.data(), y.data(), mean.data(),
                                   inverse.data(), shape, 1e-3);
  }
};

struct Layer {
  Index rows, cols;
  Floats x = bench::normal(rows * cols), y = x, gamma = bench::normal(cols), mean = bench::normal(rows),
         inverse = mean;
  void operator()() {
    fastnn::cpu::layer_norm(x.data(), gamma.data(), gamma.data(), y.data(), mean.data(), inverse.data(), rows,
                            cols, 1e-3);
  }
};

struct LayerBackward {
  Layer forward;
  Floats dy = reversed(forward.x), y = dy, dgamma = forward.gamma, dbeta = dgamma;
  void operator()() {
    const Layer& f = forward;
    fastnn::cpu::layer_norm_backward(f.x.data(), f.gamma.data(), f.mean.data(), f.inverse.data(), dy.data(),
                                     y.data(), dgamma.data(), dbeta.data(), f.rows, f.cols);
  }
};

struct Lrn {
  Index rows, channels;
  Floats x = bench::normal(rows * channels), y = x;
  void operator()() { fastnn::cpu::lrn(x.data(), y.data(), rows, channels, {}); }
};

int main(int argc, char** argv) {
  for (const auto& shape :
       {fastnn::BatchNormShape{32 * 32 * 32, 16}, fastnn::BatchNormShape{32 * 32 * 32, 64},
        fastnn::BatchNormShape{8 * 14 * 14, 256}}) {
    const double array = 4.0 * double(shape.rows * shape.channels);
    const std::string label = bench::label({shape.rows, shape.channels});
    bench::add("batch_norm" + label, {.bytes = 2 * array}, [=] { return Batch{shape}; });
    bench::add("batch_norm_backward" + label, {.bytes = 3 * array}, [=] {
      Batch forward{shape};
      forward();
      return BatchBackward{forward};
    });
  }
  bench::add("group_norm" + bench::label({8, 56 * 56, 64}), {.bytes = 2 * 4.0 * 8 * 56 * 56 * 64}, [] {
    return Group{{8, 56 * 56, 64, 32}};
  });
  const Index shapes[][2] = {{1024, 128}, {32, 768}, {8192, 768}};
  for (const auto& shape : shapes) {
    const Index rows = shape[0], cols = shape[1];
    const double array = 4.0 * double(rows * cols);
    const std::string label = bench::label({rows, cols});
    bench::add("layer_norm" + label, {.bytes = 2 * array}, [=] { return Layer{rows, cols}; });
    bench::add("layer_norm_backward" + label, {.bytes = 3 * array}, [=] {
      Layer forward{rows, cols};
      forward();
      return LayerBackward{forward};
    });
  }
  bench::add("lrn" + bench::label({55 * 55, 96}), {.bytes = 2 * 4.0 * 55 * 55 * 96}, [] {
    return Lrn{55 * 55, 96};
  });
  return bench::run(argc, argv);
}
