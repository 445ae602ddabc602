#include <algorithm>
#include <cstring>
#include <mutex>

#include "arrays.hpp"

namespace fastnn::py {

StepMemory::~StepMemory() {
  for (const Block& block : blocks_) pool_release(block.start);
}

char* StepMemory::allocate(std::size_t bytes, std::size_t calls) {
  const std::lock_guard lock(mutex_);
  Block* best = nullptr;
  for (Block& block : blocks_) {
    const bool fits = !block.in_use && block.bytes >= bytes && block.bytes / 2 <= bytes;
    if (fits && (!best || block.bytes < best->bytes)) best = &block;
  }
  if (!best) {
    const std::size_t least = std::max<std::size_t>(bytes, 64);
    blocks_.reserve(blocks_.size() + 1);
    blocks_.push_back({static_cast<char*>(pool_allocate(least)), least, 0, false});
    best = &blocks_.back();
  }
  best->in_use = true;
  best->since = calls;
  return best->start;
}

void StepMemory::give_back(const char* start) {
  const std::lock_guard lock(mutex_);
  for (Block& block : blocks_)
    if (block.start == start) block.in_use = false;
}

const StepMemory::Block* StepMemory::find(const char* address) const {
  for (const Block& block : blocks_)
    if (block.start <= address && address < block.start + block.bytes) return &block;
  return nullptr;
}

std::size_t StepMemory::bytes() const {
  std::size_t total = 0;
  for (const Block& block : blocks_) total += block.bytes;
  return total;
}

namespace {

/// Bytes of a dense array.
struct Range {
  const char* begin;
  const char* end;

  explicit Range(const Array& x)
      : begin(static_cast<const char*>(x.data())), end(begin + x.size() * x.itemsize()) {}
  bool holds(const char* p) const { return begin <= p && p < end; }
  bool meets(const Range& other) const { return begin < other.end && other.begin < end; }
  bool operator==(const Range&) const = default;
};

/// A function of arrays, recorded while it ran once, that runs again on arrays of the same shapes.
///
/// Recorded are the calls of kernels. Each of their operands has to be an input, an array of `memory`
/// (weights, optimizer state: what stays where it is), or a result of an earlier call; else something was
/// computed outside the kernels, and there is no program.
class RecordedStep {
 public:
  RecordedStep(std::vector<Array> inputs, std::vector<Array> memory) : memory_(std::move(memory)) {
    for (const Array& x : inputs) {
      usable_ = usable_ && fits(x) && x.size() > 0;
      kinds_.push_back({type_number(x), shape_of(x)});
      ranges_.emplace_back(x);
    }
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
      twins_.push_back(i);
      for (std::size_t k = 0; k < i; ++k) {
        if (ranges_[k] == ranges_[i])
          twins_[i] = std::min(twins_[i], k);
        else
          usable_ = usable_ && !ranges_[k].meets(ranges_[i]);
      }
      for (const Array& held : memory_) usable_ = usable_ && !Range(held).meets(ranges_[i]);
    }
  }

  /// Calls step(), which works on the inputs, and records it. Returns what it returns: a tuple of arrays.
  pyb::tuple record(const pyb::object& step) {
    if (recorder || !usable_) {
      usable_ = false;
      return step();
    }
    Recorder here;
    const pyb::tuple results = listened(here, step);
    program_ = std::move(here.program);
    step_memory_ = here.memory;
    for (const auto& constant : here.constants) memory_.push_back(pyb::reinterpret_borrow<Array>(constant));
    usable_ = !here.spoiled && link(results);
    return usable_ ? copies(results) : results;
  }

  bool usable() const { return usable_; }
  std::size_t bytes() const { return step_memory_ ? step_memory_->bytes() : 0; }
  std::size_t size() const { return program_.size(); }

  /// Whether there is a program, and for inputs of these shapes and dtypes.
  bool matches(const pyb::tuple& inputs) const;

