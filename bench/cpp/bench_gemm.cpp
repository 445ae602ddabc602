// Matrix products of network layers and of squares, with either operand transposed.

#include "fastnn/gemm.hpp"

#include <tuple>

#include "runner.hpp"

using bench::Index;

struct Product {
  fastnn::GemmShape shape;
  std::vector<float> a = bench::normal(shape.m * shape.k), b = bench::normal(shape.k * shape.n);
  std::vector<float> y = bench::normal(shape.m * shape.n);
  void operator()() { fastnn::cpu::gemm(a.data(), b.data(), y.data(), shape); }
};

int main(int argc, char** argv) {
  const Index sizes[][3] = {{1, 1024, 1024}, {32, 10, 128},   {32, 128, 784},  {64, 64, 30},
                            {128, 512, 512}, {64, 3072, 768}, {3136, 64, 576}, {64, 64, 64},
                            {512, 64, 4096}, {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}};
  for (const auto& [m, n, k] : sizes) {
    const bench::Work work{.flops = 2.0 * double(m * n * k)};
    for (const auto& [op, transpose_a, transpose_b] :
         {std::tuple{"nn", false, false}, {"nt", false, true}, {"tn", true, false}}) {
      const auto shape = fastnn::GemmShape::dense(m, n, k, transpose_a, transpose_b);
      bench::add("gemm/" + std::string(op) + bench::label({m, n, k}), work, [=] { return Product{shape}; });
    }
  }
  return bench::run(argc, argv);
}
