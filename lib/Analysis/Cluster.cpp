//===- Cluster.cpp - what a plan runs on -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Cluster.h"

#include "nxdt/Config/Document.h"
#include "nxdt/Support/UserError.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <algorithm>
#include <limits>
#include <optional>

using namespace nxdt;
using config::Node;
using llvm::StringRef;

namespace {

/// A section of the file.
class Section {
public:
  Section(const Node &node, std::string name, llvm::ArrayRef<StringRef> keys)
      : node(node), name(std::move(name)) {
    if (!node.isMap())
      fail(node, "", "is a section with keys");
    for (const config::Entry &entry : node.entries) {
      const auto *key = std::get_if<std::string>(&entry.key);
      if (key && std::find(keys.begin(), keys.end(), *key) != keys.end())
        continue;
      std::string text = key ? *key : "a key that is no text";
      throw UserError(entry.keyLocation.str() + ": unknown key '" + this->name +
                      text + "'; did you mean '" + this->name +
                      nearest(text, keys) + "'?");
    }
  }

  const Node &require(StringRef key) const {
    if (const Node *child = node.find(std::string(key)))
      return *child;
    throw UserError(node.location.str() + ": the key '" + name + key.str() +
                    "' is missing");
  }

  double number(StringRef key, double largest, bool mayBeZero = false) const {
    const Node &child = require(key);
    double value = -1;
    if (const auto *integer = std::get_if<int64_t>(&child.scalar))
      value = double(*integer);
    else if (const auto *real = std::get_if<double>(&child.scalar))
      value = *real;
    bool isLegal = child.isScalar() && value <= largest &&
                   (value > 0 || (mayBeZero && value == 0));
    if (!isLegal)
      fail(child, key.str(),
           std::string("is a number ") + (mayBeZero ? "from 0 up" : "above 0") +
               (largest < kAny ? ", at most 1" : ""));
    return value;
  }

  int64_t count(StringRef key) const {
    const Node &child = require(key);
    const auto *integer = std::get_if<int64_t>(&child.scalar);
    if (!child.isScalar() || !integer || *integer < 1)
      fail(child, key.str(), "is a whole number from 1 up");
    return *integer;
  }

  bool has(StringRef key) const { return node.find(std::string(key)); }

  static constexpr double kAny = std::numeric_limits<double>::max();

private:
  [[noreturn]] void fail(const Node &at, const std::string &key,
                         const std::string &rule) const {
    std::string whole = name + key;
    if (key.empty() && !whole.empty())
      whole.pop_back();
    throw UserError(at.location.str() + ": " +
                    (whole.empty() ? "the file" : "'" + whole + "'") + " " +
                    rule);
  }

  static std::string nearest(StringRef key, llvm::ArrayRef<StringRef> keys) {
    return std::min_element(keys.begin(), keys.end(),
                            [&](StringRef a, StringRef b) {
                              return key.edit_distance(a) <
                                     key.edit_distance(b);
                            })
        ->str();
  }

  const Node &node;
  std::string name; ///< with a dot at its end
};

DeviceRates deviceOf(const Node &node, size_t index) {
  Section section(node, "devices[" + std::to_string(index) + "].",
                  {"ranks_per_node", "f32_flops_per_s", "bf16_flops_per_s",
                   "efficiency", "memory_bytes_per_s", "overhead_s"});
  DeviceRates rates;
  if (section.has("ranks_per_node"))
    rates.ranksPerNode = section.count("ranks_per_node");
  rates.f32_flopsPerSecond = section.number("f32_flops_per_s", Section::kAny);
  rates.bf16_flopsPerSecond = section.number("bf16_flops_per_s", Section::kAny);
  rates.efficiency = section.number("efficiency", 1);
  rates.memory_bytesPerSecond =
      section.number("memory_bytes_per_s", Section::kAny);
  rates.overhead_s = section.number("overhead_s", Section::kAny, true);
  return rates;
}

LinkRates linkOf(const Section &root, StringRef key) {
  Section section(root.require(key), key.str() + ".",
                  {"latency_s", "bytes_per_s"});
  return {section.number("latency_s", Section::kAny, true),
          section.number("bytes_per_s", Section::kAny)};
}

Cluster clusterOf(const config::Document &document) {
  Section root(document.root(), "",
               {"ranks_per_node", "devices", "intra_node", "inter_node"});
  Cluster cluster;
  cluster.path = document.path();
  cluster.ranksPerNode = root.count("ranks_per_node");
  const Node &devices = root.require("devices");
  if (!devices.isList() || devices.items.empty())
    throw UserError(devices.location.str() +
                    ": 'devices' is a list with at least one section");
  for (size_t i = 0; i < devices.items.size(); ++i)
    cluster.devices.push_back(deviceOf(*devices.items[i], i));
  std::stable_sort(cluster.devices.begin(), cluster.devices.end(),
                   [](const DeviceRates &a, const DeviceRates &b) {
                     // 0 stands for any number.
                     return uint64_t(a.ranksPerNode - 1) <
                            uint64_t(b.ranksPerNode - 1);
                   });
  cluster.intraNode = linkOf(root, "intra_node");
  cluster.interNode = linkOf(root, "inter_node");
  return cluster;
}

} // namespace

Cluster nxdt::loadCluster(const std::string &path) {
  return clusterOf(config::Document::load(path, {}));
}

Cluster nxdt::parseCluster(const std::string &text, const std::string &name) {
  return clusterOf(config::Document::parse(text, name, {}));
}

const DeviceRates &nxdt::ratesFor(const Cluster &cluster, int64_t ranks) {
  int64_t onNode = std::min(ranks, cluster.ranksPerNode);
  for (const DeviceRates &rates : cluster.devices)
    if (rates.ranksPerNode == 0 || rates.ranksPerNode >= onNode)
      return rates;
  throw UserError(cluster.path + ": has no entry of 'devices' for " +
                  std::to_string(onNode) + " ranks on a node; the largest is " +
                  std::to_string(cluster.devices.back().ranksPerNode));
}