  /// The results for other inputs; None unless they match, or if another thread runs it, or a recorder
  /// listens.
  pyb::object run(const pyb::tuple& inputs) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || recorder || !matches(inputs)) return pyb::none();
    pyb::tuple results(results_.size());
    for (std::size_t i = 0; i < results_.size(); ++i) {
      const Array result = empty(results_[i].kind.shape, results_[i].kind.type);
      point(results_[i].operands, static_cast<const char*>(result.data()));
      results[i] = result;
    }
    for (std::size_t i = 0; i < inputs.size(); ++i)
      point(operands_[i], static_cast<const char*>(pyb::reinterpret_borrow<Array>(inputs[i]).data()));
    {
      const pyb::gil_scoped_release unlocked;
      program_.run();
    }
    return results;
  }

 private:
  struct Kind {
    int type;
    Shape shape;
  };
  struct Link {
    Program::Operand operand;
    std::ptrdiff_t offset;
  };
  struct Result {
    Kind kind;
    std::vector<Link> operands;
  };

  static bool fits(const Array& x) { return is_dense(x) && x.dtype().byteorder() != '>'; }

  static void point(std::vector<Link>& links, const char* start) {
    for (Link& link : links) link.operand.point_to(start + link.offset);
  }

  bool link(const pyb::tuple& results);

  static pyb::tuple listened(Recorder& here, const pyb::object& step) {
    const struct Listening {
      explicit Listening(Recorder& r) { recorder = &r; }
      ~Listening() { recorder = nullptr; }
    } listening(here);
    return step();
  }

  /// The results in memory of their own: where they are, a replay may have other arrays before.
  static pyb::tuple copies(const pyb::tuple& results) {
    pyb::tuple found(results.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto result = pyb::reinterpret_borrow<Array>(results[i]);
      Array copy = empty(shape_of(result), type_number(result));
      std::memcpy(copy.mutable_data(), result.data(), std::size_t(result.nbytes()));
      found[i] = copy;
    }
    return found;
  }

  std::vector<Array> memory_;
  std::vector<Kind> kinds_;                  // of the inputs
  std::vector<Range> ranges_;                // where they were when the step was recorded
  std::vector<std::size_t> twins_;           // the first input that is the same array, itself as a rule
  std::vector<std::vector<Link>> operands_;  // what points into each
  std::vector<Result> results_;
  Program program_;
  std::shared_ptr<StepMemory> step_memory_;
  std::mutex mutex_;
  bool usable_ = true;
};

bool RecordedStep::matches(const pyb::tuple& inputs) const {
  if (!usable_ || inputs.size() != kinds_.size()) return false;
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    if (!pyb::isinstance<Array>(inputs[i])) return false;
    const auto x = pyb::reinterpret_borrow<Array>(inputs[i]);
    const Shape& shape = kinds_[i].shape;
    const bool same = type_number(x) == kinds_[i].type && x.ndim() == pyb::ssize_t(shape.size()) &&
                      std::equal(shape.begin(), shape.end(), x.shape());
    if (!same || !fits(x)) return false;
    if (twins_[i] != i && x.data() != pyb::reinterpret_borrow<Array>(inputs[twins_[i]]).data()) return false;
  }
  return true;
}

/// Finds out what every operand is. False if one is nothing that a replay could find.
bool RecordedStep::link(const pyb::tuple& results) {
  std::vector<const StepMemory::Block*> blocks;
  for (const auto& item : results) {
    if (!pyb::isinstance<Array>(item)) return false;
    const auto result = pyb::reinterpret_borrow<Array>(item);
    const auto* block = step_memory_->find(static_cast<const char*>(result.data()));
    const bool whole = block && result.data() == block->start && is_dense(result) && result.size() > 0;
    if (!whole || std::find(blocks.begin(), blocks.end(), block) != blocks.end()) return false;
    blocks.push_back(block);
    results_.push_back({{type_number(result), shape_of(result)}, {}});
  }
  operands_.resize(ranges_.size());
  std::vector<const StepMemory::Block*> filled;
  for (const Program::Operand& operand : program_.operands()) {
    const char* const p = operand.target();
    const auto holds = [p](const Range& range) { return range.holds(p); };
    if (const auto input = std::find_if(ranges_.begin(), ranges_.end(), holds); input != ranges_.end()) {
      if (operand.written()) return false;
      operands_[std::size_t(input - ranges_.begin())].push_back({operand, p - input->begin});
    } else if (const auto* block = step_memory_->find(p)) {
      if (operand.written())
        filled.push_back(block);
      else if (std::find(filled.begin(), filled.end(), block) == filled.end())
        return false;
      const auto result = std::find(blocks.begin(), blocks.end(), block);
      if (result != blocks.end() && operand.call() >= block->since)
        results_[std::size_t(result - blocks.begin())].operands.push_back({operand, p - block->start});
    } else if (std::none_of(memory_.begin(), memory_.end(),
                            [&](const Array& x) { return holds(Range(x)); })) {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace fastnn::py

void bind_program(pybind11::module_& m) {
  using fastnn::py::RecordedStep;
  namespace pyb = pybind11;
  pyb::class_<RecordedStep>(m, "RecordedStep")
      .def(pyb::init<std::vector<fastnn::py::Array>, std::vector<fastnn::py::Array>>(), pyb::arg("inputs"),
           pyb::arg("memory"))
      .def("record", &RecordedStep::record, pyb::arg("step"))
      .def("matches", &RecordedStep::matches, pyb::arg("inputs"))
      .def("run", &RecordedStep::run, pyb::arg("inputs"))
      .def_property_readonly("usable", &RecordedStep::usable)
      .def_property_readonly("size", &RecordedStep::size)
      .def_property_readonly("bytes", &RecordedStep::bytes);
  m.def(
      "constant",
      [](const fastnn::py::Array& x) {
        if (fastnn::py::recorder) fastnn::py::recorder->constants.push_back(x);
        return x;
      },
      pyb::arg("x"));
  m.def("spoil_recording", [] {
    if (fastnn::py::recorder) fastnn::py::recorder->spoiled = true;
  });
}
