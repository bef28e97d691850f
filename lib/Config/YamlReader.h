//===- YamlReader.h - a YAML file as a tree of nodes ---------- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_YAMLREADER_H
#define NXDT_LIB_CONFIG_YAMLREADER_H

#include "nxdt/Config/Node.h"

namespace nxdt::config {

/// Reads one YAML document whose top level is a map (an empty file is an empty
/// map). Aliases are expanded, merge keys ("<<") applied, duplicate keys
/// refused. Throws UserError with file:line:col.
NodePtr readYamlFile(const std::string &path);

/// The same for text that came from elsewhere; `name` stands for the file.
NodePtr readYamlText(const std::string &text, const std::string &name);

/// The bytes of a regular file or pipe up to a limit. Throws UserError that
/// says what is wrong (absent, a directory, too large).
std::string readTextFile(const std::string &path, size_t maxBytes);

} // namespace nxdt::config

#endif // NXDT_LIB_CONFIG_YAMLREADER_H
