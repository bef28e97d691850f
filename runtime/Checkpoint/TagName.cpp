//===- TagName.cpp - names of checkpoints ---------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/CheckpointManager.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <variant>

namespace nxdt::runtime {

namespace {

using Number = std::variant<int64_t, double>;

/// A float as Python prints it: the shortest digits that give it back, with an
/// exponent below 1e-4 and from 1e16 on.
std::string pythonFloat(double value) {
  if (std::isnan(value))
    return "nan";
  if (std::isinf(value))
    return value < 0 ? "-inf" : "inf";
  double magnitude = std::fabs(value);
  bool fixed = magnitude == 0.0 || (magnitude >= 1e-4 && magnitude < 1e16);
  char text[64];
  auto end = std::to_chars(text, text + sizeof(text), value,
                           fixed ? std::chars_format::fixed
                                 : std::chars_format::scientific)
                 .ptr;
  std::string result(text, end);
  if (fixed && result.find('.') == std::string::npos)
    result += ".0";
  return result;
}

/// Python's format specification, as far as checkpoint names use it:
/// [0][width][.precision][d|e|E|f|F|g|G|%].
struct Spec {
  bool zero = false;
  int width = 0;
  int precision = -1;
  char type = 0;
};

/// Digits at `at`; -1 if there are none, or too many.
int takeInt(const std::string &text, size_t &at) {
  int value = -1;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    value = std::max(value, 0) * 10 + (text[at++] - '0');
    if (value > 100)
      return -1;
  }
  return value;
}

class Formatter {
public:
  explicit Formatter(const std::string &pattern) : pattern(pattern) {}

  [[noreturn]] void fail(const std::string &what) const {
    throw UserError("exp_manager.checkpoint_callback_params.filename: '" +
                    pattern + "': " + what);
  }
  std::string format(const std::string &key, const std::string &text,
                     Number number) const;

private:
  Spec parse(const std::string &key, const std::string &text) const;
  const std::string &pattern;
};

Spec Formatter::parse(const std::string &key, const std::string &text) const {
  Spec spec;
  size_t at = 0;
  if (at < text.size() && text[at] == '0') {
    spec.zero = true;
    ++at;
  }
  spec.width = std::max(takeInt(text, at), 0);
  if (at < text.size() && text[at] == '.') {
    ++at;
    spec.precision = takeInt(text, at);
    if (spec.precision < 0)
      fail("the format ':" + text + "' of '" + key + "' has no precision");
  }
  if (at < text.size())
    spec.type = text[at++];
  if (at != text.size() ||
      (spec.type &&
       std::string_view("deEfFgG%").find(spec.type) == std::string_view::npos))
    fail("the format ':" + text + "' of '" + key +
         "' is none of [0][width][.precision][d e f g %]");
  return spec;
}

std::string Formatter::format(const std::string &key, const std::string &text,
                              Number number) const {
  Spec spec = parse(key, text);
  bool isInt = std::holds_alternative<int64_t>(number);
  double value = isInt ? static_cast<double>(std::get<int64_t>(number))
                       : std::get<double>(number);
  std::string result;
  if (isInt && (spec.type == 0 || spec.type == 'd')) {
    if (spec.precision >= 0)
      fail("the format ':" + text + "' gives the integer '" + key +
           "' a precision");
    result = std::to_string(std::get<int64_t>(number));
  } else if (spec.type == 'd') {
    fail("the format ':" + text + "' is for integers, '" + key +
         "' is a float (use e.g. ':.0f')");
  } else if (spec.type == 0 && spec.precision < 0) {
    result = pythonFloat(value);
  } else {
    char type = spec.type == 0 ? 'g' : spec.type == '%' ? 'f' : spec.type;
    char format[8] = {'%', '.', '*', type, 0};
    char buffer[512];
    int precision = spec.precision < 0 ? 6 : spec.precision;
    std::snprintf(buffer, sizeof(buffer), format, precision,
                  spec.type == '%' ? value * 100.0 : value);
    result = buffer;
    if (spec.type == '%')
      result += '%';
    if (spec.type == 0 && std::isfinite(value) &&
        result.find_first_of(".e") == std::string::npos)
      result += ".0";
  }
  auto width = static_cast<size_t>(spec.width);
  if (result.size() >= width)
    return result;
  size_t missing = width - result.size();
  if (!spec.zero)
    return std::string(missing, ' ') + result;
  return result.insert(result.front() == '-' ? 1 : 0, missing, '0');
}

} // namespace

std::string formatTagName(const std::string &pattern, int64_t step,
                          int64_t epoch,
                          const std::map<std::string, double> &metrics,
                          bool autoInsertMetricName) {
  Formatter formatter(pattern);
  std::string name;
  for (size_t at = 0; at < pattern.size();) {
    char c = pattern[at];
    if (c == '}')
      formatter.fail("has a '}' without a '{'");
    if (c != '{') {
      name += c;
      ++at;
      continue;
    }
    size_t end = pattern.find('}', at);
    if (end == std::string::npos)
      formatter.fail("has a '{' without a '}'");
    std::string field = pattern.substr(at + 1, end - at - 1);
    at = end + 1;
    size_t colon = field.find(':');
    std::string key = field.substr(0, colon);
    std::string spec =
        colon == std::string::npos ? "" : field.substr(colon + 1);
    if (key.empty() || key.find('{') != std::string::npos)
      formatter.fail("has a '{' without a name");
    Number number = int64_t{0}; // what Lightning takes for unknown keys
    if (key == "step")
      number = step;
    else if (key == "epoch")
      number = epoch;
    else if (auto it = metrics.find(key); it != metrics.end())
      number = it->second;
    if (autoInsertMetricName)
      name += key + "=";
    name += formatter.format(key, spec, number);
  }
  if (name.empty() || name.front() == '.' ||
      name.find('/') != std::string::npos)
    formatter.fail("gives the name '" + name +
                   "', which no folder can have "
                   "('/' and a leading '.')");
  return name;
}

} // namespace nxdt::runtime
