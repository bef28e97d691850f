//===- VerifyReductionScale.cpp - one over the tokens, once ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows gradients, loss and token count from their accumulators to where they
// are used, backwards from there. That a sum is taken over the right ranks is
// in the types (verify-sharding) and in the plan (verify-spmd); here it is what
// else they are multiplied by.
//
//===----------------------------------------------------------------------===//
#include "Scales.h"

#include "llvm/ADT/StringSet.h"

namespace nxdt {
#define GEN_PASS_DEF_VERIFYREDUCTIONSCALE
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
struct VerifyReductionScalePass
    : nxdt::impl::VerifyReductionScaleBase<VerifyReductionScalePass> {
  void runOnOperation() override;

private:
  void verifyAccumulation(func::FuncOp step, func::FuncOp begin,
                          llvm::StringSet<> &accumulated);
  void verifyStages();
  llvm::StringSet<> grads();
  llvm::StringSet<> weights();
  void failLeft(Operation *op, StringRef what, const llvm::StringSet<> &left);
  void verifyBegin(func::FuncOp begin, StringRef accumulator);
  void verifyMean(func::FuncOp finish, StringRef mean, StringRef sum,
                  StringRef count);
  void verifyReducedGrads(ArrayRef<func::FuncOp> finishes);
  void verifyClip(func::FuncOp finish, llvm::StringSet<> &left);
  void verifySquares(Operation *user, Value sum, StringRef what,
                     llvm::StringSet<> &counted);
  void verifyNorm(Operation *user, Value value, StringRef what,
                  llvm::StringSet<> &left);
  void verifyParamNorm(func::FuncOp program, llvm::StringSet<> &left);
  void verifyUpdate(func::FuncOp update, llvm::StringSet<> &updated);
  void verifyOptimizer(func::FuncOp update, Operation *op, unsigned scaleAt);

  /// The value must be `buffer` itself, once.
  bool isOnce(Operation *user, Value value, StringRef buffer, StringRef what);
  BufferOp bufferBehind(Value value);
  Value resultFor(func::FuncOp func, StringRef buffer);
  func::FuncOp program(StringRef name);
  InFlightDiagnostic fail(Operation *op) {
    isBroken = true;
    return op->emitError();
  }

  SymbolTable *symbols = nullptr;
  /// By program and buffer, and by parameter: asked for once per tensor.
  DenseMap<Operation *, llvm::StringMap<Value>> results;
  llvm::StringMap<StringRef> gradients; ///< what the optimizer reads
  bool isBroken = false;
};
} // namespace

func::FuncOp VerifyReductionScalePass::program(StringRef name) {
  auto func = symbols->lookup<func::FuncOp>(name);
  if (!func)
    fail(getOperation()) << "there is no program '" << name
                         << "'; run build-step first";
  return func;
}

/// The buffer whose content a value is; null if it is none.
BufferOp VerifyReductionScalePass::bufferBehind(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return {};
  auto func = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  return bufferOf(func, argument.getArgNumber(), *symbols);
}

/// What a program writes to a buffer; null if it does not.
Value VerifyReductionScalePass::resultFor(func::FuncOp func, StringRef buffer) {
  auto [it, isNew] = results.try_emplace(func);
  for (unsigned i = 0; isNew && i < func.getNumResults(); ++i)
    if (auto name = func.getResultAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr))
      it->second.try_emplace(name.getValue(),
                             func.front().getTerminator()->getOperand(i));
  return it->second.lookup(buffer);
}

bool VerifyReductionScalePass::isOnce(Operation *user, Value value,
                                      StringRef buffer, StringRef what) {
  Multiple from = multipleOf(value);
  BufferOp found = bufferBehind(from.base);
  if (!found || found.getSymName() != buffer) {
    auto diagnostic = fail(user)
                      << what << " must be @" << buffer << ", but comes from ";
    if (found)
      diagnostic << "@" << found.getSymName();
    else if (Operation *op = from.base.getDefiningOp())
      diagnostic << "'"
                 << (isa<AtenOp>(op) ? cast<AtenOp>(op).getCallee()
                                     : op->getName().getStringRef())
                 << "'";
    else
      diagnostic << "somewhere else";
    return false;
  }
  if (from.factor == 1.0)
    return true;
  fail(user) << what << " is " << from.factor << " times @" << buffer
             << "; sums over ranks and micro-batches are divided by the number "
                "of tokens, and by nothing else";
  return false;
}

