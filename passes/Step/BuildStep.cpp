//===- BuildStep.cpp - the programs of a training step --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ProgramBuilder.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"

namespace nxdt {
#define GEN_PASS_DEF_BUILDSTEP
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
/// A parameter and the buffers that belong to it.
struct ParamState {
  BufferOp param;
  BufferOp master; ///< the param itself if it is f32 or wider
  BufferOp grad;
  SmallVector<BufferOp> optState;
};

/// `nxdt.train`, read and checked.
struct TrainOptions {
  StringRef optimizer;
  double weightDecay = 0, beta1 = 0, beta2 = 0, eps = 0;
  double momentum = 0, dampening = 0;
  bool nesterov = false, correctBias = true, decayNorms = false;
  std::optional<double> maxNorm;
};

struct BuildStepPass : nxdt::impl::BuildStepBase<BuildStepPass> {
  void runOnOperation() override;

private:
  FailureOr<TrainOptions> readOptions();
  LogicalResult declareState(func::FuncOp gradients);
  void buildTrainStep(func::FuncOp gradients);
  void buildEvalStep(func::FuncOp forward);
  void buildFinishEval();
  void buildFinishStep();
  void buildUpdate();
  void buildParamNorm();
  void update(ProgramBuilder &program, ParamState &state, Value lr, Value step,
              Value scale);

  TrainOptions options;
  SmallVector<ParamState> params;
};
} // namespace

FailureOr<TrainOptions> BuildStepPass::readOptions() {
  ModuleOp module = getOperation();
  auto dict = module->getAttrOfType<DictionaryAttr>(kTrainAttr);
  if (!dict)
    return module.emitError("build-step needs the module attribute '")
           << kTrainAttr << "'";
  TrainOptions o;
  LogicalResult status = success();
  auto number = [&](StringRef key, double &value) {
    if (auto attr = dict.getAs<FloatAttr>(key))
      value = attr.getValueAsDouble();
    else
      status = module.emitError("'")
               << kTrainAttr << "' needs the number '" << key << "'";
  };
  auto flag = [&](StringRef key, bool &value) {
    if (auto attr = dict.getAs<BoolAttr>(key))
      value = attr.getValue();
  };
  auto name = dict.getAs<StringAttr>("optimizer");
  o.optimizer = name ? name.getValue() : "";
  number("weight_decay", o.weightDecay);
  flag("decay_norms", o.decayNorms);
  if (o.optimizer == "adamw" || o.optimizer == "adamw_fp32OptState") {
    number("beta1", o.beta1);
    number("beta2", o.beta2);
    number("eps", o.eps);
    flag("correct_bias", o.correctBias);
  } else if (o.optimizer == "sgd") {
    number("momentum", o.momentum);
    number("dampening", o.dampening);
    flag("nesterov", o.nesterov);
  } else {
    return module.emitError("unknown optimizer '")
           << o.optimizer << "'; known are adamw, adamw_fp32OptState, sgd";
  }
  if (auto attr = dict.getAs<FloatAttr>("max_norm"))
    o.maxNorm = attr.getValueAsDouble();
  if (failed(status))
    return failure();
  return o;
}

LogicalResult BuildStepPass::declareState(func::FuncOp gradients) {
  LogicalResult status = success();
  ModuleOp module = getOperation();
  OpBuilder builder(gradients);
  SymbolTable symbols(module);
  auto declare = [&](BufferOp owner, StringRef suffix, StringRef role,
                     StringRef state) {
    RankedTensorType type = owner.getTensorType();
    // State is f32, or wider if the parameter is.
    Type element = type.getElementTypeBitWidth() < 32
                       ? Float32Type::get(&getContext())
                       : type.getElementType();
    auto buffer = BufferOp::create(
        builder, owner.getLoc(), (owner.getSymName() + "." + suffix).str(),
        role, RankedTensorType::get(type.getShape(), element));
    buffer.setParamAttr(owner.getSymNameAttr());
    if (!state.empty())
      buffer.setState(state);
    return buffer;
  };
  for (unsigned i = 0; i < gradients.getNumResults(); ++i) {
    auto name =
        gradients.getResultAttrOfType<FlatSymbolRefAttr>(i, kGradOfAttr);
    if (!name)
      continue;
    ParamState state;
    state.param = symbols.lookup<BufferOp>(name.getValue());
    bool narrow = state.param.getTensorType().getElementTypeBitWidth() < 32;
    state.master =
        narrow ? declare(state.param, "master", "master", "") : state.param;
    state.grad = declare(state.param, "grad", "grad", "");
    if (options.optimizer == "sgd") {
      if (options.momentum != 0)
        state.optState.push_back(declare(state.param, "momentum_buffer",
                                         "opt_state", "momentum_buffer"));
    } else {
      state.optState.push_back(
          declare(state.param, "exp_avg", "opt_state", "exp_avg"));
      state.optState.push_back(
          declare(state.param, "exp_avg_sq", "opt_state", "exp_avg_sq"));
    }
    params.push_back(state);
  }
  auto scalar = [&](StringRef name, StringRef role, Type element) {
    if (Operation *taken = symbols.lookup(name)) {
      status = taken->emitError("'")
               << name << "' is the name of a value that every step has; "
               << "rename the parameter or buffer";
      return;
    }
    BufferOp::create(builder, NameLoc::get(builder.getStringAttr(name)), name,
                     role, RankedTensorType::get({}, element));
  };
  Type f32 = builder.getF32Type(), f64 = builder.getF64Type(),
       i64 = builder.getI64Type();
  scalar("lr", "input", f64);
  scalar("step", "input", f32);
  for (StringRef name : {"loss_sum", "loss", "val_loss_sum", "val_loss"})
    scalar(name, "scalar", f64);
  for (StringRef name :
       {"token_sum", "token_count", "val_token_sum", "val_token_count"})
    scalar(name, "scalar", i64);
  for (StringRef name : {"grad_norm", "grad_scale", "param_norm"})
    scalar(name, "scalar", f32);
  return status;
}

