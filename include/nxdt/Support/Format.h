//===- Format.h - numbers for people ----------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SUPPORT_FORMAT_H
#define NXDT_SUPPORT_FORMAT_H

#include <cstdint>
#include <optional>
#include <string>

namespace nxdt {

/// "0 B", "1.50 KiB", "2.00 GiB".
std::string humanBytes(int64_t bytes);
/// "16GiB", "1.5 TiB", "80GB", "1024": a number and a unit (B, kB, KiB, MB,
/// MiB, ... PiB), rounded down; nullopt for anything else, and beyond 64 bits.
std::optional<int64_t> parseBytes(const std::string &text);
/// "950", "12.3k", "1.24M", "8.03B".
std::string humanCount(double count);
/// "0.85 ms", "1.23 s", "2:05", "1:02:05".
std::string humanDuration(double seconds);
/// "1,234,567".
std::string withCommas(int64_t value);

} // namespace nxdt

#endif // NXDT_SUPPORT_FORMAT_H
