//===- PyFormat.cpp - text as Python would write it -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PyFormat.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace nxdt::config {

std::string pyFloat(double value) {
  if (std::isnan(value))
    return "nan";
  if (std::isinf(value))
    return value < 0 ? "-inf" : "inf";
  // Shortest round-trip digits in scientific form, then Python's layout.
  char buffer[64];
  auto done = std::to_chars(buffer, buffer + sizeof buffer, value,
                            std::chars_format::scientific);
  std::string text(buffer, done.ptr);
  std::string sign;
  if (text[0] == '-') {
    sign = "-";
    text.erase(0, 1);
  }
  size_t e = text.find('e');
  int exponent = std::stoi(text.substr(e + 1));
  std::string digits = text.substr(0, 1);
  if (e > 2)
    digits += text.substr(2, e - 2);
  if (exponent < -4 || exponent >= 16) {
    std::string out = sign + digits.substr(0, 1);
    if (digits.size() > 1)
      out += "." + digits.substr(1);
    char tail[16];
    std::snprintf(tail, sizeof tail, "e%c%02d", exponent < 0 ? '-' : '+',
                  std::abs(exponent));
    return out + tail;
  }
  if (exponent < 0)
    return sign + "0." + std::string(-exponent - 1, '0') + digits;
  size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole)
    return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

static std::string quote(const std::string &text) {
  // repr(str): single quotes unless the text holds some and no double ones.
  bool useDouble = text.find('\'') != std::string::npos &&
                   text.find('"') == std::string::npos;
  char mark = useDouble ? '"' : '\'';
  std::string out(1, mark);
  for (unsigned char c : text) {
    if (c == mark || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      char code[8];
      std::snprintf(code, sizeof code, "\\x%02x", c);
      out += code;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + mark;
}

std::string pyStr(const Scalar &scalar) {
  if (const auto *text = std::get_if<std::string>(&scalar))
    return *text;
  return pyRepr(scalar);
}

std::string pyRepr(const Scalar &scalar) {
  if (std::holds_alternative<std::monostate>(scalar))
    return "None";
  if (const auto *value = std::get_if<bool>(&scalar))
    return *value ? "True" : "False";
  if (const auto *value = std::get_if<int64_t>(&scalar))
    return std::to_string(*value);
  if (const auto *value = std::get_if<BigInt>(&scalar))
    return value->digits;
  if (const auto *value = std::get_if<double>(&scalar))
    return pyFloat(*value);
  return quote(std::get<std::string>(scalar));
}

static std::string pyReprNode(const Node &node) {
  if (node.isScalar())
    return pyRepr(node.scalar);
  std::string out = node.isMap() ? "{" : "[";
  bool first = true;
  auto comma = [&] {
    if (!first)
      out += ", ";
    first = false;
  };
  for (const NodePtr &item : node.items) {
    comma();
    out += pyReprNode(*item);
  }
  for (const Entry &entry : node.entries) {
    comma();
    out += pyRepr(entry.key) + ": " + pyReprNode(*entry.value);
  }
  return out + (node.isMap() ? "}" : "]");
}

std::string pyStr(const Node &node) {
  return node.isScalar() ? pyStr(node.scalar) : pyReprNode(node);
}

} // namespace nxdt::config