/// What a gradient is the sum of, in program order: a parameter that is used
/// twice (tied embeddings) gets both parts on their own, so that neither waits
/// for the other.
static SmallVector<Value> termsOf(Value gradient) {
  SmallVector<Value> terms, open = {gradient};
  while (!open.empty()) {
    Value value = open.pop_back_val();
    auto add = value.getDefiningOp<AtenOp>();
    bool isSum = add && add.getCallee() == "aten::add.Tensor" &&
                 value.use_empty() && add.getInputs().size() == 2 &&
                 llvm::all_of(add.getInputs(), [&](Value input) {
                   return input.getType() == value.getType() &&
                          input.hasOneUse() && input.getDefiningOp();
                 });
    std::optional<double> alpha =
        isSum ? CallArgs(add.getArgs(), add.getInputs()).number(2)
              : std::nullopt;
    if (!isSum || alpha != 1.0) {
      terms.push_back(value);
      continue;
    }
    open.append(add.getInputs().begin(), add.getInputs().end());
    add.erase();
  }
  llvm::sort(terms, [](Value a, Value b) {
    Operation *first = a.getDefiningOp(), *second = b.getDefiningOp();
    return first && second && first->isBeforeInBlock(second);
  });
  return terms;
}

void BuildStepPass::buildTrainStep(func::FuncOp gradients) {
  ProgramBuilder program(getOperation(), "train_step");
  SmallVector<Value> results = program.inlineBody(gradients);
  program.setLoc("accumulate");
  program.accumulate("loss_sum", results[0]);
  program.accumulate("token_sum", results[1]);
  for (unsigned i = 2; i < results.size(); ++i) {
    if (auto buffer =
            gradients.getResultAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr)) {
      program.write(buffer.getValue(), results[i]);
      continue;
    }
    auto name =
        gradients.getResultAttrOfType<FlatSymbolRefAttr>(i, kGradOfAttr);
    auto *state = llvm::find_if(params, [&](ParamState &candidate) {
      return candidate.param.getSymName() == name.getValue();
    });
    // At the gradient's own place, so that it is dead right away.
    OpBuilder::InsertionGuard guard(program.builder);
    Value acc = program.read(state->grad.getSymName());
    for (Value term : termsOf(results[i])) {
      program.builder.setInsertionPointAfterValue(term);
      acc = AccumulateOp::create(program.builder, term.getLoc(), acc.getType(),
                                 acc, term);
    }
    program.write(state->grad.getSymName(), acc);
  }
}

void BuildStepPass::buildEvalStep(func::FuncOp forward) {
  ProgramBuilder program(getOperation(), "eval_step");
  SmallVector<Value> results = program.inlineBody(forward);
  program.setLoc("accumulate");
  program.accumulate("val_loss_sum", results[0]);
  program.accumulate("val_token_sum", results[1]);
}

/// The mean over the tokens that count.
static void writeMean(ProgramBuilder &program, StringRef mean, StringRef sum,
                      StringRef count) {
  Value total = program.read(sum), tokens = program.read(count);
  program.write(mean, program.aten().div(total, tokens));
}

void BuildStepPass::buildFinishEval() {
  ProgramBuilder program(getOperation(), "finish_eval");
  writeMean(program, "val_loss", "val_loss_sum", "val_token_sum");
  program.write("val_token_count", program.read("val_token_sum"));
}

