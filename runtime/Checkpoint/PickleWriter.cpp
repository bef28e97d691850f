//===- PickleWriter.cpp - plain containers to pickle ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/Pickle.h"

#include <bit>
#include <limits>
#include <stdexcept>

namespace nxdt::runtime {

namespace {

using plan::DType;

/// Items between MARK and SETITEMS or APPENDS, as Python batches them.
constexpr size_t kBatch = 1000;

const char *storageName(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return "DoubleStorage";
  case DType::F32:
    return "FloatStorage";
  case DType::BF16:
    return "BFloat16Storage";
  case DType::F16:
    return "HalfStorage";
  case DType::I64:
    return "LongStorage";
  case DType::I32:
    return "IntStorage";
  case DType::U8:
    return "ByteStorage";
  case DType::Bool:
    return "BoolStorage";
  }
  throw std::logic_error("storageName: unknown dtype");
}

/// Emits opcodes. Needs no memo: nothing is shared.
class Writer {
public:
  explicit Writer(std::vector<HostTensor> &tensors) : tensors(tensors) {}

  std::string write(const PtValue &value) {
    out = "\x80\x02"; // PROTO 2
    push(value);
    out += '.'; // STOP
    return std::move(out);
  }

private:
  template <typename T> void little(T value) {
    for (size_t i = 0; i < sizeof(T); ++i)
      out.push_back(static_cast<char>(value >> (8 * i)));
  }

  void push(const PtValue &value) {
    std::visit([this](const auto &v) { push(v); }, value.value);
  }
  void push(std::monostate) { out += 'N'; }
  void push(bool value) { out += value ? '\x88' : '\x89'; }
  void push(int64_t value) {
    if (value >= std::numeric_limits<int32_t>::min() &&
        value <= std::numeric_limits<int32_t>::max()) {
      out += 'J'; // BININT
      little(static_cast<uint32_t>(value));
      return;
    }
    out += "\x8a\x08"; // LONG1 of 8 bytes
    little(static_cast<uint64_t>(value));
  }
  void push(double value) {
    out += 'G'; // BINFLOAT, big-endian
    auto bits = std::bit_cast<uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8)
      out.push_back(static_cast<char>(bits >> shift));
  }
  void push(const std::string &value) {
    out += 'X'; // BINUNICODE
    little(static_cast<uint32_t>(value.size()));
    out += value;
  }
  void push(const PtList &list) {
    out += ']';
    for (size_t i = 0; i < list.size(); i += kBatch) {
      out += '(';
      for (size_t k = i; k < std::min(i + kBatch, list.size()); ++k)
        push(list[k]);
      out += 'e';
    }
  }
  void push(const PtDict &dict) {
    out += '}';
    for (size_t i = 0; i < dict.size(); i += kBatch) {
      out += '(';
      for (size_t k = i; k < std::min(i + kBatch, dict.size()); ++k) {
        push(dict[k].first);
        push(dict[k].second);
      }
      out += 'u';
    }
  }
  void pushInts(const std::vector<int64_t> &values) {
    out += '(';
    for (int64_t value : values)
      push(value);
    out += 't';
  }

  /// torch._utils._rebuild_tensor_v2(storage, offset, size, stride,
  /// requires_grad, backward_hooks), the storage by persistent id.
  void push(const HostTensor &tensor) {
    std::vector<int64_t> strides(tensor.shape.size(), 1);
    for (size_t i = tensor.shape.size(); i-- > 1;)
      strides[i - 1] = strides[i] * std::max<int64_t>(tensor.shape[i], 1);
    out += "ctorch._utils\n_rebuild_tensor_v2\n((";
    push(std::string("storage"));
    out += std::string("ctorch\n") + storageName(tensor.dtype) + "\n";
    push(std::to_string(tensors.size()));
    push(std::string("cpu"));
    push(tensor.numel());
    out += "tQ";
    push(int64_t{0});
    pushInts(tensor.shape);
    pushInts(strides);
    out += "\x89"
           "ccollections\nOrderedDict\n)RtR";
    tensors.push_back(tensor);
  }

  std::string out;
  std::vector<HostTensor> &tensors;
};

} // namespace

std::string writePickle(const PtValue &value,
                        std::vector<HostTensor> &tensors) {
  return Writer(tensors).write(value);
}

} // namespace nxdt::runtime
