//===- Compiler.cpp - the passes under test -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Compiler.h"
#include "Rules.h"

#include "nxdt/Emit/EmitPlan.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"
#include "nxdt/Registry/ShardingRules.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <stdexcept>

using namespace mlir;

namespace nxdt::test {
namespace {

MLIRContext &context() {
  static MLIRContext *context = [] {
    auto *c = new MLIRContext(MLIRContext::Threading::DISABLED);
    c->loadDialect<NxdtDialect, func::FuncDialect>();
    return c;
  }();
  return *context;
}

/// Diagnostics of a scope, errors apart.
class Diagnostics {
public:
  Diagnostics()
      : handler(&context(), [this](Diagnostic &diagnostic) {
          (diagnostic.getSeverity() == DiagnosticSeverity::Error ? errors
                                                                 : remarks) +=
              diagnostic.str() + "\n";
          return success();
        }) {}
  std::string errors, remarks;

private:
  ScopedDiagnosticHandler handler;
};

[[noreturn]] void fail(const Diagnostics &diagnostics, const std::string &ir) {
  throw std::runtime_error(diagnostics.errors + ir);
}

std::string print(Operation *op) {
  std::string text;
  llvm::raw_string_ostream os(text);
  op->print(os);
  return text;
}

OwningOpRef<ModuleOp> parse(const std::string &text,
                            const Diagnostics &diagnostics) {
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(text, ParserConfig(&context()));
  if (!module)
    fail(diagnostics, text);
  return module;
}

std::optional<TensorType> toTensorType(RankedTensorType type) {
  Type element = type.getElementType();
  TensorType result;
  result.shape = type.getShape().vec();
  if (element.isF64())
    result.dtype = plan::DType::F64;
  else if (element.isF32())
    result.dtype = plan::DType::F32;
  else if (element.isBF16())
    result.dtype = plan::DType::BF16;
  else if (element.isF16())
    result.dtype = plan::DType::F16;
  else if (element.isInteger(64))
    result.dtype = plan::DType::I64;
  else if (element.isInteger(32))
    result.dtype = plan::DType::I32;
  else if (element.isInteger(8))
    result.dtype = plan::DType::U8;
  else if (element.isInteger(1))
    result.dtype = plan::DType::Bool;
  else
    return std::nullopt;
  return result;
}

/// Every result of a function that is not stored yet gets a buffer of its own,
/// named by `nameOf`.
template <typename NameOf>
void writeResults(ModuleOp module, func::FuncOp func, NameOf nameOf) {
  OpBuilder builder(func);
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    if (func.getResultAttr(i, kBufferAttr))
      continue;
    std::string name = nameOf(i);
    BufferOp::create(builder, func.getLoc(), StringRef(name),
                     StringRef("buffer"),
                     cast<RankedTensorType>(func.getResultTypes()[i]));
    func.setResultAttr(i, kBufferAttr,
                       FlatSymbolRefAttr::get(&context(), name));
  }
  func.setName("probe");
}

void run(ModuleOp module, const Diagnostics &diagnostics,
         llvm::function_ref<void(PassManager &)> build) {
  PassManager manager(&context());
  build(manager);
  if (failed(manager.run(module)))
    fail(diagnostics, print(module));
}

plan::Plan lowerAndEmit(ModuleOp module, const std::string &device,
                        const Diagnostics &diagnostics) {
  run(module, diagnostics, [&](PassManager &manager) {
    LowerToAtenOptions options;
    options.device = device;
    manager.addPass(createLowerToAten(options));
    manager.addPass(createStoreInPlace());
  });
  FailureOr<plan::Plan> plan = emitPlan(module);
  if (failed(plan))
    fail(diagnostics, print(module));
  return std::move(*plan);
}

AtenOp onlyCall(ModuleOp module) {
  AtenOp found;
  module.walk([&](AtenOp op) { found = op; });
  return found;
}

OwningOpRef<ModuleOp> parseBody(const std::string &body,
                                const std::vector<TensorType> &types,
                                const Diagnostics &diagnostics) {
  std::string arguments;
  for (size_t i = 0; i < types.size(); ++i)
    arguments +=
        (i ? ", %a" : "%a") + std::to_string(i) + ": " + toString(types[i]);
  return parse("func.func @f(" + arguments + ") {\n" + body + "    return\n}\n",
               diagnostics);
}

OwningOpRef<ModuleOp> parseCall(const Sample &sample,
                                const std::vector<TensorType> &types,
                                const std::vector<TensorType> &results,
                                const Diagnostics &diagnostics) {
  return parseBody(callText(sample, types, results), types, diagnostics);
}

SmallVector<RankedTensorType> toMlir(const std::vector<TensorType> &types) {
  SmallVector<RankedTensorType> result;
  for (const TensorType &type : types)
    result.push_back(
        cast<RankedTensorType>(parseType(toString(type), &context())));
  return result;
}

Rule copyOf(const ShardingRule &rule) {
  auto dims = [](const TensorFactors &factors) {
    Rule::Dims copy;
    for (const DimFactors &dim : factors)
      copy.emplace_back(dim.begin(), dim.end());
    return copy;
  };
  Rule copy;
  for (const Factor &factor : rule.factors)
    copy.factors.push_back(
        {factor.size, factor.kind == FactorKind::Map      ? Rule::Map
                      : factor.kind == FactorKind::Reduce ? Rule::Reduce
                                                          : Rule::Whole});
  for (const TensorFactors &factors : rule.operands)
    copy.operands.push_back(dims(factors));
  for (const TensorFactors &factors : rule.results)
    copy.results.push_back(dims(factors));
  copy.isMax = rule.reduction == Reduction::Max;
  copy.indexedFactor = rule.indexedFactor;
  copy.indexOperand = rule.indexOperand;
  using Linearity = ShardingRule::Linearity;
  copy.linearity = rule.linearity == Linearity::None   ? Rule::None
                   : rule.linearity == Linearity::Each ? Rule::Each
                                                       : Rule::Joint;
  copy.linearIn.assign(rule.linearIn.begin(), rule.linearIn.end());
  return copy;
}

} // namespace

