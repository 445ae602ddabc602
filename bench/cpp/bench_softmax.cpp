// Softmax and its gradient on rows of a small classifier, of ImageNet logits and of attention scores.

#include "fastnn/softmax.hpp"

#include "runner.hpp"

using bench::Index;

struct Forward {
  Index rows, cols;
  std::vector<float> x = bench::normal(rows * cols), y = x;
  void operator()() { fastnn::cpu::softmax(x.data(), y.data(), rows, cols); }
};

struct Backward {
  Index rows, cols;
  std::vector<float> softmax = bench::normal(rows * cols), dy = softmax, y = softmax;
  void operator()() { fastnn::cpu::softmax_backward(softmax.data(), dy.data(), y.data(), rows, cols); }
};

int main(int argc, char** argv) {
  const Index shapes[][2] = {{256, 10}, {256, 1000}, {4096, 512}};
  for (const auto& shape : shapes) {
    const Index rows = shape[0], cols = shape[1];
    const double array = 4.0 * double(rows * cols);
    const std::string label = bench::label({rows, cols});
    bench::add("softmax" + label, {.bytes = 2 * array}, [=] { return Forward{rows, cols}; });
    bench::add("softmax_backward" + label, {.bytes = 3 * array}, [=] {
      Forward forward{rows, cols};
      forward();
      return Backward{rows, cols, forward.y};
    });
  }
  return bench::run(argc, argv);
}
