//===- EmitProgram.cpp - functions and buffers to plan --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "EmitProgram.h"

#include "Nxdt/IR/Sharding.h"
#include "nxdt/Passes/Origins.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nxdt;

static FailureOr<plan::DType> toDType(Operation *op, Type type) {
  if (type.isF64())
    return plan::DType::F64;
  if (type.isF32())
    return plan::DType::F32;
  if (type.isBF16())
    return plan::DType::BF16;
  if (type.isF16())
    return plan::DType::F16;
  if (type.isSignlessInteger(64))
    return plan::DType::I64;
  if (type.isSignlessInteger(32))
    return plan::DType::I32;
  if (type.isInteger(8))
    return plan::DType::U8;
  if (type.isInteger(1))
    return plan::DType::Bool;
  return op->emitError("element type ") << type << " cannot be part of a plan";
}

static plan::Axes toAxes(ArrayRef<AxisAttr> axes, MeshAttr mesh) {
  plan::Axes names;
  for (AxisAttr axis : axes)
    names.push_back(axisText(axis, mesh));
  return names;
}

static plan::Origin toOrigin(StringAttr name, RankedTensorType whole,
                             MeshAttr mesh) {
  plan::Origin origin;
  origin.name = name.str();
  origin.logicalShape = whole.getShape().vec();
  origin.split.assign(origin.logicalShape.size(), {});
  ShardingAttr sharding = shardingOf(whole);
  for (unsigned dim = 0; dim < origin.split.size(); ++dim)
    origin.split[dim] = toAxes(sharding.axesOf(dim), mesh);
  origin.partial = toAxes(sharding.partialAxes(), mesh);
  if (sharding.getReduction() == Reduction::Max)
    origin.reduction = plan::Reduction::Max;
  return origin;
}

namespace {
/// Emits one function as a program.
class ProgramEmitter {
public:
  ProgramEmitter(func::FuncOp func, const llvm::StringMap<int32_t> &buffers,
                 MeshAttr mesh)
      : func(func), buffers(buffers), mesh(mesh) {
    auto name = func->getAttrOfType<StringAttr>(kProgramAttr);
    program.name = name ? name.str() : func.getName().str();
  }
  FailureOr<plan::Program> run();

private:
  LogicalResult addValue(Operation *op, Value value, int32_t buffer);
  FailureOr<plan::Arg> toArg(Operation *op, Attribute attr);
  FailureOr<std::vector<plan::Arg>> toArgs(Operation *op, ArrayAttr args,
                                           OperandRange operands);
  LogicalResult emit(AtenOp op);
  LogicalResult emit(AtenVjpOp op);
  void emit(WaitOp op);
  FailureOr<plan::Instruction> describe(Operation *op, plan::OpKind kind,
                                        ResultRange results);
  LogicalResult emitCollective(Operation *op);
  LogicalResult emitStart(Operation *op);
  LogicalResult handOver();
  void addFrees();

  func::FuncOp func;
  const llvm::StringMap<int32_t> &buffers;
  MeshAttr mesh;
  DenseMap<Value, int32_t> numbers;
  plan::Program program;
};
} // namespace

LogicalResult ProgramEmitter::addValue(Operation *op, Value value,
                                       int32_t buffer) {
  auto type = cast<RankedTensorType>(value.getType());
  FailureOr<plan::DType> dtype = toDType(op, type.getElementType());
  if (failed(dtype))
    return failure();
  numbers[value] = program.values.size();
  program.values.push_back({*dtype, type.getShape().vec(), buffer});
  if (StringAttr origin = originOf(value))
    if (auto whole = dyn_cast_or_null<RankedTensorType>(wholeTypeOf(value)))
      program.values.back().origin = toOrigin(origin, whole, mesh);
  return success();
}

