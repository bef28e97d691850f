//===- Plan.h - all that the runtime knows ----------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The plan is the whole interface between compiler and runtime: buffers that
// live across steps, and straight-line programs that read and write them.
// Plain structs without dependencies; JSON in PlanJson.h; the checks that a
// plan from outside must pass in PlanVerify.h. docs/Plan.md is the schema.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PLAN_PLAN_H
#define NXDT_PLAN_PLAN_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nxdt::plan {

constexpr int64_t kVersion = 1;

enum class DType { F64, F32, BF16, F16, I64, I32, U8, Bool };

/// Bytes of one element.
int64_t byteSize(DType dtype);
/// "f32", "bf16", "i64", "bool", ...
std::string_view name(DType dtype);

/// What a buffer is for. The runtime dispatches on roles, never on names.
enum class Role {
  Param,       ///< a weight in compute precision
  Master,      ///< its fp32 master, only where it differs from the param
  OptState,    ///< optimizer state of a param; `state` names it (exp_avg, ...)
  Grad,        ///< gradient accumulator of a param (fp32)
  Buffer,      ///< a module's registered buffer, filled by the program `init`
  Input,       ///< set by the runtime before a program runs
  Scalar,      ///< accumulators and results of a step: loss_sum, grad_norm, ...
  ReducedGrad, ///< a param's gradient summed over the ranks, where it lies
               ///< otherwise than the accumulator
  Coordinate,  ///< i64 []: where this rank is along `coordinate`; set once
  Carry,       ///< what one program of a micro-batch leaves for a later one, or
               ///< another stage sends: a tensor per micro-batch in flight
};
std::string_view name(Role role);

/// How the elements of a param come to be when no weights are loaded:
/// Philox draws keyed by (seed, param name, logical global index).
struct Init {
  enum class Kind { None, Constant, Normal, Uniform } kind = Kind::None;
  double a = 0.0; ///< constant | mean | low
  double b = 0.0; ///< - | standard deviation | high
};

/// Mesh axes, outermost first, each in the form of parseGroupSpec: "tp",
/// or "tp:(2)4" for the part of size 4 that comes after a first 2.
using Axes = std::vector<std::string>;

/// A tensor that lives across programs. `shape` is what each rank holds of the
/// unpadded whole, `logicalShape`: dimension d is split by the axes `split[d]`,
/// major to minor, each time into parts of ceil(size / axis size); the last
/// parts are padded with zeros up to `shape[d]`.
struct Buffer {
  std::string name; ///< unique
  Role role = Role::Scalar;
  std::string param; ///< owner's parameter name for Param..Grad, else empty
  std::string state; ///< for OptState
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<int64_t> logicalShape;
  std::vector<Axes> split;
  /// Each rank holds one term of a sum over these axes.
  Axes partial;
  /// Role::Coordinate: the rank's row-major index along these axes.
  Axes coordinate;
  Init init;
};

/// A use of a value; -1 in a list is an absent optional tensor.
struct ValueRef {
  int32_t index = -1;
  bool operator==(const ValueRef &) const = default;
};
struct None {
  bool operator==(const None &) const = default;
};
/// Stands for the device of the plan where a schema wants a Device.
struct DeviceArg {
  bool operator==(const DeviceArg &) const = default;
};
/// One argument of an operator's schema.
using Arg = std::variant<None, bool, int64_t, double, std::string, DType,
                         DeviceArg, std::vector<int64_t>, std::vector<double>,
                         std::vector<bool>, ValueRef, std::vector<ValueRef>>;

enum class OpKind {
  Aten,       ///< any operator of the dispatcher, of a listed library too
  AtenVjp,    ///< its gradient, under libtorch's own autograd at run time
  Collective, ///< between the ranks of a group, or this rank's part of a tensor
  Start,      ///< starts a collective of one or several tensors
  Wait,       ///< until what was started is there
};

enum class Collective {
  AllReduce,     ///< same shape
  AllGather,     ///< `dim` grows by the group's size
  ReduceScatter, ///< `dim` shrinks by it
  AllSlice,      ///< the same without a reduction, and without communication
};
enum class Reduction { Sum, Max };
/// "all_reduce", ... The operator is "nxdt::" + that.
std::string_view name(Collective collective);
/// "sum", "max".
std::string_view name(Reduction reduction);

/// One step of a program. Values are indices into Program::values.
struct Instruction {
  OpKind kind = OpKind::Aten;
  /// "namespace::name" or "namespace::name.overload".
  std::string op;
  /// The whole argument list of the schema, in order. An operator that
  /// mutates an argument gets a value bound to a buffer there.
  std::vector<Arg> args;
  /// Aten: one value per tensor result, results that are tensor lists
  /// flattened (-1 = unused). Empty for operators that only mutate.
  /// AtenVjp: the gradient for each tensor among `args`, in order (-1 = none).
  std::vector<int32_t> outs;
  /// AtenVjp only: gradient of each result (-1 = zero).
  std::vector<int32_t> gradOuts;
  /// Values whose last use this is: they are released right after. Never
  /// values bound to buffers.
  std::vector<int32_t> frees;
  /// Module path, for messages and profiles ("model.layers.0.mlp").
  std::string module;

