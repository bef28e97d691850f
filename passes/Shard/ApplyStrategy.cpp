//===- ApplyStrategy.cpp - how buffers lie on the mesh --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Strategy.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/GlobPattern.h"

namespace nxdt {
#define GEN_PASS_DEF_APPLYSTRATEGY
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
/// One entry of `nxdt.sharding_rules`.
struct ParamRule {
  StringRef pattern, origin; ///< of attributes: the glob refers to it
  std::optional<llvm::GlobPattern> glob;
  SmallVector<Axes> dims;
  bool used = false;
};

struct ApplyStrategyPass : nxdt::impl::ApplyStrategyBase<ApplyStrategyPass> {
  void runOnOperation() override;

private:
  LogicalResult readRules();
  LogicalResult readRule(DictionaryAttr dict);
  LogicalResult applyTo(BufferOp param);
  LogicalResult setSharding(BufferOp buffer, ShardingAttr sharding);
  LogicalResult reportUnused();

  Strategy strategy;
  SmallVector<ParamRule> rules;
};
} // namespace

/// "tp", or "tp:(1)2" for a part; null if there is none.
static AxisAttr namedAxis(StringAttr text, MeshAttr mesh) {
  auto [name, part] = text.getValue().split(':');
  AxisAttr whole = wholeAxis(mesh, name);
  if (!whole || part.empty())
    return whole;
  int64_t pre = 0, size = 0;
  if (!part.consume_front("(") || part.consumeInteger(10, pre) ||
      !part.consume_front(")") || part.getAsInteger(10, size))
    return {};
  return AxisAttr::get(text.getContext(), whole.getName(), pre, size);
}

/// " (run.yaml:9:5)", where it is known.
static std::string from(const ParamRule &rule) {
  return rule.origin.empty() ? "" : " (" + rule.origin.str() + ")";
}

LogicalResult ApplyStrategyPass::readRule(DictionaryAttr dict) {
  ModuleOp module = getOperation();
  ParamRule rule;
  auto pattern = dict.getAs<StringAttr>("pattern");
  auto dims = dict.getAs<ArrayAttr>("dims");
  if (!pattern || !dims)
    return module.emitError("an entry of '")
           << kShardingRulesAttr << "' needs 'pattern' and 'dims'";
  rule.pattern = pattern;
  auto origin = dict.getAs<StringAttr>("origin");
  rule.origin = origin ? origin.getValue() : "";
  llvm::Expected<llvm::GlobPattern> glob =
      llvm::GlobPattern::create(rule.pattern);
  if (!glob)
    return module.emitError("sharding rule '")
           << rule.pattern << "': " << llvm::toString(glob.takeError());
  rule.glob = std::move(*glob);
  for (Attribute dim : dims) {
    Axes &axes = rule.dims.emplace_back();
    auto list = dyn_cast<ArrayAttr>(dim);
    if (!list)
      return module.emitError("sharding rule '")
             << rule.pattern << "': 'dims' holds a list of axes per dimension";
    for (Attribute attr : list) {
      if (auto name = dyn_cast<StringAttr>(attr)) {
        AxisAttr axis = namedAxis(name, strategy.mesh);
        if (!axis)
          return module.emitError("sharding rule '")
                 << rule.pattern << "'" << from(rule)
                 << ": the mesh has no axis '" << name.getValue()
                 << "'; it has "
                 << llvm::join(llvm::map_range(
                                   strategy.mesh.getNames(),
                                   [](StringAttr a) { return a.getValue(); }),
                               ", ");
        appendAxis(axes, axis);
      } else if (auto axis = dyn_cast<AxisAttr>(attr)) {
        appendAxis(axes, axis);
      } else {
        return module.emitError("sharding rule '")
               << rule.pattern << "': " << attr << " is no axis";
      }
    }
  }
  rules.push_back(std::move(rule));
  return success();
}

LogicalResult ApplyStrategyPass::readRules() {
  auto list = getOperation()->getAttrOfType<ArrayAttr>(kShardingRulesAttr);
  if (!list)
    return success();
  for (Attribute attr : list) {
    auto dict = dyn_cast<DictionaryAttr>(attr);
    if (!dict)
      return getOperation().emitError("'")
             << kShardingRulesAttr << "' is a list of dictionaries";
    if (failed(readRule(dict)))
      return failure();
  }
  return success();
}