FailureOr<plan::Arg> ProgramEmitter::toArg(Operation *op, Attribute attr) {
  if (isa<NoneAttr>(attr))
    return plan::Arg(plan::None{});
  if (isa<DeviceAttr>(attr))
    return plan::Arg(plan::DeviceArg{});
  if (auto flag = dyn_cast<BoolAttr>(attr))
    return plan::Arg(flag.getValue());
  if (auto integer = dyn_cast<IntegerAttr>(attr))
    return plan::Arg(integer.getInt());
  if (auto number = dyn_cast<FloatAttr>(attr))
    return plan::Arg(number.getValueAsDouble());
  if (auto string = dyn_cast<StringAttr>(attr))
    return plan::Arg(string.str());
  if (auto list = dyn_cast<DenseI64ArrayAttr>(attr))
    return plan::Arg(list.asArrayRef().vec());
  if (auto list = dyn_cast<DenseF64ArrayAttr>(attr))
    return plan::Arg(list.asArrayRef().vec());
  if (auto list = dyn_cast<DenseBoolArrayAttr>(attr))
    return plan::Arg(
        std::vector<bool>(list.asArrayRef().begin(), list.asArrayRef().end()));
  if (auto type = dyn_cast<TypeAttr>(attr)) {
    FailureOr<plan::DType> dtype = toDType(op, type.getValue());
    if (failed(dtype))
      return failure();
    return plan::Arg(*dtype);
  }
  return op->emitError("argument ") << attr << " cannot be part of a plan";
}

FailureOr<std::vector<plan::Arg>>
ProgramEmitter::toArgs(Operation *op, ArrayAttr args, OperandRange operands) {
  std::vector<plan::Arg> result;
  auto next = operands.begin();
  auto place = [&](Attribute element) -> plan::ValueRef {
    return {isa<OperandAttr>(element) ? numbers.lookup(*next++) : -1};
  };
  for (Attribute attr : args) {
    if (isa<OperandAttr>(attr)) {
      result.push_back(place(attr));
      continue;
    }
    if (auto list = dyn_cast<ArrayAttr>(attr)) {
      std::vector<plan::ValueRef> refs;
      for (Attribute element : list)
        refs.push_back(place(element));
      result.push_back(std::move(refs));
      continue;
    }
    FailureOr<plan::Arg> arg = toArg(op, attr);
    if (failed(arg))
      return failure();
    result.push_back(std::move(*arg));
  }
  return result;
}

LogicalResult ProgramEmitter::emit(AtenOp op) {
  plan::Instruction instruction;
  instruction.kind = plan::OpKind::Aten;
  instruction.op = op.getCallee().str();
  instruction.module = markedPathOf(op).str();
  FailureOr<std::vector<plan::Arg>> args =
      toArgs(op, op.getArgs(), op.getInputs());
  if (failed(args))
    return failure();
  instruction.args = std::move(*args);
  for (Value result : op.getOutputs()) {
    if (result.use_empty()) {
      instruction.outs.push_back(-1);
      continue;
    }
    if (failed(addValue(op, result, -1)))
      return failure();
    instruction.outs.push_back(numbers[result]);
  }
  program.instructions.push_back(std::move(instruction));
  return success();
}

LogicalResult ProgramEmitter::emit(AtenVjpOp op) {
  plan::Instruction instruction;
  instruction.kind = plan::OpKind::AtenVjp;
  instruction.op = op.getCallee().str();
  instruction.module = markedPathOf(op).str();
  FailureOr<std::vector<plan::Arg>> args =
      toArgs(op, op.getArgs(), op.getInputs());
  if (failed(args))
    return failure();
  instruction.args = std::move(*args);
  instruction.gradOuts.assign(op.getForwardResults(), -1);
  for (auto [result, grad] : llvm::zip(op.getGradOf(), op.getGrads()))
    instruction.gradOuts[result] = numbers.lookup(grad);
  instruction.outs.assign(op.getInputs().size(), -1);
  for (auto [operand, result] : llvm::zip(op.getGradFor(), op.getOutputs())) {
    if (result.use_empty())
      continue;
    if (failed(addValue(op, result, -1)))
      return failure();
    instruction.outs[operand] = numbers[result];
  }
  program.instructions.push_back(std::move(instruction));
  return success();
}

