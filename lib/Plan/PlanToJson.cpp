//===- PlanToJson.cpp - writes the plan's JSON ------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ScheduleJson.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Support/UserError.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace nxdt::plan {
namespace {

void append(std::string &out, int64_t value) { out += std::to_string(value); }

void append(std::string &out, std::string_view text) {
  appendString(out, text);
}

/// A finite double always has a '.' or an 'e': that is what tells it from an
/// integer. The others, which JSON lacks, are {"f":"inf"}.
void append(std::string &out, double value) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? R"({"f":"nan"})"
           : value > 0       ? R"({"f":"inf"})"
                             : R"({"f":"-inf"})";
    return;
  }
  char digits[32];
  auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  std::string_view text(digits, end - digits);
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos)
    out += ".0";
}

void append(std::string &out, bool value) { out += value ? "true" : "false"; }

template <typename Range> void appendList(std::string &out, const Range &list) {
  out += '[';
  bool first = true;
  for (const auto &item : list) {
    if (!first)
      out += ',';
    first = false;
    if constexpr (std::is_same_v<std::decay_t<decltype(item)>, ValueRef>)
      append(out, int64_t(item.index));
    else if constexpr (std::is_same_v<Range, std::vector<bool>>)
      append(out, bool(item));
    else if constexpr (std::is_same_v<Range, std::vector<double>>)
      append(out, double(item));
    else if constexpr (std::is_same_v<Range, std::vector<std::string>>)
      append(out, std::string_view(item));
    else
      append(out, int64_t(item));
  }
  out += ']';
}

struct ArgWriter {
  std::string &out;
  void operator()(None) { out += "null"; }
  void operator()(bool value) { append(out, value); }
  void operator()(int64_t value) { append(out, value); }
  void operator()(double value) { append(out, value); }
  void operator()(const std::string &value) {
    out += R"({"s":)";
    append(out, std::string_view(value));
    out += '}';
  }
  void operator()(DType value) {
    out += R"({"t":)";
    append(out, name(value));
    out += '}';
  }
  void operator()(DeviceArg) { out += R"({"d":0})"; }
  void operator()(const std::vector<int64_t> &list) { appendList(out, list); }
  void operator()(const std::vector<double> &list) { keyed("fl", list); }
  void operator()(const std::vector<bool> &list) { keyed("bl", list); }
  void operator()(ValueRef value) {
    out += R"({"v":)";
    append(out, int64_t(value.index));
    out += '}';
  }
  void operator()(const std::vector<ValueRef> &list) { keyed("vs", list); }

private:
  template <typename Range> void keyed(const char *key, const Range &list) {
    out += std::string("{\"") + key + "\":";
    appendList(out, list);
    out += '}';
  }
};

std::string_view name(Init::Kind kind) {
  switch (kind) {
  case Init::Kind::None:
    return "none";
  case Init::Kind::Constant:
    return "constant";
  case Init::Kind::Normal:
    return "normal";
  case Init::Kind::Uniform:
    return "uniform";
  }
  return "";
}

void appendSplit(std::string &out, const std::vector<Axes> &split) {
  out += '[';
  for (size_t i = 0; i < split.size(); ++i) {
    if (i)
      out += ',';
    appendList(out, split[i]);
  }
  out += ']';
}

void appendBuffer(std::string &out, const Buffer &buffer) {
  out += R"({"name":)";
  append(out, std::string_view(buffer.name));
  out += R"(,"role":)";
  append(out, name(buffer.role));
  out += R"(,"param":)";
  append(out, std::string_view(buffer.param));
  out += R"(,"state":)";
  append(out, std::string_view(buffer.state));
  out += R"(,"dtype":)";
  append(out, name(buffer.dtype));
  out += R"(,"shape":)";
  appendList(out, buffer.shape);
  out += R"(,"logical_shape":)";
  appendList(out, buffer.logicalShape);
  out += R"(,"split":)";
  appendSplit(out, buffer.split);
  out += R"(,"partial":)";
  appendList(out, buffer.partial);
  out += R"(,"coordinate":)";
  appendList(out, buffer.coordinate);
  out += R"(,"init":{"kind":)";
  append(out, name(buffer.init.kind));
  out += R"(,"a":)";
  append(out, buffer.init.a);
  out += R"(,"b":)";
  append(out, buffer.init.b);
  out += "}}";
}

void appendOrigin(std::string &out, const Origin &origin) {
  out += R"(,"origin":{"name":)";
  append(out, std::string_view(origin.name));
  out += R"(,"logical_shape":)";
  appendList(out, origin.logicalShape);
  out += R"(,"split":)";
  appendSplit(out, origin.split);
  out += R"(,"partial":)";
  appendList(out, origin.partial);
  out += R"(,"reduction":)";
  append(out, name(origin.reduction));
  out += '}';
}

void appendValue(std::string &out, const Value &value) {
  out += R"({"dtype":)";
  append(out, name(value.dtype));
  out += R"(,"shape":)";
  appendList(out, value.shape);
  out += R"(,"buffer":)";
  append(out, int64_t(value.buffer));
  if (value.origin)
    appendOrigin(out, *value.origin);
  out += '}';
}

