//===- ReadableText.cpp - printed IR for people ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MLIR has no hook for the names of func.func's arguments nor for line breaks,
// so this works on its text. All it knows of the syntax: strings, brackets,
// and which characters belong to a name.
//
//===----------------------------------------------------------------------===//
#include "ReadableText.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <vector>

using namespace nxdt;

using Lines = std::vector<std::string>;

static bool startsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

/// Whether a character can be inside of an SSA name or an alias.
static bool isNameChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         c == '.' || c == '-';
}

/// Behind the name that starts at `begin`. "%0->" ends in front of the arrow.
static size_t nameEnd(std::string_view text, size_t begin) {
  size_t end = begin;
  while (end < text.size() && isNameChar(text[end]) &&
         text.substr(end, 2) != "->")
    ++end;
  return end;
}

/// Behind the string that starts at `begin`.
static size_t stringEnd(std::string_view text, size_t begin) {
  size_t i = begin + 1;
  while (i < text.size() && text[i] != '"')
    i += text[i] == '\\' ? 2 : 1;
  return std::min(i + 1, text.size());
}

/// Calls `visit(i, depth, angles)` for each character outside of strings, with
/// the number of brackets open in front of it and how many of these are '<'.
template <typename Visit>
static void scan(std::string_view text, const Visit &visit) {
  int depth = 0, angles = 0;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      i = stringEnd(text, i);
      continue;
    }
    if (text.substr(i, 2) == "->") {
      visit(i, depth, angles);
      i += 2;
      continue;
    }
    char c = text[i];
    if (c == ')' || c == ']' || c == '}' || c == '>') {
      --depth;
      angles -= c == '>';
    }
    visit(i, depth, angles);
    if (c == '(' || c == '[' || c == '{' || c == '<') {
      ++depth;
      angles += c == '<';
    }
    ++i;
  }
}

/// Replaces names that start with `sigil` where `replace` has something else.
static std::string
replaceNames(std::string_view text, char sigil,
             const std::map<std::string, std::string, std::less<>> &replace) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    if (text[i] == '"')
      end = stringEnd(text, i);
    else if (text[i] == sigil)
      end = nameEnd(text, i + 1);
    std::string_view token = text.substr(i, end - i);
    auto found = replace.end();
    if (token[0] == sigil)
      found = replace.find(token.substr(1));
    result += found == replace.end() ? token : std::string_view(found->second);
    i = end;
  }
  return result;
}

/// `#loc3 = loc("model.norm")` goes to where #loc3 is used.
static void inlineLocations(Lines &lines) {
  std::map<std::string, std::string, std::less<>> definitions;
  Lines rest;
  for (std::string &line : lines) {
    size_t equals = line.find(" = loc(");
    bool isDefinition = startsWith(line, "#loc") &&
                        equals == nameEnd(line, 1) && line.back() == ')';
    // A location that is made of others stays where it is.
    size_t begin = equals + std::string_view(" = loc(").size();
    if (isDefinition && line.find('#', begin) == std::string::npos)
      definitions[line.substr(1, equals - 1)] =
          line.substr(begin, line.size() - 1 - begin);
    else
      rest.push_back(std::move(line));
  }
  for (std::string &line : rest)
    line = replaceNames(line, '#', definitions);
  while (!rest.empty() && rest.back().empty())
    rest.pop_back();
  lines = std::move(rest);
}

/// Splits at the commas that are in no bracket.
static std::vector<std::string_view> splitList(std::string_view text) {
  std::vector<std::string_view> elements;
  size_t begin = 0;
  scan(text, [&](size_t i, int depth, int) {
    if (text[i] != ',' || depth > 0)
      return;
    elements.push_back(text.substr(begin, i - begin));
    begin = std::min(text.find_first_not_of(' ', i + 1), text.size());
  });
  if (begin < text.size())
    elements.push_back(text.substr(begin));
  return elements;
}

/// Where the bracket that is opened at `open` is closed.
static size_t closing(std::string_view text, size_t open) {
  size_t close = std::string_view::npos;
  scan(text.substr(open), [&](size_t i, int depth, int) {
    if (i > 0 && depth == 0 && close == std::string_view::npos)
      close = open + i;
  });
  return close;
}

static bool isSignature(std::string_view line) {
  return startsWith(line, "  func.func ");
}

/// The list of arguments of a signature, without its brackets.
static std::string_view argumentList(std::string_view signature) {
  size_t open = signature.find('(');
  size_t close = closing(signature, open);
  return signature.substr(open + 1, close - open - 1);
}

/// `%arg3: ... {nxdt.buffer = @x}` becomes `%x`, in the lines of one program.
static void nameArguments(Lines::iterator begin, Lines::iterator end) {
  std::set<std::string, std::less<>> taken;
  for (auto line = begin; line != end; ++line)
    scan(*line, [&](size_t i, int, int) {
      if ((*line)[i] == '%')
        taken.insert(line->substr(i + 1, nameEnd(*line, i + 1) - i - 1));
    });
  std::map<std::string, std::string, std::less<>> names;
  for (std::string_view argument : splitList(argumentList(*begin))) {
    constexpr std::string_view attribute = "{nxdt.buffer = @";
    size_t at = argument.find(attribute);
    size_t colon = argument.find(':');
    if (at == std::string_view::npos || argument[0] != '%')
      continue;
    at += attribute.size();
    std::string name(argument.substr(at, nameEnd(argument, at) - at));
    if (name.empty() || std::isdigit(name[0]))
      continue;
    // What the program computes for the buffer may have the name itself.
    if (taken.count(name))
      name += ".in";
    if (taken.insert(name).second)
      names[std::string(argument.substr(1, colon - 1))] = "%" + name;
  }
  for (auto line = begin; line != end; ++line)
    *line = replaceNames(*line, '%', names);
}

