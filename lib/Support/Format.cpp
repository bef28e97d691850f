//===- Format.cpp - numbers for people ------------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nxdt/Support/Format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <utility>

namespace nxdt {

namespace {

std::string print(const char *format, double value, const char *unit) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value, unit);
  return text;
}

/// Three significant digits.
const char *threeDigits(double value) {
  if (value < 9.995)
    return "%.2f%s";
  if (value < 99.95)
    return "%.1f%s";
  return "%.0f%s";
}

} // namespace

std::string humanBytes(int64_t bytes) {
  static const char *units[] = {" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
  if (std::llabs(bytes) < 1024)
    return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1024.0;
  size_t unit = 0;
  while (std::fabs(value) >= 1023.995 && unit + 1 < std::size(units)) {
    value /= 1024.0;
    ++unit;
  }
  return print("%.2f%s", value, units[unit]);
}

std::string humanCount(double count) {
  static const char *units[] = {"", "k", "M", "B", "T"};
  if (!std::isfinite(count))
    return print("%f%s", count, "");
  if (std::fabs(count) < 999.5)
    return print("%.0f%s", count, "");
  size_t unit = 0;
  while (std::fabs(count) >= 999.5 && unit + 1 < std::size(units)) {
    count /= 1000.0;
    ++unit;
  }
  return print(threeDigits(std::fabs(count)), count, units[unit]);
}

std::optional<int64_t> parseBytes(const std::string &text) {
  static constexpr std::pair<const char *, double> kUnits[] = {
      {"", 1},         {"B", 1},     {"kB", 1e3},     {"KB", 1e3},
      {"KiB", 1024},   {"MB", 1e6},  {"MiB", 0x1p20}, {"GB", 1e9},
      {"GiB", 0x1p30}, {"TB", 1e12}, {"TiB", 0x1p40}, {"PB", 1e15},
      {"PiB", 0x1p50}};
  if (text.empty() || text[0] < '0' || text[0] > '9')
    return std::nullopt;
  size_t end = text.find_first_not_of("0123456789.");
  std::string digits = text.substr(0, end);
  if (std::count(digits.begin(), digits.end(), '.') > 1)
    return std::nullopt;
  std::string unit = end == std::string::npos ? "" : text.substr(end);
  if (unit.starts_with(' '))
    unit.erase(0, 1);
  for (const auto &[name, factor] : kUnits) {
    if (unit != name)
      continue;
    double bytes = std::strtod(digits.c_str(), nullptr) * factor;
    if (bytes >= 0x1p63)
      return std::nullopt;
    return static_cast<int64_t>(bytes);
  }
  return std::nullopt;
}

std::string humanDuration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0)
    return "?";
  if (seconds < 0.9995)
    return print(threeDigits(seconds * 1e3), seconds * 1e3, " ms");
  if (seconds < 59.995)
    return print("%.2f%s", seconds, " s");
  auto total = static_cast<int64_t>(std::llround(seconds));
  char text[64];
  if (total < 3600)
    std::snprintf(text, sizeof(text), "%lld:%02lld",
                  static_cast<long long>(total / 60),
                  static_cast<long long>(total % 60));
  else
    std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld",
                  static_cast<long long>(total / 3600),
                  static_cast<long long>(total / 60 % 60),
                  static_cast<long long>(total % 60));
  return text;
}

std::string withCommas(int64_t value) {
  std::string digits = std::to_string(value);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    bool first = text.empty() || text == "-";
    if (!first && (digits.size() - i) % 3 == 0)
      text += ',';
    text += digits[i];
  }
  return text;
}

} // namespace nxdt
