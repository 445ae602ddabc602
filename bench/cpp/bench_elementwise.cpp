// Activations and their gradients at a size for each level of the memory, and the sum of two arrays.

#include "fastnn/elementwise.hpp"

#include "runner.hpp"

using bench::Index;
using fastnn::Saved;
using fastnn::Unary;
using fastnn::UnaryParameters;

struct Function {
  const char* name;
  Unary op;
  UnaryParameters parameters = {};
};

struct Forward {
  Function function;
  Index n;
  std::vector<float> x = bench::normal(n), y = x;
  void operator()() { fastnn::cpu::unary(function.op, x.data(), y.data(), n, function.parameters); }
};

struct Backward {
  Function function;
  Index n;
  std::vector<float> saved, dy = bench::normal(n), y = dy;
  void operator()() {
    fastnn::cpu::unary_backward(function.op, saved.data(), dy.data(), y.data(), n, function.parameters);
  }
};

struct Sum {
  Index n;
  std::vector<float> a = bench::normal(n), b = a, y = a;
  fastnn::Strided<3> walk = {};
  void operator()() { fastnn::cpu::binary(fastnn::Binary::add, a.data(), b.data(), y.data(), walk); }
};

void add_function(const Function& function, Index n) {
  const double array = 4.0 * double(n);
  const std::string name = function.name, label = bench::label({n});
  bench::add(name + label, {.bytes = 2 * array}, [=] { return Forward{function, n}; });
  bench::add(name + "_backward" + label, {.bytes = 3 * array}, [=] {
    Forward forward{function, n};
    forward();
    return Backward{function, n, fastnn::saved_for(function.op) == Saved::x ? forward.x : forward.y};
  });
}

void add_sum(Index n) {
  bench::add("add" + bench::label({n}), {.bytes = 12.0 * double(n)}, [=] {
    Sum sum{n};
    sum.walk.push(n, {1, 1, 1});
    return sum;
  });
}

int main(int argc, char** argv) {
  const Function functions[] = {{"relu", Unary::relu},
                                {"leaky_relu", Unary::leaky_relu, {0.01, 0}},
                                {"exp", Unary::exp},
                                {"sigmoid", Unary::sigmoid},
                                {"tanh", Unary::tanh},
                                {"gelu", Unary::gelu},
                                {"gelu_tanh", Unary::gelu_tanh}};
  for (Index n : {Index{1'000}, Index{100'000}, Index{10'000'000}}) {
    for (const Function& function : functions) add_function(function, n);
    add_sum(n);
  }
  return bench::run(argc, argv);
}
