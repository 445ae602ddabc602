#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "fastnn/core/program.hpp"

namespace fastnn::py {

/// The memory of a recorded step. A block that is given back while the step is recorded serves later arrays
/// of the same step: a replay makes the same calls in the same order, so it finds there what it needs.
class StepMemory {
 public:
  struct Block {
    char* start;
    std::size_t bytes;
    std::size_t since;  // how many calls were recorded when it was last handed out
    bool in_use;
  };

  StepMemory() = default;
  StepMemory(const StepMemory&) = delete;
  StepMemory& operator=(const StepMemory&) = delete;
  ~StepMemory();

  /// A block of at least `bytes` bytes, 64-byte aligned. Throws std::bad_alloc.
  char* allocate(std::size_t bytes, std::size_t calls);
  void give_back(const char* start);

  /// The block that holds the address, or nullptr.
  const Block* find(const char* address) const;
  std::size_t bytes() const;

 private:
  mutable std::mutex mutex_;  // arrays may go on any thread
  std::vector<Block> blocks_;
};

/// What is being recorded.
struct Recorder {
  Program program;
  std::shared_ptr<StepMemory> memory = std::make_shared<StepMemory>();
  std::vector<pybind11::object> constants;  // arrays made of settings, which a replay reads again
  bool spoiled = false;                     // something happened that a replay would not do
};

/// The recorder of this thread, or nullptr: then calls are just made.
inline thread_local Recorder* recorder = nullptr;

}  // namespace fastnn::py
