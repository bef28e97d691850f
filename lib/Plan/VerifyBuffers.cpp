//===- VerifyBuffers.cpp - the plan's head and its buffers -------*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Checks.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Plan/Slice.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace nxdt::plan {

std::string shown(std::span<const int64_t> shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

std::string typed(DType dtype, std::span<const int64_t> shape) {
  return std::string(name(dtype)) + shown(shape);
}

namespace {

bool isOwned(Role role) {
  return role == Role::Param || role == Role::Master ||
         role == Role::OptState || role == Role::Grad ||
         role == Role::ReducedGrad;
}

/// The checks of the plan's head and of its buffers.
class PlanChecker {
public:
  PlanChecker(const Plan &plan, const std::string &what)
      : plan(plan), what(what), mesh(meshOf(plan)) {}

  void run() {
    checkHead();
    for (size_t i = 0; i < plan.buffers.size(); ++i)
      checkBuffer(i);
    checkOwners();
    checkTied();
    checkKnownBuffers();
    checkMemory();
  }

private:
  [[noreturn]] void fail(const std::string &message) const {
    throw UserError(what + ": " + message);
  }
  [[noreturn]] void fail(const Buffer &buffer,
                         const std::string &message) const {
    fail("buffer '" + buffer.name + "': " + message);
  }

  void checkHead() const {
    if (plan.version != kVersion)
      fail("version " + std::to_string(plan.version) + ", expected " +
           std::to_string(kVersion));
    if (plan.device != "cpu" && plan.device != "cuda")
      fail("unknown device '" + plan.device + "' (known: cpu, cuda)");
    std::set<std::string> axes;
    int64_t ranks = 1;
    for (const auto &[axis, size] : plan.mesh) {
      if (axis.empty() || !axes.insert(axis).second)
        fail("mesh: the axis '" + axis + "' is empty or stands twice");
      if (size < 1)
        fail("mesh: the axis '" + axis + "' has the size " +
             std::to_string(size) + ", expected at least 1");
      if (__builtin_mul_overflow(ranks, size, &ranks))
        fail("mesh: the number of ranks does not fit into 64 bits");
    }
    if (ranks > kMaxRanks)
      fail("mesh: " + std::to_string(ranks) + " ranks, expected at most " +
           std::to_string(kMaxRanks));
    for (const std::string &library : plan.libraries)
      if (library.empty() || library[0] != '/')
        fail("libraries: '" + library + "' is not an absolute path");
    if (plan.microBatchSize < 0 || plan.sequenceLength < 0 ||
        plan.vocabSize < 0)
      fail("micro_batch_size, sequence_length and vocab_size must not be "
           "negative");
  }

  void checkBuffer(size_t index) {
    const Buffer &buffer = plan.buffers[index];
    if (buffer.name.empty())
      fail("buffers[" + std::to_string(index) + "] has no name");
    if (!byName.emplace(buffer.name, &buffer).second)
      fail("two buffers are named '" + buffer.name + "'");
    int64_t bytes = checkedBytes(buffer.dtype, buffer.shape);
    if (bytes < 0 || __builtin_add_overflow(totalBytes, bytes, &totalBytes))
      fail(buffer, "the shape " + shown(buffer.shape) +
                       " is negative or its bytes overflow");
    checkSlice(buffer);
    if (isOwned(buffer.role) == buffer.param.empty())
      fail(buffer,
           "the role " + std::string(name(buffer.role)) +
               (buffer.param.empty() ? " needs the name of a parameter"
                                     : " has no parameter, but '" +
                                           buffer.param + "' is given"));
    if ((buffer.role == Role::OptState) == buffer.state.empty())
      fail(buffer, "`state` belongs to opt_state buffers, and to all of them");
    checkInit(buffer);
    if (isOwned(buffer.role) &&
        !owned
             .emplace(ownerKey(buffer.role, buffer.param, buffer.state),
                      &buffer)
             .second)
      fail(buffer, "the parameter '" + buffer.param +
                       "' has two buffers of "
                       "the role " +
                       std::string(name(buffer.role)));
  }

  /// The axes of `list`, which must be of the mesh.
  GroupSpec axesOf(const Buffer &buffer, const char *field,
                   const Axes &list) const {
    try {
      GroupSpec spec = toGroupSpec(list);
      if (!spec.axes.empty())
        checkGroupSpec(mesh, spec);
      return spec;
    } catch (const UserError &e) {
      fail(buffer, std::string(field) + ": " + e.what());
    }
  }

  void checkSharding(const Buffer &buffer) const {
    GroupSpec all;
    auto add = [&](const char *field, const Axes &list) {
      GroupSpec spec = axesOf(buffer, field, list);
      all.axes.insert(all.axes.end(), spec.axes.begin(), spec.axes.end());
    };
    for (const Axes &axes : buffer.split)
      add("split", axes);
    add("partial", buffer.partial);
    if (!all.axes.empty())
      try {
        checkGroupSpec(mesh, all);
      } catch (const UserError &e) {
        fail(buffer, std::string("split and partial: ") + e.what());
      }
    bool mayBePartial =
        buffer.role == Role::Grad || buffer.role == Role::ReducedGrad ||
        buffer.role == Role::Scalar || buffer.role == Role::Buffer ||
        buffer.role == Role::Carry;
    if (!buffer.partial.empty() && !mayBePartial)
      fail(buffer, "a " + std::string(name(buffer.role)) +
                       " cannot be a term of a sum (partial)");
  }

  void checkCoordinate(const Buffer &buffer) const {
    axesOf(buffer, "coordinate", buffer.coordinate);
    if ((buffer.role == Role::Coordinate) == buffer.coordinate.empty())
      fail(buffer,
           "`coordinate` belongs to coordinate buffers, and to all of them");
    if (buffer.role == Role::Coordinate &&
        (buffer.dtype != DType::I64 || !buffer.shape.empty()))
      fail(buffer,
           "a coordinate is i64[], found " + typed(buffer.dtype, buffer.shape));
  }

  void checkSlice(const Buffer &buffer) const {
    checkSharding(buffer);
    checkCoordinate(buffer);
    bool absent = buffer.logicalShape.empty() && buffer.split.empty();
    if (absent && !isOwned(buffer.role))
      return;
    if (buffer.logicalShape.size() != buffer.shape.size() ||
        buffer.split.size() != buffer.shape.size())
      fail(buffer, "shape " + shown(buffer.shape) + ", logical_shape " +
                       shown(buffer.logicalShape) + " and split (" +
                       std::to_string(buffer.split.size()) +
                       " dimensions) differ in rank");
    if (checkedBytes(buffer.dtype, buffer.logicalShape) < 0)
      fail(buffer, "the logical_shape " + shown(buffer.logicalShape) +
                       " is negative or its bytes overflow");
    std::vector<int64_t> expected = localShape(buffer, mesh);
    if (buffer.shape != expected)
      fail(buffer, "has the shape " + shown(buffer.shape) +
                       ", but its split makes " + shown(expected) + " of " +
                       shown(buffer.logicalShape));
  }

  void checkInit(const Buffer &buffer) const {
    const Init &init = buffer.init;
    if (init.kind == Init::Kind::None)
      return;
    if (buffer.role != Role::Param)
      fail(buffer, "only a param has an init");
    bool isFloat = buffer.dtype == DType::F64 || buffer.dtype == DType::F32 ||
                   buffer.dtype == DType::BF16 || buffer.dtype == DType::F16;
    if (!isFloat || !std::isfinite(init.a) || !std::isfinite(init.b))
      fail(buffer, "an init needs a floating dtype and finite numbers");
    if (init.kind == Init::Kind::Normal && init.b < 0)
      fail(buffer, "the standard deviation of its init is negative");
    if (init.kind == Init::Kind::Uniform && init.b < init.a)
      fail(buffer, "the upper bound of its init is below the lower one");
  }

  static std::string ownerKey(Role role, const std::string &param,
                              const std::string &state) {
    return std::string(name(role)) + '\0' + param + '\0' + state;
  }
  const Buffer *find(Role role, const std::string &param) const {
    auto it = owned.find(ownerKey(role, param, ""));
    return it == owned.end() ? nullptr : it->second;
  }

  void checkOwners() const {
    auto isStep = [](const auto &item) { return item.name == "train_step"; };
    bool trains =
        std::any_of(plan.programs.begin(), plan.programs.end(), isStep) ||
        std::any_of(plan.schedules.begin(), plan.schedules.end(), isStep);
    std::map<std::string, std::set<std::string>> states;
    for (const Buffer &buffer : plan.buffers) {
      if (!isOwned(buffer.role))
        continue;
      const Buffer *param = find(Role::Param, buffer.param);
      if (!param)
        fail(buffer, "its owner, the parameter '" + buffer.param +
                         "', has no buffer of the role param");
      if (buffer.role == Role::OptState)
        states[buffer.param].insert(buffer.state);
      if ((buffer.role == Role::Master || buffer.role == Role::Grad ||
           buffer.role == Role::ReducedGrad) &&
          buffer.logicalShape != param->logicalShape)
        fail(buffer, "its logical_shape " + shown(buffer.logicalShape) +
                         " is not that of its parameter, " +
                         shown(param->logicalShape));
      if (buffer.role != Role::Param || !trains)
        continue;
      if (!find(Role::Grad, buffer.param))
        fail(buffer, "the plan has a train_step, but this parameter has no "
                     "buffer of the role grad");
    }
    for (const auto &[param, names] : states)
      if (names != states.begin()->second)
        fail("the parameters '" + states.begin()->first + "' and '" + param +
             "' have different optimizer states");
  }

  void checkTied() const {
    std::set<std::string> aliases;
    for (const auto &[alias, stored] : plan.tied) {
      // Or it is on another stage: verifyFamily looks there.
      if (!find(Role::Param, stored) && !isStage())
        fail("tied: '" + stored + "' is not the parameter of any buffer");
      if (alias.empty() || find(Role::Param, alias) ||
          !aliases.insert(alias).second)
        fail("tied: the alias '" + alias +
             "' is empty, has a buffer of its own or stands twice");
    }
  }

  bool isStage() const {
    return std::any_of(
        plan.mesh.begin(), plan.mesh.end(),
        [](const auto &axis) { return axis.first == "pp" && axis.second > 1; });
  }

  /// Buffers whose name the runtime knows have the form it expects.
  void checkKnownBuffers() const {
    struct Known {
      const char *name;
      Role role;
      DType dtype;
      bool batch; ///< [B, S], else a scalar
    };
    static constexpr Known table[] = {
        {"input_ids", Role::Input, DType::I64, true},
        {"targets", Role::Input, DType::I64, true},
        {"lr", Role::Input, DType::F64, false},
        {"step", Role::Input, DType::F32, false},
        {"loss", Role::Scalar, DType::F64, false},
        {"token_count", Role::Scalar, DType::I64, false},
        {"grad_norm", Role::Scalar, DType::F32, false},
        {"val_loss", Role::Scalar, DType::F64, false},
        {"val_token_count", Role::Scalar, DType::I64, false},
        {"param_norm", Role::Scalar, DType::F32, false},
    };
    std::vector<int64_t> batch = {plan.microBatchSize, plan.sequenceLength};
    for (const Buffer &buffer : plan.buffers)
      if (buffer.role == Role::Input &&
          std::none_of(
              std::begin(table), std::end(table), [&](const Known &known) {
                return known.role == Role::Input && known.name == buffer.name;
              }))
        fail(buffer, "unknown input (known: input_ids, targets, lr, step)");
    int64_t dp = 1;
    for (const MeshAxis &axis : mesh.axes)
      if (axis.name == "dp")
        dp = axis.size;
    for (const Known &known : table) {
      auto it = byName.find(known.name);
      if (it == byName.end())
        continue;
      const Buffer &buffer = *it->second;
      std::vector<int64_t> shape = known.batch ? batch : std::vector<int64_t>{};
      if (buffer.role != known.role || buffer.dtype != known.dtype ||
          buffer.shape != shape)
        fail(buffer, "expected the role " + std::string(name(known.role)) +
                         " and the type " + typed(known.dtype, shape) +
                         ", found " + std::string(name(buffer.role)) + " " +
                         typed(buffer.dtype, buffer.shape));
      if (known.batch && dp > 1)
        checkBatch(buffer, dp);
    }
  }

  /// The rows that a rank reads are those of its place along dp.
  void checkBatch(const Buffer &buffer, int64_t dp) const {
    std::vector<int64_t> logical = {plan.microBatchSize * dp,
                                    plan.sequenceLength};
    if (buffer.logicalShape != logical ||
        buffer.split != std::vector<Axes>{{"dp"}, {}})
      fail(buffer, "on " + std::to_string(dp) +
                       " data-parallel ranks its logical_shape must be " +
                       shown(logical) +
                       " and its split must be dp on the first dimension");
  }

  void checkMemory() const {
    MemoryReport derived = bufferBytes(plan);
    auto check = [&](const char *field, int64_t stated, int64_t bytes) {
      if (stated != bytes)
        fail(std::string("memory: ") + field + " is " + std::to_string(stated) +
             ", but the buffers have " + std::to_string(bytes));
    };
    check("param_bytes", plan.memory.paramBytes, derived.paramBytes);
    check("master_bytes", plan.memory.masterBytes, derived.masterBytes);
    check("grad_bytes", plan.memory.gradBytes, derived.gradBytes);
    check("opt_state_bytes", plan.memory.optStateBytes, derived.optStateBytes);
    check("other_bytes", plan.memory.otherBytes, derived.otherBytes);
    if (plan.memory.peakActivationBytes < 0)
      fail("memory: peak_activation_bytes is negative");
  }

  static constexpr int64_t kMaxRanks = int64_t(1) << 20;

  const Plan &plan;
  const std::string &what;
  Mesh mesh;
  std::map<std::string, const Buffer *> byName;
  std::map<std::string, const Buffer *> owned;
  int64_t totalBytes = 0;
};

} // namespace

void verifyBuffers(const Plan &plan, const std::string &what) {
  PlanChecker(plan, what).run();
}

} // namespace nxdt::plan
