//===- Functionalize.cpp - views and in-place operators become pure -------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As captured, a value is a tensor object: reading it means reading its
// storage as it is at that moment. The pass walks the program once and keeps,
// per storage, the value it has now. A view is remembered with the operator
// that made it, so that it can be made again from the storage's new value
// (reading), or turned around to get the storage's new value (writing).
//
//   %v = select(%x, 0, 1)  views %x       %v  = select(%x, 0, 1)
//   mul_(%v, 2)            mutates %v     %v1 = mul(%v, 2)
//                                         %x1 = select_scatter(%x, %v1, 0, 1)
//   exp(%x)                               exp(%x1)
//
//===----------------------------------------------------------------------===//
#include "Functionalize.h"
#include "nxdt/Passes/Passes.h"

#include "llvm/ADT/DenseSet.h"

namespace nxdt {
#define GEN_PASS_DEF_FUNCTIONALIZE
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
/// A tensor object: a storage (no parent), or a view of another one.
struct Tensor {
  Tensor *parent = nullptr;
  /// The operator that made the view, and which of its results it is.
  AtenOp view;
  unsigned result = 0;
  /// The elements as of `version` of the storage.
  Value current;
  unsigned version = 0;
  /// Of storages only: writes so far; the function argument that it is.
  unsigned writes = 0;
  int argument = -1;
};

class Functionalizer {
public:
  Functionalizer(func::FuncOp func, SymbolTable &symbols)
      : func(func), symbols(symbols), builder(func.getContext()) {}

  /// Reports everything that cannot be made pure before it fails.
  LogicalResult run();

private:
  Tensor *newTensor(Value value);
  static Tensor *storageOf(Tensor *tensor);
  Value read(Tensor *tensor);
  void write(Tensor *tensor, Value value, AtenOp by);
  void visit(AtenOp op);
  bool isWritable(Tensor *tensor, AtenOp by);
  void mutate(AtenOp op);
  void defineResults(AtenOp op);
  void finishResults();
  void noteGradients(Operation *op);
  void fail(AtenOp op, const Twine &why);
  void allowAnyStrides(AtenOp op);

  func::FuncOp func;
  SymbolTable &symbols;
  OpBuilder builder;
  std::vector<std::unique_ptr<Tensor>> tensors;
  DenseMap<Value, Tensor *> tensorOf;
  /// Values through which gradients flow to a parameter.
  DenseSet<Value> varied;
  SmallVector<Operation *> erased;
  bool isWritten = false;
  bool failed = false;
};
} // namespace

void Functionalizer::fail(AtenOp op, const Twine &why) {
  failed = true;
  op.emitError("'") << op.getCallee() << "' cannot be made pure: " << why;
}

Tensor *Functionalizer::newTensor(Value value) {
  tensors.push_back(std::make_unique<Tensor>());
  Tensor *tensor = tensors.back().get();
  tensor->current = value;
  tensorOf[value] = tensor;
  return tensor;
}

Tensor *Functionalizer::storageOf(Tensor *tensor) {
  while (tensor->parent)
    tensor = tensor->parent;
  return tensor;
}

//===----------------------------------------------------------------------===//
// Which values have a gradient
//===----------------------------------------------------------------------===//

void Functionalizer::noteGradients(Operation *op) {
  auto aten = dyn_cast<AtenOp>(op);
  if (!aten || aten.getNoGrad())
    return;
  const OpInfo *info = OpRegistry::get().lookup(aten.getCallee());
  if ((info && info->noGradient) ||
      llvm::none_of(op->getOperands(),
                    [&](Value v) { return varied.contains(v); }))
    return;
  for (Value result : op->getResults())
    if (isa<FloatType>(
            cast<RankedTensorType>(result.getType()).getElementType()))
      varied.insert(result);
}

//===----------------------------------------------------------------------===//
// Reading and writing storages
//===----------------------------------------------------------------------===//

/// A written tensor is a new one, which may lie in memory in another way than
/// the one that capture saw, and so may all that is computed from it. `view`
/// refuses some layouts, `reshape` copies where it must.
void Functionalizer::allowAnyStrides(AtenOp op) {
  if (!isWritten)
    return;
  if (op.getCallee() == "aten::view" || op.getCallee() == "aten::_unsafe_view")
    op.setCallee("aten::reshape");
  else if (op.getCallee() == "aten::view_as")
    op.setCallee("aten::reshape_as");
}

