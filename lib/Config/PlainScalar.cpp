//===- PlainScalar.cpp - the type of an unquoted YAML scalar --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PlainScalar.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace nxdt::config {
namespace {

/// Python refuses longer decimal integers too (sys.get_int_max_str_digits).
constexpr size_t kMaxDigits = 4300;

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isHex(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Hand-written matchers: std::regex recurses once per character.
struct Cursor {
  const std::string &text;
  size_t at = 0;

  bool done() const { return at == text.size(); }
  bool one(char c) {
    if (done() || text[at] != c)
      return false;
    ++at;
    return true;
  }
  bool anyOf(const char *set) {
    if (done() || std::string_view(set).find(text[at]) == std::string::npos)
      return false;
    ++at;
    return true;
  }
  template <typename Pred> size_t run(Pred pred) {
    size_t begin = at;
    while (!done() && pred(text[at]))
      ++at;
    return at - begin;
  }
  size_t digits() { return run(isDigit); }
  size_t digitsOrUnderscores() {
    return run([](char c) { return isDigit(c) || c == '_'; });
  }
  /// [0-9]+(_[0-9]+)*
  bool groupedDigits() {
    if (!digits())
      return false;
    while (at + 1 < text.size() && text[at] == '_' && isDigit(text[at + 1])) {
      ++at;
      digits();
    }
    return true;
  }
  /// [0-9][0-9_]*
  bool looseDigits() {
    if (done() || !isDigit(text[at]))
      return false;
    digitsOrUnderscores();
    return true;
  }
  /// (:[0-5]?[0-9])+
  bool sixties() {
    size_t parts = 0;
    while (one(':')) {
      size_t begin = at;
      size_t n = digits();
      if (n == 0 || n > 2 || (n == 2 && text[begin] > '5'))
        return false;
      ++parts;
    }
    return parts > 0;
  }
};

bool matchesInt(const std::string &text) {
  auto rest = [&](auto match) {
    Cursor c{text};
    c.anyOf("+-");
    return match(c) && c.done();
  };
  return rest([](Cursor &c) {
           return c.one('0') && c.one('b') && c.run([](char x) {
             return x == '0' || x == '1' || x == '_';
           });
         }) ||
         rest([](Cursor &c) {
           return c.one('0') && c.run([](char x) {
             return (x >= '0' && x <= '7') || x == '_';
           });
         }) ||
         rest([](Cursor &c) { return c.one('0'); }) || rest([](Cursor &c) {
           return c.anyOf("123456789") && (c.digitsOrUnderscores(), true);
         }) ||
         rest([](Cursor &c) {
           return c.one('0') && c.one('x') &&
                  c.run([](char x) { return isHex(x) || x == '_'; });
         }) ||
         rest([](Cursor &c) {
           if (!c.anyOf("123456789"))
             return false;
           c.digitsOrUnderscores();
           return c.sixties();
         });
}

/// ([eE][-+]?[0-9]+), with the sign optional or required.
bool exponent(Cursor &c, bool signRequired) {
  if (!c.anyOf("eE"))
    return false;
  if (!c.anyOf("+-") && signRequired)
    return false;
  return c.digits() > 0;
}

bool matchesFloat(const std::string &text) {
  auto whole = [&](auto match) {
    Cursor c{text};
    return match(c) && c.done();
  };
  auto tail = [](Cursor &c, bool signRequired) {
    return c.done() || exponent(c, signRequired);
  };
  auto special = [](Cursor &c, std::initializer_list<const char *> words) {
    std::string rest = c.text.substr(c.at);
    for (const char *word : words) {
      if (rest != word)
        continue;
      c.at = c.text.size();
      return true;
    }
    return false;
  };
  return // PyYAML: 1_0.5e+3 (the exponent needs a sign)
      whole([&](Cursor &c) {
        c.anyOf("+-");
        if (!c.looseDigits() || !c.one('.'))
          return false;
        c.digitsOrUnderscores();
        return tail(c, true);
      }) ||
      // OmegaConf: 1.5e3 and 1e3
      whole([&](Cursor &c) {
        c.anyOf("+-");
        if (!c.groupedDigits())
          return false;
        if (!c.one('.'))
          return exponent(c, false);
        c.digitsOrUnderscores();
        return tail(c, false);
      }) ||
      // .5e-3, never with a sign in front
      whole([&](Cursor &c) {
        return c.one('.') && c.looseDigits() && tail(c, true);
      }) ||
      whole([](Cursor &c) {
        c.anyOf("+-");
        if (!c.looseDigits() || !c.sixties() || !c.one('.'))
          return false;
        c.digitsOrUnderscores();
        return true;
      }) ||
      whole([&](Cursor &c) {
        c.anyOf("+-");
        return special(c, {".inf", ".Inf", ".INF"});
      }) ||
      whole([&](Cursor &c) {
        return special(c, {".nan", ".NaN", ".NAN"});
      });
}

std::string without(const std::string &text, char dropped) {
  std::string out;
  std::copy_if(text.begin(), text.end(), std::back_inserter(out),
               [&](char c) { return c != dropped; });
  return out;
}

/// Digits of any base up to 60 -> decimal digits; parts are most significant
/// first.
std::string toDecimal(const std::vector<int> &parts, int base) {
  std::vector<int> decimal{0}; // least significant first
  for (int part : parts) {
    int carry = part;
    for (int &digit : decimal) {
      int value = digit * base + carry;
      digit = value % 10;
      carry = value / 10;
    }
    for (; carry; carry /= 10)
      decimal.push_back(carry % 10);
  }
  std::string out;
  for (auto it = decimal.rbegin(); it != decimal.rend(); ++it)
    out += static_cast<char>('0' + *it);
  return out;
}

bool isOneOf(const std::string &text,
             std::initializer_list<const char *> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char *word) { return text == word; });
}

} // namespace

