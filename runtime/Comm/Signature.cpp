//===- Signature.cpp - what a rank says before it moves data -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Signature.h"

#include <algorithm>
#include <cstring>

namespace nxdt::comm {

std::string_view name(CollectiveOp op) {
  constexpr std::string_view names[] = {"all_reduce",     "all_gather",
                                        "reduce_scatter", "all_to_all",
                                        "broadcast",      "barrier"};
  size_t index = static_cast<size_t>(op);
  return index < std::size(names) ? names[index] : "?";
}

void Signature::setLabel(std::string_view text) {
  // The end of a module path says more than its beginning.
  if (text.size() > sizeof(label) - 1)
    text.remove_prefix(text.size() - (sizeof(label) - 1));
  std::memcpy(label, text.data(), text.size());
  label[text.size()] = '\0';
}

void Signature::setShape(const std::vector<int64_t> &sizes) {
  dimensions = static_cast<uint8_t>(std::min<size_t>(sizes.size(), 255));
  std::string text = "[";
  for (size_t i = 0; i < sizes.size(); ++i)
    text += (i ? "," : "") + std::to_string(sizes[i]);
  text += "]";
  size_t n = std::min(text.size(), sizeof(shape) - 1);
  std::memcpy(shape, text.data(), n);
  shape[n] = '\0';
}

std::string Signature::describe() const {
  std::string text(name(op));
  if (op != CollectiveOp::Barrier) {
    if (reduction != Reduction::None)
      text += "(" + std::string(name(reduction)) + ")";
    text += " of " + std::string(name(dtype)) + " " + shape + ", " +
            std::to_string(bytes) + " bytes";
    switch (op) {
    case CollectiveOp::AllGather:
    case CollectiveOp::ReduceScatter:
      text += ", dimension " + std::to_string(argument0);
      break;
    case CollectiveOp::AllToAll:
      text += ", dimensions " + std::to_string(argument0) + " and " +
              std::to_string(argument1);
      break;
    case CollectiveOp::Broadcast:
      text += ", root " + std::to_string(argument1);
      break;
    default:
      break;
    }
  }
  return text + ", #" + std::to_string(sequence);
}

bool agree(const Signature &a, const Signature &b) {
  return a.magic == b.magic && a.op == b.op && a.reduction == b.reduction &&
         a.dtype == b.dtype && a.dimensions == b.dimensions &&
         a.groupHash == b.groupHash && a.sequence == b.sequence &&
         a.bytes == b.bytes && a.argument0 == b.argument0 &&
         a.argument1 == b.argument1 &&
         std::strncmp(a.shape, b.shape, sizeof(a.shape)) == 0;
}

std::string compareSignatures(const std::string &groupText,
                              const std::vector<Signature> &signatures,
                              const std::vector<std::string> &hosts) {
  bool same = true;
  for (const Signature &s : signatures)
    same = same && s.magic == Signature::kMagic && agree(s, signatures[0]);
  if (same)
    return "";
  std::string text = "ranks disagree about a collective of group " + groupText;
  std::vector<bool> told(signatures.size(), false);
  const char *separator = ": ";
  for (size_t i = 0; i < signatures.size(); ++i) {
    if (told[i])
      continue;
    const Signature &s = signatures[i];
    std::string who;
    size_t count = 0;
    for (size_t j = i; j < signatures.size(); ++j) {
      if (told[j] || !agree(signatures[j], s))
        continue;
      told[j] = true;
      if (++count <= 8)
        who += (count == 1 ? "" : ", ") + std::to_string(signatures[j].rank);
    }
    if (count > 8)
      who += ", ... (" + std::to_string(count) + " ranks)";
    std::string host = hosts[i].empty() ? "" : " (" + hosts[i] + ")";
    text += separator + std::string(count == 1 ? "rank " : "ranks ") + who +
            (count == 1 ? host : "") + " at step " + std::to_string(s.step) +
            (s.label[0] ? ", " + std::string(s.label) : "") +
            (count == 1 ? ", calls " : ", call ");
    if (s.magic != Signature::kMagic)
      text += "something that is no collective of this version";
    else
      text += s.describe();
    if (s.groupHash != signatures[0].groupHash)
      text += " of another group";
    separator = "; ";
  }
  return text;
}

uint64_t hashText(std::string_view text) {
  uint64_t hash = 14695981039346656037ull;
  for (char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

} // namespace nxdt::comm
