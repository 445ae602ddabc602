// Pooling and its gradients: two by two windows of a small network, overlapping ones of a large one, few
// channels.

#include "fastnn/pool2d.hpp"

#include "runner.hpp"

using bench::Index;
using fastnn::Pool2dShape;
using fastnn::cpu::PoolDivisor;

struct Pool {
  Pool2dShape shape;
  bool largest;
  std::vector<float> x = bench::normal(shape.n * shape.h.in * shape.x_row());
  std::vector<float> y = bench::normal(shape.n * shape.h.out * shape.y_row());
  void operator()() {
    if (largest)
      fastnn::cpu::max_pool2d(x.data(), y.data(), shape);
    else
      fastnn::cpu::avg_pool2d(x.data(), y.data(), shape, PoolDivisor::covered);
  }
};

struct Backward {
  Pool2dShape shape;
  bool largest;
  std::vector<float> x = bench::normal(shape.n * shape.h.in * shape.x_row());
  std::vector<float> dy = bench::normal(shape.n * shape.h.out * shape.y_row());
  std::vector<float> y = x;  // dx
  void operator()() {
    if (largest)
      fastnn::cpu::max_pool2d_backward(x.data(), dy.data(), y.data(), shape);
    else
      fastnn::cpu::avg_pool2d_backward(dy.data(), y.data(), shape, PoolDivisor::covered);
  }
};

int main(int argc, char** argv) {
  const Index layers[][6] = {// n, h = w, c, window, stride, padding
                             {32, 28, 32, 2, 2, 0},
                             {32, 32, 64, 2, 2, 0},
                             {8, 112, 64, 3, 2, 1},
                             {32, 8, 16, 2, 2, 0},
                             {64, 28, 6, 2, 2, 0}};
  for (const auto& l : layers) {
    const Index out = (l[1] + 2 * l[5] - l[3]) / l[4] + 1;
    const fastnn::Windows windows{l[1], out, l[4], l[3], 1, l[5]};
    const Pool2dShape shape{l[0], windows, windows, l[2]};
    const double x = 4.0 * double(l[0] * l[1] * l[1] * l[2]), y = 4.0 * double(l[0] * out * out * l[2]);
    const std::string label = bench::label({l[0], l[1], l[1], l[2], l[3], l[4]});
    for (const bool largest : {true, false}) {
      const std::string name = largest ? "max_pool2d" : "avg_pool2d";
      bench::add(name + label, {.bytes = x + y}, [=] { return Pool{shape, largest}; });
      bench::add(name + "_backward" + label, {.bytes = (largest ? 2 : 1) * x + y}, [=] {
        return Backward{shape, largest};
      });
    }
  }
  return bench::run(argc, argv);
}
