//===- ConfigDump.cpp - prints what a configuration becomes ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Test driver. Without arguments: one JSON object per line on stdin, {"yaml":
// text, "overrides": [...]}, answered by {"tree": ...} or {"error": text}, so
// that many cases cost one process. With arguments:
//   load FILE [override...]      notices, unsupported things, resolved JSON
//   run FILE [override...]       the same, but unsupported things are errors
//   explain FILE [override...]
//   help [SECTION]
//
//===----------------------------------------------------------------------===//
#include "nxdt/Config/Document.h"
#include "nxdt/Config/Load.h"
#include "nxdt/Support/UserError.h"

#include <nlohmann/json.hpp>

#include <cstring>
#include <iostream>

using namespace nxdt;
using Json = nlohmann::ordered_json;

/// Values with their types, so that 1, 1.0, True and '1' differ: numbers as
/// {"i": digits} and {"f": bits}, strings as {"s": text}, maps as lists of
/// pairs.
static Json typed(const config::Scalar &scalar) {
  if (std::holds_alternative<std::monostate>(scalar))
    return nullptr;
  if (const auto *flag = std::get_if<bool>(&scalar))
    return *flag;
  if (const auto *whole = std::get_if<int64_t>(&scalar))
    return {{"i", std::to_string(*whole)}};
  if (const auto *big = std::get_if<config::BigInt>(&scalar))
    return {{"i", big->digits}};
  if (const auto *real = std::get_if<double>(&scalar)) {
    if (*real != *real)
      return {{"f", "nan"}};
    uint64_t bits = 0;
    std::memcpy(&bits, real, sizeof bits);
    char text[24];
    std::snprintf(text, sizeof text, "%016llx",
                  static_cast<unsigned long long>(bits));
    return {{"f", text}};
  }
  return {{"s", std::get<std::string>(scalar)}};
}

static Json typed(const config::Node &node) {
  if (node.isScalar())
    return typed(node.scalar);
  Json out = Json::array();
  if (node.isList()) {
    for (const config::NodePtr &item : node.items)
      out.push_back(typed(*item));
    return {{"l", out}};
  }
  for (const config::Entry &entry : node.entries)
    out.push_back(Json::array({typed(entry.key), typed(*entry.value)}));
  return {{"d", out}};
}

static std::string answer(const std::string &line) {
  Json reply;
  try {
    Json request = Json::parse(line);
    auto doc = config::Document::parse(
        request["yaml"].get<std::string>(), "config.yaml",
        request["overrides"].get<std::vector<std::string>>());
    reply["tree"] = typed(doc.root());
  } catch (const UserError &error) {
    reply["error"] = error.what();
  }
  return reply.dump();
}

static int serve() {
  std::string line;
  while (std::getline(std::cin, line))
    std::cout << answer(line) << "\n" << std::flush;
  return 0;
}

static int once(int argc, char **argv) {
  std::string mode = argv[1];
  if (mode == "help") {
    std::cout << helpConfig(argc > 2 ? argv[2] : "");
    return 0;
  }
  LoadOptions options;
  options.path = argc > 2 ? argv[2] : "";
  options.overrides.assign(argv + std::min(argc, 3), argv + argc);
  if (mode == "explain") {
    std::cout << explainConfig(options);
    return 0;
  }
  options.forExecution = mode == "run";
  LoadedConfig config = loadRunConfig(options);
  for (const std::string &notice : config.notices)
    std::cout << "notice: " << notice << "\n";
  for (const std::string &item : config.unsupported)
    std::cout << "unsupported: " << item << "\n";
  std::cout << "log_dir: " << config.run.expManager.logDir << "\n";
  std::cout << config.run.resolvedJson << "\n";
  return 0;
}

int main(int argc, char **argv) {
  try {
    return argc < 2 ? serve() : once(argc, argv);
  } catch (const UserError &error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
