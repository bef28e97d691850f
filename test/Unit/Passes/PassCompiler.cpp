//===- PassCompiler.cpp - passes on text ----------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PassCompiler.h"

#include "Fuse/IndexLines.h"
#include "nxdt/Emit/EmitPlan.h"
#include "nxdt/Passes/Passes.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <stdexcept>

using namespace mlir;

namespace nxdt::test {
namespace {

MLIRContext &context() {
  static MLIRContext *context = [] {
    registerNxdtPasses();
    auto *c = new MLIRContext(MLIRContext::Threading::DISABLED);
    c->loadDialect<NxdtDialect, func::FuncDialect>();
    return c;
  }();
  return *context;
}

std::string print(Operation *op) {
  std::string text;
  llvm::raw_string_ostream os(text);
  op->print(os);
  return text;
}

/// Results without a buffer get one.
void bindResults(ModuleOp module, func::FuncOp func) {
  OpBuilder builder(func);
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    if (func.getResultAttr(i, kBufferAttr))
      continue;
    std::string name = "out" + std::to_string(i);
    BufferOp::create(builder, func.getLoc(), StringRef(name),
                     StringRef("buffer"),
                     cast<RankedTensorType>(func.getResultTypes()[i]));
    func.setResultAttr(i, kBufferAttr,
                       FlatSymbolRefAttr::get(&context(), name));
  }
}

} // namespace

Compiled compile(const std::string &text, const std::string &passes) {
  std::string errors;
  Compiled compiled;
  ScopedDiagnosticHandler handler(&context(), [&](Diagnostic &diagnostic) {
    bool isError = diagnostic.getSeverity() == DiagnosticSeverity::Error;
    (isError ? errors : compiled.remarks) += diagnostic.str() + "\n";
    return success();
  });
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(text, ParserConfig(&context()));
  if (!module)
    throw std::runtime_error(errors + text);
  PassManager first(&context());
  if (failed(parsePassPipeline(passes, first)) || failed(first.run(*module)))
    throw std::runtime_error(errors + text);
  auto forward = module->lookupSymbol<func::FuncOp>("forward");
  compiled.ir = print(*module);
  bindResults(*module, forward);
  PassManager second(&context());
  second.addPass(createLowerToAten());
  second.addPass(createStoreInPlace());
  second.addPass(createVerifyPlanReady());
  if (failed(second.run(*module)))
    throw std::runtime_error(errors + print(*module));
  FailureOr<plan::Plan> plan = emitPlan(*module);
  if (failed(plan))
    throw std::runtime_error(errors + print(*module));
  compiled.plan = std::move(*plan);
  return compiled;
}

std::optional<std::vector<double>> elementsOf(const std::string &text) {
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(text, ParserConfig(&context()));
  if (!module)
    throw std::runtime_error(text);
  auto forward = module->lookupSymbol<func::FuncOp>("forward");
  Value value = forward.front().getTerminator()->getOperand(0);
  ArrayRef<int64_t> shape = cast<RankedTensorType>(value.getType()).getShape();
  IndexLines lines;
  std::vector<double> elements;
  for (int64_t row = 0; row < shape[0]; ++row) {
    FailureOr<Line> line = lines.row(value, shape, row);
    if (failed(line))
      return std::nullopt;
    int64_t next = 0;
    for (const Piece &piece : *line) {
      if (piece.begin != next || piece.end <= piece.begin)
        throw std::runtime_error("a line with gaps\n" + text);
      for (; next < piece.end; ++next)
        elements.push_back(piece.at(next));
    }
    if (next != shape[1])
      throw std::runtime_error("a line of the wrong size\n" + text);
  }
  return elements;
}

} // namespace nxdt::test