/// What a collective and a start of one have in common.
FailureOr<plan::Instruction> ProgramEmitter::describe(Operation *op,
                                                      plan::OpKind kind,
                                                      ResultRange results) {
  if (!mesh)
    return op->emitOpError("needs the module attribute '") << kMeshAttr << "'";
  plan::Instruction instruction;
  instruction.kind = kind;
  instruction.module = markedPathOf(op).str();
  instruction.collective =
      llvm::TypeSwitch<Operation *, plan::Collective>(op)
          .Case<AllReduceOp, AllReduceStartOp>(
              [](auto) { return plan::Collective::AllReduce; })
          .Case<AllGatherOp, AllGatherStartOp>(
              [](auto) { return plan::Collective::AllGather; })
          .Case<ReduceScatterOp, ReduceScatterStartOp>(
              [](auto) { return plan::Collective::ReduceScatter; })
          .Default([](auto) { return plan::Collective::AllSlice; });
  instruction.op = "nxdt::" + std::string(plan::name(instruction.collective));
  auto reduction = op->getAttrOfType<StringAttr>("reduction");
  if (reduction && reduction == "max")
    instruction.reduction = plan::Reduction::Max;
  if (auto dim = op->getAttrOfType<IntegerAttr>("dim"))
    instruction.dim = dim.getInt();
  auto axes = op->getAttrOfType<ArrayAttr>("axes");
  instruction.axes = toAxes(llvm::to_vector(axes.getAsRange<AxisAttr>()), mesh);
  instruction.reason = op->getAttrOfType<StringAttr>("reason").str();
  for (auto [operand, result] : llvm::zip(op->getOperands(), results)) {
    instruction.args.push_back(plan::ValueRef{numbers.lookup(operand)});
    if (failed(addValue(op, result, -1)))
      return failure();
    instruction.outs.push_back(numbers[result]);
  }
  return instruction;
}

LogicalResult ProgramEmitter::emitCollective(Operation *op) {
  FailureOr<plan::Instruction> instruction =
      describe(op, plan::OpKind::Collective, op->getResults());
  if (failed(instruction))
    return failure();
  program.instructions.push_back(std::move(*instruction));
  return success();
}

LogicalResult ProgramEmitter::emitStart(Operation *op) {
  FailureOr<plan::Instruction> instruction =
      describe(op, plan::OpKind::Start, waitOf(op).getResults());
  if (failed(instruction))
    return failure();
  if (op->getNumOperands() > 1) {
    auto modules = op->getAttrOfType<ArrayAttr>("modules");
    auto reasons = op->getAttrOfType<ArrayAttr>("reasons");
    for (auto [module, reason] : llvm::zip(modules.getAsRange<StringAttr>(),
                                           reasons.getAsRange<StringAttr>()))
      instruction->parts.push_back({module.str(), reason.str()});
  }
  program.instructions.push_back(std::move(*instruction));
  return success();
}

void ProgramEmitter::emit(WaitOp op) {
  plan::Instruction instruction;
  instruction.kind = plan::OpKind::Wait;
  instruction.op = "nxdt::wait";
  instruction.module = markedPathOf(op).str();
  std::vector<plan::ValueRef> results, inputs;
  for (Value result : op.getResults())
    results.push_back({numbers.lookup(result)});
  for (Value input : op.getPending().getDefiningOp()->getOperands())
    inputs.push_back({numbers.lookup(input)});
  instruction.args = {std::move(results), std::move(inputs)};
  program.instructions.push_back(std::move(instruction));
}

/// Results are what is carried to a later program.
LogicalResult ProgramEmitter::handOver() {
  Operation *ret = func.front().getTerminator();
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    auto name = func.getResultAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr);
    if (!name || !buffers.contains(name.getValue()))
      return func.emitError("result ")
             << i << " of program '" << func.getName() << "' is no buffer";
    plan::Value &value = program.values[numbers.lookup(ret->getOperand(i))];
    if (value.buffer >= 0)
      return func.emitError("result ")
             << i << " of program '" << func.getName()
             << "' is bound to a buffer; run store-in-place first";
    value.buffer = buffers.lookup(name.getValue());
  }
  return success();
}

/// Each temporary is released by the instruction that uses it last, and so is
/// what a program is the last to read of a micro-batch.
void ProgramEmitter::addFrees() {
  std::vector<bool> seen(program.values.size());
  std::vector<bool> dying(program.values.size());
  for (BlockArgument argument : func.getArguments())
    dying[numbers.lookup(argument)] =
        static_cast<bool>(func.getArgAttr(argument.getArgNumber(), kDiesAttr));
  for (plan::Instruction &instruction : llvm::reverse(program.instructions)) {
    auto use = [&](int32_t value) {
      if (value < 0 || seen[value] ||
          (program.values[value].buffer >= 0 && !dying[value]))
        return;
      seen[value] = true;
      instruction.frees.push_back(value);
    };
    for (const plan::Arg &arg : instruction.args) {
      if (auto *ref = std::get_if<plan::ValueRef>(&arg))
        use(ref->index);
      else if (auto *refs = std::get_if<std::vector<plan::ValueRef>>(&arg))
        for (plan::ValueRef ref : *refs)
          use(ref.index);
    }
    llvm::for_each(instruction.gradOuts, use);
    llvm::for_each(instruction.outs, use);
    llvm::sort(instruction.frees);
  }
}