bool hasRule(const std::string &callee) {
  const OpInfo *info = OpRegistry::get().lookup(callee);
  return info && info->sharding;
}

Rule ruleOf(const Sample &sample, const std::vector<TensorType> &types,
            const std::vector<TensorType> &results) {
  return ruleOfText(callText(sample, types, results), types);
}

Rule ruleOfText(const std::string &text, const std::vector<TensorType> &types) {
  Diagnostics diagnostics;
  OwningOpRef<ModuleOp> module = parseBody(text, types, diagnostics);
  auto function = module->lookupSymbol<func::FuncOp>("f");
  bool known = false;
  Rule rule = copyOf(shardingRuleOf(&function.front().front(), &known));
  if (!known)
    throw std::runtime_error("no rule is known of\n" + text);
  return rule;
}

std::optional<Sample> localCall(const Sample &sample,
                                const std::vector<TensorType> &types,
                                const std::vector<TensorType> &results,
                                const std::vector<TensorType> &localTypes,
                                const std::vector<TensorType> &localResults) {
  Diagnostics diagnostics;
  OwningOpRef<ModuleOp> module = parseCall(sample, types, results, diagnostics);
  AtenOp op = onlyCall(*module);
  ArrayAttr args = localArguments(op, toMlir(localResults));
  if (failed(verifyLocal(op, toMlir(localTypes), toMlir(localResults), args)))
    return std::nullopt;
  Sample local = sample;
  for (size_t i = 0; i < args.size(); ++i) {
    if (auto list = dyn_cast<DenseI64ArrayAttr>(args[i]))
      local.args[i] = list.asArrayRef().vec();
    else if (std::holds_alternative<int64_t>(local.args[i]))
      local.args[i] = cast<IntegerAttr>(args[i]).getInt();
  }
  return local;
}

bool passesVerifyLocal(const Sample &sample,
                       const std::vector<TensorType> &types,
                       const std::vector<TensorType> &results,
                       const std::vector<TensorType> &localTypes,
                       const std::vector<TensorType> &localResults) {
  Diagnostics diagnostics;
  OwningOpRef<ModuleOp> module = parseCall(sample, types, results, diagnostics);
  AtenOp op = onlyCall(*module);
  return succeeded(
      verifyLocal(op, toMlir(localTypes), toMlir(localResults), op.getArgs()));
}

std::vector<std::string> registeredCallees() {
  std::vector<std::string> names;
  for (StringRef callee : OpRegistry::get().callees())
    names.push_back(callee.str());
  return names;
}

