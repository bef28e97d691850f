//===- StagedModel.h - a small model as a pipeline, and as one -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A chain of linear layers without biases, one per chunk, with a loss that is a
// sum of products, momentum as its optimizer, evaluation and, if asked, the
// first layer's weight used again by the last one. As one plan, or as stages
// with one or more chunks each: what they compute is equal bit for bit but for
// the order in which the norm is summed.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_EXECUTOR_STAGEDMODEL_H
#define NXDT_TEST_UNIT_EXECUTOR_STAGEDMODEL_H

#include "PlanBuilder.h"

#include <string>
#include <vector>

namespace nxdt::plan {

struct ModelShape {
  int64_t layers = 2;
  int64_t stages = 1; ///< layers = stages * chunks of each
  int64_t dp = 1;
  int64_t microBatches = 2; ///< of a step and an evaluation
  bool isTied = false;
  /// One forward, one backward once the stages are full; else all forward
  /// first. Needs one chunk per stage.
  bool isOneFOneB = false;
  int64_t rows = 2;     ///< of a micro-batch on a rank
  int64_t sequence = 4; ///< and the width of the layers
};

/// Builds one stage, or with one stage all.
class StageBuilder {
public:
  StageBuilder(const ModelShape &shape, int64_t stage)
      : shape(shape), stage(stage) {
    b.plan.mesh = {
        {"pp", shape.stages}, {"dp", shape.dp}, {"cp", 1}, {"tp", 1}};
    b.plan.microBatchSize = shape.rows;
    b.plan.sequenceLength = shape.sequence;
    b.plan.vocabSize = 64;
    if (shape.isTied)
      b.plan.tied = {{"alias", "w0"}};
  }

  Plan take() {
    buffers();
    onceEach();
    if (shape.stages == 1) {
      whole("train_step", /*isEvaluation=*/false);
      whole("eval_step", /*isEvaluation=*/true);
    } else {
      chunkPrograms();
      if (needsTie())
        tiePrograms();
      schedules();
    }
    return b.take();
  }

private:
  static std::string at(const std::string &name, int64_t chunk) {
    return name + std::to_string(chunk);
  }
  bool isLast(int64_t chunk) const { return chunk == shape.layers - 1; }
  bool isMine(int64_t chunk) const { return stageOfChunk(chunk) == stage; }
  int64_t stageOfChunk(int64_t chunk) const { return chunk % shape.stages; }
  int64_t lastStage() const { return stageOfChunk(shape.layers - 1); }
  std::string weight(int64_t chunk) const {
    return at("w", shape.isTied && isLast(chunk) ? 0 : chunk);
  }
  /// Whether this stage has the owner or the copy of a tied weight.
  bool needsTie() const {
    return shape.isTied && (stage == 0 || stage == lastStage());
  }
  /// Weights that this stage updates.
  std::vector<std::string> ownWeights() const {
    std::vector<std::string> out;
    for (int64_t chunk = 0; chunk < shape.layers; ++chunk)
      if (isMine(chunk) && !(shape.isTied && isLast(chunk)))
        out.push_back(at("w", chunk));
    return out;
  }

  void param(const std::string &name, bool hasState) {
    std::vector<int64_t> size = {shape.sequence, shape.sequence};
    b.shard(name, size, {{}, {}}, Role::Param, DType::F32, name);
    b.plan.buffers.back().init = {Init::Kind::Normal, 0.0, 0.3};
    b.shard(name + ".grad", size, {{}, {}}, Role::Grad, DType::F32, name);
    if (hasState)
      b.shard(name + ".m", size, {{}, {}}, Role::OptState, DType::F32, name,
              "momentum");
  }
  void input(const std::string &name) {
    if (shape.dp > 1)
      b.shard(name, {shape.rows * shape.dp, shape.sequence}, {{"dp"}, {}},
              Role::Input, DType::I64);
    else
      b.buffer(name, DType::I64, {shape.rows, shape.sequence}, Role::Input);
  }
  void carry(const std::string &name) {
    b.buffer(name, DType::F32, {shape.rows, shape.sequence}, Role::Carry);
  }

