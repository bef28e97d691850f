//===- Sample.cpp - reading sample calls -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Sample.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <stdexcept>

namespace nxdt::test {
namespace {

std::optional<plan::DType> dtypeNamed(const std::string &word) {
  for (plan::DType dtype :
       {plan::DType::F64, plan::DType::F32, plan::DType::BF16, plan::DType::F16,
        plan::DType::I64, plan::DType::I32, plan::DType::U8, plan::DType::Bool})
    if (word == plan::name(dtype))
      return dtype;
  return std::nullopt;
}

class Parser {
public:
  Parser(const std::string &callee, const std::string &text) : text(text) {
    sample.callee = callee;
    sample.text = text;
  }

  Sample run() {
    sample.isConvention = accept('~');
    skip();
    while (at < text.size()) {
      sample.args.push_back(argument());
      skip();
      if (at < text.size())
        expect(',');
      skip();
    }
    return std::move(sample);
  }

private:
  [[noreturn]] void fail(const std::string &what) const {
    throw std::invalid_argument(sample.callee + "(" + text + "): " + what +
                                " at '" + text.substr(at) + "'");
  }
  void skip() {
    while (at < text.size() && text[at] == ' ')
      ++at;
  }
  bool accept(char c) {
    skip();
    if (at >= text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      fail(std::string("expected '") + c + "'");
  }
  std::string word() {
    size_t start = at;
    while (at < text.size() &&
           (std::isalnum(text[at]) || text[at] == '_' || text[at] == '.' ||
            text[at] == '-' || text[at] == '+'))
      ++at;
    if (start == at)
      fail("expected an argument");
    return text.substr(start, at - start);
  }

  std::vector<int64_t> integers(char close) {
    std::vector<int64_t> list;
    if (accept(close))
      return list;
    do {
      skip();
      list.push_back(std::atoll(word().c_str()));
    } while (accept(','));
    expect(close);
    return list;
  }

  plan::ValueRef tensor(const std::string &kind) {
    TensorSpec spec;
    spec.kind = kind[0];
    if (std::string("fpugbis").find(spec.kind) == std::string::npos)
      fail("unknown kind of tensor '" + kind + "'");
    if (kind.size() > 1)
      spec.bound = std::atoll(kind.c_str() + 1);
    spec.shape = integers(']');
    while (at < text.size()) {
      if (text[at] == '\'')
        spec.strided = true;
      else if (text[at] == '!')
        spec.wanted = false;
      else if (text[at] == ':') {
        ++at;
        spec.pinned = dtypeNamed(word());
        if (!spec.pinned)
          fail("unknown type");
        continue;
      } else
        break;
      ++at;
    }
    sample.tensors.push_back(spec);
    return {static_cast<int32_t>(sample.tensors.size() - 1)};
  }

  plan::Arg argument() {
    if (accept('('))
      return integers(')');
    if (accept('[')) {
      std::vector<plan::ValueRef> list;
      if (accept(']'))
        return list;
      do {
        skip();
        std::string first = word();
        list.push_back(first == "none" ? plan::ValueRef{}
                                       : (expect('['), tensor(first)));
      } while (accept(','));
      expect(']');
      return list;
    }
    if (accept('"')) {
      size_t end = text.find('"', at);
      std::string value = text.substr(at, end - at);
      at = end + 1;
      return value;
    }
    std::string first = word();
    if (at < text.size() && text[at] == '[') {
      ++at;
      return tensor(first);
    }
    if (first == "none")
      return plan::None{};
    if (first == "device")
      return plan::DeviceArg{};
    if (first == "true" || first == "false")
      return first == "true";
    if (first == "inf" || first == "-inf")
      return first == "inf" ? std::numeric_limits<double>::infinity()
                            : -std::numeric_limits<double>::infinity();
    if (auto dtype = dtypeNamed(first))
      return *dtype;
    char *end = nullptr;
    if (first.find_first_of(".e") != std::string::npos) {
      double value = std::strtod(first.c_str(), &end);
      if (!*end)
        return value;
    } else {
      int64_t value = std::strtoll(first.c_str(), &end, 10);
      if (!*end)
        return value;
    }
    fail("unknown argument '" + first + "'");
  }

  const std::string &text;
  size_t at = 0;
  Sample sample;
};

} // namespace

Sample parseSample(const std::string &callee, const std::string &text) {
  return Parser(callee, text).run();
}

std::vector<plan::DType> dtypesOf(const Sample &sample,
                                  const std::vector<plan::DType> &cycle) {
  std::vector<plan::DType> dtypes;
  size_t next = 0;
  for (const TensorSpec &spec : sample.tensors) {
    if (spec.pinned)
      dtypes.push_back(*spec.pinned);
    else if (spec.isFloat())
      dtypes.push_back(cycle[std::min(next++, cycle.size() - 1)]);
    else
      dtypes.push_back(spec.kind == 'b' ? plan::DType::Bool : plan::DType::I64);
  }
  return dtypes;
}

void addSampleRows(SampleTable &table, const std::string &rows) {
  std::istringstream lines(rows);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty())
      continue;
    std::vector<std::string> cells;
    for (size_t from = 0; from != std::string::npos;) {
      size_t bar = line.find(" | ", from);
      cells.push_back(
          line.substr(from, bar == std::string::npos ? bar : bar - from));
      from = bar == std::string::npos ? bar : bar + 3;
    }
    std::istringstream names(cells[0]);
    cells.erase(cells.begin());
    for (std::string name; names >> name;)
      if (!table.emplace("aten::" + name, cells).second)
        throw std::invalid_argument("samples of " + name + " stand twice");
  }
}

const SampleTable &sampleTable() {
  static const SampleTable table = [] {
    SampleTable t;
    addPointwiseSamples(t);
    addShapeSamples(t);
    addReductionSamples(t);
    addProductSamples(t);
    addIndexingSamples(t);
    return t;
  }();
  return table;
}

} // namespace nxdt::test
