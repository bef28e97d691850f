//===- Explain.cpp - why a tensor lies as it does -------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Explain.h"

#include "nxdt/Analysis/Report.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/Mesh.h"
#include "nxdt/Support/Format.h"
#include "nxdt/Support/UserError.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <set>

using namespace nxdt;
using llvm::formatv;
using llvm::StringRef;

namespace {
class Explainer {
public:
  Explainer(const RunConfig &run, const plan::Plan &plan, mlir::ModuleOp module)
      : run(run), plan(plan), module(module), os(text) {}

  std::string explain(const std::string &name);

private:
  void explainParameter(const plan::Buffer &param);
  void explainBuffer(const plan::Buffer &buffer);
  void explainModule(const std::string &path);
  void writeRule(const plan::Buffer &param);
  void writeState(const plan::Buffer &state, const plan::Buffer &param);
  using Belongs =
      llvm::function_ref<bool(const plan::Program &, const plan::Transfer &)>;
  void writeCollectives(Belongs belongs);
  bool reads(const plan::Program &program, const plan::Transfer &transfer,
             const std::string &buffer);
  [[noreturn]] void failUnknown(const std::string &name);

  std::string layout(const plan::Buffer &buffer);
  std::string origin(StringRef axis);
  const plan::Buffer *findBuffer(const std::string &name);
  std::set<std::string> modulePaths();

  const RunConfig &run;
  const plan::Plan &plan;
  mlir::ModuleOp module;
  std::string text;
  llvm::raw_string_ostream os;
};
} // namespace

static std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// "tp" of "tp:(2)4".
static StringRef axisName(StringRef axis) { return axis.split(':').first; }

std::string Explainer::origin(StringRef axis) {
  for (const auto &[name, where] : run.strategy.origins)
    if (name == axisName(axis))
      return where;
  return axisName(axis).str();
}

const plan::Buffer *Explainer::findBuffer(const std::string &name) {
  std::string stored = name;
  for (const auto &[alias, target] : plan.tied)
    if (alias == name)
      stored = target;
  for (const plan::Buffer &buffer : plan.buffers)
    if (buffer.name == stored)
      return &buffer;
  return nullptr;
}

std::string Explainer::layout(const plan::Buffer &buffer) {
  std::string out = std::string(plan::name(buffer.dtype)) + " ";
  if (!buffer.partial.empty())
    return out + shapeText(buffer.logicalShape) + ", on a rank a term of it " +
           shapeText(buffer.shape);
  if (buffer.logicalShape.empty() || buffer.logicalShape == buffer.shape)
    return out + shapeText(buffer.shape) + ", whole on every rank";
  return out + shapeText(buffer.logicalShape) + ", on a rank " +
         shapeText(buffer.shape);
}

/// The rule that split a parameter.
void Explainer::writeRule(const plan::Buffer &param) {
  auto rules = module->getAttrOfType<mlir::ArrayAttr>(kShardingRulesAttr);
  if (!rules)
    return;
  for (auto rule : rules.getAsRange<mlir::DictionaryAttr>()) {
    auto pattern = rule.getAs<mlir::StringAttr>("pattern");
    llvm::Expected<llvm::GlobPattern> glob =
        llvm::GlobPattern::create(pattern.getValue());
    if (!glob) {
      llvm::consumeError(glob.takeError());
      continue;
    }
    if (!glob->match(param.name))
      continue;
    auto origin = rule.getAs<mlir::StringAttr>("origin");
    os << "  rule for '" << pattern.getValue() << "'";
    if (origin)
      os << ": " << origin.getValue();
    os << '\n';
  }
}

void Explainer::explainBuffer(const plan::Buffer &buffer) {
  os << buffer.name << ": " << plan::name(buffer.role) << ", " << layout(buffer)
     << '\n';
  for (size_t dim = 0; dim < buffer.split.size(); ++dim)
    for (const std::string &axis : buffer.split[dim]) {
      os << "  dimension " << dim << " is split by " << axis << ": "
         << origin(axis) << '\n';
      if (buffer.role == plan::Role::Input)
        os << "    each data-parallel rank has its own samples\n";
    }
  for (const std::string &axis : buffer.partial)
    os << "  partial over " << axis << ": a rank holds one term of the sum; "
       << origin(axis) << '\n';
  for (const std::string &axis : buffer.coordinate)
    os << "  where a rank is along " << axis << '\n';
}