//===----------------------------------------------------------------------===//
// Accumulators
//===----------------------------------------------------------------------===//

void VerifyReductionScalePass::verifyBegin(func::FuncOp begin,
                                           StringRef accumulator) {
  Value first = resultFor(begin, accumulator);
  if (!first || constantOf(first) != 0.0)
    fail(begin) << "program '" << begin.getName() << "' does not set @"
                << accumulator << " to zero: a step would add to the last one";
}

/// Accumulators grow by what a micro-batch gives, as it is: loss and count as
/// sums, gradients in the parameters' own units.
void VerifyReductionScalePass::verifyAccumulation(func::FuncOp step,
                                                  func::FuncOp begin,
                                                  llvm::StringSet<> &all) {
  llvm::StringSet<> seen;
  for (auto op : step.getOps<AccumulateOp>()) {
    auto before = op.getAcc().getDefiningOp<AccumulateOp>();
    bool isFirst = !before;
    Value start = op.getAcc();
    for (; before; before = start.getDefiningOp<AccumulateOp>())
      start = before.getAcc();
    BufferOp buffer = bufferBehind(start);
    if (!buffer) {
      fail(op) << "accumulates into something that is no buffer as it was at "
                  "the beginning of the program";
      continue;
    }
    // How many parts a gradient has is counted with the factors.
    all.insert(buffer.getSymName());
    if (!seen.insert(buffer.getSymName()).second && isFirst)
      fail(op) << "accumulates into @" << buffer.getSymName() << " twice";
    // Padding may be set to zero in between.
    Value written = resultFor(step, buffer.getSymName());
    Multiple from = written ? multipleOf(written) : Multiple{};
    Value sum = op.getResult();
    while (sum.hasOneUse()) {
      auto next = dyn_cast<AccumulateOp>(*sum.user_begin());
      if (!next || next.getAcc() != sum)
        break;
      sum = next.getResult();
    }
    if (from.base != sum || from.factor != 1.0)
      fail(op) << "accumulates into @" << buffer.getSymName()
               << ", but program '" << step.getName()
               << "' writes something else there";
    verifyBegin(begin, buffer.getSymName());
    // Loss, up to its sign; the number of tokens.
    double factor = multipleOf(op.getValue()).factor;
    bool isCount = isa<IntegerType>(typeOf(op.getAcc()).getElementType());
    if (buffer.getRole() == "scalar" && factor != 1.0 &&
        (isCount || factor != -1.0))
      fail(op) << "adds " << factor << " times a micro-batch's sum to @"
               << buffer.getSymName()
               << "; loss and tokens are divided once, when the step ends";
  }
  for (auto op : step.getOps<CrossEntropyBackwardOp>())
    if (constantOf(op.getDloss()) != 1.0)
      fail(op) << "the gradient of the summed loss is one, and nothing else";
}

//===----------------------------------------------------------------------===//
// The end of a step
//===----------------------------------------------------------------------===//

void VerifyReductionScalePass::verifyMean(func::FuncOp finish, StringRef mean,
                                          StringRef sum, StringRef count) {
  Value value = resultFor(finish, mean);
  Multiple from = value ? multipleOf(value) : Multiple{};
  auto division = value ? from.base.getDefiningOp<AtenOp>() : AtenOp();
  if (!division || division.getCallee() != "aten::div.Tensor" ||
      from.factor != 1.0) {
    fail(finish) << "@" << mean << " must be @" << sum << " / @" << count
                 << ", and nothing else";
    return;
  }
  isOnce(division, division->getOperand(0), sum, "the loss");
  isOnce(division, division->getOperand(1), count, "the number of tokens");
}