void BuildStepPass::buildFinishStep() {
  ProgramBuilder program(getOperation(), "finish_step");
  writeMean(program, "loss", "loss_sum", "token_sum");
  Value count = program.read("token_sum");
  program.write("token_count", count);
  SmallVector<Value> grads;
  for (ParamState &state : params)
    grads.push_back(program.read(state.grad.getSymName()));
  auto scalar = RankedTensorType::get({}, program.builder.getF32Type());
  auto norm = GlobalNormOp::create(program.builder, program.loc, scalar, grads);
  auto clip = ClipScaleOp::create(
      program.builder, program.loc, scalar, scalar, norm, count,
      options.maxNorm ? program.builder.getF64FloatAttr(*options.maxNorm)
                      : FloatAttr());
  program.write("grad_norm", clip.getGradNorm());
  program.write("grad_scale", clip.getScale());
}

void BuildStepPass::update(ProgramBuilder &program, ParamState &state, Value lr,
                           Value step, Value scale) {
  OpBuilder &b = program.builder;
  Value master = program.read(state.master.getSymName());
  Value grad = program.read(state.grad.getSymName());
  SmallVector<Value> optState;
  for (BufferOp buffer : state.optState)
    optState.push_back(program.read(buffer.getSymName()));
  bool decayed =
      state.param.getTensorType().getRank() > 1 || options.decayNorms;
  FloatAttr decay = b.getF64FloatAttr(decayed ? options.weightDecay : 0.0);
  Location loc = NameLoc::get(state.param.getSymNameAttr());

  SmallVector<Value> updated;
  if (options.optimizer == "sgd") {
    auto op = SgdOp::create(b, loc, master.getType(),
                            optState.empty() ? Type() : optState[0].getType(),
                            master, grad, lr, step, scale,
                            optState.empty() ? Value() : optState[0],
                            b.getF64FloatAttr(options.momentum),
                            b.getF64FloatAttr(options.dampening),
                            b.getBoolAttr(options.nesterov), decay);
    llvm::append_range(updated, op->getResults());
  } else {
    auto op = AdamWOp::create(
        b, loc, master.getType(), optState[0].getType(), optState[1].getType(),
        master, grad, optState[0], optState[1], lr, step, scale,
        b.getF64FloatAttr(options.beta1), b.getF64FloatAttr(options.beta2),
        b.getF64FloatAttr(options.eps), decay,
        b.getStringAttr(options.optimizer), b.getBoolAttr(options.correctBias));
    llvm::append_range(updated, op->getResults());
  }
  program.write(state.master.getSymName(), updated[0]);
  for (auto [buffer, value] :
       llvm::zip(state.optState, ArrayRef(updated).drop_front()))
    program.write(buffer.getSymName(), value);
  if (state.master == state.param)
    return;
  AtenBuilder aten(b, loc);
  program.write(
      state.param.getSymName(),
      aten.cast(updated[0], state.param.getTensorType().getElementType()));
}

void BuildStepPass::buildUpdate() {
  ProgramBuilder program(getOperation(), "update_step");
  Value lr = program.read("lr"), step = program.read("step"),
        scale = program.read("grad_scale");
  for (ParamState &state : params)
    update(program, state, lr, step, scale);
}

void BuildStepPass::buildParamNorm() {
  ProgramBuilder program(getOperation(), "norm_params");
  SmallVector<Value> masters;
  for (ParamState &state : params)
    masters.push_back(program.read(state.master.getSymName()));
  auto scalar = RankedTensorType::get({}, program.builder.getF32Type());
  program.write("param_norm", GlobalNormOp::create(program.builder, program.loc,
                                                   scalar, masters));
}

void BuildStepPass::runOnOperation() {
  ModuleOp module = getOperation();
  auto forward = module.lookupSymbol<func::FuncOp>("forward");
  auto gradients = module.lookupSymbol<func::FuncOp>("gradients");
  if (!forward || !gradients) {
    module.emitError("build-step needs @forward and @gradients; run autodiff "
                     "first");
    return signalPassFailure();
  }
  FailureOr<TrainOptions> read = readOptions();
  if (failed(read))
    return signalPassFailure();
  options = *read;
  params.clear();

  if (failed(declareState(gradients)))
    return signalPassFailure();
  {
    ProgramBuilder begin(module, "begin_step");
    begin.zero("loss_sum");
    begin.zero("token_sum");
    for (ParamState &state : params)
      begin.zero(state.grad.getSymName());
  }
  buildTrainStep(gradients);
  buildFinishStep();
  buildUpdate();
  {
    ProgramBuilder begin(module, "begin_eval");
    begin.zero("val_loss_sum");
    begin.zero("val_token_sum");
  }
  buildEvalStep(forward);
  buildFinishEval();
  buildParamNorm();
  forward.erase();
  gradients.erase();
}