LogicalResult ApplyStrategyPass::setSharding(BufferOp buffer,
                                             ShardingAttr sharding) {
  FailureOr<RankedTensorType> type = shardedType(
      buffer.getTensorType(), sharding, [&] { return buffer.emitOpError(); });
  if (failed(type))
    return failure();
  buffer.setType(*type);
  return success();
}

LogicalResult ApplyStrategyPass::applyTo(BufferOp param) {
  ParamRule *found = nullptr;
  for (ParamRule &rule : rules) {
    if (!rule.glob->match(param.getSymName()))
      continue;
    rule.used = true;
    if (found && found->dims != rule.dims)
      return param.emitOpError("parameter '")
             << param.getSymName() << "' matches two sharding rules that differ"
             << ": '" << found->pattern << "'" << from(*found) << " and '"
             << rule.pattern << "'" << from(rule);
    found = &rule;
  }
  int64_t rank = param.getTensorType().getRank();
  if (!found)
    return setSharding(param, replicated(strategy.mesh, rank));
  if (static_cast<int64_t>(found->dims.size()) != rank)
    return param.emitOpError("sharding rule '")
           << found->pattern << "'" << from(*found) << " has "
           << found->dims.size() << " dimensions, the parameter '"
           << param.getSymName() << "' " << rank;
  FailureOr<ShardingAttr> sharding = checkedSharding(
      strategy.mesh, found->dims, [&] { return param.emitOpError(); });
  return failed(sharding) ? failure() : setSharding(param, *sharding);
}

/// How many characters of a pattern are wrong for a name; `*` stands for any.
static unsigned distance(StringRef pattern, StringRef name) {
  SmallVector<unsigned> row =
      llvm::to_vector(llvm::seq(0u, unsigned(name.size()) + 1));
  for (char c : pattern) {
    unsigned diagonal = row[0];
    row[0] += c == '*' ? 0 : 1;
    for (size_t i = 1; i < row.size(); ++i) {
      unsigned above = row[i];
      if (c == '*')
        row[i] = std::min(above, row[i - 1]);
      else
        row[i] = std::min({above + 1, row[i - 1] + 1,
                           diagonal + (c == '?' || c == name[i - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

LogicalResult ApplyStrategyPass::reportUnused() {
  LogicalResult status = success();
  for (ParamRule &rule : rules) {
    if (rule.used)
      continue;
    // The nearest name helps to find the typing error.
    StringRef nearest;
    unsigned best = UINT_MAX;
    for (auto buffer : getOperation().getOps<BufferOp>()) {
      if (buffer.getRole() != "param")
        continue;
      unsigned changes = distance(rule.pattern, buffer.getSymName());
      if (changes < best) {
        best = changes;
        nearest = buffer.getSymName();
      }
    }
    status = getOperation().emitError("sharding rule '")
             << rule.pattern << "'" << from(rule)
             << " matches no parameter; the nearest name is '" << nearest
             << "'";
  }
  return status;
}

void ApplyStrategyPass::runOnOperation() {
  FailureOr<Strategy> read = readStrategy(getOperation());
  if (failed(read))
    return signalPassFailure();
  strategy = *read;
  rules.clear();
  if (failed(readRules()))
    return signalPassFailure();
  SymbolTable symbols(getOperation());
  for (auto buffer : getOperation().getOps<BufferOp>())
    if (buffer.getRole() == "param" && failed(applyTo(buffer)))
      return signalPassFailure();
  if (failed(reportUnused()))
    return signalPassFailure();
  for (auto buffer : getOperation().getOps<BufferOp>()) {
    StringRef role = buffer.getRole();
    int64_t rank = buffer.getTensorType().getRank();
    LogicalResult status = success();
    if (role == "master" || role == "opt_state") {
      auto param = symbols.lookup<BufferOp>(*buffer.getParam());
      status = setSharding(
          buffer, strategy.stateSharding(shardingOf(param.getTensorType())));
    } else if (role == "input" && rank > 0) {
      SmallVector<Axes> dims(rank);
      if (AxisAttr dp = strategy.axis("dp"))
        dims[0].push_back(dp);
      status = setSharding(buffer, makeSharding(strategy.mesh, dims));
    } else if (role == "input" || role == "buffer") {
      status = setSharding(buffer, replicated(strategy.mesh, rank));
    }
    if (failed(status))
      return signalPassFailure();
  }
}