/// What the optimizer reads of a parameter's gradient is its accumulator.
void VerifyReductionScalePass::verifyReducedGrads(
    ArrayRef<func::FuncOp> finishes) {
  llvm::StringMap<BufferOp> grads;
  for (auto buffer : getOperation().getOps<BufferOp>())
    if (buffer.getRole() == "grad")
      grads[*buffer.getParam()] = buffer;
  for (auto buffer : getOperation().getOps<BufferOp>()) {
    if (buffer.getRole() != "reduced_grad")
      continue;
    BufferOp grad = grads.lookup(*buffer.getParam());
    Value value;
    for (func::FuncOp finish : finishes)
      if (Value own = resultFor(finish, buffer.getSymName()))
        value = own;
    if (!grad || !value)
      fail(buffer) << "is not written from the accumulator of '"
                   << *buffer.getParam() << "'";
    else
      isOnce(value.getDefiningOp() ? value.getDefiningOp() : buffer, value,
             grad.getSymName(),
             ("the reduced gradient of " + *buffer.getParam()).str());
  }
}

/// A sum of sums of squares of buffers among `counted`, which are taken out.
void VerifyReductionScalePass::verifySquares(Operation *user, Value sum,
                                             StringRef what,
                                             llvm::StringSet<> &counted) {
  Multiple from = multipleOf(sum);
  Operation *op = from.base.getDefiningOp();
  auto aten = dyn_cast_if_present<AtenOp>(op);
  if (from.factor != 1.0) {
    fail(user) << "the norm of the " << what << " has a factor of "
               << from.factor;
  } else if (aten && aten.getCallee() == "aten::add.Tensor") {
    verifySquares(op, aten->getOperand(0), what, counted);
    verifySquares(op, aten->getOperand(1), what, counted);
  } else if (isa_and_present<SquareSumOp, GlobalNormOp>(op)) {
    for (Value tensor : op->getOperands()) {
      Multiple summand = multipleOf(tensor);
      BufferOp buffer = bufferBehind(summand.base);
      if (!buffer || summand.factor != 1.0)
        fail(op) << "squares something else than one of the " << what;
      else if (!counted.erase(buffer.getSymName()))
        fail(op) << "counts @" << buffer.getSymName()
                 << " twice, or it is none of the " << what;
    }
  } else {
    fail(user) << "the norm of the " << what << " is no sum of their squares";
  }
}

/// A root of sums of squares, or the norm as one op; of each buffer once.
void VerifyReductionScalePass::verifyNorm(Operation *user, Value value,
                                          StringRef what,
                                          llvm::StringSet<> &counted) {
  Multiple norm = multipleOf(value);
  auto root = norm.base.getDefiningOp<AtenOp>();
  if (norm.factor == 1.0 && root && root.getCallee() == "aten::sqrt")
    verifySquares(root, root->getOperand(0), what, counted);
  else if (norm.base.getDefiningOp<GlobalNormOp>())
    verifySquares(user, value, what, counted);
  else
    fail(user) << "the norm of the " << what << " is no root of their squares";
}

void VerifyReductionScalePass::failLeft(Operation *op, StringRef what,
                                        const llvm::StringSet<> &left) {
  SmallVector<StringRef> names(left.keys().begin(), left.keys().end());
  llvm::sort(names);
  for (StringRef name : names)
    fail(op) << what << " @" << name;
}

llvm::StringSet<> VerifyReductionScalePass::grads() {
  llvm::StringSet<> names;
  for (auto buffer : getOperation().getOps<BufferOp>())
    if (buffer.getRole() == "grad")
      names.insert(buffer.getSymName());
  return names;
}

void VerifyReductionScalePass::verifyClip(func::FuncOp finish,
                                          llvm::StringSet<> &left) {
  auto clips = llvm::to_vector(finish.getOps<ClipScaleOp>());
  if (clips.size() != 1) {
    fail(finish) << "program '" << finish.getName() << "' has " << clips.size()
                 << " nxdt.clip_scale; gradients are divided by the number of "
                    "tokens once";
    return;
  }
  ClipScaleOp clip = clips[0];
  if (resultFor(finish, "grad_scale") != clip.getScale())
    fail(clip) << "its scale is not what is written to @grad_scale";
  if (resultFor(finish, "grad_norm") != clip.getGradNorm())
    fail(clip) << "its norm is not what is written to @grad_norm";
  isOnce(clip, clip.getCount(), "token_sum", "the number of tokens");
  if (auto train = getOperation()->getAttrOfType<DictionaryAttr>(kTrainAttr))
    if (train.get("max_norm") != clip.getMaxNormAttr())
      fail(clip) << "clips at another norm than '" << kTrainAttr << "' says";
  verifyNorm(clip, clip.getAccNorm(), "gradients", left);
}