void Explainer::writeState(const plan::Buffer &state,
                           const plan::Buffer &param) {
  os << "  " << state.name << ": " << layout(state) << '\n';
  for (const std::string &axis : state.partial) {
    if (axisName(axis) == "dp")
      os << "    partial over dp: each rank adds up its own micro-batches, and "
            "the ranks' sums meet once per step; "
         << origin(axis) << '\n';
    else
      os << "    partial over " << axis
         << ": each rank adds up what its part of the activations gives, and "
            "the ranks' sums meet once per step; "
         << origin(axis)
         << (run.strategy.sequenceParallel && axisName(axis) == "tp"
                 ? "; " + origin("sequence_parallel")
                 : "")
         << '\n';
  }
  for (size_t dim = 0; dim < state.split.size(); ++dim)
    for (const std::string &axis : state.split[dim]) {
      if (dim < param.split.size() &&
          llvm::is_contained(param.split[dim], axis))
        continue;
      os << "    dimension " << dim << " is split by " << axis
         << " as well, ZeRO-1: " << origin("zero1") << "; " << origin(axis)
         << '\n';
    }
}

void Explainer::explainParameter(const plan::Buffer &param) {
  explainBuffer(param);
  writeRule(param);
  for (const auto &[alias, stored] : plan.tied)
    if (stored == param.name)
      os << "  also called " << alias << " (tied)\n";
  std::set<std::string> split;
  for (const plan::Axes &axes : param.split)
    for (const std::string &axis : axes)
      split.insert(axisName(axis).str());
  for (const auto &[axis, size] : plan.mesh)
    if (size > 1 && !split.contains(axis))
      os << "  ranks along " << axis << " hold the same: no rule splits it by "
         << axis << '\n';
  os << "\nwhat belongs to it\n";
  for (const plan::Buffer &buffer : plan.buffers)
    if (buffer.param == param.name && buffer.name != param.name)
      writeState(buffer, param);
  StringRef owner = StringRef(param.name).rsplit('.').first;
  writeCollectives([&](const auto &, const auto &transfer) {
    StringRef module = transfer.module;
    return module == param.name || module == owner ||
           (module.consume_back("^") && module == owner);
  });
}

bool Explainer::reads(const plan::Program &program,
                      const plan::Transfer &transfer,
                      const std::string &buffer) {
  int32_t index = program.values[transfer.input].buffer;
  return index >= 0 && plan.buffers[index].name == buffer;
}

void Explainer::writeCollectives(Belongs belongs) {
  struct Line {
    std::string head, reason;
    std::vector<std::string> causes;
    int64_t count = 0;
  };
  std::vector<Line> lines;
  std::map<std::pair<std::string, std::string>, size_t> known;
  for (const plan::Program &program : plan.programs)
    for (const plan::Instruction &instruction : program.instructions) {
      if (!plan::isCollective(instruction))
        continue;
      size_t together = instruction.args.size();
      for (const plan::Transfer &transfer : plan::transfersOf(instruction)) {
        if (!belongs(program, transfer))
          continue;
        const plan::Value &from = program.values[transfer.input];
        const plan::Value &to = program.values[transfer.result];
        plan::Payload payload =
            plan::payloadOf(plan, program, instruction, transfer);
        std::string bytes = payload.ranks > 1
                                ? humanBytes(payload.sentBytes) + " sent"
                                : "no communication";
        if (together > 1)
          bytes += formatv(", in a bucket of {0}", together).str();
        std::string head =
            formatv("{0}: {1} over {2}, {3} {4} -> {5}, {6}, at {7}",
                    program.name, plan::name(instruction.collective),
                    plan::groupText(instruction.axes), plan::name(from.dtype),
                    shapeText(from.shape), shapeText(to.shape), bytes,
                    transfer.module)
                .str();
        auto [it, isNew] = known.try_emplace(
            {head, std::string(transfer.reason)}, lines.size());
        if (isNew) {
          auto [reason, causes] =
              splitReason(std::string(transfer.reason), run.strategy.origins);
          lines.push_back(
              {head, reason, causesOf(plan, instruction.axes, causes), 0});
        }
        ++lines[it->second].count;
      }
    }
  os << "\ncollectives" << (lines.empty() ? ": none\n" : "\n");
  for (const Line &line : lines) {
    os << "  " << line.head;
    if (line.count > 1)
      os << ", " << line.count << " times";
    os << "\n    because: " << line.reason << '\n';
    for (const std::string &cause : line.causes)
      os << "      " << origin(cause) << '\n';
  }
}

