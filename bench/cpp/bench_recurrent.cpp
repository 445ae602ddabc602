// LSTM and GRU over whole sequences, and their gradients: one sequence, and batches of 32.

#include "fastnn/gru.hpp"
#include "fastnn/lstm.hpp"
#include "runner.hpp"

using bench::Index;
using fastnn::RnnActivations;

struct Sizes {
  Index t, n, u, gates;
  Index elements() const { return t * n * u; }
  fastnn::RnnShape shape() const {
    fastnn::RnnShape s;
    s.n = n, s.t = t, s.i = u, s.u = u;
    return s;
  }
};

/// Values of about the size that keeps gates away from their ends.
std::vector<float> weights(const Sizes& s, Index count) {
  std::vector<float> values = bench::normal(count);
  for (float& value : values) value /= std::sqrt(float(s.u));
  return values;
}

struct Forward {
  Sizes sizes;
  bool keep;
  std::vector<float> x = bench::normal(sizes.elements()), w = weights(sizes, sizes.gates*sizes.u*sizes.u),
                     r{w.rbegin(), w.rend()}, b = weights(sizes, 2 * sizes.gates * sizes.u), y = x;
  std::vector<float> gates = bench::normal(keep ? sizes.gates * sizes.elements() : 0),
                     inner = bench::normal(keep ? sizes.elements() + sizes.n * sizes.u : 0), hidden = inner;
  void operator()() {
    const auto kept = [&](std::vector<float>& array) { return keep ? array.data() : nullptr; };
    if (sizes.gates == 4)
      fastnn::cpu::lstm<float>(x.data(), w.data(), r.data(), b.data(), nullptr, nullptr, nullptr, nullptr,
                               y.data(), nullptr, nullptr, kept(gates), kept(inner), kept(hidden),
                               sizes.shape(), RnnActivations{});
    else
      fastnn::cpu::gru<float>(x.data(), w.data(), r.data(), b.data(), nullptr, nullptr, nullptr, y.data(),
                              nullptr, kept(gates), kept(inner), kept(hidden), sizes.shape(),
                              RnnActivations{}, true);
  }
};

/// The gradients of x, w, r and b, which lie in y one after the other.
struct Backward {
  Forward forward;
  std::vector<float> dy = bench::normal(forward.sizes.elements());
  std::vector<float> y =
      bench::normal(forward.sizes.elements() + Index(2 * forward.w.size() + forward.b.size()));
  void operator()() {
    const Sizes& s = forward.sizes;
    const Forward& f = forward;
    float *const dx = y.data(), *const dw = dx + s.elements(), *const dr = dw + f.w.size(),
                 *const db = dr + f.r.size();
    if (s.gates == 4)
      fastnn::cpu::lstm_backward<float>(f.x.data(), f.w.data(), f.r.data(), nullptr, nullptr, f.gates.data(),
                                        f.inner.data(), f.hidden.data(), dy.data(), nullptr, nullptr, dx, dw,
                                        dr, db, nullptr, nullptr, s.shape(), RnnActivations{});
    else
      fastnn::cpu::gru_backward<float>(f.x.data(), f.w.data(), f.r.data(), nullptr, nullptr, f.gates.data(),
                                       f.inner.data(), f.hidden.data(), dy.data(), nullptr, dx, dw, dr, db,
                                       nullptr, s.shape(), RnnActivations{}, true);
  }
};

int main(int argc, char** argv) {
  const Index all[][3] = {{20, 1, 32},  {50, 1, 128},  {50, 1, 512},
                          {50, 32, 32}, {50, 32, 128}, {20, 32, 512}};
  for (const auto& [name, gates] : {std::pair{"lstm", 4}, {"gru", 3}})
    for (const auto& [t, n, u] : all) {
      const Sizes s{t, n, u, gates};
      const double flops = 4.0 * double(gates * s.elements()) * double(u);
      const std::string label = bench::label({t, n, u});
      bench::add(name + label, {.flops = flops}, [=] { return Forward{s, false}; });
      bench::add(std::string(name) + "_backward" + label, {.flops = 2 * flops}, [=] {
        Forward forward{s, true};
        forward();
        return Backward{forward};
      });
    }
  return bench::run(argc, argv);
}