FailureOr<plan::Program> ProgramEmitter::run() {
  for (auto [i, argument] : llvm::enumerate(func.getArguments())) {
    auto name = func.getArgAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr);
    if (!name || !buffers.contains(name.getValue()))
      return func.emitError("argument ")
             << i << " of program '" << func.getName() << "' is no buffer";
    if (failed(addValue(func, argument, buffers.lookup(name.getValue()))))
      return failure();
  }
  for (Operation &op : func.front().without_terminator()) {
    LogicalResult status = failure();
    if (auto aten = dyn_cast<AtenOp>(op))
      status = emit(aten);
    else if (auto vjp = dyn_cast<AtenVjpOp>(op))
      status = emit(vjp);
    else if (isCollective(&op))
      status = emitCollective(&op);
    else if (isStart(&op))
      status = emitStart(&op);
    else if (auto wait = dyn_cast<WaitOp>(op)) {
      emit(wait);
      status = success();
    } else
      return op.emitOpError("cannot be part of a plan");
    if (failed(status))
      return failure();
  }
  if (failed(handOver()))
    return failure();
  addFrees();
  return std::move(program);
}

FailureOr<plan::Buffer> nxdt::emitBuffer(BufferOp op, MeshAttr mesh) {
  plan::Buffer buffer;
  buffer.name = op.getSymName().str();
  buffer.role = llvm::StringSwitch<plan::Role>(op.getRole())
                    .Case("param", plan::Role::Param)
                    .Case("master", plan::Role::Master)
                    .Case("opt_state", plan::Role::OptState)
                    .Case("grad", plan::Role::Grad)
                    .Case("reduced_grad", plan::Role::ReducedGrad)
                    .Case("coordinate", plan::Role::Coordinate)
                    .Case("carry", plan::Role::Carry)
                    .Case("buffer", plan::Role::Buffer)
                    .Case("input", plan::Role::Input)
                    .Default(plan::Role::Scalar);
  if (buffer.role == plan::Role::Param)
    buffer.param = buffer.name;
  else if (op.getParam())
    buffer.param = op.getParam()->str();
  if (op.getState())
    buffer.state = op.getState()->str();
  RankedTensorType type = op.getTensorType();
  FailureOr<plan::DType> dtype = toDType(op, type.getElementType());
  if (failed(dtype))
    return failure();
  buffer.dtype = *dtype;
  SmallVector<int64_t> shape = localShape(type);
  buffer.shape.assign(shape.begin(), shape.end());
  buffer.logicalShape = type.getShape().vec();
  buffer.split.assign(buffer.shape.size(), {});
  if (ShardingAttr sharding = shardingOf(type)) {
    for (unsigned dim = 0; dim < buffer.split.size(); ++dim)
      buffer.split[dim] = toAxes(sharding.axesOf(dim), mesh);
    buffer.partial = toAxes(sharding.partialAxes(), mesh);
  }
  if (op.getAxes())
    buffer.coordinate =
        toAxes(llvm::to_vector(op.getAxesAttr().getAsRange<AxisAttr>()), mesh);
  if (auto init = op.getInit()) {
    auto number = [&](StringRef key) {
      return init->getAs<FloatAttr>(key).getValueAsDouble();
    };
    auto kind = init->getAs<StringAttr>("kind");
    if (kind == "normal")
      buffer.init = {plan::Init::Kind::Normal, number("mean"), number("std")};
    else if (kind == "uniform")
      buffer.init = {plan::Init::Kind::Uniform, number("low"), number("high")};
    else
      buffer.init = {plan::Init::Kind::Constant, number("value"), 0.0};
  }
  return buffer;
}

FailureOr<plan::Program>
nxdt::emitProgram(func::FuncOp func, const llvm::StringMap<int32_t> &buffers,
                  MeshAttr mesh) {
  return ProgramEmitter(func, buffers, mesh).run();
}