/// Of each trained parameter the weight that the optimizer updates.
llvm::StringSet<> VerifyReductionScalePass::weights() {
  llvm::StringMap<StringRef> weights;
  for (auto buffer : getOperation().getOps<BufferOp>())
    if (buffer.getRole() == "grad")
      weights.try_emplace(*buffer.getParam(), *buffer.getParam());
  for (auto buffer : getOperation().getOps<BufferOp>())
    if (buffer.getRole() == "master")
      weights[*buffer.getParam()] = buffer.getSymName();
  llvm::StringSet<> counted;
  for (auto &entry : weights)
    counted.insert(entry.second);
  return counted;
}

void VerifyReductionScalePass::verifyParamNorm(func::FuncOp program,
                                               llvm::StringSet<> &left) {
  if (Value norm = resultFor(program, "param_norm"))
    verifyNorm(program, norm, "parameters", left);
  else
    fail(program) << "program '" << program.getName()
                  << "' does not write @param_norm";
}

//===----------------------------------------------------------------------===//
// The update
//===----------------------------------------------------------------------===//

/// An optimizer op: param, grad, ...; `scaleAt` is its scale's operand.
void VerifyReductionScalePass::verifyOptimizer(func::FuncOp update,
                                               Operation *op,
                                               unsigned scaleAt) {
  BufferOp param = bufferBehind(multipleOf(op->getOperand(0)).base);
  if (!param || (param.getRole() != "param" && param.getRole() != "master")) {
    fail(op) << "updates something that is no parameter";
    return;
  }
  StringRef owner = param.getParam() ? *param.getParam() : param.getSymName();
  StringRef wanted = gradients.lookup(owner);
  isOnce(op, op->getOperand(0), param.getSymName(), "the parameter");
  isOnce(op, op->getOperand(1), wanted, "the gradient");
  isOnce(op, op->getOperand(scaleAt), "grad_scale", "the scale");
  isOnce(op, op->getOperand(scaleAt - 2), "lr", "the learning rate");
  Value written = resultFor(update, param.getSymName());
  Multiple from = written ? multipleOf(written) : Multiple{};
  if (from.base != op->getResult(0) || from.factor != 1.0)
    fail(op) << "its result is not what is written to @" << param.getSymName();
}

void VerifyReductionScalePass::verifyUpdate(func::FuncOp update,
                                            llvm::StringSet<> &updated) {
  auto check = [&](Operation *op, unsigned scaleAt) {
    verifyOptimizer(update, op, scaleAt);
    if (BufferOp param = bufferBehind(multipleOf(op->getOperand(0)).base))
      if (!updated
               .insert(param.getParam() ? *param.getParam()
                                        : param.getSymName())
               .second)
        fail(op) << "updates @" << param.getSymName() << " twice";
  };
  for (auto op : update.getOps<AdamWOp>())
    check(op, 6);
  for (auto op : update.getOps<SgdOp>())
    check(op, 4);
}

//===----------------------------------------------------------------------===//
// All programs
//===----------------------------------------------------------------------===//