EntryFacts factsOf(const std::string &callee) {
  EntryFacts facts;
  const OpInfo *info = OpRegistry::get().lookup(callee);
  if (!info)
    return facts;
  facts.hasInfer = bool(info->infer);
  facts.hasVjp = bool(info->vjp);
  facts.noGradient = info->noGradient;
  facts.returnsSelfIfSameType = info->returnsSelfIfSameType;
  facts.keepsOrder = info->keepsOrder;
  facts.aliasing = info->aliasing == Aliasing::View ? EntryFacts::View
                   : info->aliasing == Aliasing::MaybeView
                       ? EntryFacts::MaybeView
                       : EntryFacts::Fresh;
  return facts;
}

std::optional<std::vector<TensorType>>
inferResults(const Sample &sample, const std::vector<TensorType> &types,
             const std::vector<TensorType> &results) {
  Diagnostics diagnostics;
  OwningOpRef<ModuleOp> module = parseCall(sample, types, results, diagnostics);
  AtenOp op = onlyCall(*module);
  FailureOr<ResultTypes> inferred =
      OpRegistry::get()
          .lookup(sample.callee)
          ->infer(CallArgs(op.getArgs(), op.getInputs()));
  if (failed(inferred))
    return std::nullopt;
  std::vector<TensorType> found;
  for (RankedTensorType type : *inferred)
    found.push_back(toTensorType(type).value());
  return found;
}

double flopsOf(const Sample &sample, const std::vector<TensorType> &types,
               const std::vector<TensorType> &results) {
  Diagnostics diagnostics;
  OwningOpRef<ModuleOp> module = parseCall(sample, types, results, diagnostics);
  AtenOp op = onlyCall(*module);
  const OpInfo *info = OpRegistry::get().lookup(sample.callee);
  if (info->flops)
    return info->flops(CallArgs(op.getArgs(), op.getInputs()),
                       op->getResultTypes());
  double elements = 0;
  for (Type type : op->getResultTypes())
    elements += cast<RankedTensorType>(type).getNumElements();
  return elements;
}

Compiled compileGradients(const std::string &text, const std::string &device) {
  Diagnostics diagnostics;
  OwningOpRef<ModuleOp> module = parse(text, diagnostics);
  run(*module, diagnostics,
      [](PassManager &manager) { manager.addPass(createAutodiff()); });
  auto gradients = module->lookupSymbol<func::FuncOp>("gradients");
  Compiled compiled;
  compiled.ir = print(gradients);
  gradients.walk([&](AtenVjpOp) { ++compiled.fallbacks; });
  SymbolTable symbols(*module);
  for (unsigned i = 1; i < gradients.getNumResults(); ++i) {
    auto name =
        gradients.getResultAttrOfType<FlatSymbolRefAttr>(i, kGradOfAttr);
    if (symbols.lookup<BufferOp>(name.getValue()).getTensorType() !=
        gradients.getResultTypes()[i])
      throw std::runtime_error("the gradient of " + name.getValue().str() +
                               " has not its type\n" + compiled.ir);
  }
  module->lookupSymbol<func::FuncOp>("forward").erase();
  writeResults(*module, gradients, [&](unsigned i) {
    if (i == 0)
      return std::string("loss_value");
    return gradients.getResultAttrOfType<FlatSymbolRefAttr>(i, kGradOfAttr)
               .getValue()
               .str() +
           ".gradient";
  });
  compiled.plan = lowerAndEmit(*module, device, diagnostics);
  compiled.remarks = diagnostics.remarks;
  return compiled;
}

Compiled compileForward(const std::string &text, const std::string &device) {
  Diagnostics diagnostics;
  OwningOpRef<ModuleOp> module = parse(text, diagnostics);
  auto forward = module->lookupSymbol<func::FuncOp>("forward");
  Compiled compiled;
  compiled.ir = print(forward);
  writeResults(*module, forward,
               [](unsigned i) { return "out" + std::to_string(i); });
  compiled.plan = lowerAndEmit(*module, device, diagnostics);
  compiled.remarks = diagnostics.remarks;
  return compiled;
}

Compiled compileStep(const std::string &text) {
  Diagnostics diagnostics;
  OwningOpRef<ModuleOp> module = parse(text, diagnostics);
  run(*module, diagnostics, [](PassManager &manager) {
    manager.addPass(createAutodiff());
    manager.addPass(createBuildStep());
  });
  Compiled compiled;
  compiled.ir = print(*module);
  compiled.plan = lowerAndEmit(*module, "cpu", diagnostics);
  compiled.remarks = diagnostics.remarks;
  return compiled;
}

} // namespace nxdt::test
