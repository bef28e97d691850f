//===- PlanFromJson.cpp - reads the plan's JSON, strictly -------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "JsonReader.h"
#include "ScheduleJson.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/PlanJson.h"

#include <limits>

namespace nxdt::plan {

using namespace json;

namespace {

bool boolean(const Json &json, const Place &place) {
  if (!json.is_boolean())
    fail(place, "expected true or false, found " + shown(json));
  return json.get<bool>();
}

double specialFloat(const Json &json, const Place &place) {
  std::string text = string(json, place);
  if (text == "inf")
    return std::numeric_limits<double>::infinity();
  if (text == "-inf")
    return -std::numeric_limits<double>::infinity();
  if (text == "nan")
    return std::numeric_limits<double>::quiet_NaN();
  fail(place, "expected inf, -inf or nan, found " + shown(json));
}

double real(const Json &json, const Place &place) {
  if (json.is_object()) {
    Object object(json, place);
    double value = specialFloat(object["f"], place.at("f"));
    object.finish();
    return value;
  }
  if (!json.is_number_float())
    fail(place, "expected a number with '.' or 'e', found " + shown(json));
  return json.get<double>();
}

DType dtype(const Json &json, const Place &place) {
  std::string text = string(json, place);
  for (DType type : {DType::F64, DType::F32, DType::BF16, DType::F16,
                     DType::I64, DType::I32, DType::U8, DType::Bool})
    if (name(type) == text)
      return type;
  fail(place, "unknown dtype '" + text +
                  "' (known: f64, f32, bf16, f16, i64, i32, u8, bool)");
}

Role role(const Json &json, const Place &place) {
  std::string text = string(json, place);
  for (Role candidate : {Role::Param, Role::Master, Role::OptState, Role::Grad,
                         Role::Buffer, Role::Input, Role::Scalar,
                         Role::ReducedGrad, Role::Coordinate, Role::Carry})
    if (name(candidate) == text)
      return candidate;
  fail(place, "unknown role '" + text +
                  "' (known: param, master, opt_state, grad, buffer, input, "
                  "scalar, reduced_grad, coordinate, carry)");
}

Init init(const Json &json, const Place &place) {
  Object object(json, place);
  Init out;
  std::string kind = string(object["kind"], place.at("kind"));
  if (kind == "none")
    out.kind = Init::Kind::None;
  else if (kind == "constant")
    out.kind = Init::Kind::Constant;
  else if (kind == "normal")
    out.kind = Init::Kind::Normal;
  else if (kind == "uniform")
    out.kind = Init::Kind::Uniform;
  else
    fail(place.at("kind"), "unknown kind '" + kind +
                               "' (known: none, constant, normal, uniform)");
  out.a = real(object["a"], place.at("a"));
  out.b = real(object["b"], place.at("b"));
  object.finish();
  return out;
}

Axes axes(const Json &json, const Place &place) {
  return list<std::string>(json, place, string);
}

Buffer buffer(const Json &json, const Place &place) {
  Object object(json, place);
  Buffer out;
  out.name = string(object["name"], place.at("name"));
  out.role = role(object["role"], place.at("role"));
  out.param = string(object["param"], place.at("param"));
  out.state = string(object["state"], place.at("state"));
  out.dtype = dtype(object["dtype"], place.at("dtype"));
  out.shape = list<int64_t>(object["shape"], place.at("shape"), integer);
  out.logicalShape = list<int64_t>(object["logical_shape"],
                                   place.at("logical_shape"), integer);
  out.split = list<Axes>(object["split"], place.at("split"), axes);
  out.partial = axes(object["partial"], place.at("partial"));
  out.coordinate = axes(object["coordinate"], place.at("coordinate"));
  out.init = init(object["init"], place.at("init"));
  object.finish();
  return out;
}

Reduction reduction(const Json &json, const Place &place) {
  std::string text = string(json, place);
  for (Reduction candidate : {Reduction::Sum, Reduction::Max})
    if (name(candidate) == text)
      return candidate;
  fail(place, "unknown reduction '" + text + "' (known: sum, max)");
}

Origin origin(const Json &json, const Place &place) {
  Object object(json, place);
  Origin out;
  out.name = string(object["name"], place.at("name"));
  out.logicalShape = list<int64_t>(object["logical_shape"],
                                   place.at("logical_shape"), integer);
  out.split = list<Axes>(object["split"], place.at("split"), axes);
  out.partial = axes(object["partial"], place.at("partial"));
  out.reduction = reduction(object["reduction"], place.at("reduction"));
  object.finish();
  return out;
}

Value value(const Json &json, const Place &place) {
  Object object(json, place);
  Value out;
  out.dtype = dtype(object["dtype"], place.at("dtype"));
  out.shape = list<int64_t>(object["shape"], place.at("shape"), integer);
  out.buffer = integer32(object["buffer"], place.at("buffer"));
  if (object.has("origin"))
    out.origin = origin(object["origin"], place.at("origin"));
  object.finish();
  return out;
}

ValueRef valueRef(const Json &json, const Place &place) {
  return {integer32(json, place)};
}

/// The single-key objects: {"v":12}, {"s":"mean"}, ...
Arg keyedArg(const Json &json, const Place &place) {
  if (json.size() != 1)
    fail(place, "expected an object with one key, found " + shown(json));
  const std::string &key = json.begin().key();
  const Json &inner = *json.begin();
  Place at = place.at(key);
  if (key == "v")
    return valueRef(inner, at);
  if (key == "vs")
    return list<ValueRef>(inner, at, valueRef);
  if (key == "s")
    return string(inner, at);
  if (key == "f")
    return specialFloat(inner, at);
  if (key == "fl")
    return list<double>(inner, at, real);
  if (key == "bl")
    return list<bool>(inner, at, boolean);
  if (key == "t")
    return dtype(inner, at);
  if (key == "d") {
    if (integer(inner, at) != 0)
      fail(at, "only the plan's own device, 0, is known");
    return DeviceArg{};
  }
  fail(place, "unknown kind of argument '" + key +
                  "' (known: v, vs, s, f, fl, bl, t, d)");
}

Arg arg(const Json &json, const Place &place) {
  switch (json.type()) {
  case Json::value_t::null:
    return None{};
  case Json::value_t::boolean:
    return json.get<bool>();
  case Json::value_t::number_integer:
  case Json::value_t::number_unsigned:
    return integer(json, place);
  case Json::value_t::number_float:
    return json.get<double>();
  case Json::value_t::array:
    return list<int64_t>(json, place, integer);
  case Json::value_t::object:
    return keyedArg(json, place);
  default:
    fail(place, "expected an argument, found " + shown(json));
  }
}

template <typename First, typename Second, typename ReadFirst,
          typename ReadSecond>
std::vector<std::pair<First, Second>> pairs(const Json &json,
                                            const Place &place, ReadFirst first,
                                            ReadSecond second) {
  return list<std::pair<First, Second>>(
      json, place, [&](const Json &item, const Place &at) {
        if (!item.is_array() || item.size() != 2)
          fail(at, "expected a pair, found " + shown(item));
        return std::pair<First, Second>(first(item[0], at.at(size_t(0))),
                                        second(item[1], at.at(size_t(1))));
      });
}

/// Which collective `op` names; by its name alone, as operators are.
Collective collective(const std::string &op, const Place &place) {
  for (Collective candidate : {Collective::AllReduce, Collective::AllGather,
                               Collective::ReduceScatter, Collective::AllSlice})
    if (op == "nxdt::" + std::string(name(candidate)))
      return candidate;
  fail(place, "unknown collective '" + op +
                  "' (known: nxdt::all_reduce, nxdt::all_gather, "
                  "nxdt::reduce_scatter, nxdt::all_slice)");
}

Instruction instruction(const Json &json, const Place &place) {
  Object object(json, place);
  Instruction out;
  std::string kind = string(object["kind"], place.at("kind"));
  if (kind == "aten")
    out.kind = OpKind::Aten;
  else if (kind == "aten_vjp")
    out.kind = OpKind::AtenVjp;
  else if (kind == "collective")
    out.kind = OpKind::Collective;
  else if (kind == "start")
    out.kind = OpKind::Start;
  else if (kind == "wait")
    out.kind = OpKind::Wait;
  else
    fail(place.at("kind"),
         "unknown kind of instruction '" + kind + "' (version " +
             std::to_string(kVersion) +
             " knows: aten, aten_vjp, collective, start, wait)");
  out.op = string(object["op"], place.at("op"));
  out.args = list<Arg>(object["args"], place.at("args"), arg);
  out.outs = list<int32_t>(object["outs"], place.at("outs"), integer32);
  if (out.kind == OpKind::AtenVjp)
    out.gradOuts =
        list<int32_t>(object["grad_outs"], place.at("grad_outs"), integer32);
  if (isCollective(out)) {
    out.collective = collective(out.op, place.at("op"));
    out.reduction = reduction(object["reduction"], place.at("reduction"));
    out.axes = axes(object["axes"], place.at("axes"));
    out.dim = integer(object["dim"], place.at("dim"));
    out.reason = string(object["reason"], place.at("reason"));
  }
  if (out.kind == OpKind::Start)
    for (auto &[module, reason] : pairs<std::string, std::string>(
             object["parts"], place.at("parts"), string, string))
      out.parts.push_back({std::move(module), std::move(reason)});
  out.frees = list<int32_t>(object["frees"], place.at("frees"), integer32);
  out.module = string(object["module"], place.at("module"));
  object.finish();
  return out;
}

Program program(const Json &json, const Place &place) {
  Object object(json, place);
  Program out;
  out.name = string(object["name"], place.at("name"));
  out.values = list<Value>(object["values"], place.at("values"), value);
  out.instructions = list<Instruction>(object["instructions"],
                                       place.at("instructions"), instruction);
  object.finish();
  return out;
}

MemoryReport memory(const Json &json, const Place &place) {
  Object object(json, place);
  MemoryReport out;
  auto read = [&](const char *key) {
    return integer(object[key], place.at(key));
  };
  out.paramBytes = read("param_bytes");
  out.masterBytes = read("master_bytes");
  out.gradBytes = read("grad_bytes");
  out.optStateBytes = read("opt_state_bytes");
  out.otherBytes = read("other_bytes");
  out.peakActivationBytes = read("peak_activation_bytes");
  object.finish();
  return out;
}

int64_t version(const Json &json, const Place &place) {
  int64_t out = integer(json, place);
  if (out != kVersion)
    fail(place, "this program reads plans of version " +
                    std::to_string(kVersion) + ", this one is " +
                    std::to_string(out) +
                    ": compile it again with this "
                    "nxdt-opt");
  return out;
}

Plan planFrom(const Json &json, const Place &root) {
  Object object(json, root);
  Plan out;
  // First of all: another version may have other fields.
  out.version = version(object["version"], root.at("version"));
  out.device = string(object["device"], root.at("device"));
  out.mesh = pairs<std::string, int64_t>(object["mesh"], root.at("mesh"),
                                         string, integer);
  out.libraries =
      list<std::string>(object["libraries"], root.at("libraries"), string);
  out.microBatchSize =
      integer(object["micro_batch_size"], root.at("micro_batch_size"));
  out.sequenceLength =
      integer(object["sequence_length"], root.at("sequence_length"));
  out.vocabSize = integer(object["vocab_size"], root.at("vocab_size"));
  out.tied = pairs<std::string, std::string>(object["tied"], root.at("tied"),
                                             string, string);
  out.memory = memory(object["memory"], root.at("memory"));
  out.buffers = list<Buffer>(object["buffers"], root.at("buffers"), buffer);
  out.programs =
      list<Program>(object["programs"], root.at("programs"), program);
  readSchedules(object, root, out);
  object.finish();
  return out;
}

Json parsePlan(std::string_view text, const std::string &what) {
  Json json = parse(text, what);
  if (!json.is_object())
    throw UserError(what + ": not a plan, expected a JSON object, found " +
                    shown(json));
  return json;
}

} // namespace

Plan fromJson(std::string_view text, const std::string &what) {
  Json json = parsePlan(text, what);
  Place root{nullptr, what, -1};
  if (json.contains("stages"))
    throw UserError(what + ": holds a plan for each stage of a pipeline, "
                           "expected a single plan");
  return planFrom(json, root);
}

PlanFamily familyFromJson(std::string_view text, const std::string &what) {
  Json json = parsePlan(text, what);
  Place root{nullptr, what, -1};
  if (!json.contains("stages"))
    return {{planFrom(json, root)}};
  Object object(json, root);
  version(object["version"], root.at("version"));
  PlanFamily out{list<Plan>(object["stages"], root.at("stages"), planFrom)};
  object.finish();
  return out;
}

} // namespace nxdt::plan