/// A pipeline's programs: each stage begins and ends steps alike, and together
/// they accumulate, count and update each parameter once.
void VerifyReductionScalePass::verifyStages() {
  llvm::StringSet<> leftGrads = grads(), leftWeights = weights();
  llvm::StringSet<> accumulated, updated;
  SmallVector<func::FuncOp> finishes;
  for (auto func : getOperation().getOps<func::FuncOp>()) {
    StringRef name = func.getName(), base = name.split('.').first;
    if (base == "forward" || base == "backward" || base == "eval") {
      auto stage = func->getAttrOfType<IntegerAttr>(kStageAttr);
      std::string begin = base == "eval" ? "begin_eval.s" : "begin_step.s";
      if (func::FuncOp found =
              program(begin + std::to_string(stage ? stage.getInt() : -1)))
        verifyAccumulation(func, found, accumulated);
    } else if (base == "finish_step") {
      finishes.push_back(func);
      verifyMean(func, "loss", "loss_sum", "token_sum");
      verifyClip(func, leftGrads);
    } else if (base == "finish_eval") {
      verifyMean(func, "val_loss", "val_loss_sum", "val_token_sum");
    } else if (base == "norm_params") {
      verifyParamNorm(func, leftWeights);
    } else if (base == "update_step") {
      verifyUpdate(func, updated);
    }
  }
  verifyReducedGrads(finishes);
  failLeft(getOperation(), "the norm of the gradients lacks", leftGrads);
  failLeft(getOperation(), "the norm of the parameters lacks", leftWeights);
  llvm::StringSet<> notAccumulated = grads();
  for (auto &entry : accumulated)
    notAccumulated.erase(entry.getKey());
  failLeft(getOperation(), "no stage accumulates", notAccumulated);
  for (auto buffer : getOperation().getOps<BufferOp>())
    if (buffer.getRole() == "grad" && !updated.contains(*buffer.getParam()))
      fail(getOperation()) << "no stage updates @" << *buffer.getParam();
}

void VerifyReductionScalePass::runOnOperation() {
  ModuleOp module = getOperation();
  isBroken = false;
  if (!module->getAttrOfType<DictionaryAttr>(kScalesAttr)) {
    module.emitError("verify-reduction-scale needs the module attribute '")
        << kScalesAttr << "'; run record-scales when the step is built";
    return signalPassFailure();
  }
  SymbolTable table(module);
  symbols = &table;
  results.clear();
  gradients.clear();
  for (auto buffer : module.getOps<BufferOp>()) {
    if (buffer.getRole() == "reduced_grad" && buffer.getParam())
      gradients[*buffer.getParam()] = buffer.getSymName();
    if (buffer.getRole() == "grad" && buffer.getParam())
      gradients.try_emplace(*buffer.getParam(), buffer.getSymName());
  }
  for (auto func : module.getOps<func::FuncOp>())
    isBroken |= failed(compareScales(func));
  if (module->hasAttr(kChunksAttr)) {
    verifyStages();
    if (isBroken)
      signalPassFailure();
    return;
  }
  func::FuncOp begin = program("begin_step"), train = program("train_step"),
               finish = program("finish_step"), update = program("update_step"),
               beginEval = program("begin_eval"), eval = program("eval_step"),
               finishEval = program("finish_eval"),
               normParams = program("norm_params");
  if (!begin || !train || !finish || !update || !beginEval || !eval ||
      !finishEval || !normParams)
    return signalPassFailure();
  llvm::StringSet<> accumulated, updated, leftGrads = grads(),
                                          leftWeights = weights();
  verifyAccumulation(train, begin, accumulated);
  verifyAccumulation(eval, beginEval, accumulated);
  llvm::StringSet<> notAccumulated = grads();
  for (auto &entry : accumulated)
    notAccumulated.erase(entry.getKey());
  failLeft(train, "program 'train_step' does not accumulate", notAccumulated);
  verifyMean(finish, "loss", "loss_sum", "token_sum");
  verifyMean(finishEval, "val_loss", "val_loss_sum", "val_token_sum");
  verifyReducedGrads(finish);
  verifyClip(finish, leftGrads);
  Operation *clip = finish;
  for (auto op : finish.getOps<ClipScaleOp>())
    clip = op;
  failLeft(clip, "the norm of the gradients lacks", leftGrads);
  verifyUpdate(update, updated);
  for (auto buffer : module.getOps<BufferOp>())
    if (buffer.getRole() == "grad" && !updated.contains(*buffer.getParam()))
      fail(update) << "program 'update_step' does not update @"
                   << *buffer.getParam();
  verifyParamNorm(normParams, leftWeights);
  failLeft(normParams, "the norm of the parameters lacks", leftWeights);
  if (isBroken)
    signalPassFailure();
}