  void buffers() {
    for (const std::string &name : ownWeights())
      param(name, /*hasState=*/true);
    if (shape.isTied && stage == lastStage() && stage != 0)
      param("w0", /*hasState=*/false);
    if (isMine(0))
      input("input_ids");
    if (stage == lastStage())
      input("targets");
    b.buffer("lr", DType::F64, {}, Role::Input);
    if (shape.stages == 1)
      b.buffer("step", DType::F32, {}, Role::Input);
    for (const char *name : {"loss_sum", "loss", "val_sum", "val_loss"})
      b.buffer(name, DType::F64, {});
    for (const char *name :
         {"tokens", "token_count", "val_tokens", "val_token_count"})
      b.buffer(name, DType::I64, {});
    b.buffer("grad_norm", DType::F32, {});
    if (shape.stages == 1)
      return;
    for (int64_t chunk = 0; chunk < shape.layers; ++chunk) {
      if (!isMine(chunk))
        continue;
      carry(at("h", chunk));     // what the chunk reads, until its backward
      carry(at("h.out", chunk)); // what it makes
      carry(at("dh.in", chunk)); // the gradient of that
      carry(at("dh", chunk));    // and of what it has read
      int64_t c = chunk;
      if (c > 0) {
        b.channel(at("h.", c), false, stageOfChunk(c - 1), at("h", c));
        b.channel(at("dh.", c), true, stageOfChunk(c - 1), at("dh", c));
        b.channel(at("val.", c), false, stageOfChunk(c - 1), at("h", c));
      }
      if (!isLast(c)) {
        b.channel(at("h.", c + 1), true, stageOfChunk(c + 1), at("h.out", c));
        b.channel(at("dh.", c + 1), false, stageOfChunk(c + 1), at("dh.in", c));
        b.channel(at("val.", c + 1), true, stageOfChunk(c + 1), at("h.out", c));
      }
    }
  }

  ValueRef activation() {
    return b.temporary(DType::F32, {shape.rows, shape.sequence});
  }
  ValueRef square() {
    return b.temporary(DType::F32, {shape.sequence, shape.sequence});
  }

  void scaledInput(ValueRef out) {
    b.call("aten::mul.Scalar", {b.use("input_ids"), 0.01}, {out});
  }
  /// Zero where the target is masked.
  ValueRef scaledTargets(ValueRef targets) {
    ValueRef positive = b.temporary(DType::I64, {shape.rows, shape.sequence});
    ValueRef scaled = activation();
    b.call("aten::clamp_min", {targets, int64_t(0)}, {positive});
    b.call("aten::mul.Scalar", {positive, 0.01}, {scaled});
    return scaled;
  }
  /// Adds the loss of `y` to the two scalars.
  void addLoss(ValueRef y, ValueRef targets, const std::string &sum,
               const std::string &count) {
    ValueRef scaled = scaledTargets(targets);
    ValueRef product = activation(), total = b.temporary(DType::F64, {});
    b.call("aten::mul.Tensor", {y, scaled}, {product});
    b.call("aten::sum", {product, DType::F64}, {total});
    b.call("aten::add_.Tensor", {b.use(sum), total, 1});
    ValueRef isTarget = b.temporary(DType::Bool, {shape.rows, shape.sequence});
    ValueRef targetsCounted = b.temporary(DType::I64, {});
    b.call("aten::ge.Scalar", {targets, int64_t(0)}, {isTarget});
    b.call("aten::sum", {isTarget, DType::I64}, {targetsCounted});
    b.call("aten::add_.Tensor", {b.use(count), targetsCounted, 1});
  }
  Instruction &layer(ValueRef h, int64_t chunk, ValueRef out) {
    return b.call("aten::mm", {h, b.use(weight(chunk))}, {out});
  }
  /// The gradients of a layer. `dh` may be absent.
  void layerGradients(ValueRef h, ValueRef dy, int64_t chunk, ValueRef dh) {
    ValueRef transposed = b.temporary(DType::F32, {shape.sequence, shape.rows});
    ValueRef gradient = square(), w = square();
    b.call("aten::t", {h}, {transposed});
    b.call("aten::mm", {transposed, dy}, {gradient});
    b.call("aten::add_.Tensor", {b.use(weight(chunk) + ".grad"), gradient, 1});
    if (dh.index < 0)
      return;
    b.call("aten::t", {b.use(weight(chunk))}, {w});
    b.call("aten::mm", {dy, w}, {dh});
  }

  /// All layers in one program.
  void whole(const std::string &name, bool isEvaluation) {
    b.program(name);
    std::vector<ValueRef> h = {activation()};
    scaledInput(h[0]);
    for (int64_t chunk = 0; chunk < shape.layers; ++chunk) {
      h.push_back(activation());
      layer(h[chunk], chunk, h[chunk + 1]);
    }
    ValueRef targets = b.use("targets");
    if (isEvaluation)
      return addLoss(h.back(), targets, "val_sum", "val_tokens");
    addLoss(h.back(), targets, "loss_sum", "tokens");
    ValueRef dy = scaledTargets(targets);
    for (int64_t chunk = shape.layers - 1; chunk >= 0; --chunk) {
      ValueRef dh = chunk > 0 ? activation() : ValueRef{};
      layerGradients(h[chunk], dy, chunk, dh);
      dy = dh;
    }
  }