/// The elements that the tensor has now; makes its view again if its storage
/// was written meanwhile.
Value Functionalizer::read(Tensor *tensor) {
  unsigned version = storageOf(tensor)->writes;
  if (!tensor->parent || tensor->version == version)
    return tensor->current;
  Value base = read(tensor->parent);
  Operation *again = builder.clone(*tensor->view);
  again->setOperand(viewedOperand(tensor->view, tensor->result), base);
  allowAnyStrides(cast<AtenOp>(again));
  noteGradients(again);
  tensor->current = again->getResult(tensor->result);
  tensor->version = version;
  return tensor->current;
}

/// `tensor` has the elements of `value` from here on, and so has its storage.
void Functionalizer::write(Tensor *tensor, Value value, AtenOp by) {
  PureBuilder pure(builder, by.getLoc(), by.getNoGrad());
  SmallVector<std::pair<Tensor *, Value>> written = {{tensor, value}};
  for (; tensor->parent; tensor = tensor->parent) {
    std::string why;
    // What the write does not reach keeps its value.
    Value base = read(tensor->parent);
    if (tensor->view.getCallee() == "aten::detach" &&
        (varied.contains(base) || varied.contains(value)))
      return fail(by, "it writes through 'aten::detach' to a value that has a "
                      "gradient");
    Value up = writeThroughView(pure, tensor->view, tensor->result, base,
                                written.back().second, why);
    if (!up)
      return fail(by, "it writes through a view, and " + why);
    if (Operation *op = up.getDefiningOp())
      noteGradients(op);
    written.push_back({tensor->parent, up});
  }
  isWritten = true;
  ++tensor->writes;
  for (auto [changed, now] : written) {
    changed->current = now;
    changed->version = tensor->writes;
  }
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

bool Functionalizer::isWritable(Tensor *tensor, AtenOp by) {
  Tensor *storage = storageOf(tensor);
  if (storage->argument >= 0) {
    BufferOp buffer = bufferOf(func, storage->argument, symbols);
    if (!buffer) {
      fail(by, "it writes to argument " + Twine(storage->argument) + " of @" +
                   func.getName() + ", which is bound to no buffer");
      return false;
    }
    if (buffer.getRole() != "buffer") {
      fail(by, "it writes to @" + buffer.getSymName() + ", whose role is '" +
                   buffer.getRole() +
                   "'; a model may change its registered buffers only");
      return false;
    }
  }
  // Autograd would go on to differentiate the value as it was before.
  if (by.getNoGrad() && varied.contains(read(storage))) {
    fail(by, "it runs without gradients, but writes to a value that has one");
    return false;
  }
  return true;
}

void Functionalizer::mutate(AtenOp op) {
  erased.push_back(op);
  ArrayRef<int32_t> mutated = *op.getMutates();
  for (int32_t operand : mutated)
    if (!isWritable(tensorOf.lookup(op->getOperand(operand)), op))
      return;
  Tensor *target = tensorOf.lookup(op->getOperand(mutated.front()));

  // From here on the operands are what they are worth now.
  SmallVector<Value> objects(op->getOperands());
  for (OpOperand &operand : op->getOpOperands())
    operand.set(read(tensorOf.lookup(operand.get())));
  PureBuilder pure(builder, op.getLoc(), op.getNoGrad());
  Operation *before = op->getPrevNode();
  std::string why;
  Value value = buildPureCounterpart(pure, op, why);
  if (value && op.getNoGrad() && varied.contains(value))
    // `copy_` of the same type leaves no op that could say so.
    value = pure.call("aten::detach", {value}, value.getType());
  Operation *made = before ? before->getNextNode() : &op->getBlock()->front();
  for (; made != op.getOperation(); made = made->getNextNode())
    noteGradients(made);
  op->setOperands(objects);
  if (!value)
    return fail(op, why);
  write(target, value, op);
}

void Functionalizer::defineResults(AtenOp op) {
  for (OpResult result : op->getResults()) {
    int32_t operand = viewedOperand(op, result.getResultNumber());
    // In-place operators return the very tensor they wrote to.
    DenseI32ArrayAttr mutated = op.getMutatesAttr();
    bool isSelf = mutated && llvm::is_contained(mutated.asArrayRef(), operand);
    if (operand >= 0 && isSelf) {
      tensorOf[result] = tensorOf.lookup(op->getOperand(operand));
      continue;
    }
    // Looked up first: the map may move when the result is added.
    Tensor *parent =
        operand >= 0 ? tensorOf.lookup(op->getOperand(operand)) : nullptr;
    Tensor *tensor = newTensor(result);
    if (!parent)
      continue;
    tensor->parent = parent;
    tensor->view = op;
    tensor->result = result.getResultNumber();
    tensor->version = storageOf(parent)->writes;
  }
}

void Functionalizer::visit(AtenOp op) {
  builder.setInsertionPoint(op);
  if (op.getMutates() && !op.getMutates()->empty()) {
    mutate(op);
    defineResults(op);
    return;
  }
  defineResults(op);
  for (OpOperand &operand : op->getOpOperands())
    operand.set(read(tensorOf.lookup(operand.get())));
  allowAnyStrides(op);
  noteGradients(op);
}

/// Returned tensors are read; written buffers that are not returned yet are.
void Functionalizer::finishResults() {
  Operation *ret = func.front().getTerminator();
  builder.setInsertionPoint(ret);
  SmallVector<Value> results;
  for (Value operand : ret->getOperands())
    results.push_back(read(tensorOf.lookup(operand)));
  SmallVector<DictionaryAttr> attrs;
  func.getAllResultAttrs(attrs);
  attrs.resize(results.size(), builder.getDictionaryAttr({}));
  for (BlockArgument argument : func.getArguments()) {
    Tensor *tensor = tensorOf.lookup(argument);
    if (tensor->writes == 0)
      continue;
    auto name = func.getArgAttrOfType<FlatSymbolRefAttr>(
        argument.getArgNumber(), kBufferAttr);
    if (llvm::any_of(attrs, [&](DictionaryAttr dict) {
          return dict && dict.get(kBufferAttr) == name;
        }))
      continue;
    results.push_back(read(tensor));
    attrs.push_back(
        builder.getDictionaryAttr(builder.getNamedAttr(kBufferAttr, name)));
  }
  ret->setOperands(results);
  func.setType(builder.getFunctionType(func.getArgumentTypes(),
                                       ValueRange(results).getTypes()));
  func.setAllResultAttrs(attrs);
}

LogicalResult Functionalizer::run() {
  for (BlockArgument argument : func.getArguments()) {
    newTensor(argument)->argument = argument.getArgNumber();
    BufferOp buffer = bufferOf(func, argument.getArgNumber(), symbols);
    if (buffer && buffer.getRole() == "param")
      varied.insert(argument);
  }
  SmallVector<Operation *> ops;
  for (Operation &op : func.front().without_terminator())
    ops.push_back(&op);
  for (Operation *op : ops) {
    if (auto aten = dyn_cast<AtenOp>(op)) {
      visit(aten);
      continue;
    }
    // Typed ops own their results.
    builder.setInsertionPoint(op);
    for (OpOperand &operand : op->getOpOperands())
      operand.set(read(tensorOf.lookup(operand.get())));
    for (Value result : op->getResults())
      newTensor(result);
  }
  if (failed)
    return failure();
  finishResults();
  for (Operation *op : llvm::reverse(erased))
    op->erase();
  // Views that nobody reads any more.
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(func.front()))) {
    if (isOpTriviallyDead(&op)) {
      op.erase();
      continue;
    }
    if (auto aten = dyn_cast<AtenOp>(op)) {
      aten.removeViewsAttr();
      aten.removeMutatesAttr();
    }
  }
  return success();
}

namespace {
struct FunctionalizePass : nxdt::impl::FunctionalizeBase<FunctionalizePass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    bool isPure = true;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal())
        isPure &= succeeded(Functionalizer(func, symbols).run());
    if (!isPure)
      signalPassFailure();
  }
};
} // namespace
