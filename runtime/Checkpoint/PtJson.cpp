//===- PtJson.cpp - JSON as plain containers ------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/PtJson.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Json.h"

#include "nlohmann/json.hpp"

namespace nxdt::runtime {

using Json = nlohmann::ordered_json;

namespace {

PtValue toPt(const Json &json) {
  switch (json.type()) {
  case Json::value_t::boolean:
    return json.get<bool>();
  case Json::value_t::number_unsigned:
    if (json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
      return json.get<double>();
    return json.get<int64_t>();
  case Json::value_t::number_integer:
    return json.get<int64_t>();
  case Json::value_t::number_float:
    return json.get<double>();
  case Json::value_t::string:
    return json.get<std::string>();
  case Json::value_t::array: {
    PtList list;
    for (const Json &item : json)
      list.push_back(toPt(item));
    return list;
  }
  case Json::value_t::object: {
    PtDict dict;
    for (const auto &[key, value] : json.items())
      dict.emplace_back(key, toPt(value));
    return dict;
  }
  default:
    return PtValue();
  }
}

struct ToJson {
  const std::string &what;

  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(bool value) const { return value; }
  Json operator()(int64_t value) const { return value; }
  Json operator()(double value) const { return value; }
  Json operator()(const std::string &value) const { return value; }
  Json operator()(const HostTensor &) const {
    throw UserError(what + ": holds a tensor where plain values belong");
  }
  Json operator()(const PtList &list) const {
    Json json = Json::array();
    for (const PtValue &item : list)
      json.push_back(std::visit(*this, item.value));
    return json;
  }
  Json operator()(const PtDict &dict) const {
    Json json = Json::object();
    for (const auto &[key, value] : dict) {
      const auto *name = key.get<std::string>();
      if (!name)
        throw UserError(what + ": holds a key that is no string");
      json[*name] = std::visit(*this, value.value);
    }
    return json;
  }
};

} // namespace

PtValue jsonToPt(const std::string &json, const std::string &what) {
  return toPt(parseJson(json, what));
}

std::string ptToJson(const PtValue &value, const std::string &what) {
  return std::visit(ToJson{what}, value.value).dump();
}

} // namespace nxdt::runtime