  void chunkPrograms() {
    for (int64_t chunk = 0; chunk < shape.layers; ++chunk) {
      if (!isMine(chunk))
        continue;
      for (bool isEvaluation : {false, true}) {
        b.program(at(isEvaluation ? "eval." : "forward.", chunk));
        ValueRef h = b.use(at("h", chunk)), y = b.use(at("h.out", chunk));
        if (chunk == 0)
          scaledInput(h);
        Instruction &made = layer(h, chunk, y);
        if (isEvaluation)
          made.frees = {h.index};
        if (isEvaluation && isLast(chunk)) {
          addLoss(y, b.use("targets"), "val_sum", "val_tokens");
          freeAtLastUse(y);
        }
      }
      b.program(at("backward.", chunk));
      ValueRef h = b.use(at("h", chunk)), dy;
      if (isLast(chunk)) {
        ValueRef targets = b.use("targets"), y = b.use(at("h.out", chunk));
        addLoss(y, targets, "loss_sum", "tokens");
        freeAtLastUse(y);
        dy = scaledTargets(targets);
      } else {
        dy = b.use(at("dh.in", chunk));
      }
      layerGradients(h, dy, chunk,
                     chunk > 0 ? b.use(at("dh", chunk)) : ValueRef{});
      freeAtLastUse(h);
      if (!isLast(chunk))
        freeAtLastUse(dy);
    }
  }

  void freeAtLastUse(ValueRef value) {
    std::vector<Instruction> &instructions =
        b.plan.programs.back().instructions;
    for (size_t i = instructions.size(); i-- > 0;)
      for (const Arg &arg : instructions[i].args)
        if (const auto *ref = std::get_if<ValueRef>(&arg);
            ref && ref->index == value.index) {
          instructions[i].frees.push_back(value.index);
          return;
        }
  }

  void copyOf(const std::string &from, const std::string &to) {
    ValueRef out = b.use(to);
    b.call("aten::clone", {b.use(from), None{}}, {out});
  }

  /// The copy's gradient goes to the owner, the owner's value to the copy.
  void tiePrograms() {
    bool isOwner = stage == 0;
    int64_t peer = isOwner ? lastStage() : 0;
    std::vector<int64_t> size = {shape.sequence, shape.sequence};
    b.buffer("tied.grad", DType::F32, size, Role::Carry);
    b.buffer("tied.value", DType::F32, size, Role::Carry);
    b.channel("tied.grad", !isOwner, peer, "tied.grad");
    b.channel("tied.value", isOwner, peer, "tied.value");
    if (isOwner) {
      b.program("tied.add");
      ValueRef gradient = b.use("tied.grad");
      b.call("aten::add_.Tensor", {b.use("w0.grad"), gradient, 1}).frees = {
          gradient.index};
      b.program("tied.value");
      copyOf("w0", "tied.value");
      return;
    }
    b.program("tied.grad");
    copyOf("w0.grad", "tied.grad");
    b.program("tied.store");
    ValueRef value = b.use("tied.value");
    b.call("aten::copy_", {b.use("w0"), value, false}).frees = {value.index};
  }

  void onceEach() {
    b.program("begin_step");
    for (const Buffer &buffer : std::vector<Buffer>(b.plan.buffers))
      if (buffer.role == Role::Grad)
        b.call("aten::zero_", {b.use(buffer.name)});
    b.call("aten::zero_", {b.use("loss_sum")});
    b.call("aten::zero_", {b.use("tokens")});
    b.program("begin_eval");
    b.call("aten::zero_", {b.use("val_sum")});
    b.call("aten::zero_", {b.use("val_tokens")});
    b.program("finish_step");
    mean("loss_sum", "tokens", "loss", "token_count");
    norm();
    b.program("finish_eval");
    mean("val_sum", "val_tokens", "val_loss", "val_token_count");
    b.program("update_step");
    for (const std::string &name : ownWeights()) {
      ValueRef part = square();
      b.call("aten::mul_.Scalar", {b.use(name + ".m"), 0.9});
      b.call("aten::add_.Tensor",
             {b.use(name + ".m"), b.use(name + ".grad"), 1});
      b.call("aten::mul.Tensor", {b.use(name + ".m"), b.use("lr")}, {part});
      b.call("aten::sub_.Tensor", {b.use(name), part, 1});
    }
  }