/// Cuts a text in front of the positions.
static std::vector<std::string_view> cut(std::string_view text,
                                         const std::vector<size_t> &positions) {
  std::vector<std::string_view> pieces;
  size_t begin = 0;
  for (size_t position : positions) {
    pieces.push_back(text.substr(begin, position - begin));
    begin = position;
  }
  pieces.push_back(text.substr(begin));
  return pieces;
}

/// In front of types, attributes and the location.
static std::vector<std::string_view> parts(std::string_view line) {
  std::vector<size_t> positions;
  scan(line, [&](size_t i, int depth, int) {
    if (depth > 0 || i == 0 || line[i - 1] != ' ')
      return;
    std::string_view rest = line.substr(i);
    if (startsWith(rest, ": ") || startsWith(rest, "-> ") ||
        startsWith(rest, "{") || startsWith(rest, "loc("))
      positions.push_back(i);
  });
  return cut(line, positions);
}

/// Behind the outermost commas, but not inside of a tensor's type.
static std::vector<std::string_view> elements(std::string_view part) {
  std::map<int, std::vector<size_t>> positions; // by number of open brackets
  bool isPending = part.find("!nxdt.pending<") != std::string_view::npos;
  scan(part, [&](size_t i, int depth, int angles) {
    if (angles <= (isPending ? 1 : 0) && part.substr(i, 2) == ", " &&
        i + 2 < part.size())
      positions[depth].push_back(i + 2);
  });
  if (positions.empty())
    return {part};
  return cut(part, positions.begin()->second);
}

namespace {
/// Appends pieces, on new lines where they do not fit.
class Filler {
public:
  Filler(std::string &out, std::string indent)
      : out(out), indent(std::move(indent)), lineBegin(out.size()),
        textBegin(out.size()) {}

  /// A piece longer than a line is broken at its outermost commas.
  void add(std::string_view piece) {
    size_t length = piece.find_last_not_of(' ') + 1;
    if (out.size() != textBegin &&
        out.size() - lineBegin + length > kReadableColumns)
      newLine();
    bool fits = out.size() - lineBegin + length <= kReadableColumns;
    std::vector<std::string_view> pieces = elements(piece);
    if (fits || pieces.size() == 1) {
      out += piece;
      return;
    }
    for (std::string_view element : pieces)
      add(element);
  }
  void newLine() {
    trim();
    out += '\n';
    lineBegin = out.size();
    out += indent;
    textBegin = out.size();
  }
  void finish() {
    trim();
    out += '\n';
  }

private:
  static std::string_view trimmed(std::string_view piece) {
    return piece.substr(0, piece.find_last_not_of(' ') + 1);
  }
  void trim() { out.resize(out.find_last_not_of(' ') + 1); }

  std::string &out, indent;
  size_t lineBegin, textBegin = 0;
};
} // namespace

static void appendBroken(std::string &out, std::string_view line) {
  std::string indent(std::min(line.find_first_not_of(' '), line.size()), ' ');
  indent += "    ";
  Filler filler(out, indent);
  for (std::string_view part : parts(line))
    filler.add(part);
  filler.finish();
}

/// An argument and a result a line.
static void appendSignature(std::string &out, std::string_view line) {
  auto appendList = [&](std::string_view list) {
    std::vector<std::string_view> all = splitList(list);
    out += '\n';
    for (size_t i = 0; i < all.size(); ++i) {
      out += "      ";
      out += all[i];
      out += i + 1 == all.size() ? "\n" : ",\n";
    }
    out += "  ";
  };
  size_t begin = line.find('(') + 1, end = closing(line, begin - 1);
  out += line.substr(0, begin);
  if (begin < end)
    appendList(line.substr(begin, end - begin));
  constexpr std::string_view results = ") -> (";
  if (startsWith(line.substr(end), results)) {
    begin = end + results.size();
    end = closing(line, begin - 1);
    out += results;
    appendList(line.substr(begin, end - begin));
  }
  out += line.substr(end);
  out += '\n';
}

std::string nxdt::readableText(std::string_view printed) {
  Lines lines;
  for (size_t begin = 0; begin < printed.size();) {
    size_t end = std::min(printed.find('\n', begin), printed.size());
    lines.emplace_back(printed.substr(begin, end - begin));
    begin = end + 1;
  }
  inlineLocations(lines);
  for (auto begin = lines.begin(); begin != lines.end(); ++begin)
    if (isSignature(*begin))
      nameArguments(begin, std::find_if(begin, lines.end(), [](auto &line) {
                      return startsWith(line, "  }");
                    }));

  std::string text;
  for (const std::string &line : lines) {
    if (line.size() <= kReadableColumns)
      text += line + '\n';
    else if (isSignature(line))
      appendSignature(text, line);
    else
      appendBroken(text, line);
  }
  return text;
}