void Explainer::explainModule(const std::string &path) {
  StringRef wanted = path;
  bool onlyBackward = wanted.consume_back("^");
  auto isWithin = [&](StringRef module) {
    bool isBackward = module.consume_back("^");
    if (onlyBackward && !isBackward)
      return false;
    return module == wanted || module.starts_with((wanted + ".").str());
  };
  std::map<std::string, int64_t> operators;
  for (const plan::Program &program : plan.programs)
    for (const plan::Instruction &instruction : program.instructions)
      if (isWithin(instruction.module))
        ++operators[program.name];
  os << path << ": operators of a rank";
  StringRef separator = " ";
  for (const auto &[program, count] : operators) {
    os << separator << count << " in " << program;
    separator = ", ";
  }
  os << "\n";
  for (const plan::Buffer &buffer : plan.buffers) {
    bool isOwn =
        buffer.role == plan::Role::Param || buffer.role == plan::Role::Buffer;
    if (!isOwn || !isWithin(buffer.name))
      continue;
    os << '\n';
    explainBuffer(buffer);
    if (buffer.role == plan::Role::Param)
      writeRule(buffer);
  }
  writeCollectives([&](const auto &, const auto &transfer) {
    return isWithin(transfer.module);
  });
}

/// Paths of modules and all that is above them, without the mark of the
/// backward.
std::set<std::string> Explainer::modulePaths() {
  std::set<std::string> paths;
  for (const plan::Program &program : plan.programs)
    for (const plan::Instruction &instruction : program.instructions) {
      StringRef path = instruction.module;
      path.consume_back("^");
      while (!path.empty() && paths.insert(path.str()).second)
        path = path.contains('.') ? path.rsplit('.').first : StringRef();
    }
  return paths;
}

void Explainer::failUnknown(const std::string &name) {
  std::set<std::string> known = modulePaths();
  for (const plan::Buffer &buffer : plan.buffers)
    known.insert(buffer.name);
  std::vector<std::pair<unsigned, std::string>> nearest;
  for (const std::string &candidate : known)
    nearest.emplace_back(StringRef(name).edit_distance(candidate), candidate);
  std::sort(nearest.begin(), nearest.end());
  std::string list;
  for (size_t i = 0; i < nearest.size() && i < 5; ++i)
    list += (i ? ", " : "") + nearest[i].second;
  throw UserError("--explain=" + name +
                  ": no parameter, buffer or module has this name; the nearest "
                  "are " +
                  list);
}

std::string Explainer::explain(const std::string &name) {
  if (const plan::Buffer *buffer = findBuffer(name)) {
    if (buffer->role == plan::Role::Param) {
      explainParameter(*buffer);
      return text;
    }
    explainBuffer(*buffer);
    if (!buffer->param.empty()) {
      const plan::Buffer *param = findBuffer(buffer->param);
      os << "\nit belongs to\n";
      explainParameter(*param);
    } else {
      writeCollectives([&](const auto &program, const auto &transfer) {
        return transfer.module == name || reads(program, transfer, name);
      });
    }
    return text;
  }
  StringRef path = name;
  path.consume_back("^");
  if (!modulePaths().contains(path.str()))
    failUnknown(name);
  explainModule(name);
  return text;
}

std::string nxdt::explain(const std::string &name, const RunConfig &run,
                          const plan::Plan &plan, mlir::ModuleOp module) {
  return Explainer(run, plan, module).explain(name);
}
