//===- Nearest.h - what the user may have meant --------------- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_NEAREST_H
#define NXDT_LIB_CONFIG_NEAREST_H

#include <string>
#include <vector>

namespace nxdt::config {

/// Levenshtein distance where a swap of neighbours counts once.
size_t editDistance(const std::string &a, const std::string &b);

/// The known dotted key that is nearest to what was written: by the last
/// component first (so that a key in the wrong section is found), then by the
/// whole. Empty if nothing is near enough to be a help.
std::string nearestKey(const std::string &key,
                       const std::vector<std::string> &known);

} // namespace nxdt::config

#endif // NXDT_LIB_CONFIG_NEAREST_H
