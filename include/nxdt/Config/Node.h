//===- Node.h - a configuration value and where it stands ----- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tree behind a configuration: maps, lists and scalars as OmegaConf sees
// them, each with the place it was written. Plain data without dependencies.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CONFIG_NODE_H
#define NXDT_CONFIG_NODE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nxdt::config {

/// Where a value was written.
struct Location {
  enum class Kind { None, File, CommandLine } kind = Kind::None;
  /// The file's path as given, or the whole override ("a.b=v").
  std::shared_ptr<const std::string> source;
  int line = 0;   ///< from 1
  int column = 0; ///< from 1

  /// "config.yaml:3:7", "command line: 'a.b=v'", or "" for Kind::None.
  std::string str() const;
};

/// An integer outside of int64, as decimal digits with an optional '-'.
struct BigInt {
  std::string digits;
  bool operator==(const BigInt &) const = default;
};

/// null, true/false, integer, huge integer, float, string.
using Scalar =
    std::variant<std::monostate, bool, int64_t, BigInt, double, std::string>;

class Node;
using NodePtr = std::shared_ptr<Node>;

/// One `key: value` of a map. Keys are scalars; anything but a string can not
/// be named by a dotted path.
struct Entry {
  Scalar key;
  Location keyLocation;
  NodePtr value;
};

/// A value. Parents are plain pointers: a tree is owned from its root.
class Node : public std::enable_shared_from_this<Node> {
public:
  enum class Kind { Scalar, List, Map };

  Kind kind = Kind::Scalar;
  config::Scalar scalar;
  std::vector<NodePtr> items; ///< List
  std::vector<Entry> entries; ///< Map, in the order of the file
  Location location;          ///< of the value itself
  /// Where the text of the value comes from when an interpolation brought it
  /// here (else the same as `location`): relative paths lean on it.
  Location origin;
  Node *parent = nullptr;
  /// Made by an interpolation out of literals (`oc.decode`, `oc.env`): not a
  /// section that a dotted path can enter, nor a text to interpolate again.
  bool literal = false;

  static NodePtr makeScalar(config::Scalar value, Location location = {});
  static NodePtr makeList(Location location = {});
  static NodePtr makeMap(Location location = {});

  bool isMap() const { return kind == Kind::Map; }
  bool isList() const { return kind == Kind::List; }
  bool isScalar() const { return kind == Kind::Scalar; }
  bool isContainer() const { return kind != Kind::Scalar; }
  bool isNull() const;
  /// nullptr unless it is a string scalar.
  const std::string *string() const;
  /// A string that contains "${" and was not made by an interpolation.
  bool isInterpolation() const;
  /// The mandatory-value marker "???".
  bool isMissing() const;

  /// The child of a map with this string as key, or nullptr.
  Node *find(std::string_view key) const;
  /// As find, the entry.
  const Entry *entry(std::string_view key) const;
  /// Sets a key of a map, replacing an earlier value in place.
  void set(const config::Scalar &key, NodePtr value, Location keyLocation);
  /// Removes a string key; false if it was absent.
  bool erase(std::string_view key);
  void append(NodePtr value);
  /// A copy with own children; `parent` is left empty.
  NodePtr clone() const;
  /// Nodes in this subtree, this one included.
  size_t count() const;
};

/// Splits "a.b[0].c" into its keys as OmegaConf does: "a", "b", "0", "c".
std::vector<std::string> splitKey(std::string_view key);

/// A value as one short piece of text for messages: `null`, `'abc'`, `[1, 2]`.
std::string show(const Node &node);
std::string show(const Scalar &scalar);

} // namespace nxdt::config

#endif // NXDT_CONFIG_NODE_H
