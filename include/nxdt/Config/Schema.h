//===- Schema.h - every key of a configuration ---------------- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One table says of every key of NxD Training and NeMo what it is and what
// becomes of it here. Checks, help and explanations are made from it.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CONFIG_SCHEMA_H
#define NXDT_CONFIG_SCHEMA_H

#include "nxdt/Config/Document.h"

#include <span>

namespace nxdt::config {

/// What becomes of a key.
enum class Status {
  Honoured,   ///< does what it says
  Equivalent, ///< no effect here, and none is needed: `why`
  Ignored,    ///< no effect here, said in one line: `why`
  Later,      ///< not supported yet: an error once it is switched on
  Refused,    ///< an error unless it is switched off: `why`
};

/// One key. Texts are static.
struct KeySpec {
  const char *key; ///< dotted; "model.plugin_config" covers all below it
  /// Alternatives with '|': null, bool, int, float (takes integers), str,
  /// path, scalar (any single value), list, map (free form), section.
  const char *type;
  /// The default as YAML; "required"; "" where there is none.
  const char *fallback;
  /// "a | b" names the legal values; ">= 1", "> 0", "[0, 1)" bound numbers;
  /// "" = any of the type.
  const char *legal;
  /// Values that are supported now, written as `legal` is; "" = all of them
  /// (Honoured) or none of them (Later, Refused).
  const char *now;
  Status status;
  const char *help; ///< one line
  const char *why;  ///< reason for a status that is not Honoured
};

/// All keys, grouped by section.
std::span<const KeySpec> schema();

/// The entry of a dotted key, or nullptr. Keys below a free-form one give that
/// one.
const KeySpec *findKey(const std::string &key);

/// The nearest known key to an unknown one, or "".
std::string nearestSchemaKey(const std::string &key);

/// What becomes of one key of a file, with this value, in this file.
struct Verdict {
  Status status;
  std::string why;
};
Verdict judge(const KeySpec &spec, const Node &value, const Document &doc);

/// Empty, or why the value does not fit the type or the legal values.
std::string checkValue(const KeySpec &spec, const Node &value);

/// Whether a value is among those of a `legal`/`now` text.
bool isAmong(const char *values, const Node &value);

/// "Honoured", ... as one word for tables.
const char *name(Status status);

} // namespace nxdt::config

#endif // NXDT_CONFIG_SCHEMA_H