std::string_view name(OpKind kind) {
  switch (kind) {
  case OpKind::Aten:
    return "aten";
  case OpKind::AtenVjp:
    return "aten_vjp";
  case OpKind::Collective:
    return "collective";
  case OpKind::Start:
    return "start";
  case OpKind::Wait:
    return "wait";
  }
  return "";
}

void appendInstruction(std::string &out, const Instruction &instruction) {
  bool isVjp = instruction.kind == OpKind::AtenVjp;
  out += R"({"kind":)";
  append(out, name(instruction.kind));
  out += R"(,"op":)";
  append(out, std::string_view(instruction.op));
  out += R"(,"args":[)";
  for (size_t i = 0; i < instruction.args.size(); ++i) {
    if (i)
      out += ',';
    std::visit(ArgWriter{out}, instruction.args[i]);
  }
  out += R"(],"outs":)";
  appendList(out, instruction.outs);
  if (isVjp) {
    out += R"(,"grad_outs":)";
    appendList(out, instruction.gradOuts);
  }
  if (isCollective(instruction)) {
    out += R"(,"reduction":)";
    append(out, name(instruction.reduction));
    out += R"(,"axes":)";
    appendList(out, instruction.axes);
    out += R"(,"dim":)";
    append(out, instruction.dim);
    out += R"(,"reason":)";
    append(out, std::string_view(instruction.reason));
  }
  if (instruction.kind == OpKind::Start) {
    out += R"(,"parts":[)";
    for (size_t i = 0; i < instruction.parts.size(); ++i) {
      out += i ? ",[" : "[";
      append(out, std::string_view(instruction.parts[i].module));
      out += ',';
      append(out, std::string_view(instruction.parts[i].reason));
      out += ']';
    }
    out += ']';
  }
  out += R"(,"frees":)";
  appendList(out, instruction.frees);
  out += R"(,"module":)";
  append(out, std::string_view(instruction.module));
  out += '}';
}

/// [ item, newline, item ... ] with one item per line.
template <typename Range, typename Writer>
void appendLines(std::string &out, const Range &list, Writer writer) {
  out += '[';
  for (size_t i = 0; i < list.size(); ++i) {
    out += i ? ",\n" : "\n";
    writer(out, list[i]);
  }
  out += ']';
}

void appendProgram(std::string &out, const Program &program) {
  out += R"({"name":)";
  append(out, std::string_view(program.name));
  out += ",\"values\":";
  appendLines(out, program.values, appendValue);
  out += ",\n\"instructions\":";
  appendLines(out, program.instructions, appendInstruction);
  out += '}';
}

void appendMemory(std::string &out, const MemoryReport &memory) {
  out += R"({"param_bytes":)";
  append(out, memory.paramBytes);
  out += R"(,"master_bytes":)";
  append(out, memory.masterBytes);
  out += R"(,"grad_bytes":)";
  append(out, memory.gradBytes);
  out += R"(,"opt_state_bytes":)";
  append(out, memory.optStateBytes);
  out += R"(,"other_bytes":)";
  append(out, memory.otherBytes);
  out += R"(,"peak_activation_bytes":)";
  append(out, memory.peakActivationBytes);
  out += '}';
}

void appendPlan(std::string &out, const Plan &plan) {
  out += "{\"version\":";
  append(out, plan.version);
  out += ",\n\"device\":";
  append(out, std::string_view(plan.device));
  out += ",\n\"mesh\":[";
  for (size_t i = 0; i < plan.mesh.size(); ++i) {
    out += i ? ",[" : "[";
    append(out, std::string_view(plan.mesh[i].first));
    out += ',';
    append(out, plan.mesh[i].second);
    out += ']';
  }
  out += "],\n\"libraries\":";
  appendList(out, plan.libraries);
  out += ",\n\"micro_batch_size\":";
  append(out, plan.microBatchSize);
  out += ",\n\"sequence_length\":";
  append(out, plan.sequenceLength);
  out += ",\n\"vocab_size\":";
  append(out, plan.vocabSize);
  out += ",\n\"tied\":[";
  for (size_t i = 0; i < plan.tied.size(); ++i) {
    out += i ? ",[" : "[";
    append(out, std::string_view(plan.tied[i].first));
    out += ',';
    append(out, std::string_view(plan.tied[i].second));
    out += ']';
  }
  out += "],\n\"memory\":";
  appendMemory(out, plan.memory);
  out += ",\n\"buffers\":";
  appendLines(out, plan.buffers, appendBuffer);
  out += ",\n\"programs\":";
  appendLines(out, plan.programs, appendProgram);
  appendSchedules(out, plan);
  out += '}';
}

} // namespace

void appendString(std::string &out, std::string_view text) {
  try {
    out += nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception &) {
    throw UserError("plan: the string '" + std::string(text) +
                    "' is not UTF-8 and cannot be written as JSON");
  }
}

std::string toJson(const Plan &plan) {
  std::string out;
  appendPlan(out, plan);
  return out + '\n';
}

std::string toJson(const PlanFamily &family) {
  if (family.stages.size() == 1)
    return toJson(family.stages[0]);
  std::string out = "{\"version\":" + std::to_string(kVersion);
  out += ",\n\"stages\":";
  appendLines(out, family.stages, appendPlan);
  return out + "}\n";
}

} // namespace nxdt::plan