Scalar integerFromDigits(const std::string &digits) {
  bool negative = digits.starts_with('-');
  size_t begin = (negative || digits.starts_with('+')) ? 1 : 0;
  while (begin + 1 < digits.size() && digits[begin] == '0')
    ++begin;
  std::string bare = digits.substr(begin);
  if (bare.size() > kMaxDigits)
    throw ScalarError("an integer of " + std::to_string(bare.size()) +
                      " digits (at most " + std::to_string(kMaxDigits) + ")");
  if (bare.size() <= 19) {
    uint64_t magnitude = std::stoull(bare);
    uint64_t limit = std::numeric_limits<int64_t>::max();
    if (magnitude <= limit)
      return negative ? -static_cast<int64_t>(magnitude)
                      : static_cast<int64_t>(magnitude);
    if (negative && magnitude == limit + 1)
      return std::numeric_limits<int64_t>::min();
  }
  return BigInt{(negative ? "-" : "") + bare};
}

Scalar constructInt(const std::string &original) {
  std::string text = without(original, '_');
  std::string sign;
  if (text.starts_with('-') || text.starts_with('+')) {
    sign = text[0] == '-' ? "-" : "";
    text.erase(0, 1);
  }
  auto fail = [&]() -> Scalar {
    throw ScalarError("'" + original + "' is not an integer");
  };
  auto inBase = [&](const std::string &digits, int base) -> Scalar {
    if (digits.empty() || digits.size() > kMaxDigits)
      return fail();
    std::vector<int> parts;
    for (char c : digits) {
      int value = isDigit(c) ? c - '0' : isHex(c) ? (c | 0x20) - 'a' + 10 : 99;
      if (value >= base)
        return fail();
      parts.push_back(value);
    }
    return integerFromDigits(sign + toDecimal(parts, base));
  };
  if (text.empty())
    return fail();
  if (text == "0")
    return int64_t{0};
  if (text.starts_with("0b"))
    return inBase(text.substr(2), 2);
  if (text.starts_with("0x"))
    return inBase(text.substr(2), 16);
  if (text[0] == '0')
    return inBase(text.substr(1), 8);
  if (text.find(':') != std::string::npos) {
    // Base 60: only the first part may be large. "100:30" = 6030.
    std::vector<int> parts;
    size_t first = text.find(':');
    std::string lead = text.substr(0, first);
    if (lead.size() > 12 || lead.empty())
      return fail();
    int64_t value = 0;
    for (size_t at = 0; at <= text.size();) {
      size_t end = std::min(text.find(':', at), text.size());
      std::string part = text.substr(at, end - at);
      if (part.empty() || !std::all_of(part.begin(), part.end(), isDigit) ||
          value > (int64_t{1} << 55))
        return fail();
      value = value * 60 + std::stoll(part);
      at = end + 1;
    }
    return sign.empty() ? value : -value;
  }
  if (!std::all_of(text.begin(), text.end(), isDigit))
    return fail();
  return integerFromDigits(sign + text);
}

Scalar constructFloat(const std::string &original) {
  std::string text = without(original, '_');
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  double sign = 1.0;
  if (text.starts_with('-') || text.starts_with('+')) {
    sign = text[0] == '-' ? -1.0 : 1.0;
    text.erase(0, 1);
  }
  if (text == ".inf")
    return sign * std::numeric_limits<double>::infinity();
  if (text == ".nan")
    return std::numeric_limits<double>::quiet_NaN();
  auto number = [&](const std::string &part) {
    char *end = nullptr;
    double value = std::strtod(part.c_str(), &end);
    // strtod reads hexadecimal floats, Python does not.
    if (part.empty() || *end || part.find('x') != std::string::npos)
      throw ScalarError("'" + original + "' is not a number");
    return value;
  };
  if (text.find(':') == std::string::npos)
    return sign * number(text);
  double value = 0.0;
  double base = 1.0;
  // Summed from the right, as PyYAML does, so that the rounding agrees.
  for (size_t end = text.size();;) {
    size_t begin = text.rfind(':', end - 1);
    size_t from = begin == std::string::npos ? 0 : begin + 1;
    value += number(text.substr(from, end - from)) * base;
    base *= 60;
    if (begin == std::string::npos || begin == 0)
      break;
    end = begin;
  }
  return sign * value;
}

Scalar typePlainScalar(const std::string &text) {
  if (text.empty() || isOneOf(text, {"~", "null", "Null", "NULL"}))
    return {};
  if (isOneOf(text,
              {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}))
    return true;
  if (isOneOf(text, {"no", "No", "NO", "false", "False", "FALSE", "off", "Off",
                     "OFF"}))
    return false;
  if (std::string_view("+-.0123456789").find(text[0]) != std::string::npos) {
    if (matchesFloat(text))
      return constructFloat(text);
    if (matchesInt(text))
      return constructInt(text);
  }
  if (text == "=" || text == "<<")
    throw ScalarError("an unquoted '" + text +
                      "' has a meaning of its own in YAML; quote it");
  return text;
}

} // namespace nxdt::config