  void mean(const std::string &sum, const std::string &count,
            const std::string &out, const std::string &outCount) {
    ValueRef total = b.temporary(DType::F64, {}), tokens = b.use(outCount);
    b.collective(Collective::AllReduce, b.use(sum), total, {"pp", "dp"});
    b.collective(Collective::AllReduce, b.use(count), tokens, {"pp", "dp"});
    b.call("aten::div.Tensor", {total, tokens}, {b.use(out)});
  }
  void norm() {
    ValueRef sum = b.temporary(DType::F32, {});
    b.call("aten::zeros",
           {std::vector<int64_t>{}, DType::F32, None{}, DeviceArg{}, None{}},
           {sum});
    for (const std::string &name : ownWeights()) {
      std::string gradient = name + ".grad";
      b.collective(Collective::AllReduce, b.use(gradient), b.use(gradient),
                   {"dp"});
      ValueRef product = square(), part = b.temporary(DType::F32, {}),
               next = b.temporary(DType::F32, {});
      b.call("aten::mul.Tensor", {b.use(gradient), b.use(gradient)}, {product});
      b.call("aten::sum", {product, None{}}, {part});
      b.call("aten::add.Tensor", {sum, part, 1}, {next});
      sum = next;
    }
    ValueRef all = b.temporary(DType::F32, {});
    b.collective(Collective::AllReduce, sum, all, {"pp"});
    b.call("aten::sqrt", {all}, {b.use("grad_norm")});
  }

  void act(ActionKind kind, const std::string &name, int64_t microBatch) {
    b.act(kind, name, microBatch);
  }
  using Kind = ActionKind;

  void receive(const std::string &channel, int64_t microBatch) {
    act(Kind::Recv, channel, microBatch);
    act(Kind::Wait, channel, microBatch);
  }
  /// What is sent is waited for at the end of the schedule.
  void send(const std::string &channel, const std::string &buffer,
            int64_t microBatch) {
    act(Kind::Send, channel, microBatch);
    act(Kind::Free, buffer, microBatch);
    sent.push_back({channel, microBatch});
  }
  void forward(int64_t c, int64_t m, bool isEvaluation = false) {
    const char *channel = isEvaluation ? "val." : "h.";
    if (c > 0)
      receive(at(channel, c), m);
    act(Kind::Run, at(isEvaluation ? "eval." : "forward.", c), m);
    if (!isLast(c))
      send(at(channel, c + 1), at("h.out", c), m);
  }
  void backward(int64_t c, int64_t m) {
    if (!isLast(c))
      receive(at("dh.", c + 1), m);
    act(Kind::Run, at("backward.", c), m);
    if (c > 0)
      send(at("dh.", c), at("dh", c), m);
  }
  void begin(const std::string &name, int64_t microBatches) {
    b.plan.schedules.push_back({name, microBatches, {}});
    sent.clear();
  }
  void end() {
    for (const auto &[channel, microBatch] : sent)
      act(Kind::Wait, channel, microBatch);
  }

  void schedules() {
    int64_t count = shape.microBatches;
    begin("train_step", count);
    if (shape.isOneFOneB) {
      int64_t warmUp = std::min(shape.stages - 1 - stage, count);
      for (int64_t m = 0; m < count + warmUp; ++m) {
        if (m < count)
          forward(stage, m);
        if (m >= warmUp)
          backward(stage, m - warmUp);
      }
    } else {
      for (int64_t c = stage; c < shape.layers; c += shape.stages)
        for (int64_t m = 0; m < count; ++m)
          forward(c, m);
      for (int64_t c = shape.layers - 1; c >= 0; --c)
        for (int64_t m = 0; isMine(c) && m < count; ++m)
          backward(c, m);
    }
    if (needsTie() && stage == 0) {
      receive("tied.grad", 0);
      act(Kind::Run, "tied.add", 0);
    } else if (needsTie()) {
      act(Kind::Run, "tied.grad", 0);
      send("tied.grad", "tied.grad", 0);
    }
    end();
    begin("eval_step", count);
    for (int64_t m = 0; m < count; ++m)
      for (int64_t c = stage; c < shape.layers; c += shape.stages)
        forward(c, m, /*isEvaluation=*/true);
    end();
    begin("update_step", 1);
    act(Kind::Run, "update_step", 0);
    if (needsTie() && stage == 0) {
      act(Kind::Run, "tied.value", 0);
      send("tied.value", "tied.value", 0);
    } else if (needsTie()) {
      receive("tied.value", 0);
      act(Kind::Run, "tied.store", 0);
    }
    end();
  }

  ModelShape shape;
  int64_t stage;
  PlanBuilder b;
  std::vector<std::pair<std::string, int64_t>> sent;
};

inline PlanFamily stagedModel(const ModelShape &shape) {
  PlanFamily family;
  for (int64_t stage = 0; stage < shape.stages; ++stage)
    family.stages.push_back(StageBuilder(shape, stage).take());
  return family;
}

} // namespace nxdt::plan

#endif // NXDT_TEST_UNIT_EXECUTOR_STAGEDMODEL_H
