// Attention and its gradients: heads of a small Transformer, of a base one, and of long sequences.

#include "fastnn/attention.hpp"

#include "runner.hpp"

using bench::Index;

struct Sizes {
  Index n, t, heads, d;
  Index elements() const { return n * t * heads * d; }
  fastnn::AttentionShape shape() const {
    fastnn::AttentionShape s;
    s.n = n, s.tq = s.tk = t, s.heads = s.kv_heads = heads, s.d = s.dv = d;
    s.scale = 1 / std::sqrt(double(d));
    return s;
  }
};

struct Forward {
  Sizes sizes;
  std::vector<float> q = bench::normal(sizes.elements()), k{q.rbegin(), q.rend()}, v = q, y = q;
  std::vector<float> logs = bench::normal(sizes.n * sizes.heads * sizes.t);
  void operator()() {
    fastnn::cpu::attention<float>(q.data(), k.data(), v.data(), nullptr, nullptr, nullptr, nullptr, y.data(),
                                  logs.data(), sizes.shape());
  }
};

struct Backward {
  Forward forward;
  std::vector<float> dy = bench::normal(forward.sizes.elements()),
                     y = bench::normal(3 * forward.sizes.elements());
  void operator()() {
    const Index size = forward.sizes.elements();
    fastnn::cpu::attention_backward<float>(forward.q.data(), forward.k.data(), forward.v.data(), nullptr,
                                           nullptr, nullptr, forward.y.data(), forward.logs.data(), dy.data(),
                                           y.data(), y.data() + size, y.data() + 2 * size, nullptr,
                                           forward.sizes.shape());
  }
};

int main(int argc, char** argv) {
  const Sizes all[] = {{16, 64, 4, 32}, {8, 128, 8, 64}, {2, 512, 12, 64}, {1, 2048, 8, 64}};
  for (const Sizes& s : all) {
    const double scores = double(s.n * s.heads * s.t) * double(s.t), d = double(s.d);
    const std::string label = bench::label({s.n, s.t, s.heads, s.d});
    bench::add("attention" + label, {.flops = scores * 4 * d}, [=] { return Forward{s}; });
    bench::add("attention_backward" + label, {.flops = scores * 10 * d}, [=] {
      Forward forward{s};
      forward();
      return Backward{forward};
    });
  }
  return bench::run(argc, argv);
}