  // Collective: `op` is "nxdt::all_reduce" and so on, `args` the input, `outs`
  // one value.
  // Start: the same of several tensors at once, each with its result, `dtype`
  // of all alike. Between the start and its wait nothing reads or writes the
  // results, and nothing writes the inputs or changes their memory.
  // Wait: `op` is "nxdt::wait", `args` two lists of values: the results of one
  // start, and its inputs. Every start is waited for once, in its program.
  Collective collective = Collective::AllReduce;
  Reduction reduction = Reduction::Sum;
  /// The group: the ranks that differ along these axes only.
  Axes axes;
  int64_t dim = 0;
  /// Why it exists, for reports.
  std::string reason;
  /// Start of several tensors: where each comes from and why it is there.
  struct Part {
    std::string module;
    std::string reason;
  };
  std::vector<Part> parts;
};

/// Which value of the program before partitioning a value is, or a part of.
/// Only in plans that were compiled to be compared (nxdt-opt --origins).
struct Origin {
  /// "train_step#17.0": result 0 of operation 17; "train_step#17.0>loss": and
  /// the program leaves it in that buffer; "train_step@step": what that buffer
  /// holds when the program begins.
  std::string name;
  /// As of buffers.
  std::vector<int64_t> logicalShape;
  std::vector<Axes> split;
  Axes partial;
  Reduction reduction = Reduction::Sum; ///< of `partial`
};

/// A value of a program.
struct Value {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  /// Buffer it is bound to, or -1 for a temporary.
  int32_t buffer = -1;
  std::optional<Origin> origin = {};
};

/// Straight-line code. Known names (all optional but train_step):
///   (a stage of a pipeline has schedules instead of train_step and eval_step,
///   and their programs have any names)
///   init         fills Role::Buffer buffers, once
///   begin_step   zeroes accumulators
///   train_step   one micro-batch: forward, backward, accumulate
///   finish_step  loss, grad_norm and scale from the accumulators
///   update_step  optimizer; runs only if loss and grad_norm are finite
///   begin_eval, eval_step, finish_eval   the same without gradients
///   norm_params  L2 norm of the (master) params, into param_norm
/// Inputs:  input_ids [B,S] i64, targets [B,S] i64 (shifted by one, -100 =
///          ignored), lr f64 [], step f32 [] (1 for the first update).
/// Scalars: loss f64 [], token_count i64 [], grad_norm f32 [], val_loss f64 [],
///          val_token_count i64 [], param_norm f32 [].
///
/// Values bound to a Role::Carry buffer stand for the tensor of the micro-batch
/// that the program runs for. They may be among the `frees`: the micro-batch
/// has no such tensor then.
struct Program {
  std::string name;
  std::vector<Value> values;
  std::vector<Instruction> instructions;
};

/// One way between two stages, for one tensor per micro-batch. Both ends name
/// it alike; tensors arrive in the order in which they were sent.
struct Channel {
  std::string name; ///< the same in both stages' plans, unique in each
  bool isSend = false;
  int64_t peer = 0;    ///< the other end's coordinate along pp
  int32_t buffer = -1; ///< Role::Carry: what is sent, or becomes what arrived
  std::string reason;
};

enum class ActionKind {
  Run,  ///< a program
  Send, ///< starts sending what the carry buffer holds
  Recv, ///< starts receiving
  Wait, ///< until what was started on the channel for the micro-batch has ended
  Free, ///< drops the tensor of a carry buffer
};
/// "run", "send", "recv", "wait", "free".
std::string_view name(ActionKind kind);

/// What a stage does next. Written `run forward.1 3`: kind, the program's,
/// channel's or buffer's name, micro-batch.
struct Action {
  ActionKind kind = ActionKind::Run;
  /// Run: of Plan::programs. Send, Recv, Wait: of Plan::channels. Free: of
  /// Plan::buffers.
  int32_t index = -1;
  int64_t microBatch = 0;
  bool operator==(const Action &) const = default;
};

/// All that a stage does in place of the program of the same name: train_step
/// and eval_step for all micro-batches of a step, update_step (micro-batch 0).
struct Schedule {
  std::string name;
  int64_t microBatches = 0; ///< 1 for update_step
  std::vector<Action> actions;
};

/// Predicted bytes of this rank by category, for reports beside measurements.
struct MemoryReport {
  int64_t paramBytes = 0;
  int64_t masterBytes = 0;
  int64_t gradBytes = 0;
  int64_t optStateBytes = 0;
  int64_t otherBytes = 0;
  /// Highest sum of live temporaries over all programs.
  int64_t peakActivationBytes = 0;
};

struct Plan {
  int64_t version = kVersion;
  std::string device = "cpu"; ///< "cpu" or "cuda"
  /// Axis name and size, outermost first: pp, dp, cp, tp.
  std::vector<std::pair<std::string, int64_t>> mesh;
  /// Shared libraries whose operators the programs use (absolute paths).
  std::vector<std::string> libraries;
  int64_t microBatchSize = 0;
  int64_t sequenceLength = 0;
  int64_t vocabSize = 0;
  /// Parameters that share one storage: (alias name, stored name), as the
  /// Hugging Face export must know them (tied embeddings).
  std::vector<std::pair<std::string, std::string>> tied;
  std::vector<Buffer> buffers;
  std::vector<Program> programs;
  /// Of this stage; both empty without a pipeline.
  std::vector<Channel> channels;
  std::vector<Schedule> schedules;
  MemoryReport memory;
};

/// One plan per coordinate along pp: those of a run's ranks. They agree in all
/// that is the same on every rank (device, mesh, libraries, sizes, tied).
struct PlanFamily {
  std::vector<Plan> stages;
};

} // namespace nxdt::plan

#endif // NXDT_PLAN_PLAN_H
