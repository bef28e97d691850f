//===- SchemaTables.h - the parts of the schema --------------- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_SCHEMATABLES_H
#define NXDT_LIB_CONFIG_SCHEMATABLES_H

#include "nxdt/Config/Schema.h"

namespace nxdt::config {

std::span<const KeySpec> topKeys();
std::span<const KeySpec> trainerKeys();
std::span<const KeySpec> expManagerKeys();
std::span<const KeySpec> strategyKeys();
std::span<const KeySpec> dataKeys();
std::span<const KeySpec> modelKeys();
std::span<const KeySpec> megatronKeys();
std::span<const KeySpec> optimKeys();
std::span<const KeySpec> precisionKeys();
std::span<const KeySpec> alignmentKeys();

// Short names for the tables only.
constexpr Status H = Status::Honoured;
constexpr Status E = Status::Equivalent;
constexpr Status I = Status::Ignored;
constexpr Status L = Status::Later;
constexpr Status R = Status::Refused;

} // namespace nxdt::config

#endif // NXDT_LIB_CONFIG_SCHEMATABLES_H
