#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn {

/// Sizes of a batch for CTC: n samples, t steps, c classes, l labels, and which class is the blank.
struct CtcShape {
  Index n = 0, t = 0, c = 0, l = 0, blank = 0;

  /// Throws std::invalid_argument("[op] ...") if one is negative, or the blank no class.
  void check(const char* op) const;
};

namespace cpu {

/// Connectionist temporal classification: loss = -ln of the sum, over all ways to stretch a sample's labels
/// to its steps by repeating labels and putting blanks between them, of the product of softmax(logits). In
/// log space.
///
/// logits: (n, t, c), labels: (n, l), label_lengths, logit_lengths: (n), loss: (n), dense and apart from each
/// other; T is float or double. Sizes may be 0. Infinity where no way fits the steps. Throws
/// std::invalid_argument for a length or label out of range and for a label that is the blank. Parallel over
/// n.
template <class T> void ctc(const T* logits, const std::int64_t* labels, const std::int64_t* label_lengths,
                            const std::int64_t* logit_lengths, T* loss, const CtcShape& shape);

/// dlogits = dloss times the gradient of ctc: softmax less the share of the ways that go through a class at a
/// step. 0 beyond a sample's steps, and where the loss is infinite. dloss: (n).
template <class T> void ctc_backward(const T* logits, const std::int64_t* labels,
                                     const std::int64_t* label_lengths, const std::int64_t* logit_lengths,
                                     const T* dloss, T* dlogits, const CtcShape& shape);

}  // namespace cpu
}  // namespace fastnn
