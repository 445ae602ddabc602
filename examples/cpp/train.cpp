// Trains a network of 2 inputs, 16 hidden units and 2 classes without Python: is a point in the disk, or in
// the ring around it? Ends with an error unless it is right on 97 % of points it has not seen.
//
//   cmake -S examples/cpp -B build/example -DCMAKE_PREFIX_PATH=<where fastnn was installed>
//   cmake --build build/example && build/example/train

#include <fastnn/adam.hpp>
#include <fastnn/core/isa.hpp>
#include <fastnn/core/threads.hpp>
#include <fastnn/cross_entropy.hpp>
#include <fastnn/dense.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

using fastnn::Index;

namespace {

constexpr Index kInputs = 2, kHidden = 16, kClasses = 2;
constexpr int kSteps = 400;
constexpr double kMustReach = 0.97;

struct Points {
  std::vector<float> x;              // (n, 2)
  std::vector<std::int64_t> labels;  // (n): 0 in the disk, 1 in the ring
  Index size() const { return Index(labels.size()); }
};

Points ring_and_disk(Index n, unsigned seed) {
  std::mt19937 bits(seed);
  const auto uniform = [&] { return float(bits()) / 4294967296.0f; };
  Points points;
  for (Index i = 0; i < n; ++i) {
    const bool ring = i % 2 == 1;
    const float angle = 6.2831853f * uniform();
    const float radius = ring ? 1.2f + 0.6f * uniform() : std::sqrt(uniform());
    points.x.push_back(radius * std::cos(angle));
    points.x.push_back(radius * std::sin(angle));
    points.labels.push_back(ring);
  }
  return points;
}

// All parameters lie in one buffer, their gradients in a second one with the same layout: so one call updates
// everything.
struct Parameters {
  static constexpr Index kW1 = 0, kB1 = kW1 + kInputs * kHidden, kW2 = kB1 + kHidden,
                         kB2 = kW2 + kHidden * kClasses, kCount = kB2 + kClasses;
  std::vector<float> all = std::vector<float>(kCount);
  float* w1() { return all.data() + kW1; }
  float* b1() { return all.data() + kB1; }
  float* w2() { return all.data() + kW2; }
  float* b2() { return all.data() + kB2; }
};

class Network {
 public:
  Network() {
    std::mt19937 bits(1);
    std::normal_distribution<float> normal;
    for (Index i = 0; i < kInputs * kHidden; ++i) parameters_.w1()[i] = normal(bits);
    for (Index i = 0; i < kHidden * kClasses; ++i) parameters_.w2()[i] = 0.25f * normal(bits);
  }

  /// The scores of every class: (n, 2), before softmax.
  const std::vector<float>& forward(const Points& points) {
    const Index n = points.size();
    hidden_.resize(std::size_t(n * kHidden));
    scores_.resize(std::size_t(n * kClasses));
    fastnn::cpu::dense<float>(points.x.data(), parameters_.w1(), parameters_.b1(), hidden_.data(), nullptr,
                              {n, kInputs, kHidden}, fastnn::Unary::tanh, {});
    fastnn::cpu::dense<float>(hidden_.data(), parameters_.w2(), parameters_.b2(), scores_.data(), nullptr,
                              {n, kHidden, kClasses}, fastnn::Unary::linear, {});
    return scores_;
  }

  /// One step of Adam on the mean loss of `points`, which is returned.
  float train_step(const Points& points) {
    const Index n = points.size();
    forward(points);

    float loss = 0, scale = 0;
    const float dloss = 1;
    probabilities_.resize(scores_.size());
    dscores_.resize(scores_.size());
    dhidden_.resize(hidden_.size());
    const fastnn::SoftmaxCrossEntropy settings{n, kClasses, fastnn::Reduction::mean};
    fastnn::cpu::softmax_cross_entropy<float>(settings, scores_.data(), points.labels.data(), nullptr,
                                              nullptr, &loss, probabilities_.data(), &scale);
    fastnn::cpu::softmax_cross_entropy_backward<float>(settings, probabilities_.data(), points.labels.data(),
                                                       nullptr, nullptr, &scale, &dloss, dscores_.data());
    fastnn::cpu::dense_backward<float>(hidden_.data(), parameters_.w2(), nullptr, dscores_.data(),
                                       dhidden_.data(), gradients_.w2(), gradients_.b2(),
                                       {n, kHidden, kClasses}, fastnn::Unary::linear, {});
    fastnn::cpu::dense_backward<float>(points.x.data(), parameters_.w1(), hidden_.data(), dhidden_.data(),
                                       nullptr, gradients_.w1(), gradients_.b1(), {n, kInputs, kHidden},
                                       fastnn::Unary::tanh, {});

    ++step_;
    const fastnn::Run everything{0, Parameters::kCount};
    fastnn::cpu::adam<float>(parameters_.all.data(), gradients_.all.data(), first_.all.data(),
                             second_.all.data(), nullptr, &everything, 1, nullptr, &learning_rate_, &step_,
                             {});
    return loss;
  }

 private:
  Parameters parameters_, gradients_, first_, second_;
  std::vector<float> hidden_, scores_, probabilities_, dscores_, dhidden_;
  double learning_rate_ = 0.02;
  std::int64_t step_ = 0;
};

double accuracy(const std::vector<float>& scores, const Points& points) {
  Index right = 0;
  for (std::size_t i = 0; i < points.labels.size(); ++i)
    right += (scores[2 * i + 1] > scores[2 * i]) == (points.labels[i] == 1);
  return double(right) / double(points.size());
}

}  // namespace

int main() {
  const Points train = ring_and_disk(512, 2), test = ring_and_disk(1000, 3);
  std::printf("%s, %d threads\n", fastnn::name(fastnn::active_isa()), fastnn::num_threads());

  Network network;
  for (int step = 1; step <= kSteps; ++step) {
    const float loss = network.train_step(train);
    if (step % 100 == 0) std::printf("step %3d  loss %.4f\n", step, double(loss));
  }

  const double reached = accuracy(network.forward(test), test);
  std::printf("accuracy on %d new points: %.3f\n", int(test.size()), reached);
  return reached >= kMustReach ? 0 : 1;
}
