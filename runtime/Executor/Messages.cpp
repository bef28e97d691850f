//===- Messages.cpp - tensors and errors in words -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/Messages.h"

#include "nxdt/Plan/TorchTypes.h"

namespace nxdt::runtime {

std::string typeText(const at::Tensor &tensor) {
  if (!tensor.defined())
    return "undefined";
  std::string out = c10::toString(tensor.scalar_type());
  out += "[";
  for (int64_t i = 0; i < tensor.dim(); ++i)
    out += (i ? ", " : "") + std::to_string(tensor.size(i));
  return out + "]";
}

std::string typeText(const plan::Value &value) {
  std::string out = c10::toString(torchType(value.dtype));
  out += "[";
  for (size_t i = 0; i < value.shape.size(); ++i)
    out += (i ? ", " : "") + std::to_string(value.shape[i]);
  return out + "]";
}

std::string oneLine(std::string text) {
  size_t end = text.find("\nException raised from");
  if (end != std::string::npos)
    text.resize(end);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.pop_back();
  for (char &c : text)
    if (c == '\n')
      c = ' ';
  return text;
}

} // namespace nxdt::runtime
